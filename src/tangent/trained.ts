import { ConfigError } from "../base/errors.ts";
import type { Architecture } from "../network/architecture/index.ts";
import type { KernelProblem, Trained } from "./types.ts";

/** Number of weighted layers (dense and convolutional), inner ones included. */
export function weightedCount(architecture: Architecture): number {
  return architecture.reduce((sum, layer) => {
    if (layer.kind === "dense" || layer.kind === "conv") return sum + 1;
    if (layer.kind === "residual") return sum + weightedCount(layer.main) + weightedCount(layer.shortcut);
    return sum;
  }, 0);
}

/** Whether the weights of each of `count` weighted layers are trained, in reading order (of a residual block, main first). */
export function trainedMask(count: number, trained: Trained): readonly boolean[] {
  return Array.from({ length: count }, (_, k) => {
    if (trained === "all") return true;
    return trained === "last" ? k === count - 1 : k > 0 && k < count - 1;
  });
}

/**
 * The mask of a problem.
 *
 * @throws ConfigError when a tangent kernel is asked for and no weights are trained.
 */
export function trainedLayers({ architecture, trained, kernels }: KernelProblem): readonly boolean[] {
  const mask = trainedMask(weightedCount(architecture), trained);
  if (kernels.includes("ntk")) requireTrained(mask, trained);
  return mask;
}

/** @throws ConfigError when no weights are trained. */
export function requireTrained(mask: readonly boolean[], trained: Trained): void {
  if (mask.includes(true)) return;
  const count = mask.length;
  const layers = count === 1 ? "1 weighted layer" : `${count} weighted layers`;
  const why = trained === "hidden" && count > 0 ? " leaves out the first and the last weighted layer" : "";
  throw new ConfigError(`train ${trained}${why}: none of ${layers} is trained, the tangent kernel is zero`, {
    code: "kernel-trained",
    hint:
      count === 0
        ? "add a dense layer"
        : "add a weighted layer between them, train all layers, or ask for the nngp kernel alone",
  });
}
