import type { SideRows } from "./side-rows.ts";
import { WorkingSet } from "./working-set.ts";

/** How {@link PiecewiseMaximizer.run} ended. */
export type MaximizerEnd =
  /** `c` is optimal to rounding. */
  | "optimal"
  /** A point of the cone with F(u) > limit |u| was met. */
  | "exceeded"
  /** The maximum is at 0; `c` is some vector of the dual, and so it is when the iterations ran out. */
  | "zero"
  | "unfinished";

/** Relative size below which a direction is normal to a row, or a row depends on the working set. */
const DEPENDENT = 1e-11;
/** Relative size of gradients and multipliers that count as zero. */
const ZERO = 1e-14;
/** Part of the size of a side below which |u| counts as zero. */
const NOTHING = 1e-13;
/** So many breakpoints of a line search are looked through one by one. */
const FEW = 12;

/**
 * Maximizes F(u) - |u|^2 / 2 with F(u) = p'u - sum_j q_j (z_j'u)_+ over a simplicial cone, or over all of R^r. F is concave and
 * homogeneous: at the maximizer |u| = max of F over the unit ball of the cone (or u = 0), and u = p - sum theta_j q_j z_j
 * + sum lambda_k n_k with theta in [0, 1], lambda >= 0: the shortest vector of that form.
 *
 * A primal active-set method: on the working set (kinks z_j'u = 0, facets n_k'u = 0) it moves along the projected gradient with an
 * exact search through the breakpoints of F, and drops the constraint with the worst multiplier when it cannot move. The state of
 * a row beside its kink is kept, not read from the sign of z_j'u, so steps of length zero change something and ties do no harm.
 */
export class PiecewiseMaximizer {
  /** The point, and the start when `run` is called. */
  readonly u: Float64Array;
  readonly p: Float64Array;
  /** Unit inner normals of the facets, r x r. */
  readonly normals: Float64Array;
  /** p - sum theta_j q_j z_j + sum lambda_k n_k. */
  readonly c: Float64Array;
  /** theta of each listed row, rounded to single precision. */
  readonly theta: Float64Array;
  /** F(u) / |u| where a run ended as `exceeded`. */
  value = 0;

  readonly #side: SideRows;
  readonly #r: number;
  readonly #slope: Float64Array;
  readonly #direction: Float64Array;
  readonly #z: Float64Array;
  readonly #rate: Float64Array;
  /** 0: beyond the kink, 1: counted in F, 2: in the working set. */
  readonly #state: Uint8Array;
  readonly #breakStep: Float64Array;
  readonly #breakRow: Int32Array;
  /** Kinks (the position of a listed row) and facets (-1 - facet) that hold with equality. */
  readonly #working: WorkingSet;

  constructor(side: SideRows) {
    const { r, count, positives } = side;
    const listed = count - positives;
    this.#side = side;
    this.#r = r;
    this.u = new Float64Array(r);
    this.p = new Float64Array(r);
    this.normals = new Float64Array(r * r);
    this.c = new Float64Array(r);
    this.theta = new Float64Array(listed);
    this.#slope = new Float64Array(r);
    this.#direction = new Float64Array(r);
    this.#z = new Float64Array(listed);
    this.#rate = new Float64Array(listed);
    this.#state = new Uint8Array(listed);
    this.#breakStep = new Float64Array(listed);
    this.#breakRow = new Int32Array(listed);
    this.#working = new WorkingSet(r);
  }

