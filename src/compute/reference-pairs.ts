import type { RealArray, RealKernels } from "./types.ts";
import { PAIR_STEP_SIZE, PAIR_STEPS } from "./types.ts";

/** k and theta of an entry on their way. */
interface Pair {
  k: number;
  theta: number;
}

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
  const steps = Math.floor(program.length / PAIR_STEP_SIZE);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < (lower ? i + 1 : cols); j++) {
      const pair: Pair = { k: k[i * ldk + j]!, theta: 0 };
      const slots: Pair[] = [];
      for (let s = 0; s < steps; s++) {
        const first = rowNumbers[2 * s * rowStride + i]! * colNumbers[2 * s * colStride + j]!;
        const second = rowNumbers[(2 * s + 1) * rowStride + i]! * colNumbers[(2 * s + 1) * colStride + j]!;
        advance(pair, slots, program.subarray(s * PAIR_STEP_SIZE, (s + 1) * PAIR_STEP_SIZE), first, second);
      }
      k[i * ldk + j] = pair.k;
      if (theta !== null) theta[i * ldt + j] = pair.theta;
    }
  }
};

const clamp = (x: number): number => Math.min(1, Math.max(-1, x));
const complement = (x: number): number => Math.sqrt((1 - x) * (1 + x));

/** One step of one pair; `first` = p q and `second` = P Q. */
function advance(pair: Pair, slots: Pair[], step: Float64Array, first: number, second: number): void {
  const [kind, x = 0, y = 0, z = 0, d = 0, e = 0] = step;
  const { k, theta } = pair;
  const set = (newK: number, newTheta: number): void => {
    pair.k = newK;
    pair.theta = newTheta;
  };
  if (kind === PAIR_STEPS.affine) {
    const m = x * k + y;
    set(m, x * theta + z * m + d * k + e);
  } else if (kind === PAIR_STEPS.piecewise) {
    const c = clamp(k * second);
    const slope = x - y * Math.atan2(complement(c), c);
    set(slope * k + y * first * complement(c), slope * theta);
  } else if (kind === PAIR_STEPS.normalize) set(clamp(k * second), theta * second);
  else if (kind === PAIR_STEPS.erf) {
    const u = clamp(y * second * k);
    set(x * Math.atan2(u, complement(u)) + z, (theta * x * y * second) / complement(u));
  } else if (kind === PAIR_STEPS.save) slots[x] = { k, theta };
  else {
    const slot = slots[x]!;
    if (kind === PAIR_STEPS.add) set(k + slot.k, theta + slot.theta);
    else {
      set(slot.k, slot.theta);
      slots[x] = { k, theta };
    }
  }
}
