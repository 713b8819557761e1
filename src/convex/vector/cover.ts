/** Cones are refined while their bound is above what is attained times this, */
const ENOUGH = 1 + 1e-9;
/** and above the largest value by more than this part of what the values themselves are off. */
const LOOSE = 0.02;

/** A simplicial cone {sum t_k w_k, t >= 0} of R^rho with the values at its rays and the bound that they give. */
interface Cone {
  readonly rays: readonly number[];
  readonly bound: number;
}

/**
 * An upper bound of max over ||w|| = 1 of M(w), for M convex, homogeneous and even (M(t w) = |t| M(w)), from upper bounds of
 * M at finitely many w: on the cone of w_1 .. w_rho, M(sum t_k w_k) <= sum t_k M(w_k), whose maximum over the unit ball is
 * min ||a|| subject to a'w_k >= M(w_k). Cones are split at the middle of their longest edge, worst first, beginning with the
 * orthants of one half space. Second order in the size of the cones.
 *
 * @param attained a known lower bound of the maximum: refinement stops there.
 */
export function coverSphere(
  rho: number,
  evaluate: (w: Float64Array) => number,
  attained: number,
  limits: { readonly evaluations: number; readonly stop: () => boolean },
): number {
  const points: Float64Array[] = [];
  const values: number[] = [];
  const middles = new Map<string, number>();
  const add = (w: Float64Array): number => {
    points.push(w);
    values.push(evaluate(w));
    return points.length - 1;
  };
  const cone = (rays: readonly number[]): Cone => ({ rays, bound: coneBound(rays, points, values) });

  // 1. Orthants, up to sign: the axes with all but the first of either sign share their values.
  const axes = Array.from({ length: rho }, (_, k) =>
    add(Float64Array.from({ length: rho }, (_, l) => (k === l ? 1 : 0))),
  );
  const opposite = axes.map((k) => {
    points.push(points[k]!.map((t) => 0 - t));
    values.push(values[k]!);
    return points.length - 1;
  });
  const cones: Cone[] = [];
  for (let signs = 0; signs < 2 ** (rho - 1); signs++) {
    cones.push(cone(axes.map((axis, k) => (k > 0 && ((signs >> (k - 1)) & 1) === 1 ? opposite[k]! : axis))));
  }

  // 2. Refine the worst cone.
  for (;;) {
    let worst = 0;
    for (let k = 1; k < cones.length; k++) if (cones[k]!.bound > cones[worst]!.bound) worst = k;
    const { rays, bound } = cones[worst]!;
    const top = Math.max(...values);
    if (rho === 1 || bound <= Math.max(attained * ENOUGH, top + LOOSE * (top - attained))) return bound;
    if (values.length >= limits.evaluations || limits.stop()) return bound;
    const [a, b] = longestEdge(rays, points);
    const key = a < b ? `${a},${b}` : `${b},${a}`;
    let middle = middles.get(key);
    if (middle === undefined) {
      const w = points[a]!.map((t, k) => t + points[b]![k]);
      const length = Math.hypot(...w);
      middle = add(w.map((t) => t / length));
      middles.set(key, middle);
    }
    const split = middle;
    cones[worst] = cone(rays.map((ray) => (ray === a ? split : ray)));
    cones.push(cone(rays.map((ray) => (ray === b ? split : ray))));
  }
}

/**
 * The smallest ||a|| found with a'w_k >= G_k for every ray: for each subset of the rays the shortest a with equality there,
 * scaled up until it fits all. Any feasible a gives a valid bound, so rounding costs tightness only.
 */
function coneBound(rays: readonly number[], points: readonly Float64Array[], values: readonly number[]): number {
  let best = Number.POSITIVE_INFINITY;
  if (!rays.every((ray) => Number.isFinite(values[ray]))) return best;
  for (let subset = 1; subset < 2 ** rays.length; subset++) {
    const chosen = rays.filter((_, k) => ((subset >> k) & 1) === 1);
    const a = shortest(chosen, points, values);
    if (a === null) continue;
    let factor = 1;
    for (const ray of rays) {
      let dot = 0;
      for (let k = 0; k < a.length; k++) dot += a[k] * points[ray]![k];
      if (values[ray]! > 0) factor = dot > 0 ? Math.max(factor, values[ray]! / dot) : Number.POSITIVE_INFINITY;
    }
    if (Number.isFinite(factor)) best = Math.min(best, factor * Math.hypot(...a));
  }
  return best;
}

/** The shortest a with a'w = G at the given rays, by Gram-Schmidt on the first ray and the edges from it; null if they are dependent. */
function shortest(
  rays: readonly number[],
  points: readonly Float64Array[],
  values: readonly number[],
): Float64Array | null {
  const first = points[rays[0]!]!;
  const a = new Float64Array(first.length);
  const basis: Float64Array[] = [];
  for (let k = 0; k < rays.length; k++) {
    const row = k === 0 ? first.slice() : points[rays[k]!]!.map((t, l) => t - first[l]);
    let wanted = values[rays[k]!]! - (k === 0 ? 0 : values[rays[0]!]!);
    const before = Math.hypot(...row);
    for (const e of basis) {
      let dot = 0;
      let known = 0;
      for (let l = 0; l < row.length; l++) {
        dot += row[l] * e[l];
        known += a[l] * e[l];
      }
      for (let l = 0; l < row.length; l++) row[l] -= dot * e[l];
      wanted -= dot * known;
    }
    const length = Math.hypot(...row);
    if (!(length > 1e-10 * before)) return null;
    const e = row.map((t) => t / length);
    for (let l = 0; l < a.length; l++) a[l] += (wanted / length) * e[l];
    basis.push(e);
  }
  return a;
}

function longestEdge(rays: readonly number[], points: readonly Float64Array[]): [number, number] {
  let best = -1;
  let edge: [number, number] = [rays[0]!, rays[0]!];
  for (let i = 0; i < rays.length; i++) {
    for (let j = i + 1; j < rays.length; j++) {
      let distance = 0;
      for (let k = 0; k < points[rays[i]!]!.length; k++) distance += (points[rays[i]!]![k] - points[rays[j]!]![k]) ** 2;
      if (distance > best) {
        best = distance;
        edge = [rays[i]!, rays[j]!];
      }
    }
  }
  return edge;
}
