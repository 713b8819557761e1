import { type Matrix, row } from "../base/matrix.ts";

/** Step of the weights: the golden section, whose multiples are spread evenly. */
const GOLDEN = 0.6180339887498949;

/** Weights between 1 and 2 of the entries of a row. */
function weightsOf(length: number): Float64Array {
  return Float64Array.from({ length }, (_, j) => 1 + ((j * GOLDEN) % 1));
}

/** A number that equal rows share and different rows hardly ever do. Two sums: the additions do not wait for each other. */
function checksum(x: Float64Array, weights: Float64Array): number {
  let [even, odd] = [0, 0];
  const whole = x.length & ~1;
  for (let j = 0; j < whole; j += 2) {
    even += weights[j]! * x[j]!;
    odd += weights[j + 1]! * x[j + 1]!;
  }
  if (whole < x.length) even += weights[whole]! * x[whole]!;
  return even + odd;
}

function equal(x: Float64Array, y: Float64Array): boolean {
  for (let j = 0; j < x.length; j++) if (x[j] !== y[j]) return false;
  return true;
}

/** Calls `found(i, j)` for all rows i of X1 and j of X2 with equal entries; X2 null: j < i in X1. */
export function forEqualRows(X1: Matrix, X2: Matrix | null, found: (i: number, j: number) => void): void {
  const others = X2 ?? X1;
  const weights = weightsOf(X1.cols);
  // Classes of equal rows of `others`, by checksum.
  const classes = new Map<number, number[][]>();
  const classOf = (x: Float64Array): number[] => {
    const key = checksum(x, weights);
    const list = classes.get(key) ?? [];
    classes.set(key, list);
    const there = list.find(([first]) => equal(x, row(others, first!)));
    if (there !== undefined) return there;
    const fresh: number[] = [];
    list.push(fresh);
    return fresh;
  };
  if (X2 !== null) for (let j = 0; j < X2.rows; j++) classOf(row(X2, j)).push(j);
  for (let i = 0; i < X1.rows; i++) {
    const members = classOf(row(X1, i));
    for (const j of members) found(i, j);
    if (X2 === null) members.push(i);
  }
}
