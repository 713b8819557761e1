import { dualNumbers } from "../compute/duals.ts";
import { PAIR_SLOTS, PAIR_STEP_SIZE, PAIR_STEPS } from "../compute/types.ts";
import { checkNesting } from "./limit.ts";
import type { Step } from "./steps.ts";
import type { Variances } from "./variances.ts";

/** Steps as the fused kernel of `compute` takes them. */
export interface PairProgram {
  /** Steps x {@link PAIR_STEP_SIZE}. */
  readonly numbers: Float64Array;
  /** The two numbers of each input at each step, steps x 2 x stride; `stride` is a multiple of four. */
  inputNumbers(variances: Variances): { readonly numbers: Float64Array; readonly stride: number };
}

/** A step of the program, with the numbers of an input by its variance before it. */
interface Entry {
  readonly code: readonly number[];
  /** The step that it comes from; -1: before the first. */
  readonly index: number;
  numbers(v: number): readonly number[];
}

/**
 * The program of the steps; `correlations`: the entries that it is given are those of inputs of variance 1.
 *
 * @throws ConfigError when more residual blocks are inside of each other than there are slots.
 */
export function pairProgram(steps: readonly Step[], correlations: boolean): PairProgram {
  const entries = steps.flatMap((step, index) => entriesOf(step, index));
  // k <- k sqrt(v) sqrt(v'), a polynomial.
  if (correlations) entries.unshift({ code: [PAIR_STEPS.polynomial, 1], index: -1, numbers: (v) => [0, Math.sqrt(v)] });
  const numbers = new Float64Array(entries.length * PAIR_STEP_SIZE);
  entries.forEach(({ code }, s) => {
    numbers.set(code, s * PAIR_STEP_SIZE);
  });
  return {
    numbers,
    inputNumbers({ start, before, nngp }) {
      const stride = 4 * Math.ceil(nngp.length / 4);
      const all = new Float64Array(2 * entries.length * stride);
      entries.forEach((entry, s) => {
        (before[entry.index] ?? start).forEach((variance, i) => {
          entry.numbers(variance).forEach((value, m) => {
            all[(2 * s + m) * stride + i] = value;
          });
        });
      });
      return { numbers: all, stride };
    },
  };
}

const NONE = (): readonly number[] => [];

function entriesOf(step: Step, index: number): Entry[] {
  switch (step.kind) {
    case "affine":
      return [{ code: [PAIR_STEPS.affine, ...step.coefficients], index, numbers: NONE }];
    case "normalize":
      return [{ code: [PAIR_STEPS.normalize], index, numbers: (v) => [0, v > 0 ? 1 / Math.sqrt(v) : 0] }];
    case "activation": {
      const { kind, parameters, numbers } = step.dual.step;
      const more = Math.ceil(dualNumbers(kind, parameters[0]) / 2) - 1;
      const room: Entry = { code: [PAIR_STEPS.numbers], index, numbers: NONE };
      return [{ code: [PAIR_STEPS[kind], ...parameters], index, numbers }, ...new Array<Entry>(more).fill(room)];
    }
    default:
      checkNesting(step.slot, PAIR_SLOTS);
      return [{ code: [PAIR_STEPS[step.kind], step.slot], index, numbers: NONE }];
  }
}
