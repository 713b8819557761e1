import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import {
  leastSquares,
  logisticRegression,
  predictLinear,
  principalComponents,
  ridge,
} from "../../src/experiments/baselines.ts";
import { softplus } from "../../src/experiments/metrics.ts";

const never = (): boolean => false;

function gaussian(rows: number, cols: number, name: string): Matrix {
  const random = randomStream(1, name);
  return matrix(
    rows,
    cols,
    Float64Array.from({ length: rows * cols }, () => random.normal()),
  );
}

const column = (values: Iterable<number>): Matrix => {
  const data = Float64Array.from(values);
  return matrix(data.length, 1, data);
};

/** Solves A x = b by Gaussian elimination with pivoting: the reference for the closed forms. */
function solve(A: number[][], b: number[]): number[] {
  const rows = A.map((entries, i) => [...entries, b[i]!]);
  const n = rows.length;
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, entries, i) => (Math.abs(entries[k]!) > Math.abs(rows[best]![k]!) ? k + i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i]![k]! / rows[k]![k]!;
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k]![n]!;
    for (let j = k + 1; j < n; j++) sum -= rows[k]![j]! * x[j]!;
    x[k] = sum / rows[k]![k]!;
  }
  return x;
}

/** Ridge with an unpenalized intercept from the normal equations of [X 1], leaving out row `skip`. */
function naiveRidge(X: Matrix, y: ArrayLike<number>, lambda: number, skip = -1): number[] {
  const size = X.cols + 1;
  const A = Array.from({ length: size }, (_, k) =>
    Array.from({ length: size }, (_, l) => (k === l && k < X.cols ? lambda : 0)),
  );
  const b = new Array<number>(size).fill(0);
  for (let i = 0; i < X.rows; i++) {
    if (i === skip) continue;
    const x = [...X.data.subarray(i * X.cols, (i + 1) * X.cols), 1];
    for (let k = 0; k < size; k++) {
      b[k]! += x[k]! * y[i]!;
      for (let l = 0; l < size; l++) A[k]![l]! += x[k]! * x[l]!;
    }
  }
  return solve(A, b);
}

