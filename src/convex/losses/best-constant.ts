import type { Loss } from "./loss.ts";

/** Where a constant prediction stops growing when the least loss is at infinity (targets of one class). */
const FARTHEST = 64;

/** The constant prediction of least loss, by bisection on the sign of the slope, which never rises. */
export function bestConstant(loss: Loss, y: Float64Array): number {
  const f = new Float64Array(y.length);
  const v = new Float64Array(y.length);
  const slope = (c: number): number => {
    loss.negativeGradient(f.fill(c), y, v);
    return v.reduce((sum, t) => sum + t, 0);
  };
  let size = 0;
  for (const t of y) size = Math.max(size, Math.abs(t));
  let [low, high] = [-FARTHEST * size, FARTHEST * size];
  if (slope(0) === 0) return 0;
  for (let k = 0; k < 200; k++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (slope(middle) > 0) low = middle;
    else high = middle;
  }
  // At a kink the two neighbours differ in their slopes: the larger ones leave a dual point that can be centered.
  // Elsewhere the one of less loss.
  const mass = (c: number): number => {
    loss.negativeGradient(f.fill(c), y, v);
    return v.reduce((sum, t) => sum + Math.abs(t), 0);
  };
  const jump = mass(low) - mass(high);
  const kink = Math.abs(jump) > 1e-9 * mass(0);
  const better = kink ? jump > 0 : loss.value(f.fill(low), y) < loss.value(f.fill(high), y);
  return better ? low : high;
}
