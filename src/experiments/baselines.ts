import { type Matrix, matrix, row } from "../base/matrix.ts";
import { outsideMatrix } from "../compute/outside.ts";
import type { Compute, Scope } from "../compute/types.ts";
import { softplus } from "./metrics.ts";

/** A linear model: outputs X weights + intercept, n x c. */
export interface LinearModel {
  /** d x c. */
  readonly weights: Matrix;
  /** c entries. */
  readonly intercept: Float64Array;
}

/** Outputs of a linear model on the rows of X, n x c. */
export function predictLinear({ weights, intercept }: LinearModel, X: Matrix): Matrix {
  const c = weights.cols;
  const out = matrix(X.rows, c);
  for (let i = 0; i < X.rows; i++) {
    const f = row(out, i);
    const x = row(X, i);
    f.set(intercept);
    for (let k = 0; k < X.cols; k++) for (let q = 0; q < c; q++) f[q] += x[k] * weights.data[k * c + q];
  }
  return out;
}

/**
 * The principal components of the centered X = 1 mean' + T V': T'T = diag(squares), V'V = I, directions without
 * variance left out. Every baseline is computed in these coordinates, where a rank-deficient X has full rank.
 */
export interface Components {
  /** n x r. */
  readonly T: Matrix;
  /** d x r. */
  readonly V: Matrix;
  readonly mean: Float64Array;
  /** Squared singular values of the centered X. */
  readonly squares: Float64Array;
}

/** Squared singular values below this share of the largest are rounding errors of the Gram matrix. */
const RANK_TOLERANCE = 1e-12;

/** Principal components of X through the smaller of its two Gram matrices; X may be larger than the kernel memory. */
export function principalComponents(compute: Compute, X: Matrix): Components {
  const { rows: n, cols: d } = X;
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) mean[k] += X.data[i * d + k] / n;
  // The centered X, or its transpose when it is wide: never more columns than rows.
  const wide = d > n;
  const [long, size] = wide ? [d, n] : [n, d];
  const data = new Float64Array(n * d);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) data[wide ? k * n + i : i * d + k] = X.data[i * d + k] - mean[k];
  }
  const tall = outsideMatrix(compute, long, size, data);
  return compute.scope((scope) => {
    const vectors = scope.f64(size * size);
    tall.gram(vectors);
    const values = scope.f64(size);
    compute.symmetricEigen(size, vectors, size, values);
    const largest = size === 0 ? 0 : values[size - 1];
    const kept: number[] = [];
    for (let k = size - 1; k >= 0 && values[k] > RANK_TOLERANCE * largest; k--) kept.push(k);
    const r = kept.length;
    const squares = Float64Array.from(kept, (k) => values[k]);
    const basis = matrix(size, r);
    for (let i = 0; i < size; i++) for (let k = 0; k < r; k++) basis.data[i * r + k] = vectors[i * size + kept[k]!];
    const product = matrix(long, r);
    tall.gemm(false, r, 1, basis.data, 0, product.data);
    if (!wide) return { T: product, V: basis, mean, squares };
    // Eigenvectors P of X X': T = P S, V = X' P / S.
    for (let i = 0; i < d * r; i++) product.data[i] /= Math.sqrt(squares[i % r]);
    for (let i = 0; i < n * r; i++) basis.data[i] *= Math.sqrt(squares[i % r]);
    return { T: basis, V: product, mean, squares };
  });
}

/** The model with coefficients g (r x c) in component coordinates and intercept at the mean of X. */
function toFeatures({ V, mean }: Components, g: Matrix, center: Float64Array): LinearModel {
  const c = g.cols;
  const weights = matrix(V.rows, c);
  const intercept = Float64Array.from(center);
  for (let k = 0; k < V.rows; k++) {
    for (let q = 0; q < c; q++) {
      let sum = 0;
      for (let p = 0; p < V.cols; p++) sum += V.data[k * V.cols + p] * g.data[p * c + q];
      weights.data[k * c + q] = sum;
      intercept[q] -= mean[k] * sum;
    }
  }
  return { weights, intercept };
}

