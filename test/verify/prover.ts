/**
 * Naive provers for tiny instances: what a certificate's proof can look like, written from docs/certificates.md alone, without regard
 * to speed. Errors of the numbers below are covered by T being a little larger than needed.
 */
import type { ProofWriter } from "../../src/certificate/index.ts";

/** One side: sum_i v_i (z_i'u)_+ over rows Z[i]. */
export interface NaiveSide {
  readonly Z: readonly (readonly number[])[];
  readonly v: readonly number[];
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
};
const norm = (a: readonly number[]): number => Math.sqrt(dot(a, a));
const plus = (a: readonly number[], t: number, b: readonly number[]): number[] => a.map((x, k) => x + t * b[k]!);

/** G(u). */
export function valueAt({ Z, v }: NaiveSide, u: readonly number[]): number {
  return v.reduce((sum, weight, i) => sum + weight * Math.max(0, dot(Z[i]!, u)), 0);
}

/** min |p + sum_k x_k a_k| over low <= x <= high, by coordinate descent. */
function shortest(
  p: readonly number[],
  a: readonly (readonly number[])[],
  high: readonly number[],
  start?: readonly number[],
) {
  const x = a.map((_, k) => start?.[k] ?? 0);
  let c = a.reduce((sum, vector, k) => plus(sum, x[k]!, vector), [...p]);
  for (let sweep = 0; sweep < 4000; sweep++) {
    let moved = 0;
    a.forEach((vector, k) => {
      const square = dot(vector, vector);
      if (square === 0) return;
      const next = Math.min(high[k]!, Math.max(0, x[k]! - dot(c, vector) / square));
      moved = Math.max(moved, Math.abs(next - x[k]!) * Math.sqrt(square));
      c = plus(c, next - x[k]!, vector);
      x[k] = next;
    });
    if (moved < 1e-16 * (1 + norm(c))) break;
  }
  return { x, c: a.reduce((sum, vector, k) => plus(sum, x[k]!, vector), [...p]) };
}

interface Cap {
  readonly c: readonly number[];
  readonly o: number;
}

interface Step extends Cap {
  readonly lam: readonly (readonly [number, number])[];
  readonly theta: readonly (readonly [number, number])[];
}

/** What the prover knows at a node. */
interface Node {
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly signs: ReadonlyMap<number, number>;
  readonly caps: readonly Cap[];
}

/** The best linear bound of a node: chords for P, multipliers by coordinate descent. */
function bestStep({ Z, v }: NaiveSide, { low, high, signs }: Node): Step {
  let p = Z[0]!.map(() => 0);
  let o = 0;
  v.forEach((weight, i) => {
    if (weight <= 0 || high[i]! <= 0) return;
    const k = low[i]! >= 0 ? 1 : high[i]! / (high[i]! - low[i]!);
    p = plus(p, weight * k, Z[i]!);
    o -= low[i]! >= 0 ? 0 : weight * k * low[i]!;
  });
  const negative = v.flatMap((weight, j) => (weight < 0 ? [j] : []));
  const rows = [...signs.keys()];
  const vectors = [
    ...negative.map((j) => Z[j]!.map((z) => v[j]! * z)),
    ...rows.map((row) => Z[row]!.map((z) => signs.get(row)! * z)),
  ];
  const { x, c } = shortest(
    p,
    vectors,
    vectors.map((_, k) => (k < negative.length ? 1 : Number.POSITIVE_INFINITY)),
  );
  return {
    c,
    o,
    theta: negative.map((j, k) => [j, x[k]!] as const),
    lam: rows.map((row, k) => [row, x[negative.length + k]!] as const),
  };
}

const bound = ({ c, o }: Cap): number => norm(c) + o;

function writeList(out: ProofWriter, list: readonly (readonly [number, number])[]): void {
  const used = list.filter(([, value]) => value > 0);
  out.u32(used.length);
  for (const [row, value] of used) {
    out.u32(row);
    out.f64(value);
  }
}

function writeStep(out: ProofWriter, { lam, theta }: Step): void {
  writeList(out, lam);
  // Also thetas of 0, which is what a row that a range has made active needs.
  out.u32(theta.length);
  for (const [row, value] of theta) {
    out.u32(row);
    out.f64(value);
  }
}

