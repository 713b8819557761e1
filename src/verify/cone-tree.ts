import { down, EPS, ETA, normAbove, up, weightedSumAbove } from "./arithmetic.ts";
import type { Side } from "./linear-form.ts";
import { MOST_REMEMBERED, type ProofReader } from "./reader.ts";

const SPLIT = 0;
const SCALE = 1;
const LEAF = 2;
/** Ranks above this have more orthants than any proof has leaves. */
const MOST_RANK = 30;

/** A ray as the checker holds it. */
interface Ray {
  readonly w: Float64Array;
  /** Upper bound of |w|. */
  readonly norm: number;
  /** Upper bound of the distance from the exact ray. */
  readonly error: number;
  /** sum over v_i > 0 of v_i (z_i'w)_+, rounded. */
  readonly value: number;
}

/** A split whose second child is still to come. */
interface Split {
  readonly a: number;
  readonly b: number;
  readonly w: Ray;
  /** Number of replaced rays to come back to. */
  readonly mark: number;
}

/**
 * Reads a cone tree and checks that it shows G(u) <= T |u| for all u. The exact rays are those that the splits define without rounding:
 * children of a cone cover it, because the new ray is a positive combination of the two that it stands between. The checker's rays
 * are rounded and carry a bound of their distance from the exact ones; all are in the closed orthant of their root.
 *
 * @throws Rejection when it does not.
 */
export function checkConeTree(reader: ProofReader, side: Side): void {
  if (side.r > MOST_RANK) reader.fail(`cones in ${side.r} dimensions`);
  const walker = new ConeWalker(reader, side);
  for (let orthant = 0; orthant < 2 ** side.r; orthant++) walker.checkOrthant(orthant);
}

class ConeWalker {
  readonly #reader: ProofReader;
  readonly #side: Side;
  /** Upper bound of sum |v_i| |z_i|, a Lipschitz constant of both parts of G together. */
  readonly #mass: number;
  /** Upper bound of sum |v_i|. */
  readonly #weight: number;
  readonly #theta: Float64Array;
  readonly #negativePart: Float64Array;
  #rays: Ray[] = [];
  readonly #replaced: { readonly k: number; readonly ray: Ray }[] = [];

  constructor(reader: ProofReader, side: Side) {
    this.#reader = reader;
    this.#side = side;
    this.#mass = weightedSumAbove(side.v, side.norms);
    this.#weight = weightedSumAbove(side.v, new Float64Array(side.n).fill(1));
    this.#theta = new Float64Array(side.n);
    this.#negativePart = new Float64Array(side.r);
  }

