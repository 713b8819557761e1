import { ConfigError, DataError } from "../../base/errors.ts";
import { type Matrix, row } from "../../base/matrix.ts";
import { encodeImageProgram, type ImageNeeds, imageNeeds, lineOf } from "../../compute/image-program.ts";
import type { RealArray, Scope } from "../../compute/types.ts";
import { type Shape, sizeOf } from "../../network/architecture/index.ts";
import { bytesOf, type EngineOptions, type KernelEngine, type KernelProblem, type MakeEngine } from "../types.ts";
import { operationsOf } from "./operations.ts";
import { planOf } from "./plan.ts";

/** Threads that the memory is planned for: the most that a `Compute` takes by default. */
const PLANNED_THREADS = 8;

/** The images of a block and what is known of each by itself, in the memory of the kernels. */
interface Side {
  readonly count: number;
  readonly planes: Float64Array;
  readonly numbers: Float64Array;
}

/**
 * The kernels of convolutional networks (Arora et al., 2019; Novak et al., 2019) with the conventions of neural-tangents: a
 * convolution averages over its taps, flatten over pixels, pooling over pairs of pixels (its windows count zeros of the
 * margin). `pixels` where only covariances of equal places are needed, `pixel-pairs` where a pooling layer asks for all;
 * behind the last of them equal places are enough again. Vectors are images of one pixel.
 *
 * @throws ConfigError naming a layer that does not fit or has no kernel. Blocks throw RangeError for a wrong number of
 * features, DataError for inputs that are not finite, ConfigError where a kernel is infinite.
 */
export const imageEngine = ((
  problem: KernelProblem,
  { precision = "f64" }: EngineOptions = {},
): KernelEngine<RealArray> => {
  const { input, kernels } = problem;
  const plan = planOf(problem);
  const needs = imageNeeds(plan.steps);
  const size = sizeOf(input);
  return {
    precision,
    method: plan.pairs ? "pixel-pairs" : "pixels",
    operations: operationsOf(plan.steps),
    bytes(rows, cols) {
      const threads = Math.min(PLANNED_THREADS, rows * cols);
      const perImage = needs.image + needs.numbers;
      const entries = kernels.length * rows * cols;
      return bytesOf(precision) * entries + 8 * (entries + perImage * (rows + cols) + threads * needs.work);
    },
    block(compute, X1, X2) {
      for (const X of [X1, X2 ?? X1]) {
        if (X.cols !== size) throw new RangeError(`inputs of ${X.cols} numbers for a network on ${size}`);
      }
      const cols = (X2 ?? X1).rows;
      const results = compute.scope((scope) => {
        const run = compute.imagePairs;
        const program = scope.copy(encodeImageProgram(plan.steps));
        const record = scope.copy(encodeImageProgram(plan.record));
        const prepare = (X: Matrix): Side => {
          const side = {
            count: X.rows,
            planes: planesOf(scope, X, input, needs),
            numbers: scope.f64(X.rows * needs.numbers),
          };
          const { planes, numbers } = side;
          if (plan.record.length > 0)
            run(true, false, X.rows, X.rows, record, planes, planes, numbers, numbers, null, null);
          return side;
        };
        const first = prepare(X1);
        const second = X2 === null ? first : prepare(X2);
        const [nngp, ntk] = (["nngp", "ntk"] as const).map((name) =>
          kernels.includes(name) ? scope.f64(X1.rows * cols) : null,
        ) as [Float64Array | null, Float64Array | null];
        const { planes, numbers } = first;
        run(false, X2 === null, X1.rows, cols, program, planes, second.planes, numbers, second.numbers, nngp, ntk);
        const out = (values: Float64Array | null): RealArray | null => {
          if (values === null) return null;
          return precision === "f32" ? Float32Array.from(values) : values.slice();
        };
        return { nngp: out(nngp), ntk: out(ntk) };
      });
      for (const values of [results.nngp, results.ntk]) if (values !== null) finish(values, cols, X2 === null);
      return results;
    },
  };
}) as MakeEngine;

/** Images channel by channel, their lines at multiples of four entries. */
function planesOf(scope: Scope, X: Matrix, input: Shape, { image }: ImageNeeds): Float64Array {
  const [height, width, channels] = input.length === 3 ? input : [1, 1, input[0]];
  const planes = scope.f64(X.rows * image);
  const line = lineOf(width);
  for (let n = 0; n < X.rows; n++) {
    const x = row(X, n);
    for (let i = 0, from = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (let c = 0; c < channels; c++, from++) {
          const value = x[from]!;
          if (!Number.isFinite(value)) {
            throw new DataError(`input ${n + 1} has an entry that is not a finite number`, {
              code: "kernel-input",
              hint: "remove missing values",
            });
          }
          planes[n * image + (c * height + i) * line + j] = value;
        }
      }
    }
  }
  return planes;
}

/** Mirrors the lower half when `symmetric`, and checks the values. */
function finish(values: RealArray, cols: number, symmetric: boolean): void {
  for (let p = 0; p < values.length; p++) {
    const [i, j] = [Math.floor(p / cols), p % cols];
    if (symmetric && j > i) values[p] = values[j * cols + i]!;
    if (!Number.isFinite(values[p])) {
      throw new ConfigError(`the kernel of inputs ${i + 1} and ${j + 1} is infinite`, {
        code: "kernel-infinite",
        hint: "standardize the inputs, or make W_std smaller",
      });
    }
  }
}
