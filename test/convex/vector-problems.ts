import { afterAll, beforeAll } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import type { RandomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import type { SolveEvent } from "../../src/convex/index.ts";
import {
  solveVector,
  type VectorOptions,
  type VectorProblem,
  type VectorSolution,
} from "../../src/convex/vector/index.ts";
import { countingClock } from "./problems.ts";

/** One thread of the WebAssembly backend (the plain loops are slow at the sizes of these tests), closed after them. */
export function useKernels(): () => Compute {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "wasm", threads: 1 });
  });
  afterAll(() => compute.close());
  return () => compute;
}

type Settings = Partial<Omit<VectorProblem, "X" | "targets" | "beta">>;

/** Squared loss unless `labels` are given, summed, without biases unless said otherwise. */
export function vectorProblem(
  X: Matrix,
  Y: Matrix | { labels: number[]; classes: number },
  beta: number,
  settings: Settings = {},
): VectorProblem {
  const targets = "labels" in Y ? ({ loss: "softmax", ...Y } as const) : ({ loss: "squared", Y } as const);
  return { X, targets, beta, scaling: "sum", bias: "none", ...settings };
}

export function solveAll(
  compute: Compute,
  problem: VectorProblem,
  options: Partial<VectorOptions> = {},
): { solution: VectorSolution; events: SolveEvent[] } {
  const run = solveVector(problem, { compute, now: countingClock(), seed: 0, ...options });
  const events: SolveEvent[] = [];
  for (;;) {
    const step = run.next();
    if (step.done === true) return { solution: step.value, events };
    events.push(step.value);
  }
}

export function gaussian(random: RandomStream, rows: number, cols: number): Matrix {
  return matrix(
    rows,
    cols,
    Float64Array.from({ length: rows * cols }, () => random.normal()),
  );
}

/** Orthonormal rows: a whitened X with X X' = I (rows <= cols). */
export function orthonormalRows(random: RandomStream, rows: number, cols: number): Matrix {
  const out = gaussian(random, rows, cols);
  for (let i = 0; i < rows; i++) {
    const x = out.data.subarray(i * cols, (i + 1) * cols);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const y = out.data.subarray(j * cols, (j + 1) * cols);
        let dot = 0;
        for (let k = 0; k < cols; k++) dot += x[k] * y[k];
        for (let k = 0; k < cols; k++) x[k] -= dot * y[k];
      }
    }
    const length = Math.hypot(...x);
    for (let k = 0; k < cols; k++) x[k] /= length;
  }
  return out;
}

/** A B'. */
export function timesTransposed(A: Matrix, B: Matrix): Matrix {
  const out = matrix(A.rows, B.rows);
  for (let i = 0; i < A.rows; i++) {
    for (let j = 0; j < B.rows; j++) {
      for (let k = 0; k < A.cols; k++) out.data[i * B.rows + j] += A.data[i * A.cols + k] * B.data[j * B.cols + k];
    }
  }
  return out;
}

/** The exact maximum of ||V'(Z u)_+|| over the unit circle (Z n x 2): on each arc it is |B u|, B = V'D Z. */
export function exactOnCircle(Z: Matrix, V: Matrix): number {
  const kinks: number[] = [];
  for (let i = 0; i < Z.rows; i++) {
    const t = Math.atan2(Z.data[2 * i + 1], Z.data[2 * i]);
    for (const turn of [Math.PI / 2, -Math.PI / 2]) kinks.push((t + turn + 4 * Math.PI) % (2 * Math.PI));
  }
  kinks.sort((a, b) => a - b);
  kinks.push((kinks[0] ?? 0) + 2 * Math.PI);
  const value = (angle: number): number => {
    const t = new Float64Array(V.cols);
    for (let i = 0; i < Z.rows; i++) {
      const z = Z.data[2 * i] * Math.cos(angle) + Z.data[2 * i + 1] * Math.sin(angle);
      if (z > 0) for (let k = 0; k < V.cols; k++) t[k] += z * V.data[i * V.cols + k];
    }
    return Math.hypot(...t);
  };
  let best = 0;
  for (let a = 0; a + 1 < kinks.length; a++) {
    const [from, to] = [kinks[a]!, kinks[a + 1]!];
    best = Math.max(best, value(from), value(to));
    const middle = (from + to) / 2;
    // |B u|^2 = q0 + q1 cos 2t + q2 sin 2t on the arc.
    let [xx, xy, yy] = [0, 0, 0];
    for (let k = 0; k < V.cols; k++) {
      let [bx, by] = [0, 0];
      for (let i = 0; i < Z.rows; i++) {
        if (Z.data[2 * i] * Math.cos(middle) + Z.data[2 * i + 1] * Math.sin(middle) <= 0) continue;
        bx += V.data[i * V.cols + k] * Z.data[2 * i];
        by += V.data[i * V.cols + k] * Z.data[2 * i + 1];
      }
      xx += bx * bx;
      xy += bx * by;
      yy += by * by;
    }
    const peak = Math.atan2(2 * xy, xx - yy) / 2;
    for (let turn = -2; turn <= 6; turn++) {
      const at = peak + turn * Math.PI;
      if (at > from && at < to) best = Math.max(best, value(at));
    }
  }
  return best;
}
