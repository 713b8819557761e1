import type { Ramp } from "./line-data.ts";

/**
 * The shape of a piecewise linear function on ascending points: its first slope and its slope changes at the inner points.
 * `change[k]` belongs to point k; the first and the last are 0.
 */
export interface LineShape {
  readonly slope: number;
  readonly change: Float64Array;
}

/** The shape of the linear interpolation of the values f at the points t (ascending, distinct). */
export function lineShape(t: Float64Array, f: Float64Array): LineShape {
  const k = t.length;
  const change = new Float64Array(k);
  const slopeAt = (i: number): number => (f[i + 1] - f[i]) / (t[i + 1] - t[i]);
  for (let i = 1; i + 1 < k; i++) change[i] = slopeAt(i) - slopeAt(i - 1);
  return { slope: k > 1 ? slopeAt(0) : 0, change };
}

/**
 * The least sum |w_j| of two-layer networks sum_j w_j (u_j x + b_j)_+ + c0, |u_j| = 1, with this shape on the data:
 *
 *     max( TV, (TV + |s_first + s_last|) / 2 ),   TV = sum of |slope changes|
 *
 * the least-norm value of Ergen & Pilanci (arXiv:2002.11219), Corollary 3, in closed form. A slope change delta at a
 * point is shared by the ramps that start there to the right and to the left, w+ + w- = delta at no extra cost, and
 * sum w- = -s_first; what cannot be met that way costs one more ramp over all data.
 */
export function lineNorm({ slope, change }: LineShape): number {
  const { up, down } = totals(change);
  return up + down + Math.max(0, -slope - up, slope - down);
}

function totals(change: Float64Array): { up: number; down: number } {
  let up = 0;
  let down = 0;
  for (const t of change) {
    if (t > 0) up += t;
    else down -= t;
  }
  return { up, down };
}

/** Weights below this part of their sum are rounding errors. */
const ROUNDING = 1e-15;

/**
 * Ramps of least sum |w| with a given shape and the value f0 at the first point; at most one more than slope changes.
 * `kinks` are the (ascending) positions of `change`; `first` and `last` the ends of the data.
 */
export function leastRamps(
  kinks: Float64Array,
  { slope, change }: LineShape,
  first: number,
  last: number,
  f0: number,
): { ramps: Ramp[]; c0: number } {
  const { up, down } = totals(change);
  // sum of the weights of the ramps to the left: -slope as far as the slope changes allow.
  let left = Math.min(up, Math.max(-down, -slope));
  const least = ROUNDING * (up + down);
  const rest = Math.abs(slope + left) <= ROUNDING * Math.abs(slope) ? 0 : slope + left;
  const ramps: Ramp[] = [];
  let c0 = f0;
  const add = (u: 1 | -1, kink: number, w: number): void => {
    if (w === 0) return;
    ramps.push({ u, kink, w });
    if (u === -1) c0 -= w * (kink - first);
  };
  for (let k = 0; k < kinks.length; k++) {
    const delta = change[k];
    if (delta === 0) continue;
    // Take what is still needed on the left, of the sign that it has.
    const wanted = delta > 0 ? Math.min(delta, Math.max(0, left)) : Math.max(delta, Math.min(0, left));
    // Halves that are rounding errors would be neurons of their own.
    const part = Math.abs(wanted) <= least ? 0 : Math.abs(delta - wanted) <= least ? delta : wanted;
    left -= wanted;
    add(-1, kinks[k], part);
    add(1, kinks[k], delta - part);
  }
  if (rest > 0) add(1, first, rest);
  if (rest < 0) add(-1, last, -rest);
  return { ramps, c0 };
}

/**
 * The same function on the data with the fewest kinks at the same total variation of the slope: of slope changes of one
 * sign at neighbouring points, two and two are replaced by one between them (Debarre, Denoyelle, Unser, Fageot, "Sparsest
 * piecewise-linear regression of one-dimensional data", 2022). Returns positions and slope changes.
 */
export function sparsestKinks(
  t: Float64Array,
  f: Float64Array,
  { slope, change }: LineShape,
): { kinks: Float64Array; change: Float64Array } {
  const kinks: number[] = [];
  const merged: number[] = [];
  let before = slope;
  for (let k = 0; k < t.length; ) {
    const delta = change[k];
    if (delta === 0) {
      k += 1;
      continue;
    }
    let run = 1;
    while (k + run < t.length && change[k + run] * delta > 0) run += 1;
    if (run % 2 === 1) {
      kinks.push(t[k]);
      merged.push(delta);
      before += delta;
      k += 1;
      run -= 1;
    }
    for (; run > 0; run -= 2, k += 2) {
      const both = change[k] + change[k + 1];
      const after = before + both;
      // f_k + before (x - t_k) = f_{k+1} + after (x - t_{k+1})
      const x = t[k] + (f[k + 1] - f[k] - after * (t[k + 1] - t[k])) / (before - after);
      kinks.push(Math.min(Math.max(x, t[k]), t[k + 1]));
      merged.push(both);
      before = after;
    }
  }
  return { kinks: Float64Array.from(kinks), change: Float64Array.from(merged) };
}