/** Column means of Y and the products T'Y (r x c); T is centered, so Y need not be. */
function targetProducts({ T }: Components, Y: Matrix): { center: Float64Array; products: Matrix } {
  const c = Y.cols;
  const center = new Float64Array(c);
  const products = matrix(T.cols, c);
  for (let i = 0; i < Y.rows; i++) {
    for (let q = 0; q < c; q++) center[q] += Y.data[i * c + q] / Y.rows;
    for (let p = 0; p < T.cols; p++) {
      for (let q = 0; q < c; q++) products.data[p * c + q] += T.data[i * T.cols + p] * Y.data[i * c + q];
    }
  }
  return { center, products };
}

/** Divides row p of the products by squares[p] + lambda: the coefficients of ridge regression. */
function shrink({ squares }: Components, products: Matrix, lambda: number): Matrix {
  const g = matrix(products.rows, products.cols, products.data.slice());
  for (let k = 0; k < g.data.length; k++) g.data[k] /= squares[Math.floor(k / g.cols)] + lambda;
  return g;
}

/** Least squares with an intercept, of least norm where it is not unique. Y is n x c. */
export function leastSquares(components: Components, Y: Matrix): LinearModel {
  const { center, products } = targetProducts(components, Y);
  return toFeatures(components, shrink(components, products, 0), center);
}

/** The penalties that {@link ridge} tries, as shares of the largest squared singular value: 1e-8 .. 1e2, half decades. */
const RIDGE_GRID = Array.from({ length: 21 }, (_, k) => 10 ** (-8 + k / 2));

/**
 * Ridge regression with an unpenalized intercept: minimizes ||Y - 1 b' - X W||^2 + lambda ||W||^2 with the lambda of the
 * smallest leave-one-out error. Row i's is its residual over 1 - h_i, h_i = 1/n + sum_p t_ip^2 / (squares_p + lambda)
 * (Allen's PRESS statistic).
 */
export function ridge(components: Components, Y: Matrix): LinearModel & { readonly lambda: number } {
  const { T, squares } = components;
  const { center, products } = targetProducts(components, Y);
  const n = Y.rows;
  let best = { error: Number.POSITIVE_INFINITY, lambda: 1, g: shrink(components, products, 1) };
  for (const share of RIDGE_GRID) {
    const lambda = share * (squares[0] ?? 1);
    const g = shrink(components, products, lambda);
    let error = 0;
    for (let i = 0; i < n; i++) {
      const t = row(T, i);
      let leverage = 1 / n;
      for (let p = 0; p < t.length; p++) leverage += (t[p] * t[p]) / (squares[p] + lambda);
      for (let q = 0; q < Y.cols; q++) {
        let residual = Y.data[i * Y.cols + q] - center[q];
        for (let p = 0; p < t.length; p++) residual -= t[p] * g.data[p * Y.cols + q];
        error += (residual / Math.max(1 - leverage, Number.EPSILON)) ** 2;
      }
    }
    if (error < best.error) best = { error, lambda, g };
  }
  return { ...toFeatures(components, best.g, center), lambda: best.lambda };
}

/** Penalty (per row sum) that keeps the weights finite when the classes can be separated. */
const LOGISTIC_RIDGE = 1e-6;
const NEWTON_STEPS = 100;
/** Half the squared Newton decrement, relative to 1 + objective, from which on one more full step is the last. */
const NEWTON_TOLERANCE = 1e-9;

/**
 * Logistic regression: for each column of Y (entries -1/+1) minimizes sum log(1 + exp(-y f)) + (1e-6/2) ||w||^2 over
 * f = x.w + b by Newton's method with step halving.
 *
 * @param expired polled before each step; true ends with the weights so far.
 * @returns the model, and whether every column converged.
 */