/** The maximum of G over the unit ball and a point where it is attained: every sign pattern of P. */
export function maximum(side: NaiveSide): { readonly value: number; readonly u: readonly number[] } {
  const positive = side.v.flatMap((weight, i) => (weight > 0 ? [i] : []));
  let best = { value: 0, u: side.Z[0]!.map(() => 0) };
  let most = 0;
  for (let pattern = 0; pattern < 2 ** positive.length; pattern++) {
    const low = side.Z.map((z) => -norm([...z]));
    const high = side.Z.map((z) => norm([...z]));
    const signs = new Map(positive.map((i, k) => [i, (pattern >> k) & 1 ? 1 : -1]));
    for (const [i, s] of signs) (s > 0 ? low : high)[i] = 0;
    const step = bestStep(side, { low, high, signs, caps: [] });
    const value = bound(step);
    most = Math.max(most, value);
    const u = step.c.map((t) => t / (norm([...step.c]) || 1));
    if (valueAt(side, u) > best.value) best = { value: valueAt(side, u), u };
  }
  return { value: most, u: best.u };
}

export interface SignOptions {
  /** Close a node as soon as its bound allows; else only when all of P is decided. */
  readonly early?: boolean;
  /** Write caps and ranges at nodes that stay open. */
  readonly caps?: boolean;
  /** Write a transport leaf as soon as one is good enough. */
  readonly transport?: boolean;
  /** Random numbers for Pi. */
  readonly random?: () => number;
}

/** A sign tree for G(u) <= T |u|; false when T is too small for this prover. */
export function writeSignTree(out: ProofWriter, side: NaiveSide, T: number, options: SignOptions = {}): boolean {
  out.u8(0);
  const low = side.Z.map((z) => -norm([...z]));
  const high = side.Z.map((z) => norm([...z]));
  return writeNode(out, side, T, { low, high, signs: new Map(), caps: [] }, options);
}

function writeNode(out: ProofWriter, side: NaiveSide, T: number, node: Node, options: SignOptions): boolean {
  const { v } = side;
  let { low, high, caps } = node;
  const { signs } = node;
  const undecided = (): number[] =>
    v.flatMap((weight, i) => (weight > 0 && !signs.has(i) && low[i]! < 0 && high[i]! > 0 ? [i] : []));
  let step = bestStep(side, node);
  if (options.caps === true && undecided().length > 0 && bound(step) > T) {
    out.u8(2);
    writeStep(out, step);
    const cap = { c: step.c, o: step.o + 1e-13 };
    caps = [...caps, cap];
    const rows = undecided();
    out.u8(3);
    out.u32(4 * rows.length);
    low = [...low];
    high = [...high];
    for (const row of rows) {
      for (const t of [1, -1]) {
        // min over kappa of |t z + kappa c| - kappa (T - o): convex.
        const f = (kappa: number): number =>
          norm(
            plus(
              side.Z[row]!.map((z) => t * z),
              kappa,
              cap.c,
            ),
          ) -
          kappa * (T - cap.o);
        let [a, b] = [0, 1e3];
        for (let k = 0; k < 200; k++) {
          const [x, y] = [a + (b - a) / 3, b - (b - a) / 3];
          if (f(x) < f(y)) b = y;
          else a = x;
        }
        // Once by the cap, once by the signs of the path alone.
        const vectors = [...signs].map(([other, sign]) => side.Z[other]!.map((z) => sign * z));
        const most = vectors.map(() => Number.POSITIVE_INFINITY);
        const { x, c } = shortest(
          side.Z[row]!.map((z) => t * z),
          vectors,
          most,
        );
        for (const [number, kappa, list] of [
          [caps.length - 1, a, []],
          [0xffffffff, 0, [...signs.keys()].map((other, k) => [other, x[k]!] as const)],
        ] as const) {
          out.u32(row);
          out.u8(t === 1 ? 1 : 0);
          out.u32(number);
          out.f64(kappa);
          writeList(out, list);
        }
        const limit = Math.min(f(a), norm(c)) + 1e-12;
        if (t === 1) (high as number[])[row] = Math.min(high[row]!, limit);
        else (low as number[])[row] = Math.max(low[row]!, -limit);
      }
    }
    if (v.some((_, i) => low[i]! > high[i]! + 1e-11)) {
      out.u8(5);
      return true;
    }
    step = bestStep(side, { low, high, signs, caps });
  }
  const rows = undecided();
  if (options.transport === true && writeTransport(out, side, T, { low, high, signs, caps }, options)) return true;
  if ((options.early === true || rows.length === 0) && bound(step) <= T) {
    out.u8(4);
    writeStep(out, step);
    return true;
  }
  const row = rows[0];
  if (row === undefined) return false;
  out.u8(0);
  out.u32(row);
  for (const s of [1, -1]) {
    const child = { low: [...low], high: [...high], signs: new Map(signs).set(row, s), caps };
    if (s > 0) child.low[row] = Math.max(0, child.low[row]!);
    else child.high[row] = Math.min(0, child.high[row]!);
    if (!writeNode(out, side, T, child, options)) return false;
  }
  return true;
}

