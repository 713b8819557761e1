import { ConfigError } from "../base/errors.ts";
import { type Architecture, type Layer, layerText } from "../network/architecture/index.ts";
import { dualActivation } from "./dual-activations.ts";

/** What is known of the features between two layers when the widths tend to infinity. */
interface Features {
  /** Jointly Gaussian over the draw of the weights, with mean zero. */
  readonly gaussian: boolean;
  /** Mean zero by weights of this branch, whatever comes in. */
  readonly fresh: boolean;
  /** No activation in this branch so far. */
  readonly linear: boolean;
}

const CODE = "kernel-undefined";

/**
 * Checks that an architecture has an infinite-width kernel in closed form: activations and normalizations act on Gaussian
 * features, the branches of a residual block do not correlate, and there is no layer without such a kernel.
 *
 * @throws ConfigError that names the layer, says why, and what to use instead.
 */
export function checkLimit(architecture: Architecture): void {
  walk(architecture, { gaussian: false, fresh: false, linear: true }, "layer");
}

/**
 * Checks a residual block inside of `depth` others. Blocks one behind the other take one slot together, however many they are.
 *
 * @throws ConfigError when there are no more slots.
 */
export function checkNesting(depth: number, slots: number): void {
  if (depth < slots) return;
  throw new ConfigError(`a residual block is inside of ${depth} others: ${slots} may be inside of each other`, {
    code: "kernel-nesting",
    hint: "put blocks one behind the other: there may be any number of those",
  });
}

function walk(architecture: Architecture, from: Features, place: string): Features {
  return architecture.reduce((features, layer, k) => behind(layer, features, `${place} ${k + 1}`), from);
}

function behind(layer: Layer, features: Features, place: string): Features {
  const refuse = (why: string, hint: string): ConfigError =>
    new ConfigError(`${place}, ${layerText(layer)}, ${why}`, { code: CODE, hint });
  switch (layer.kind) {
    case "dense":
    case "conv":
      return { ...features, gaussian: true, fresh: true };
    case "pool":
      if (layer.how !== "max") return features;
      throw refuse(
        "has no kernel: the covariance of maxima of Gaussians has no closed form",
        `use avgpool(${layer.window.join("x")}, s=${layer.strides.join("x")})`,
      );
    case "batch-norm":
      throw refuse(
        "has no kernel: it ties the outputs of all samples of a batch together",
        "use layernorm, or nothing",
      );
    case "layer-norm":
      if (features.gaussian) return features;
      throw refuse("has no kernel here: its inputs do not have mean zero", "put it behind a dense or conv layer");
    case "activation": {
      if (layer.name === "identity") return features;
      try {
        dualActivation(layer);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        throw new ConfigError(`${place}, ${layerText(layer)}: ${error.message}`, {
          code: error.code,
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        });
      }
      if (features.gaussian) return { gaussian: false, fresh: false, linear: false };
      throw refuse("has no kernel here: its inputs are not Gaussian", "put a dense or conv layer before it");
    }
    case "residual": {
      const inner: Features = { gaussian: features.gaussian, fresh: false, linear: true };
      const branches = [
        walk(layer.main, inner, `${place}, main`),
        walk(layer.shortcut, inner, `${place}, shortcut`),
      ] as const;
      // Weights that only one branch has make the product of the two vanish on average.
      if (!branches.some(({ fresh }) => fresh)) {
        throw refuse(
          "has no kernel: its branches correlate",
          "end the main branch with a dense or conv layer: [relu dense(512)]",
        );
      }
      return {
        gaussian: branches.every(({ gaussian }) => gaussian),
        fresh: branches.every(({ fresh, linear }) => fresh || (linear && features.fresh)),
        linear: features.linear && branches.every(({ linear }) => linear),
      };
    }
    default:
      return features;
  }
}
