import type { Step } from "./steps.ts";
import type { Variances } from "./variances.ts";

/**
 * Takes the entries of rows x cols values K through the steps in place, and fills theta, one step after the other: for
 * activations that the fused kernel does not know. `rowsFrom` is the place of row 0 in the variances of the rows.
 */
export function throughSteps(
  steps: readonly Step[],
  rows: number,
  cols: number,
  rowsFrom: number,
  ofRows: Variances,
  ofCols: Variances,
  k: Float64Array,
  theta: Float64Array,
): void {
  const length = rows * cols;
  const slots: [Float64Array, Float64Array][] = [];
  const out = new Float64Array(2);
  steps.forEach((step, s) => {
    const [rowVariances, colVariances] = [ofRows.before[s]!, ofCols.before[s]!];
    if (step.kind === "affine") {
      const [w, b, a, d, e] = step.coefficients;
      for (let p = 0; p < length; p++) {
        const m = w * k[p]! + b;
        theta[p] = w * theta[p]! + a * m + d * k[p]! + e;
        k[p] = m;
      }
    } else if (step.kind === "activation") {
      for (let i = 0, p = 0; i < rows; i++) {
        const variance = rowVariances[rowsFrom + i]!;
        for (let j = 0; j < cols; j++, p++) {
          const other = colVariances[j]!;
          const most = Math.sqrt(variance) * Math.sqrt(other);
          step.dual.at(variance, Math.min(most, Math.max(-most, k[p]!)), other, out);
          k[p] = out[0]!;
          theta[p] = theta[p]! * out[1]!;
        }
      }
    } else if (step.kind === "normalize") {
      for (let i = 0, p = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++, p++) {
          const scale = Math.sqrt(rowVariances[rowsFrom + i]!) * Math.sqrt(colVariances[j]!);
          k[p] = scale > 0 ? Math.min(1, Math.max(-1, k[p]! / scale)) : 0;
          theta[p] = scale > 0 ? theta[p]! / scale : 0;
        }
      }
    } else if (step.kind === "save") slots[step.slot] = [k.slice(), theta.slice()];
    else {
      const [otherK, otherTheta] = slots[step.slot]!;
      for (let p = 0; p < length; p++) {
        if (step.kind === "add") {
          k[p] = k[p]! + otherK[p]!;
          theta[p] = theta[p]! + otherTheta[p]!;
        } else {
          [k[p], otherK[p]] = [otherK[p]!, k[p]!];
          [theta[p], otherTheta[p]] = [otherTheta[p]!, theta[p]!];
        }
      }
    }
  });
}
