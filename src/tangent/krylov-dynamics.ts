import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
import { decay, divisor, reach, residualOf, type Start, type Training } from "./dynamics.ts";
import { product, zeroLevel } from "./kernel-eigen.ts";
import { KrylovBasis, type RitzValues, tridiagonalEigen } from "./krylov-basis.ts";

/** Products T B of a kernel matrix with n x k numbers: of a matrix in memory, of tiles, or of kernels made anew. */
export type KernelProduct = (B: Matrix) => Matrix;

/** The products of a kernel matrix in memory. */
export function kernelProduct(compute: Compute, K: Matrix): KernelProduct {
  return (B) => product(compute, K, false, B);
}

export interface KrylovOptions {
  /** Of the outputs at every time, as a share of the initial residual of each output; default 1e-8. */
  readonly tolerance?: number;
  /** Products with each output at most; default 300. Takes 8 n bytes for each. */
  readonly steps?: number;
}

/** Training at one time, by products with the kernel. */
export interface KrylovOutputs {
  readonly time: number;
  /** n x c: outputs on the training inputs. */
  readonly outputs: Matrix;
  /** n x c: the output at another input x is f_0(x) + T(x, X) coefficients. */
  readonly coefficients: Matrix;
  /** c bounds on the Euclidean norms of the errors of the columns of `outputs`. */
  readonly errors: Float64Array;
  /** c numbers which, times sqrt(T(x, x)), bound the errors of the outputs at another input x. */
  readonly testErrors: Float64Array;
}

export interface KrylovTraining {
  /** In the order of the times asked for. */
  readonly at: readonly KrylovOutputs[];
  /** Whether all errors are within the tolerance. */
  readonly converged: boolean;
  /** Products of the kernel matrix with a vector. */
  readonly products: number;
}

/** What is known of an output: its basis, and whether its errors are small enough. */
interface Column {
  readonly basis: KrylovBasis;
  ritz: RitzValues | null;
  done: boolean;
}

/** Roundings of each product that are reckoned with. */
const ROUNDING = 32;
/** Between two looks at the errors, the basis grows by this factor. */
const GROWTH = 1.4;
const FIRST_LOOK = 6;
/** Steps of gradient descent that are followed one by one for a bound, where they are too large for a closed form. */
const MOST_FOLLOWED = 20_000;

/**
 * {@link trainedOutputs} and {@link testOutputs} at finite times without the spectrum of the kernel matrix, which may be known by its products
 * alone: functions of the tridiagonal matrix of the Lanczos method started at each column of the residual. All columns share each product.
 *
 * The error of exp(-tT) r obeys e' = -T e + (what the tridiagonal matrix leaves), so that it is at most the integral of the latter, whose
 * sign does not change: beta |r| |[(1 - exp(-tH)) / H]_m1|. Gradient descent likewise, up to the step at which it begins to diverge.
 * To the bound comes an estimate of what rounding does.
 *
 * Source: Saad, Analysis of some Krylov subspace approximations to the matrix exponential operator (1992); Hochbruck and Lubich (1997).
 *
 * @param times finite.
 * @throws RangeError for a time or a step that is none, and for steps that diverge.
 */
export function krylovTraining(
  compute: Compute,
  multiply: KernelProduct,
  training: Training,
  times: readonly number[],
  start: Start,
  options: KrylovOptions = {},
): KrylovTraining {
  const { tolerance = 1e-8, steps = 300 } = options;
  const { rows: n, cols: c } = start.Y;
  const residual = residualOf(n, start);
  if (!(steps >= 1 && tolerance >= 0)) throw new RangeError(`no tolerance ${tolerance} with ${steps} products`);
  const odd = times.find((time) => !(time >= 0 && Number.isFinite(time)));
  if (odd !== undefined) throw new RangeError(`products with the kernel reach finite times, got ${odd}`);
  const rule: Rule = { training, entries: n * c, times };
  for (const time of times) decay(training, n * c, 0, time);
  return compute.scope((scope) => {
    const columns = Array.from({ length: c }, (_, q): Column | null => {
      const r = Float64Array.from({ length: n }, (_, i) => residual.data[i * c + q]);
      return r.every((value) => value === 0)
        ? null
        : { basis: new KrylovBasis(compute, scope, r), ritz: null, done: false };
    });
    const alive = columns.filter((column) => column !== null);
    let products = 0;
    let look = FIRST_LOOK;
    for (let step = 1; step <= steps && alive.some(({ done }) => !done); step++) {
      const active = alive.filter(({ done }) => !done);
      extend(active, multiply, n);
      products += active.length;
      const isLook = step >= look || step === steps;
      if (isLook) look = Math.ceil(GROWTH * step);
      for (const column of active) {
        const { basis } = column;
        if (!isLook && !basis.isWhole) continue;
        column.ritz = tridiagonalEigen(compute, basis.diagonal, basis.off.slice(0, -1));
        const within = times.every((_, k) => {
          const { left, rounding } = errorOf(rule, column, k);
          return left <= Math.max(rounding, tolerance * basis.norm);
        });
        column.done = within || basis.isWhole;
      }
    }
    const at = times.map((time, k) => outputsAt(rule, k, time, columns, start));
    const converged = at.every(({ errors }) =>
      errors.every((error, q) => error <= tolerance * (columns[q]?.basis.norm ?? 0)),
    );
    return { at, converged, products };
  });
}

