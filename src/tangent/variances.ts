import { ConfigError, DataError } from "../base/errors.ts";
import { type Matrix, row } from "../base/matrix.ts";
import { layerText } from "../network/architecture/index.ts";
import type { Step } from "./steps.ts";

/** The kernels of each input with itself, exactly on the diagonal, along the steps. */
export interface Variances {
  /** |x|^2 / d. */
  readonly start: Float64Array;
  /** Before each step: steps x rows. */
  readonly before: readonly Float64Array[];
  readonly nngp: Float64Array;
  readonly ntk: Float64Array;
}

/**
 * Takes the squared norms of rows through the steps.
 *
 * @throws DataError for an input whose norm is not finite; ConfigError when a variance overflows behind an activation.
 */
export function variancesOf(steps: readonly Step[], X: Matrix): Variances {
  const { rows, cols } = X;
  const before = steps.map(() => new Float64Array(rows));
  const start = new Float64Array(rows);
  const nngp = new Float64Array(rows);
  const ntk = new Float64Array(rows);
  const out = new Float64Array(2);
  const slots: [number, number][] = [];
  for (let i = 0; i < rows; i++) {
    let k = squaredNorm(row(X, i)) / cols;
    let theta = 0;
    if (!Number.isFinite(k)) {
      throw new DataError(`input ${i + 1} has entries that are not finite, or too large to square`, {
        code: "kernel-input",
        hint: "standardize the inputs and remove missing values",
      });
    }
    start[i] = k;
    steps.forEach((step, s) => {
      before[s]![i] = k;
      switch (step.kind) {
        case "affine": {
          const [w, b, a, d, e] = step.coefficients;
          const m = w * k + b;
          theta = w * theta + a * m + d * k + e;
          k = m;
          break;
        }
        case "activation":
          step.dual.diagonal(k, out);
          [k, theta] = [out[0]!, theta * out[1]!];
          if (!Number.isFinite(k) || !Number.isFinite(theta)) {
            throw new ConfigError(
              `the kernel behind ${layerText(step.layer)} is infinite for input ${i + 1} (variance ${before[s]![i]} before it)`,
              { code: "kernel-infinite", hint: "standardize the inputs, or make W_std of the layer before it smaller" },
            );
          }
          break;
        case "normalize":
          [k, theta] = k > 0 ? [1, theta / k] : [0, 0];
          break;
        case "save":
          slots[step.slot] = [k, theta];
          break;
        case "exchange": {
          const [otherK, otherTheta] = slots[step.slot]!;
          slots[step.slot] = [k, theta];
          [k, theta] = [otherK, otherTheta];
          break;
        }
        case "add":
          k += slots[step.slot]![0];
          theta += slots[step.slot]![1];
      }
    });
    nngp[i] = k;
    ntk[i] = theta;
  }
  return { start, before, nngp, ntk };
}

/** Four sums, so that the order of additions does not hold the loop up. */
function squaredNorm(x: Float64Array): number {
  const whole = x.length & ~3;
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let j = 0; j < whole; j += 4) {
    a += x[j]! * x[j]!;
    b += x[j + 1]! * x[j + 1]!;
    c += x[j + 2]! * x[j + 2]!;
    d += x[j + 3]! * x[j + 3]!;
  }
  for (let j = whole; j < x.length; j++) a += x[j]! * x[j]!;
  return a + b + (c + d);
}
