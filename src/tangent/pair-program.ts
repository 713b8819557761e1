import { PAIR_SLOTS, PAIR_STEP_SIZE, PAIR_STEPS } from "../compute/types.ts";
import type { Step } from "./steps.ts";
import type { Variances } from "./variances.ts";

/** Steps as the fused kernel of `compute` takes them. */
export interface PairProgram {
  /** Steps x {@link PAIR_STEP_SIZE}. */
  readonly numbers: Float64Array;
  /** The two numbers of each input at each step, steps x 2 x stride; `stride` is a multiple of four. */
  inputNumbers(variances: Variances): { readonly numbers: Float64Array; readonly stride: number };
}

/** The program of the steps, or null when the kernel does not know one of them. */
export function pairProgram(steps: readonly Step[]): PairProgram | null {
  const numbers = new Float64Array(steps.length * PAIR_STEP_SIZE);
  for (const [s, step] of steps.entries()) {
    const entry = entryOf(step);
    if (entry === null) return null;
    numbers.set(entry, s * PAIR_STEP_SIZE);
  }
  return {
    numbers,
    inputNumbers({ before, nngp }) {
      const stride = 4 * Math.ceil(nngp.length / 4);
      const all = new Float64Array(2 * steps.length * stride);
      steps.forEach((step, s) => {
        const scale = step.kind === "activation" ? (step.dual.arcsine?.scale ?? null) : null;
        before[s]!.forEach((variance, i) => {
          const at = 2 * s * stride + i;
          const root = Math.sqrt(variance);
          all[at] = root;
          all[at + stride] = scale !== null ? 1 / Math.sqrt(1 + scale * variance) : root > 0 ? 1 / root : 0;
        });
      });
      return { numbers: all, stride };
    },
  };
}

function entryOf(step: Step): readonly number[] | null {
  switch (step.kind) {
    case "affine":
      return [PAIR_STEPS.affine, ...step.coefficients];
    case "normalize":
      return [PAIR_STEPS.normalize];
    case "activation": {
      const { slopes, arcsine } = step.dual;
      if (slopes !== null)
        return [PAIR_STEPS.piecewise, (slopes.a ** 2 + slopes.b ** 2) / 2, (slopes.a - slopes.b) ** 2 / (2 * Math.PI)];
      return arcsine === null ? null : [PAIR_STEPS.erf, arcsine.factor, arcsine.scale, arcsine.shift];
    }
    default:
      return step.slot < PAIR_SLOTS ? [PAIR_STEPS[step.kind], step.slot] : null;
  }
}
