import { ConfigError } from "../base/errors.ts";
import type { Architecture } from "../network/architecture/index.ts";
import type { KernelProblem } from "./types.ts";

/** Number of weighted layers (dense and convolutional), inner ones included. */
export function weightedCount(architecture: Architecture): number {
  return architecture.reduce((sum, layer) => {
    if (layer.kind === "dense" || layer.kind === "conv") return sum + 1;
    if (layer.kind === "residual") return sum + weightedCount(layer.main) + weightedCount(layer.shortcut);
    return sum;
  }, 0);
}

/**
 * Whether the weights of each weighted layer are trained, in reading order (of a residual block, main comes first).
 *
 * @throws ConfigError when a tangent kernel is asked for and no weights are trained.
 */
export function trainedLayers({ architecture, trained, kernels }: KernelProblem): readonly boolean[] {
  const count = weightedCount(architecture);
  const mask = Array.from({ length: count }, (_, k) => {
    if (trained === "all") return true;
    return trained === "last" ? k === count - 1 : k > 0 && k < count - 1;
  });
  if (kernels.includes("ntk") && !mask.includes(true)) {
    const layers = count === 1 ? "1 weighted layer" : `${count} weighted layers`;
    throw new ConfigError(`with train ${trained}, none of ${layers} is trained: the tangent kernel is zero`, {
      code: "kernel-trained",
      hint: count === 0 ? "add a dense layer" : "train all layers, or ask for the nngp kernel alone",
    });
  }
  return mask;
}