interface Rule {
  readonly training: Training;
  readonly entries: number;
  readonly times: readonly number[];
}

/** One product for all columns, and the next vector of each. */
function extend(columns: readonly Column[], multiply: KernelProduct, n: number): void {
  const width = columns.length;
  const B = matrix(n, width);
  columns.forEach(({ basis }, q) => {
    const v = basis.next();
    for (let i = 0; i < n; i++) B.data[i * width + q] = v[i];
  });
  const { data } = multiply(B);
  columns.forEach(({ basis }, q) => {
    basis.extend(Float64Array.from({ length: n }, (_, i) => data[i * width + q]));
  });
}

/** V f(H) e_1 |r|, in the coordinates of the basis. */
function coordinates({ basis, ritz }: Column, f: (value: number) => number): Float64Array {
  const { values, vectors } = ritz!;
  const m = values.length;
  const weights = values.map((value, k) => f(Math.max(0, value)) * vectors[k] * basis.norm);
  return Float64Array.from({ length: m }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < m; k++) sum += vectors[i * m + k] * weights[k];
    return sum;
  });
}

/** A bound on the error of the residual of a column at a time, and about what rounding adds to it. */
function errorOf({ training, entries, times }: Rule, column: Column, k: number): { left: number; rounding: number } {
  const { basis, ritz } = column;
  const { values, vectors } = ritz!;
  const m = values.length;
  const time = times[k]!;
  const largest = Math.max(0, values[m - 1]);
  const way = reach(training, entries, 0, time);
  const rounding = ROUNDING * Number.EPSILON * (m + way * largest) * basis.norm;
  return { left: basis.norm * basis.off.at(-1)! * leftOver(), rounding };

  /** The integral, or the sum, of |what H leaves| for a residual of size 1 and a link of size 1. */
  function leftOver(): number {
    const { step } = training;
    const size = step === "flow" ? 0 : step / divisor(training, entries);
    if (size * largest > 2) {
      const limit = (2 * divisor(training, entries)) / largest;
      throw new RangeError(`gradient descent diverges: the step ${step} is not below ${limit}`);
    }
    if (Math.max(...basis.diagonal) * size <= 1) {
      let sum = 0;
      for (let i = 0; i < m; i++) {
        sum += vectors[(m - 1) * m + i] * reach(training, entries, Math.max(0, values[i]), time) * vectors[i];
      }
      return Math.abs(sum);
    }
    return followed(column, size, time);
  }
}

/** The sum over so many steps of the size of what H leaves, followed one by one, then bounded by a sequence that falls. */
function followed({ basis, ritz }: Column, size: number, time: number): number {
  const { diagonal, off } = basis;
  const m = diagonal.length;
  let now = new Float64Array(m);
  let next = new Float64Array(m);
  now[0] = 1;
  let sum = 0;
  const most = Math.min(time, MOST_FOLLOWED);
  for (let s = 0; s < most; s++) {
    sum += Math.abs(now[m - 1]);
    for (let i = 0; i < m; i++) {
      const above = i > 0 ? off[i - 1]! * now[i - 1] : 0;
      const below = i + 1 < m ? off[i]! * now[i + 1] : 0;
      next[i] = now[i] - size * (diagonal[i]! * now[i] + above + below);
    }
    [now, next] = [next, now];
  }
  // |e_m' P^2s e_1| <= |P^s e_m| |P^s e_1|.
  const { values, vectors } = ritz!;
  const lengthOf = (row: number): number =>
    Math.sqrt(
      values.reduce((total, value, k) => total + vectors[row * m + k] ** 2 * Math.abs(1 - size * value) ** most, 0),
    );
  return size * (sum + (time - most) * lengthOf(0) * lengthOf(m - 1));
}

function outputsAt(
  rule: Rule,
  k: number,
  time: number,
  columns: readonly (Column | null)[],
  { Y, outputs }: Start,
): KrylovOutputs {
  const { training, entries } = rule;
  const { rows: n, cols: c } = Y;
  const out = matrix(n, c, Y.data.slice());
  const coefficients = matrix(n, c);
  const errors = new Float64Array(c);
  const testErrors = new Float64Array(c);
  const part = new Float64Array(n);
  columns.forEach((column, q) => {
    if (column === null) return;
    column.basis.combine(
      coordinates(column, (value) => decay(training, entries, value, time)),
      part,
    );
    for (let i = 0; i < n; i++) out.data[i * c + q] += part[i];
    // What T does not see would grow for ever, for nothing.
    const zero = column.basis.isWhole ? zeroLevel(n, column.ritz!.values.at(-1)!) : -1;
    const moved = (value: number): number => (value <= zero ? 0 : reach(training, entries, value, time));
    column.basis.combine(coordinates(column, moved), part);
    for (let i = 0; i < n; i++) coefficients.data[i * c + q] = -part[i];
    const { left, rounding } = errorOf(rule, column, k);
    errors[q] = left + rounding;
    // T(x, X) = sqrt(T(x, x)) u' T^1/2 with |u| <= 1, and e' T e <= |e| |T e| for the error e of the coefficients.
    testErrors[q] = Math.sqrt(2 * reach(training, entries, 0, time)) * errors[q];
  });
  if (time === 0 && outputs !== undefined) out.data.set(outputs.data);
  return { time, outputs: out, coefficients, errors, testErrors };
}