  /**
   * `rows[from .. to)` are the rows j of F (rows of the side with v < 0); `facets` is r or 0 (no cone). The start `u` lies in the cone.
   * Stops once F(u) > limit |u|.
   */
  run(rows: Int32Array, from: number, to: number, facets: number, limit: number): MaximizerEnd {
    const r = this.#r;
    const side = this.#side;
    const { Z, weights, norms } = side;
    const { u, p } = this;
    const slope = this.#slope;
    const d = this.#direction;
    const zs = this.#z;
    const rates = this.#rate;
    const state = this.#state;
    const working = this.#working;
    const count = to - from;
    working.shorten(0);
    for (let k = 0; k < r; k++) slope[k] = p[k];
    for (let j = 0; j < count; j++) {
      const row = rows[from + j];
      let z = 0;
      for (let k = 0; k < r; k++) z += Z[row * r + k] * u[k];
      zs[j] = z;
      if (z > 0) {
        state[j] = 1;
        const q = weights[row];
        for (let k = 0; k < r; k++) slope[k] -= q * Z[row * r + k];
      } else state[j] = 0;
    }
    // On its ray the best u has |u| = F(u / |u|).
    let value = 0;
    let squares = 0;
    for (let k = 0; k < r; k++) {
      value += slope[k] * u[k];
      squares += u[k] * u[k];
    }
    if (squares === 0) return this.#finish(rows, from, count, "zero");
    const scale = value > 0 ? value / squares : (1e-3 * side.size) / Math.sqrt(squares);
    for (let k = 0; k < r; k++) u[k] *= scale;
    for (let j = 0; j < count; j++) zs[j] *= scale;

    const most = 20 * r + 20 + 4 * Math.ceil(Math.sqrt(count));
    for (let iteration = 0; iteration < most; iteration++) {
      value = 0;
      squares = 0;
      let size = 0;
      for (let k = 0; k < r; k++) {
        value += slope[k] * u[k];
        squares += u[k] * u[k];
        size = Math.max(size, Math.abs(slope[k]));
        d[k] = slope[k] - u[k];
      }
      const length = Math.sqrt(squares);
      if (iteration > 0) {
        if (!(length > NOTHING * side.size)) return this.#finish(rows, from, count, "zero");
        if (value > limit * length) {
          this.value = value / length;
          return "exceeded";
        }
      }
      working.project(d);
      let dd = 0;
      for (let k = 0; k < r; k++) dd += d[k] * d[k];
      const small = ZERO * (size + length);
      if (dd <= small * small || working.size >= r) {
        if (this.#dropWorst(rows, from, 16 * small)) continue;
        return this.#finish(rows, from, count, "optimal");
      }
      // Line search: facets bound the step, kinks bend F.
      const dLength = Math.sqrt(dd);
      let most = 1;
      let blocking = -1;
      let kind = 0; // 0: interior, 1: facet, 2: kink
      for (let k = 0; k < facets; k++) {
        let rate = 0;
        let t = 0;
        for (let i = 0; i < r; i++) {
          rate += this.normals[k * r + i] * d[i];
          t += this.normals[k * r + i] * u[i];
        }
        if (rate < -DEPENDENT * dLength && !working.has(-1 - k)) {
          const step = Math.max(0, t / -rate);
          if (step < most) {
            most = step;
            blocking = k;
            kind = 1;
          }
        }
      }
      let breaks = 0;
      for (let j = 0; j < count; j++) {
        const row = rows[from + j];
        let rate = 0;
        for (let k = 0; k < r; k++) rate += Z[row * r + k] * d[k];
        rates[j] = rate;
        const on = state[j];
        if (on === 2) continue;
        if (on === 1 ? rate >= 0 : rate <= 0) continue;
        if (Math.abs(rate) <= DEPENDENT * dLength * norms[row]) continue;
        const step = Math.max(0, -zs[j] / rate);
        if (step < most) {
          this.#breakStep[breaks] = step;
          this.#breakRow[breaks++] = j;
        }
      }
      let lost = 0;
      // Of many kinks, first those that are surely crossed or surely not (as in quickselect).
      let first = 0;
      while (breaks - first > FEW) {
        const pivot = this.#pivot(first, breaks);
        let before = first;
        let bends = 0;
        for (let b = first; b < breaks; b++) {
          if (this.#breakStep[b] > pivot) continue;
          const j = this.#breakRow[b];
          bends += weights[rows[from + j]] * Math.abs(rates[j]);
          this.#swapBreaks(b, before++);
        }
        if (dd * (1 - pivot) - lost - bends > 0) {
          lost += bends;
          for (; first < before; first++) {
            const j = this.#breakRow[first];
            this.#setState(j, rows[from + j], state[j] === 1 ? 0 : 1);
          }
        } else if (before < breaks) breaks = before;
        else break;
      }
      for (;;) {
        const zero = 1 - lost / dd;
        let next = -1;
        let step = most;
        for (let b = first; b < breaks; b++) {
          if (this.#breakStep[b] < step) {
            step = this.#breakStep[b];
            next = b;
          }
        }
        if (zero <= step) {
          // The maximum along d is inside a piece.
          if (zero < most || kind === 0) {
            most = Math.max(0, zero);
            kind = 0;
          }
          break;
        }
        if (next < 0) break; // the facet
        const j = this.#breakRow[next];
        const row = rows[from + j];
        const bend = weights[row] * Math.abs(rates[j]);
        if (dd * (1 - step) - lost - bend <= 0) {
          most = step;
          blocking = j;
          kind = 2;
          break;
        }
        lost += bend;
        this.#swapBreaks(next, --breaks);
        this.#setState(j, row, state[j] === 1 ? 0 : 1);
      }
      for (let k = 0; k < r; k++) u[k] += most * d[k];
      for (let j = 0; j < count; j++) zs[j] += most * rates[j];
      if (kind === 2) {
        this.#setState(blocking, rows[from + blocking], 0);
        state[blocking] = 2;
        working.add(blocking, Z, rows[from + blocking] * r, norms[rows[from + blocking]]);
      } else if (kind === 1) {
        working.add(-1 - blocking, this.normals, blocking * r, 1);
      }
      // Stay on the working set exactly.
      working.project(u);
      for (let i = 0; i < working.size; i++) if (working.ids[i] >= 0) zs[working.ids[i]] = 0;
    }
    return this.#finish(rows, from, count, "unfinished");
  }

  /** The middle one of three steps. */
  #pivot(first: number, end: number): number {
    const a = this.#breakStep[first];
    const b = this.#breakStep[(first + end) >>> 1];
    const c = this.#breakStep[end - 1];
    return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  }

  #swapBreaks(a: number, b: number): void {
    const step = this.#breakStep[a];
    const row = this.#breakRow[a];
    this.#breakStep[a] = this.#breakStep[b];
    this.#breakRow[a] = this.#breakRow[b];
    this.#breakStep[b] = step;
    this.#breakRow[b] = row;
  }

