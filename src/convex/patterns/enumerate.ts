import { sweepCircle } from "../bounds/circle.ts";
import { walkEdges } from "../bounds/sphere.ts";
import { type Pattern, patternKey, patternOf } from "./pattern.ts";

/** A full-dimensional cell of the arrangement of the rows: its pattern and a point well inside it. */
export interface Cell {
  readonly pattern: Pattern;
  readonly u: Float64Array;
}

/**
 * Every activation pattern 1[E u > 0] of a full-dimensional cell, for E (n x p, row-major) with p <= 3 columns: angular
 * sweep (p = 2) or a walk along all edges (p = 3), O(n^2) cells.
 *
 * @throws RangeError for p > 3.
 */
export function enumerateCells(E: Float64Array, n: number, p: number): Cell[] {
  if (p > 3) throw new RangeError(`patterns can be enumerated up to rank 3, got ${p}`);
  const cells = new Map<string, { cell: Cell; margin: number }>();
  const lengths = new Float64Array(n);
  const nonzero: number[] = [];
  for (let i = 0; i < n; i++) {
    lengths[i] = Math.hypot(...E.subarray(i * p, (i + 1) * p));
    if (lengths[i] > 0) nonzero.push(i);
  }
  const z = new Float64Array(n);
  const offer = (u: Float64Array): void => {
    let margin = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      z[i] = 0;
      for (let k = 0; k < p; k++) z[i] += E[i * p + k] * u[k];
      if (lengths[i] > 0) margin = Math.min(margin, Math.abs(z[i]) / lengths[i]);
    }
    if (!(margin > 1e-13)) return; // on a boundary up to rounding: a face, not a cell
    const pattern = patternOf(z);
    const key = patternKey(pattern);
    const known = cells.get(key);
    if (known === undefined || known.margin < margin) cells.set(key, { cell: { pattern, u: u.slice() }, margin });
  };
  const rows = new Float64Array(nonzero.length * p);
  nonzero.forEach((i, at) => {
    rows.set(E.subarray(i * p, (i + 1) * p), at * p);
  });
  if (p === 1) for (const t of [1, -1]) offer(Float64Array.of(t));
  if (p === 2) {
    const visit = (from: number, to: number): void => {
      const t = (from + to) / 2;
      offer(Float64Array.of(Math.cos(t), Math.sin(t)));
    };
    sweepCircle(rows, nonzero.length, () => {}, visit);
  }
  if (p === 3) {
    if (nonzero.length === 0) offer(Float64Array.of(1, 0, 0));
    walkEdges(
      { count: nonzero.length, r: 3, Z: rows, v: new Float64Array(0) },
      () => {},
      () => {},
      (plane, from, to, e, f) => {
        const t = (from + to) / 2;
        const middle = Float64Array.from(e, (x, k) => x * Math.cos(t) + f[k] * Math.sin(t));
        for (const side of [1, -1]) offer(stepOff(rows, nonzero.length, plane, middle, side));
      },
      () => false,
    );
  }
  return [...cells.values()].map(({ cell }) => cell);
}

/** From a point on plane i, half the way along +-x_i to the next plane (at most one unit), as a unit vector. */
function stepOff(rows: Float64Array, count: number, i: number, u: Float64Array, side: number): Float64Array {
  const length = Math.hypot(rows[3 * i], rows[3 * i + 1], rows[3 * i + 2]);
  const x = [0, 1, 2].map((k) => (side * rows[3 * i + k]) / length);
  let reach = 2;
  for (let k = 0; k < count; k++) {
    let z = 0;
    let slope = 0;
    let norm = 0;
    for (let c = 0; c < 3; c++) {
      z += rows[3 * k + c] * u[c];
      slope += rows[3 * k + c] * x[c];
      norm += rows[3 * k + c] ** 2;
    }
    if (Math.abs(z) <= 1e-12 * Math.sqrt(norm)) continue; // the plane itself
    if (z * slope < 0) reach = Math.min(reach, -z / slope);
  }
  const moved = Float64Array.from(u, (t, k) => t + (reach / 2) * x[k]);
  const scale = Math.hypot(...moved);
  return moved.map((t) => t / scale);
}
