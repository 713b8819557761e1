import { type ImageStep, isRecorded, tensorLength } from "../../compute/image-program.ts";

/** Floating-point operations of an angle, its sine and the two products. */
const ACTIVATION_OPERATIONS = 45;
/** Of an affine step. */
const AFFINE_OPERATIONS = 5;

/** Floating-point operations of a program on a pair of images, about; sums over windows go by rows, then by columns. */
export function operationsOf(steps: readonly ImageStep[]): number {
  return steps.reduce((sum, step) => {
    const { kind, height, width, outHeight, outWidth, filterHeight, filterWidth, pairs } = step;
    const entries = tensorLength(height, width, pairs);
    if (isRecorded(kind)) return sum + ACTIVATION_OPERATIONS * entries;
    if (kind === "input") return sum + 2 * step.id * entries;
    if (kind === "affine") return sum + AFFINE_OPERATIONS * entries;
    if (kind !== "conv" && kind !== "pool") return sum + 2 * entries;
    const taps = kind === "pool" ? filterHeight ** 2 + filterWidth ** 2 : filterHeight + filterWidth;
    return sum + (2 * taps + AFFINE_OPERATIONS) * tensorLength(outHeight, outWidth, pairs);
  }, 0);
}
