import { randomStream } from "../base/random.ts";
import { type Compute, lanczos, type SymmetricOperator } from "../compute/index.ts";
import type { ParameterRange } from "../network/deep/index.ts";
import { type CurvatureSetup, trainedCurvature } from "./curvature.ts";
import type { TrainingData } from "./trainer.ts";
import type { UpdateRule } from "./updates.ts";

/** Bytes that the vectors of the Lanczos method may take, and the least and most steps that it makes. */
const BASIS_BYTES = 2 ** 28;
const STEPS: readonly [number, number] = [8, 60];
/** Residual at which an eigenvalue is good enough for a step size. */
const TOLERANCE = 1e-3;

/** The data of some of the samples. */
export function subsetOf(data: TrainingData, rows: Uint32Array): TrainingData {
  const size = data.inputs.length / data.n;
  const inputs = new Float64Array(rows.length * size);
  rows.forEach((row, k) => {
    inputs.set(data.inputs.subarray(row * size, (row + 1) * size), k * size);
  });
  const { loss } = data;
  const numbers = (some: ArrayLike<number>): Uint32Array => Uint32Array.from(some, (k) => rows[k]);
  return {
    n: rows.length,
    inputs,
    loss: {
      name: loss.name,
      evaluate: (some, outputs, adjoint, factor) => loss.evaluate(numbers(some), outputs, adjoint, factor),
      curvature: (some, outputs, direction, out, factor) =>
        loss.curvature(numbers(some), outputs, direction, out, factor),
    },
  };
}

/**
 * The largest eigenvalue of the Gauss-Newton matrix J' L'' J of the objective at `theta` in the `trained` parameters, by the
 * Lanczos method: where its steps do not suffice, a little less. For the squared loss it is that of the tangent kernel J J'
 * (over n for the mean). Infinity when its products overflow.
 */
export function gaussNewtonNorm(
  compute: Compute,
  setup: CurvatureSetup<Float64Array>,
  theta: Float64Array,
  trained: readonly ParameterRange[],
  seed: number,
): number {
  const exact = trainedCurvature("gauss-newton", setup, theta, trained);
  let overflows = false;
  const operator: SymmetricOperator = {
    size: exact.size,
    apply(x, out) {
      exact.apply(x, out);
      if (Number.isFinite(compute.normInf(out.length, out))) return;
      overflows = true;
      out.fill(0);
    },
  };
  const [least, most] = STEPS;
  const affordable = Math.max(least, Math.min(most, Math.floor(BASIS_BYTES / (8 * operator.size))));
  const { values } = lanczos(compute, operator, 1, randomStream(seed, "largest eigenvalue"), {
    maxSteps: Math.min(operator.size, affordable),
    tolerance: TOLERANCE,
  });
  return overflows ? Number.POSITIVE_INFINITY : values[0]!;
}

/**
 * The step size up to which gradient descent with a rule is stable on a quadratic of curvature `largest`: 2 / largest
 * without momentum mu, (2 + 2 mu) / largest with heavy ball, and (2 + 2 mu) / ((1 + 2 mu) largest) with Nesterov's (from
 * the roots of their characteristic polynomials; Polyak 1964 for heavy ball). Null for Adam, whose steps are scaled.
 */
export function stableRate(rule: UpdateRule, largest: number): number | null {
  if (rule.kind === "adam") return null;
  const { momentum, nesterov, weightDecay } = rule;
  const curvature = largest + weightDecay;
  if (!(curvature > 0)) return null;
  return (2 + 2 * momentum) / ((nesterov ? 1 + 2 * momentum : 1) * curvature);
}