export function logisticRegression(
  compute: Compute,
  components: Components,
  Y: Matrix,
  expired: () => boolean,
): LinearModel & { readonly converged: boolean } {
  const r = components.T.cols;
  const g = matrix(r, Y.cols);
  const center = new Float64Array(Y.cols);
  let converged = true;
  for (let q = 0; q < Y.cols; q++) {
    const y = Float64Array.from({ length: Y.rows }, (_, i) => Y.data[i * Y.cols + q]);
    const column = compute.scope((scope) => newton(compute, scope, components.T, y, expired));
    for (let p = 0; p < r; p++) g.data[p * Y.cols + q] = column.weights[p];
    center[q] = column.weights[r];
    converged &&= column.converged;
  }
  return { ...toFeatures(components, g, center), converged };
}

/** Newton's method on (w, b), w over the columns of T; returns r weights and then the intercept. */
function newton(compute: Compute, scope: Scope, T: Matrix, y: Float64Array, expired: () => boolean) {
  const { rows: n, cols: r } = T;
  const size = r + 1;
  const components = outsideMatrix(compute, n, r, T.data);
  // Rows of [T 1], weighted.
  const weighted = new Float64Array(n * size);
  const curvature = outsideMatrix(compute, n, size, weighted);
  const hessian = scope.f64(size * size);
  const residual = new Float64Array(n);
  const gradient = scope.f64(size);
  const step = scope.f64(size);
  const w = scope.f64(size);
  const trial = scope.f64(size);
  const f = new Float64Array(n);
  /** Objective at v; leaves the predictions in f. */
  const objectiveAt = (v: Float64Array): number => {
    f.fill(v[r]);
    components.gemv(false, 1, v, 1, f);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += softplus(-y[i] * f[i]);
    for (let p = 0; p < r; p++) sum += (LOGISTIC_RIDGE / 2) * v[p] * v[p];
    return sum;
  };
  let objective = objectiveAt(w);
  let converged = false;
  for (let k = 0; k < NEWTON_STEPS && !converged && !expired(); k++) {
    // 1. With A = [T 1]: gradient A'(p - y) + ridge and Hessian A' diag(p (1 - p)) A + ridge.
    gradient[r] = 0;
    for (let i = 0; i < n; i++) {
      const miss = 1 / (1 + Math.exp(y[i] * f[i]));
      residual[i] = -y[i] * miss;
      gradient[r] += residual[i];
      const root = Math.sqrt(miss * (1 - miss));
      for (let p = 0; p < r; p++) weighted[i * size + p] = root * T.data[i * r + p];
      weighted[i * size + r] = root;
    }
    components.gemv(true, 1, residual, 0, gradient);
    curvature.gram(hessian);
    let trace = 0;
    for (let p = 0; p < size; p++) trace += hessian[p * size + p];
    for (let p = 0; p < size; p++) {
      gradient[p] += p < r ? LOGISTIC_RIDGE * w[p] : 0;
      // The intercept is not penalized: the last term only keeps a vanishing Hessian factorizable.
      hessian[p * size + p] += p < r ? LOGISTIC_RIDGE : 1e-14 * trace + 1e-300;
    }
    // 2. Newton step by Cholesky.
    step.set(gradient);
    if (compute.cholesky(size, hessian, size) !== 0) break;
    compute.solveLower(false, size, 1, hessian, size, step, 1);
    compute.solveLower(true, size, 1, hessian, size, step, 1);
    const decrement = compute.dot(size, gradient, step);
    converged = decrement / 2 <= NEWTON_TOLERANCE * (1 + objective);
    // 3. Halve the step until the objective falls enough; so near the optimum rounding would decide that.
    let length = 1;
    for (; length > 1e-10; length /= 2) {
      trial.set(w);
      compute.axpy(size, -length, step, trial);
      const value = objectiveAt(trial);
      if (!converged && !(value <= objective - 1e-4 * length * decrement)) continue;
      objective = value;
      w.set(trial);
      break;
    }
    if (length <= 1e-10) break;
  }
  return { weights: w.slice(), converged };
}