  /** Moves a row to state 0 or 1, and the slope with it. */
  #setState(j: number, row: number, to: 0 | 1): void {
    const counted = this.#state[j] === 1 ? 1 : 0;
    this.#state[j] = to;
    if (counted === to) return;
    const r = this.#r;
    const { Z, weights } = this.#side;
    const q = to === 1 ? -weights[row] : weights[row];
    for (let k = 0; k < r; k++) this.#slope[k] += q * Z[row * r + k];
  }

  /** Takes the constraint whose multiplier is farthest from its interval out of the working set; false: all are fine. */
  #dropWorst(rows: Int32Array, from: number, tolerance: number): boolean {
    const working = this.#working;
    const { weights, norms, Z } = this.#side;
    working.solve();
    let worst = tolerance;
    let at = -1;
    for (let i = 0; i < working.size; i++) {
      const id = working.ids[i];
      const m = working.along[i];
      let by = m; // a facet's is -lambda
      if (id >= 0) {
        const row = rows[from + id];
        by = Math.max(-m, m - weights[row] * norms[row]);
      }
      if (by > worst) {
        worst = by;
        at = i;
      }
    }
    if (at < 0) return false;
    const id = working.ids[at];
    if (id >= 0) this.#setState(id, rows[from + id], working.along[at] < 0 ? 0 : 1);
    // The basis again, from the first vector that changes.
    const last = working.size;
    const r = this.#r;
    working.shorten(at);
    for (let i = at + 1; i < last; i++) {
      const next = working.ids[i];
      if (next >= 0) working.add(next, Z, rows[from + next] * r, norms[rows[from + next]]);
      else working.add(next, this.normals, (-1 - next) * r, 1);
    }
    return true;
  }

  /** theta and c of the working set with its multipliers moved into their intervals. */
  #finish(rows: Int32Array, from: number, count: number, end: MaximizerEnd): MaximizerEnd {
    const r = this.#r;
    const { Z, weights, norms } = this.#side;
    const { c, theta, p, u } = this;
    const working = this.#working;
    if (end !== "optimal") {
      for (let k = 0; k < r; k++) this.#direction[k] = this.#slope[k] - u[k];
      working.project(this.#direction);
      working.solve();
    }
    for (let k = 0; k < r; k++) c[k] = p[k];
    for (let j = 0; j < count; j++) theta[j] = this.#state[j] === 1 ? 1 : 0;
    for (let i = 0; i < working.size; i++) {
      const id = working.ids[i];
      const m = working.along[i];
      if (id >= 0) {
        const row = rows[from + id];
        theta[id] = Math.fround(Math.min(1, Math.max(0, m / (weights[row] * norms[row]))));
      } else if (m < 0) for (let k = 0; k < r; k++) c[k] -= m * this.normals[(-1 - id) * r + k];
    }
    for (let j = 0; j < count; j++) {
      if (theta[j] === 0) continue;
      const row = rows[from + j];
      const q = theta[j] * weights[row];
      for (let k = 0; k < r; k++) c[k] -= q * Z[row * r + k];
    }
    return end;
  }
}