/** Solves (mu I - Q) x = a by Cholesky; null when that is not positive definite. */
function solveShifted(Q: readonly (readonly number[])[], mu: number, a: readonly number[]): number[] | null {
  const r = a.length;
  const L = Q.map((row) => row.map(() => 0));
  for (let i = 0; i < r; i++) {
    for (let j = 0; j <= i; j++) {
      let s = (i === j ? mu : 0) - Q[i]![j]!;
      for (let k = 0; k < j; k++) s -= L[i]![k]! * L[j]![k]!;
      if (i === j && !(s > 1e-14)) return null;
      L[i]![j] = i === j ? Math.sqrt(s) : s / L[j]![j]!;
    }
  }
  const x = [...a];
  for (let i = 0; i < r; i++) {
    for (let k = 0; k < i; k++) x[i]! -= L[i]![k]! * x[k]!;
    x[i]! /= L[i]![i]!;
  }
  for (let i = r - 1; i >= 0; i--) {
    for (let k = i + 1; k < r; k++) x[i]! -= L[k]![i]! * x[k]!;
    x[i]! /= L[i]![i]!;
  }
  return x;
}

/** What a transport leaf needs, and the smallest T for which it holds. */
function transportLeaf({ Z, v }: NaiveSide, { low, high, signs }: Node, random: (() => number) | undefined) {
  const isOpen = (i: number): boolean => low[i]! < 0 && high[i]! > 0;
  const P = v.flatMap((weight, i) => (weight > 0 && isOpen(i) ? [i] : []));
  const N = v.flatMap((weight, i) => (weight < 0 && isOpen(i) ? [i] : []));
  const Pi = P.map(() =>
    N.map((j) => (random === undefined ? 0 : Math.fround(((-v[j]! / (P.length + 1)) * (2 * random() - 1)) / 2))),
  );
  const t = N.map((j) => (random === undefined ? 0 : ((-v[j]! / (P.length + 1)) * (2 * random() - 1)) / 2));
  const r = Z[0]!.length;
  const Q = Array.from({ length: r }, () => new Array<number>(r).fill(0));
  const addSquare = (coef: number, y: readonly number[]): void => {
    for (let k = 0; k < r; k++) for (let l = 0; l < r; l++) Q[k]![l]! += coef * y[k]! * y[l]!;
  };
  let a = new Array<number>(r).fill(0);
  let c = 0;
  const s = P.map((i, k) => {
    const residual = N.reduce(
      (sum, j, l) => plus(sum, -Pi[k]![l]!, Z[j]!),
      Z[i]!.map((z) => v[i]! * z),
    );
    const width = Math.max(1e-3, norm(residual) * (0.3 + 0.5 * (random?.() ?? 0.5)));
    addSquare(1 / (4 * width), residual);
    c += width / 4;
    a = plus(a, v[i]! / 2, Z[i]!);
    return width;
  });
  N.forEach((j, l) => {
    const unused = -v[j]! - Math.abs(t[l]!) - Pi.reduce((sum, row) => sum + Math.abs(row[l]!), 0);
    if (norm([...Z[j]!]) > 0) addSquare(-unused / (2 * norm([...Z[j]!])), Z[j]!);
    a = plus(a, -(-v[j]! + t[l]!) / 2, Z[j]!);
  });
  v.forEach((weight, i) => {
    if (!isOpen(i) && low[i]! >= 0) a = plus(a, weight, Z[i]!);
  });
  const lam = [...signs].map(([row, sign]) => [row, (random?.() ?? 0) * 0.1 * norm(a), sign] as const);
  for (const [row, value, sign] of lam) a = plus(a, value * sign, Z[row]!);
  let best = { T: Number.POSITIVE_INFINITY, mu: 0 };
  for (let k = -60; k < 60; k++) {
    const mu = 2 ** (k / 4);
    const x = solveShifted(Q, mu, a);
    const value = x === null ? Number.POSITIVE_INFINITY : c + mu + dot(a, x) / 4;
    if (value < best.T) best = { T: value, mu };
  }
  return { ...best, P, N, Pi, t, s, lam };
}

