import { DUAL_STEPS, type DualKind, dualNumbers } from "./duals.ts";
import { dualReference } from "./reference-duals.ts";
import type { RealArray, RealKernels } from "./types.ts";
import { PAIR_STEP_SIZE, PAIR_STEPS } from "./types.ts";

/** k and theta of an entry on their way. */
interface Pair {
  k: number;
  theta: number;
}

const DUAL_KINDS = new Map(Object.entries(DUAL_STEPS).map(([kind, code]) => [code as number, kind as DualKind]));

/** The naive recursion over pairs, entry by entry. */
export const pairRecursionReference: RealKernels<RealArray>["pairRecursion"] = (
  lower,
  rows,
  cols,
  program,
  rowNumbers,
  rowStride,
  colNumbers,
  colStride,
  k,
  ldk,
  theta,
  ldt,
) => {
  const steps = Array.from({ length: Math.floor(program.length / PAIR_STEP_SIZE) }, (_, s) => [
    ...program.subarray(s * PAIR_STEP_SIZE, (s + 1) * PAIR_STEP_SIZE),
  ]);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < (lower ? i + 1 : cols); j++) {
      const pair: Pair = { k: k[i * ldk + j]!, theta: 0 };
      const slots: Pair[] = [];
      steps.forEach(([code = 0, ...parameters], s) => {
        const kind = DUAL_KINDS.get(code);
        if (kind === undefined) {
          advance(pair, slots, code, parameters);
          return;
        }
        const numbers = (all: Float64Array, stride: number, at: number): number[] =>
          Array.from({ length: dualNumbers(kind, parameters[0]!) }, (_, m) => all[(2 * s + m) * stride + at]!);
        const [p, q] = [numbers(rowNumbers, rowStride, i), numbers(colNumbers, colStride, j)];
        const dual = dualReference(kind, parameters, pair.k, p, q);
        pair.theta *= dual.slope;
        pair.k = dual.k;
      });
      k[i * ldk + j] = pair.k;
      if (theta !== null) theta[i * ldt + j] = pair.theta;
    }
  }
};

/** A step that is no activation. */
function advance(pair: Pair, slots: Pair[], code: number, [x = 0, b = 0, a = 0, d = 0, e = 0]: number[]): void {
  const { k, theta } = pair;
  const set = (newK: number, newTheta: number): void => {
    pair.k = newK;
    pair.theta = newTheta;
  };
  if (code === PAIR_STEPS.affine) {
    const m = x * k + b;
    set(m, x * theta + a * m + d * k + e);
  } else if (code === PAIR_STEPS.save) slots[x] = { k, theta };
  else if (code === PAIR_STEPS.add) set(k + slots[x]!.k, theta + slots[x]!.theta);
  else if (code === PAIR_STEPS.exchange) {
    const slot = slots[x]!;
    set(slot.k, slot.theta);
    slots[x] = { k, theta };
  }
}
