import type { WeightedRows } from "./rows.ts";

/** A maximizer of G over the unit sphere, with its value. */
export interface SphereMaximum {
  readonly value: number;
  readonly u: Float64Array;
}

/**
 * The arcs of the unit circle on which no row a_i (count x 2) changes sign, in order of angle. `visit` is called once an
 * arc with its ends (from <= to, at most one turn in all) after `flip` was called for every row that changed since the
 * previous arc; initially active rows are flipped on before the first arc.
 */
export function sweepCircle(
  A: Float64Array,
  count: number,
  flip: (row: number, active: boolean) => void,
  visit: (from: number, to: number) => void,
): void {
  // Row i at angle t is active on (t - pi/2, t + pi/2): two events a row.
  const angles = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const t = Math.atan2(A[2 * i + 1], A[2 * i]);
    angles[2 * i] = wrap(t - Math.PI / 2);
    angles[2 * i + 1] = wrap(t + Math.PI / 2);
    if (angles[2 * i + 1] < angles[2 * i]) flip(i, true); // active at angle 0
  }
  const order = Uint32Array.from(angles, (_, e) => e).sort((a, b) => angles[a] - angles[b]);
  let from = 0;
  for (const event of order) {
    const to = angles[event];
    visit(from, to);
    flip(event >>> 1, (event & 1) === 0);
    from = to;
  }
  visit(from, 2 * Math.PI);
}

function wrap(angle: number): number {
  const turned = angle < 0 ? angle + 2 * Math.PI : angle;
  return turned >= 2 * Math.PI ? 0 : turned;
}

/**
 * The exact maximum of G(u) = sum v_i (a_i'u)_+ over the unit circle, by a sweep in O(n log n): on each arc G is a
 * linear function, whose maximum is at its gradient's angle when the arc holds it, else at an end.
 */
export function maximizeOnCircle({ count, Z, v }: WeightedRows): SphereMaximum {
  let gx = 0;
  let gy = 0;
  let value = 0;
  let angle = 0;
  const offer = (candidate: number, at: number): void => {
    if (candidate > value) {
      value = candidate;
      angle = at;
    }
  };
  sweepCircle(
    Z,
    count,
    (i, active) => {
      const weight = active ? v[i] : -v[i];
      gx += weight * Z[2 * i];
      gy += weight * Z[2 * i + 1];
    },
    (from, to) => {
      offer(gx * Math.cos(from) + gy * Math.sin(from), from);
      const peak = wrap(Math.atan2(gy, gx));
      if (peak >= from && peak <= to) offer(Math.hypot(gx, gy), peak);
    },
  );
  return { value, u: Float64Array.of(Math.cos(angle), Math.sin(angle)) };
}