/** The smallest T of a transport leaf at the root. */
export function transportBound(side: NaiveSide, random?: () => number): number {
  const low = side.Z.map((z) => -norm([...z]));
  const high = side.Z.map((z) => norm([...z]));
  return transportLeaf(side, { low, high, signs: new Map(), caps: [] }, random).T;
}

function writeTransport(out: ProofWriter, side: NaiveSide, T: number, node: Node, { random }: SignOptions): boolean {
  const leaf = transportLeaf(side, node, random);
  if (!(leaf.T * (1 + 1e-10) <= T)) return false;
  out.u8(1);
  out.f64(leaf.mu);
  out.u32(leaf.P.length);
  for (const row of leaf.P) out.u32(row);
  out.f64s(leaf.s);
  out.u32(leaf.N.length);
  for (const row of leaf.N) out.u32(row);
  out.f64s(leaf.t);
  const kind = random === undefined ? 0 : random() < 0.5 ? 1 : 2;
  out.u8(kind);
  for (const row of kind === 0 ? [] : leaf.Pi) {
    if (kind === 1) out.f32s(row);
    else {
      out.u32(row.length);
      row.forEach((value, position) => {
        out.u32(position);
        out.f32s([value]);
      });
    }
  }
  out.u32(leaf.lam.length);
  for (const [row, value] of leaf.lam) {
    out.u32(row);
    out.f64(value);
  }
  return true;
}

/** A cone tree for G(u) <= T |u|; false when it would need more than `depth` levels. */
export function writeConeTree(out: ProofWriter, side: NaiveSide, T: number, depth = 40): boolean {
  out.u8(1);
  const r = side.Z[0]!.length;
  for (let orthant = 0; orthant < 2 ** r; orthant++) {
    const rays = Array.from({ length: r }, (_, k) =>
      Array.from({ length: r }, (_, l) => (k === l ? ((orthant >> k) & 1 ? -1 : 1) : 0)),
    );
    if (!writeCone(out, side, T, rays, depth)) return false;
  }
  return true;
}

function writeCone(
  out: ProofWriter,
  side: NaiveSide,
  T: number,
  rays: readonly (readonly number[])[],
  depth: number,
): boolean {
  const { Z, v } = side;
  const thetas = v.map((weight, j) => {
    if (weight >= 0) return 0;
    const z = rays.map((w) => dot(Z[j]!, w));
    const active = z.reduce((sum, t) => sum + Math.max(0, t), 0);
    const all = z.reduce((sum, t) => sum + Math.abs(t), 0);
    return Math.fround(all > 0 ? active / all : 0);
  });
  const values = rays.map((w) =>
    v.reduce((sum, weight, i) => {
      const z = dot(Z[i]!, w);
      return sum + weight * (weight > 0 ? Math.max(0, z) : thetas[i]! * z);
    }, 0),
  );
  const c = smallestAbove(rays, values);
  if (c !== null && norm(c) <= T) {
    out.u8(2);
    out.f64s(c);
    const listed = v.flatMap((weight, j) => (weight < 0 ? [j] : []));
    out.u32(listed.length);
    for (const j of listed) {
      out.u32(j);
      out.f32s([thetas[j]!]);
    }
    return true;
  }
  if (depth === 0 || rays.length === 1) return false;
  // The widest pair, in the middle; once in a while a ray is rescaled too.
  let [a, b, widest] = [0, 1, -1];
  rays.forEach((x, i) => {
    rays.forEach((y, j) => {
      const width = norm(
        plus(
          x.map((t) => t / norm([...x])),
          -1 / norm([...y]),
          y,
        ),
      );
      if (i < j && width > widest) [a, b, widest] = [i, j, width];
    });
  });
  if (depth % 7 === 3) {
    out.u8(1);
    out.u8(a);
    out.f64(2);
    return writeCone(
      out,
      side,
      T,
      rays.map((w, k) => (k === a ? w.map((t) => 2 * t) : w)),
      depth - 1,
    );
  }
  const f = norm([...rays[b]!]) / (norm([...rays[a]!]) + norm([...rays[b]!]));
  out.u8(0);
  out.u8(a);
  out.u8(b);
  out.f64(f);
  const w = rays[a]!.map((t, k) => f * t + (1 - f) * rays[b]![k]!);
  const child = (replaced: number): boolean =>
    writeCone(
      out,
      side,
      T,
      rays.map((ray, k) => (k === replaced ? w : ray)),
      depth - 1,
    );
  return child(b) && child(a);
}

