/** The sum of the entries. */
export function total(x: Float64Array): number {
  let sum = 0;
  for (const t of x) sum += t;
  return sum;
}

/** The Euclidean norm, for vectors of ordinary scale. */
export function norm2(x: Float64Array): number {
  let sum = 0;
  for (const t of x) sum += t * t;
  return Math.sqrt(sum);
}

/** The largest entry in size. */
export function normInf(x: Float64Array): number {
  let most = 0;
  for (const t of x) most = Math.max(most, Math.abs(t));
  return most;
}
