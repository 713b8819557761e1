import type { Architecture, Layer, Shape } from "./layers.ts";
import { shapesOf } from "./shapes.ts";

/**
 * How weights are drawn, instead of as each layer says.
 *
 * - `he`: standard parametrization, N(0, w^2 / fan-in) with the layer's own w (sqrt(2) before ReLU: He et al., arXiv:1502.01852).
 * - `ntk`: the same function at the start, in the NTK parametrization (Jacot et al., arXiv:1806.07572).
 * - `mean-field`: NTK parametrization, the last layer divided by another sqrt(fan-in), so that two layers are
 *   (1/m) sum a_j sigma(w_j x) (Mei et al., arXiv:1804.06561).
 * - `convergence`: standard parametrization, N(0, 2/m) in layers of width m and N(0, 1/c) in the last one of c outputs, no
 *   biases (Allen-Zhu, Li and Song, arXiv:1811.03962; convolutions of q taps: N(0, 2/(q m)), as recalled).
 * - `generalization`: standard parametrization, N(0, 1/m) for weights and biases of layers of width m and N(0, 1) in the
 *   last one, which has no biases (Allen-Zhu, Li and Liang, arXiv:1811.04918, with epsilon_a = 1).
 */
export const INITIALIZATIONS = ["he", "ntk", "mean-field", "convergence", "generalization"] as const;
export type Initialization = (typeof INITIALIZATIONS)[number];

/** A layer with weights, and the numbers that its scale depends on. */
type Weighted = Layer & { readonly kind: "dense" | "conv" };

/**
 * The architecture with weights drawn in a way, on inputs of a shape.
 *
 * @throws ConfigError naming the first layer whose input does not fit.
 */
export function initializedAs(architecture: Architecture, how: Initialization, input: Shape): Architecture {
  const count = countWeighted(architecture);
  let weighted = 0;
  const change = (layers: Architecture, shape: Shape): Layer[] =>
    shapesOf(layers, shape).map(({ layer, input: from }) => {
      if (layer.kind === "residual") {
        return { ...layer, main: change(layer.main, from), shortcut: change(layer.shortcut, from) };
      }
      if (layer.kind !== "dense" && layer.kind !== "conv") return layer;
      weighted += 1;
      return rescaled(layer, how, from[from.length - 1]!, weighted === count);
    });
  return change(architecture, input);
}

function rescaled(layer: Weighted, how: Initialization, channels: number, isLast: boolean): Layer {
  const taps = layer.kind === "conv" ? layer.filter[0] * layer.filter[1] : 1;
  const fanIn = channels * taps;
  /** Standard parametrization with weights of this variance. */
  const drawn = (variance: number, bStd: number): Layer => ({
    ...layer,
    parametrization: "standard",
    wStd: Math.sqrt(fanIn * variance),
    bStd,
  });
  switch (how) {
    case "he":
      return { ...layer, parametrization: "standard" };
    case "ntk":
      return { ...layer, parametrization: "ntk" };
    case "mean-field":
      return { ...layer, parametrization: "ntk", wStd: isLast ? layer.wStd / Math.sqrt(fanIn) : layer.wStd };
    case "convergence":
      return drawn(isLast ? 1 / layer.width : 2 / (taps * layer.width), 0);
    case "generalization":
      return isLast ? drawn(1, 0) : drawn(1 / layer.width, 1 / Math.sqrt(layer.width));
  }
}

/** Number of weighted layers, inner ones included. */
function countWeighted(architecture: Architecture): number {
  return architecture.reduce((sum, layer) => {
    if (layer.kind === "residual") return sum + countWeighted(layer.main) + countWeighted(layer.shortcut);
    return sum + (layer.kind === "dense" || layer.kind === "conv" ? 1 : 0);
  }, 0);
}