/** The shortest c with c'w_k >= b_k: from the sets of rays on which it can be equal. */
function smallestAbove(rays: readonly (readonly number[])[], b: readonly number[]): number[] | null {
  let best: number[] | null = null;
  for (let set = 0; set < 2 ** rays.length; set++) {
    const active = rays.flatMap((_, k) => ((set >> k) & 1 ? [k] : []));
    const gram = active.map((k) => active.map((l) => dot(rays[k]!, rays[l]!)));
    const weights = solveSquare(
      gram,
      active.map((k) => b[k]!),
    );
    if (weights === null) continue;
    const c = active.reduce(
      (sum, k, at) => plus(sum, weights[at]!, rays[k]!),
      rays[0]!.map(() => 0),
    );
    const isAbove = rays.every((w, k) => dot(c, w) >= b[k]! - 1e-11 * (1 + Math.abs(b[k]!)) * norm([...w]));
    if (isAbove && (best === null || norm(c) < norm(best))) best = c;
  }
  return best;
}

/** Solves W c = b by Gaussian elimination. */
function solveSquare(W: readonly (readonly number[])[], b: readonly number[]): number[] | null {
  const A = W.map((row, i) => [...row, b[i]!]);
  const r = b.length;
  for (let k = 0; k < r; k++) {
    let pivot = k;
    for (let i = k; i < r; i++) if (Math.abs(A[i]![k]!) > Math.abs(A[pivot]![k]!)) pivot = i;
    if (A[pivot]![k] === 0) return null;
    [A[k], A[pivot]] = [A[pivot]!, A[k]!];
    for (let i = 0; i < r; i++) {
      if (i === k) continue;
      const factor = A[i]![k]! / A[k]![k]!;
      for (let j = k; j <= r; j++) A[i]![j]! -= factor * A[k]![j]!;
    }
  }
  return A.map((row, k) => row[r]! / row[k]!);
}

/** Writes the trees of both sides. */
export type TreeWriter = (out: ProofWriter, side: NaiveSide, T: number) => boolean;

/**
 * An `output` without rotation, scale 1; with free biases a part for each pivot.
 *
 * @param slack T is the maximum (found by enumeration) times 1 + slack; the prover must manage with it.
 */
export function writeOutput(
  out: ProofWriter,
  X: readonly (readonly number[])[],
  v: readonly number[],
  tree: TreeWriter,
  slack: number,
  freeBiases = false,
): void {
  out.f64(1);
  out.u32(X[0]!.length);
  out.u8(0);
  out.u32(freeBiases ? X.length : 0);
  const parts = freeBiases ? X.map((pivot) => X.map((x) => plus(x, -1, pivot))) : [X];
  for (const Z of parts) {
    const sides = [1, -1].map((sign) => ({ Z, v: v.map((t) => sign * t) }));
    const T = Math.max(...sides.map((side) => maximum(side).value)) * (1 + slack) + 1e-12;
    out.f64(T);
    for (const side of sides) if (!tree(out, side, T)) throw new Error(`the naive prover cannot show T = ${T}`);
  }
}
