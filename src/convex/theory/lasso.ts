import type { Matrix } from "../../base/matrix.ts";

/** minimize 1/2 ||H w + c0 1 - y||^2 + beta ||w||_1 over w and, when `offset`, c0 (else 0). */
export interface LassoProblem {
  /** n x p. */
  readonly H: Matrix;
  readonly y: Float64Array;
  readonly beta: number;
  readonly offset: boolean;
}

export interface LassoSolution {
  readonly w: Float64Array;
  readonly c0: number;
  /** y - H w - c0. */
  readonly residual: Float64Array;
  readonly objective: number;
  /** beta minus the largest |h_j' residual|: at least about 0 at an optimum. */
  readonly slack: number;
}

/** A correlation counts as above beta beyond this part of it. */
const VIOLATED = 1e-12;
/** A column nearer than this to the span of the others (both scaled to 1) is dependent. */
const DEPENDENT = 1e-11;

/**
 * The lasso by an active-set method (feature-sign search; Lee, Battle, Raina, Ng, 2006): solve exactly for the active
 * columns at fixed signs, stop the step where a weight changes sign, drop it, and add the most correlated column until
 * none exceeds beta. Columns that depend on the active ones are exchanged against them along the null direction, so the
 * solution is a vertex: its columns are independent.
 */
export function lasso(problem: LassoProblem, start?: Float64Array): LassoSolution {
  const { H, y, beta, offset } = problem;
  const { rows: n, cols: p } = H;
  const w = new Float64Array(p);
  let c0 = 0;
  const lengths = new Float64Array(p);
  for (let i = 0; i < n; i++) for (let j = 0; j < p; j++) lengths[j] += H.data[i * p + j] ** 2;
  const active: number[] = [];
  const signs = new Map<number, number>();
  start?.forEach((t, j) => {
    if (t === 0 || lengths[j] === 0) return;
    w[j] = t;
    active.push(j);
    signs.set(j, Math.sign(t));
  });
  const residual = new Float64Array(n);
  const column = (j: number): Float64Array => Float64Array.from({ length: n }, (_, i) => H.data[i * p + j]);
  const update = (): void => {
    for (let i = 0; i < n; i++) {
      residual[i] = y[i] - c0;
      for (const j of active) residual[i] -= H.data[i * p + j] * w[j];
    }
  };
  const drop = (j: number): void => {
    active.splice(active.indexOf(j), 1);
    signs.delete(j);
    w[j] = 0;
  };
  /** Moves w by `step` t, t in [0, 1] (or as far as it goes), up to the first sign change; false when it reached t = 1. */
  const move = (step: ReadonlyMap<number, number>, toC0: number, bounded: boolean): boolean => {
    let t = bounded ? 1 : Number.POSITIVE_INFINITY;
    let wall = -1;
    for (const j of active) {
      const change = step.get(j) ?? 0;
      if (change * (signs.get(j) ?? 0) >= 0) continue;
      const room = Math.max(0, -w[j] / change);
      if (room < t) {
        t = room;
        wall = j;
      }
    }
    if (t === Number.POSITIVE_INFINITY) return false;
    for (const j of active) w[j] += t * (step.get(j) ?? 0);
    c0 += t * toC0;
    if (wall >= 0) drop(wall);
    return wall >= 0;
  };
  const solveActive = (): void => {
    for (let guard = 0; guard <= 4 * (p + n) + 20; guard++) {
      const columns = active.map(column);
      if (offset) columns.unshift(new Float64Array(n).fill(1));
      const qr = orthogonalize(columns);
      if (qr.dependent >= 0) {
        // Along the null direction predictions stay, the penalty falls (or stays): exchange.
        const shift = offset ? 1 : 0;
        const step = new Map<number, number>();
        let slope = 0;
        qr.combination.forEach((t, k) => {
          if (k < shift) return;
          step.set(active[k - shift], t);
          slope += t * (signs.get(active[k - shift]) ?? 0);
        });
        const turn = slope > 0 ? -1 : 1;
        for (const [j, t] of step) step.set(j, turn * t);
        if (!move(step, offset ? turn * qr.combination[0] : 0, false)) drop(active[qr.dependent - shift]);
        continue;
      }
      const s = active.map((j) => signs.get(j) ?? 0);
      if (offset) s.unshift(0);
      // Correction from the current point: R'R dw = A'residual - beta s.
      update();
      const change = solveShifted(columns, qr, residual, beta, s);
      const step = new Map(active.map((j, k) => [j, change[k + (offset ? 1 : 0)]]));
      if (move(step, offset ? change[0] : 0, true)) continue;
      return;
    }
  };
  if (offset || active.length > 0) solveActive();
  let objective = Number.POSITIVE_INFINITY;
  const banned = new Set<number>();
  for (let round = 0; round < 20 * (p + n) + 50; round++) {
    // A second correction from the solved point removes what rounding left.
    solveActive();
    update();
    let next = beta * active.reduce((sum, j) => sum + Math.abs(w[j]), 0);
    for (let i = 0; i < n; i++) next += residual[i] ** 2 / 2;
    if (next < objective) {
      if (next < objective * (1 - 1e-14)) banned.clear();
      objective = next;
    }
    let worst = beta * (1 + VIOLATED);
    let entering = -1;
    let sign = 1;
    for (let j = 0; j < p; j++) {
      if (signs.has(j) || banned.has(j)) continue;
      let g = 0;
      for (let i = 0; i < n; i++) g += H.data[i * p + j] * residual[i];
      if (Math.abs(g) > worst) {
        worst = Math.abs(g);
        entering = j;
        sign = Math.sign(g);
      }
    }
    if (entering < 0) break;
    active.push(entering);
    signs.set(entering, sign);
    banned.add(entering);
  }
  update();
  let largest = 0;
  for (let j = 0; j < p; j++) {
    let g = 0;
    for (let i = 0; i < n; i++) g += H.data[i * p + j] * residual[i];
    largest = Math.max(largest, Math.abs(g));
  }
  let value = 0;
  for (let i = 0; i < n; i++) value += residual[i] ** 2 / 2;
  for (let j = 0; j < p; j++) value += beta * Math.abs(w[j]);
  return { w, c0, residual, objective: value, slack: beta - largest };
}

