import { type Architecture, type Layer, type Shape, shapesOf } from "../network/architecture/index.ts";
import { type DualActivation, dualActivation } from "./dual-activations.ts";
import { trainedLayers } from "./trained.ts";
import type { KernelProblem } from "./types.ts";

/** What one layer does to a pair of kernel values (k, theta) of vectors. */
export type Step =
  /** m = w k + b; theta <- w theta + a m + d k + e; k <- m. */
  | { readonly kind: "affine"; readonly coefficients: readonly [w: number, b: number, a: number, d: number, e: number] }
  | { readonly kind: "activation"; readonly layer: Layer & { kind: "activation" }; readonly dual: DualActivation }
  | { readonly kind: "normalize" }
  /** (k, theta) to a slot; exchanged with it; plus it. */
  | { readonly kind: "save" | "exchange" | "add"; readonly slot: number };

/**
 * The steps that the kernels of a vector network are made by, from K = x.x' / d. Weights that are not trained hand the
 * tangent kernel on and add nothing of their own.
 */
export function stepsOf(problem: KernelProblem): readonly Step[] {
  const mask = trainedLayers(problem);
  let weighted = 0;

  const walk = (architecture: Architecture, input: Shape, depth: number): Step[] =>
    shapesOf(architecture, input).flatMap(({ layer, input: shape }): Step[] => {
      switch (layer.kind) {
        case "dense": {
          const [w, b] = [layer.wStd ** 2, layer.bStd ** 2];
          const isTrained = mask[weighted++] === true;
          const [fanIn] = shape;
          if (!isTrained) return [{ kind: "affine", coefficients: [w, b, 0, 0, 0] }];
          if (layer.parametrization === "ntk") return [{ kind: "affine", coefficients: [w, b, 1, 0, 0] }];
          return [{ kind: "affine", coefficients: [w, b, 0, fanIn, b > 0 ? 1 : 0] }];
        }
        case "activation":
          return layer.name === "identity" ? [] : [{ kind: "activation", layer, dual: dualActivation(layer) }];
        case "layer-norm":
          return [{ kind: "normalize" }];
        case "residual":
          return [
            { kind: "save", slot: depth },
            ...walk(layer.main, shape, depth + 1),
            { kind: "exchange", slot: depth },
            ...walk(layer.shortcut, shape, depth + 1),
            { kind: "add", slot: depth },
          ];
        case "flatten":
          return [];
        default:
          throw new TypeError(`${layer.kind} is no layer of vectors`);
      }
    });
  return walk(problem.architecture, problem.input, 0);
}
