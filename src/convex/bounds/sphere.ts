import { maximizeOnCircle, type SphereMaximum, sweepCircle } from "./circle.ts";
import { PARALLEL, type WeightedRows } from "./rows.ts";

/** An orthonormal basis (e, f) of the plane normal to x in R^3. */
function planeBasis(x: ArrayLike<number>): { e: Float64Array; f: Float64Array } {
  const length = Math.hypot(x[0], x[1], x[2]);
  const n = [x[0] / length, x[1] / length, x[2] / length];
  const smallest = [0, 1, 2].reduce((a, b) => (Math.abs(n[b]) < Math.abs(n[a]) ? b : a));
  const e = new Float64Array(3);
  for (let k = 0; k < 3; k++) e[k] = (k === smallest ? 1 : 0) - n[smallest] * n[k];
  const eLength = Math.hypot(...e);
  for (let k = 0; k < 3; k++) e[k] /= eLength;
  const f = Float64Array.of(n[1] * e[2] - n[2] * e[1], n[2] * e[0] - n[0] * e[2], n[0] * e[1] - n[1] * e[0]);
  return { e, f };
}

/**
 * Walks every edge of the arrangement of the planes x_i^perp on the sphere in R^3 once for each plane that holds it:
 * `begin(i, normal)` names the rows normal to plane i (0 all over it), `flip` says which other rows turn positive or
 * negative before the next arc, `visit(i, from, to, e, f)` is the arc u = e cos t + f sin t, from <= t <= to.
 * `stop` is polled between planes; returns false when it ended the walk.
 */
export function walkEdges(
  rows: WeightedRows,
  begin: (plane: number, normal: readonly number[]) => void,
  flip: (row: number, active: boolean) => void,
  visit: (plane: number, from: number, to: number, e: Float64Array, f: Float64Array) => void,
  stop: () => boolean,
): boolean {
  const { count, Z } = rows;
  const A = new Float64Array(2 * count);
  const index = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    if (stop()) return false;
    const { e, f } = planeBasis(Z.subarray(3 * i, 3 * i + 3));
    const normal: number[] = [];
    let kept = 0;
    for (let k = 0; k < count; k++) {
      const [x, y, z] = [Z[3 * k], Z[3 * k + 1], Z[3 * k + 2]];
      const a = x * e[0] + y * e[1] + z * e[2];
      const b = x * f[0] + y * f[1] + z * f[2];
      if (Math.hypot(a, b) <= PARALLEL * Math.hypot(x, y, z)) normal.push(k);
      else {
        A[2 * kept] = a;
        A[2 * kept + 1] = b;
        index[kept++] = k;
      }
    }
    begin(i, normal);
    sweepCircle(
      A.subarray(0, 2 * kept),
      kept,
      (k, active) => flip(index[k], active),
      (from, to) => visit(i, from, to, e, f),
    );
  }
  return true;
}

/**
 * The exact maximum of G(u) = sum v_i (x_i'u)_+ over the unit sphere in R^3, in O(n^2 log n). G is linear on each cell
 * of the arrangement, so the maximum is either inside a cell, at the cell's gradient, or on an edge, where the problem is
 * the planar one. Every cell touches an edge, so both kinds are met on a walk along the edges.
 *
 * Returns null when `stop` ended it.
 */
export function maximizeOnSphere(rows: WeightedRows, stop: () => boolean): SphereMaximum | null {
  const { count, Z, v } = rows;
  let value = 0;
  let best: Float64Array = Float64Array.of(1, 0, 0);
  const active = new Uint8Array(count);
  const g = new Float64Array(3);
  const cell = new Float64Array(3);
  let sides: { add: Float64Array; direction: number; on: Set<number> }[] = [];
  const offer = (candidate: number, u: Float64Array): void => {
    if (candidate > value) {
      value = candidate;
      best = u;
    }
  };
  if (count === 0) return { value: 0, u: best };
  const finished = walkEdges(
    rows,
    (i, normal) => {
      active.fill(0);
      g.fill(0);
      sides = [1, -1].map((direction) => {
        const add = new Float64Array(3);
        const on = new Set<number>();
        for (const k of normal) {
          const dot = Z[3 * k] * Z[3 * i] + Z[3 * k + 1] * Z[3 * i + 1] + Z[3 * k + 2] * Z[3 * i + 2];
          if (dot * direction <= 0) continue;
          on.add(k);
          for (let c = 0; c < 3; c++) add[c] += v[k] * Z[3 * k + c];
        }
        return { add, direction, on };
      });
    },
    (k, on) => {
      active[k] = on ? 1 : 0;
      const weight = on ? v[k] : -v[k];
      for (let c = 0; c < 3; c++) g[c] += weight * Z[3 * k + c];
    },
    (i, from, to, e, f) => {
      // The edge: a planar problem.
      const gx = g[0] * e[0] + g[1] * e[1] + g[2] * e[2];
      const gy = g[0] * f[0] + g[1] * f[1] + g[2] * f[2];
      const at = (t: number): Float64Array => {
        const [c, s] = [Math.cos(t), Math.sin(t)];
        return Float64Array.of(c * e[0] + s * f[0], c * e[1] + s * f[1], c * e[2] + s * f[2]);
      };
      const start = gx * Math.cos(from) + gy * Math.sin(from);
      if (start > value) offer(start, at(from));
      const length = Math.hypot(gx, gy);
      if (length > value) {
        let peak = Math.atan2(gy, gx);
        if (peak < 0) peak += 2 * Math.PI;
        if (peak >= from && peak <= to) offer(length, at(peak));
      }
      // The two cells beside it: their gradient counts when it lies in the cell.
      for (const side of sides) {
        let norm = 0;
        let along = 0;
        for (let c = 0; c < 3; c++) {
          cell[c] = g[c] + side.add[c];
          norm += cell[c] * cell[c];
          along += cell[c] * Z[3 * i + c];
        }
        norm = Math.sqrt(norm);
        if (norm <= value || along * side.direction < 0) continue;
        let inside = true;
        for (let k = 0; k < count && inside; k++) {
          const z = cell[0] * Z[3 * k] + cell[1] * Z[3 * k + 1] + cell[2] * Z[3 * k + 2];
          const on = active[k] === 1 || side.on.has(k);
          inside = on ? z >= 0 : z <= 0;
        }
        if (inside)
          offer(
            norm,
            Float64Array.from(cell, (x) => x / norm),
          );
      }
    },
    stop,
  );
  return finished ? { value, u: best } : null;
}

/** The exact maximum of G over the unit ball for r <= 3; null when `stop` ended it. At least 0 (u = 0). */
export function maximizeExactly(rows: WeightedRows, stop: () => boolean): SphereMaximum | null {
  const { r, count, Z, v } = rows;
  if (r === 0 || count === 0) return { value: 0, u: new Float64Array(r) };
  if (r === 1) {
    let plus = 0;
    let minus = 0;
    for (let i = 0; i < count; i++) {
      plus += v[i] * Math.max(0, Z[i]);
      minus += v[i] * Math.max(0, -Z[i]);
    }
    return { value: Math.max(0, plus, minus), u: Float64Array.of(plus >= minus ? 1 : -1) };
  }
  if (r === 2) return maximizeOnCircle(rows);
  if (r === 3) return maximizeOnSphere(rows, stop);
  throw new RangeError(`the exact sweep needs rank at most 3, got ${r}`);
}