interface Orthogonalized {
  readonly Q: Float64Array[];
  /** R by columns: column k has k + 1 entries. */
  readonly R: Float64Array[];
  /** The first column in the span of those before it, or -1; then `combination` is a null combination of the columns. */
  readonly dependent: number;
  readonly combination: Float64Array;
}

/** Gram-Schmidt with reorthogonalization. */
function orthogonalize(columns: readonly Float64Array[]): Orthogonalized {
  const Q: Float64Array[] = [];
  const R: Float64Array[] = [];
  for (let k = 0; k < columns.length; k++) {
    const q = columns[k].slice();
    const r = new Float64Array(k + 1);
    const before = norm(q);
    for (let pass = 0; pass < 2; pass++) {
      for (let e = 0; e < k; e++) {
        let along = 0;
        for (let i = 0; i < q.length; i++) along += q[i] * Q[e][i];
        r[e] += along;
        for (let i = 0; i < q.length; i++) q[i] -= along * Q[e][i];
      }
    }
    const length = norm(q);
    if (!(length > DEPENDENT * before)) {
      const combination = new Float64Array(columns.length);
      combination[k] = 1;
      const x = backSubstitute(R, r.subarray(0, k));
      for (let e = 0; e < k; e++) combination[e] = -x[e];
      return { Q, R, dependent: k, combination };
    }
    r[k] = length;
    for (let i = 0; i < q.length; i++) q[i] /= length;
    Q.push(q);
    R.push(r);
  }
  return { Q, R, dependent: -1, combination: new Float64Array(0) };
}

/** The solution of A'A x = A'r - beta s, A = QR. */
function solveShifted(
  columns: readonly Float64Array[],
  { Q, R }: Orthogonalized,
  r: Float64Array,
  beta: number,
  s: readonly number[],
): Float64Array {
  const k = columns.length;
  const right = new Float64Array(k);
  // R'z = s
  for (let a = 0; a < k; a++) {
    let sum = s[a];
    for (let e = 0; e < a; e++) sum -= R[a][e] * right[e];
    right[a] = sum / R[a][a];
  }
  for (let a = 0; a < k; a++) {
    let inner = 0;
    for (let i = 0; i < r.length; i++) inner += Q[a][i] * r[i];
    right[a] = inner - beta * right[a];
  }
  return backSubstitute(R, right);
}

function backSubstitute(R: readonly Float64Array[], b: Float64Array): Float64Array {
  const x = b.slice();
  for (let a = b.length - 1; a >= 0; a--) {
    x[a] /= R[a][a];
    for (let e = 0; e < a; e++) x[e] -= R[a][e] * x[a];
  }
  return x;
}

function norm(x: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
  return Math.sqrt(sum);
}