describe.each(["js", "wasm"] as const)("on %s", (backend) => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend, threads: 1 });
  });
  afterAll(() => compute.close());

  test("principalComponents: T V' is the centered X, T'T diagonal, for tall, wide and rank-deficient X", () => {
    const deficient = gaussian(20, 4, "deficient");
    for (let i = 0; i < 20; i++) deficient.data[i * 4 + 3] = deficient.data[i * 4] - 2 * deficient.data[i * 4 + 1] + 7;
    const cases = [
      { X: gaussian(12, 5, "tall"), rank: 5 },
      { X: gaussian(5, 9, "wide"), rank: 4 },
      { X: deficient, rank: 3 },
      { X: matrix(3, 2, Float64Array.of(1, 2, 1, 2, 1, 2)), rank: 0 },
    ];
    for (const { X, rank } of cases) {
      const { T, V, mean, squares } = principalComponents(compute, X);
      expect(T.cols).toBe(rank);
      for (let i = 0; i < X.rows; i++) {
        for (let k = 0; k < X.cols; k++) {
          let sum = mean[k]!;
          for (let p = 0; p < rank; p++) sum += T.data[i * rank + p] * V.data[k * rank + p];
          expect(sum).toBeCloseTo(X.data[i * X.cols + k]!, 10);
        }
      }
      for (let p = 0; p < rank; p++) {
        for (let q = 0; q < rank; q++) {
          let sum = 0;
          for (let i = 0; i < X.rows; i++) sum += T.data[i * rank + p] * T.data[i * rank + q];
          expect(sum).toBeCloseTo(p === q ? squares[p]! : 0, 9);
        }
      }
    }
  });

  test("leastSquares finds the weights of perfectly linear data", () => {
    const X = gaussian(30, 3, "linear");
    const y = column(
      Array.from({ length: 30 }, (_, i) => 2 * X.data[3 * i] - X.data[3 * i + 1] + 0.5 * X.data[3 * i + 2] + 4),
    );
    const model = leastSquares(principalComponents(compute, X), y);
    [2, -1, 0.5].forEach((weight, k) => {
      expect(model.weights.data[k]).toBeCloseTo(weight, 10);
    });
    expect(model.intercept[0]).toBeCloseTo(4, 10);
  });

  test("leastSquares fits the same on a repeated column, and interpolates when there are fewer rows than features", () => {
    const X = gaussian(15, 2, "repeat");
    const y = column(gaussian(15, 1, "repeat-y").data);
    const twice = matrix(15, 4);
    for (let i = 0; i < 15; i++) for (let k = 0; k < 4; k++) twice.data[4 * i + k] = X.data[2 * i + (k % 2)];
    const once = predictLinear(leastSquares(principalComponents(compute, X), y), X);
    const again = predictLinear(leastSquares(principalComponents(compute, twice), y), twice);
    once.data.forEach((f, i) => {
      expect(again.data[i]).toBeCloseTo(f, 9);
    });
    const wide = gaussian(6, 20, "interpolate");
    const target = column(gaussian(6, 1, "interpolate-y").data);
    const fitted = predictLinear(leastSquares(principalComponents(compute, wide), target), wide);
    fitted.data.forEach((f, i) => {
      expect(f).toBeCloseTo(target.data[i]!, 9);
    });
  });

  test("ridge equals the normal equations, and its lambda has the smallest leave-one-out error of its neighbours", () => {
    const X = gaussian(18, 4, "ridge");
    const noise = gaussian(18, 1, "ridge-noise");
    const y = Array.from({ length: 18 }, (_, i) => X.data[4 * i] + 3 + 2 * noise.data[i]);
    const model = ridge(principalComponents(compute, X), column(y));
    const naive = naiveRidge(X, y, model.lambda);
    for (let k = 0; k < 4; k++) expect(model.weights.data[k]).toBeCloseTo(naive[k]!, 9);
    expect(model.intercept[0]).toBeCloseTo(naive[4]!, 9);
    const looError = (lambda: number): number => {
      let sum = 0;
      for (let i = 0; i < 18; i++) {
        const w = naiveRidge(X, y, lambda, i);
        let f = w[4]!;
        for (let k = 0; k < 4; k++) f += X.data[4 * i + k] * w[k]!;
        sum += (f - y[i]!) ** 2;
      }
      return sum;
    };
    const best = looError(model.lambda);
    for (const factor of [0.01, 10 ** -0.5, 10 ** 0.5, 100])
      expect(looError(model.lambda * factor)).toBeGreaterThan(best);
  });

  test("ridge of several targets is that of each at the common lambda", () => {
    const X = gaussian(25, 3, "several");
    const Y = gaussian(25, 2, "several-y");
    const model = ridge(principalComponents(compute, X), Y);
    for (let q = 0; q < 2; q++) {
      const naive = naiveRidge(
        X,
        Array.from({ length: 25 }, (_, i) => Y.data[2 * i + q]!),
        model.lambda,
      );
      for (let k = 0; k < 3; k++) expect(model.weights.data[2 * k + q]).toBeCloseTo(naive[k]!, 9);
    }
  });

  test("logisticRegression is stationary: every partial derivative of its objective vanishes", () => {
    const X = gaussian(60, 3, "logistic");
    const noise = gaussian(60, 1, "logistic-noise");
    const y = Array.from({ length: 60 }, (_, i) => (X.data[3 * i] - 0.5 + noise.data[i] > 0 ? 1 : -1));
    const { weights, intercept, converged } = logisticRegression(
      compute,
      principalComponents(compute, X),
      column(y),
      never,
    );
    expect(converged).toBe(true);
    const objective = (w: readonly number[]): number => {
      let sum = 0;
      for (let i = 0; i < 60; i++) {
        let f = w[3]!;
        for (let k = 0; k < 3; k++) f += X.data[3 * i + k] * w[k]!;
        sum += softplus(-y[i]! * f);
      }
      return sum + 0.5e-6 * (w[0]! ** 2 + w[1]! ** 2 + w[2]! ** 2);
    };
    const at = [...weights.data, intercept[0]!];
    for (let k = 0; k < 4; k++) {
      const moved = (h: number): number => objective(at.map((value, l) => (l === k ? value + h : value)));
      // Central differences: error h^2 in the third derivative plus rounding / h.
      expect(Math.abs(moved(1e-5) - moved(-1e-5)) / 2e-5).toBeLessThan(1e-6);
    }
  });

  test("logisticRegression converges on separable and on rank-deficient data, with finite weights", () => {
    const X = matrix(6, 2, Float64Array.of(-3, -6, -2, -4, -1, -2, 1, 2, 2, 4, 3, 6));
    const model = logisticRegression(compute, principalComponents(compute, X), column([-1, -1, -1, 1, 1, 1]), never);
    expect(model.converged).toBe(true);
    const f = predictLinear(model, X).data;
    expect([...f].every(Number.isFinite)).toBe(true);
    expect([...f].map(Math.sign)).toEqual([-1, -1, -1, 1, 1, 1]);
  });

  test("logisticRegression without features gives the log-odds, and says when it ran out of time", () => {
    const X = matrix(4, 1, Float64Array.of(2, 2, 2, 2));
    const components = principalComponents(compute, X);
    const Y = column([1, 1, 1, -1]);
    expect(logisticRegression(compute, components, Y, never).intercept[0]).toBeCloseTo(Math.log(3), 6);
    expect(logisticRegression(compute, components, Y, () => true).converged).toBe(false);
  });
});