  checkOrthant(orthant: number): void {
    const reader = this.#reader;
    const { r } = this.#side;
    this.#rays = Array.from({ length: r }, (_, k) => {
      const w = new Float64Array(r);
      w[k] = (orthant >>> k) & 1 ? -1 : 1;
      return this.#makeRay(w, 0);
    });
    const open: Split[] = [];
    for (;;) {
      const kind = reader.u8();
      if (kind === SPLIT) {
        const a = this.#readRay();
        const b = this.#readRay();
        if (a === b) reader.fail("a split between a ray and itself");
        const w = this.#between(this.#rays[a]!, this.#rays[b]!, reader.f64());
        open.push({ a, b, w, mark: this.#replaced.length });
        this.#replace(b, w);
        continue;
      }
      if (kind === SCALE) {
        const k = this.#readRay();
        this.#replace(k, this.#scaled(this.#rays[k]!, reader.f64()));
        continue;
      }
      if (kind !== LEAF) reader.fail(`a cone of unknown kind ${kind}`);
      this.#checkLeaf();
      reader.report();
      const split = open.pop();
      if (split === undefined) return;
      this.#undo(split.mark);
      this.#replace(split.a, split.w);
    }
  }

  #readRay(): number {
    const k = this.#reader.u8();
    if (k >= this.#side.r) this.#reader.fail(`ray ${k} of ${this.#side.r}`);
    return k;
  }

  #replace(k: number, ray: Ray): void {
    if (this.#replaced.length * (this.#side.r + 8) > MOST_REMEMBERED) this.#reader.fail("the tree is too deep");
    this.#replaced.push({ k, ray: this.#rays[k]! });
    this.#rays[k] = ray;
  }

  #undo(mark: number): void {
    while (this.#replaced.length > mark) {
      const { k, ray } = this.#replaced.pop()!;
      this.#rays[k] = ray;
    }
  }

  #makeRay(w: Float64Array, error: number): Ray {
    const { n, r, Z, v } = this.#side;
    let value = 0;
    for (let i = 0; i < n; i++) {
      if (!(v[i] > 0)) continue;
      const z = dot(Z, i * r, w);
      if (z > 0) value += v[i] * z;
    }
    return { w, norm: normAbove(w, 0, r), error, value };
  }

  /** f a + (1 - f) b: three roundings, each entry's at most 1.01 x 3 u (f |a_k| + (1 - f) |b_k|) + 2 ETA. */
  #between(a: Ray, b: Ray, f: number): Ray {
    if (!(f > 0 && f < 1)) this.#reader.fail(`a split at ${f}`);
    const w = a.w.map((t, k) => f * t + (1 - f) * b.w[k]);
    const rounding = 2 * EPS * Math.max(a.norm, b.norm) + 4 * ETA * this.#side.r;
    return this.#makeRay(w, up(up(Math.max(a.error, b.error)) + up(rounding)));
  }

  #scaled(ray: Ray, factor: number): Ray {
    if (!(factor > 0)) this.#reader.fail(`a ray multiplied by ${factor}`);
    const w = ray.w.map((t) => factor * t);
    const rounding = EPS * normAbove(w, 0, w.length) + 2 * ETA * this.#side.r;
    return this.#makeRay(w, up(up(factor * ray.error) + up(rounding)));
  }

  /**
   * On the exact cone, with any theta in [0, 1] for the rows of weight -q < 0, G is at most h(u) - g'u, h(u) = sum over v_i > 0 of v_i (z_i'u)_+
   * convex and homogeneous, g = sum theta_j q_j z_j: at u = sum t_k w_k it is at most sum t_k (h(w_k) - g'w_k). If c'w_k + x |w_k|_1 is at
   * least that number for each ray, then G(u) <= (c + x e)'u, e the signs of the orthant, because e'w_k = |w_k|_1; and |c + x e| <=
   * |c| + x sqrt(r). So c need not be exact: x is what rounding makes necessary.
   */
  #checkLeaf(): void {
    const reader = this.#reader;
    const { n, r, T } = this.#side;
    const c = reader.f64s(r);
    const g = this.#readNegativePart();
    const size = normAbove(c, 0, r);
    const slope = up(this.#mass + size);
    let x = 0;
    for (const { w, norm, error, value } of this.#rays) {
      // Rounding in value and g'w: (n + r + 4) u mass |w|, in c'w: r u |c| |w|; then the distance of the exact ray; then underflow.
      const distance = up((n + r + 16) * EPS * norm + error);
      const tiny = (n + r + 16) * r * ETA * (1 + norm) * (1 + slope + this.#weight);
      const missing = up(up(value - dot(g, 0, w) - dot(c, 0, w) + up(distance * slope)) + up(tiny));
      let length = 0;
      for (const t of w) length += Math.abs(t);
      length = down(down(length * (1 - (r + 4) * EPS)) - up(r * error));
      const ratio = missing <= 0 ? 0 : up(missing / length);
      if (!(length > 0 && ratio < Number.POSITIVE_INFINITY)) reader.fail("a ray that rounding has made meaningless");
      x = Math.max(x, ratio);
    }
    const bound = up(size + up(x * up(Math.sqrt(r))));
    if (!(bound <= T)) reader.fail(`a cone bounds by ${bound}, above ${T}`);
  }

  /** g = sum theta_j q_j z_j over the rows of negative weight. */
  #readNegativePart(): Float64Array {
    const reader = this.#reader;
    const { n, r, Z, v } = this.#side;
    const theta = this.#theta;
    const first = this.#rays[0]?.w ?? new Float64Array(0);
    for (let j = 0; j < n; j++) if (v[j] < 0) theta[j] = dot(Z, j * r, first) >= 0 ? 1 : 0;
    const count = reader.count(n, 8);
    for (let k = 0; k < count; k++) {
      const row = reader.index(n, "row");
      const value = reader.f32();
      if (!(v[row] < 0)) reader.fail(`a theta for row ${row}, whose weight is not negative`);
      if (!(value >= 0 && value <= 1)) reader.fail(`a theta of ${value}`);
      theta[row] = value;
    }
    const g = this.#negativePart.fill(0);
    for (let j = 0; j < n; j++) {
      const weight = v[j] < 0 ? -v[j] * theta[j] : 0;
      if (weight > 0) for (let k = 0; k < r; k++) g[k] += weight * Z[j * r + k];
    }
    return g;
  }
}

/** x[at ..]'w. */
function dot(x: Float64Array, at: number, w: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < w.length; k++) sum += x[at + k] * w[k];
  return sum;
}
