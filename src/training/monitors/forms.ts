import type { ConvLayer, ResidualLayer } from "../../network/architecture/index.ts";
import type { NetworkGraph, ParameterRange } from "../../network/deep/index.ts";
import { affineOf, weightLayers } from "./weights.ts";

/** Width m, trained hidden matrices L and outputs c of a network that the theorems of arXiv:1811.03962 speak of. */
export interface TheoryScale {
  readonly width: number;
  readonly depth: number;
  readonly outputs: number;
}

/**
 * The networks of the paper: fully connected (its Theorem 1), of `patches` positions whose hidden layers see `window` of them
 * (Theorem 7), and residual with factor `tau` (Theorem 8).
 */
export type TheoryForm = TheoryScale &
  (
    | { readonly kind: "dense" }
    | { readonly kind: "patches"; readonly patches: number; readonly window: number }
    | { readonly kind: "residual"; readonly tau: number }
  );

/** The form by the layers alone, without widths; null: none. */
type Shape =
  | { readonly kind: "dense" }
  | { readonly kind: "patches"; readonly window: number }
  | { readonly kind: "residual"; readonly tau: number };

/**
 * The network of the paper that a graph is: relu layers of one width m without biases, A ~ N(0, 2/m), W ~ N(0, 2/m)
 * (N(0, 2/(q m)) with windows of q positions), B ~ N(0, 1/c), of which the hidden W are trained; null for all others.
 */
export function theoryForm(graph: NetworkGraph, trained: readonly ParameterRange[]): TheoryForm | null {
  const shape = shapeOf(graph);
  if (shape === null) return null;
  const weighted = graph.nodes.flatMap((node) => {
    const affine = affineOf(node);
    return affine === null ? [] : [{ node, affine }];
  });
  const depth = weighted.length - 2;
  const [width, outputs] = [weighted[0]!.affine.width, weighted.at(-1)!.affine.width];
  const window = shape.kind === "patches" ? shape.window : 1;
  const isDrawn = weighted.every(({ affine: { parameters, hasBias, scale, width: rows } }, k) => {
    const variance = k > depth ? 1 / outputs : 2 / (width * (k === 0 ? 1 : window));
    const { std } = parameters[0]!;
    return !hasBias && scale === 1 && (k > depth || rows === width) && Math.abs(std * std - variance) < 1e-9 * variance;
  });
  const layers = weightLayers(graph, trained);
  const isHidden = layers.length === depth && layers.every(({ node }, k) => node === weighted[k + 1]!.node);
  if (!isDrawn || !isHidden) return null;
  const scale = { width, depth, outputs };
  if (shape.kind !== "patches") return { ...scale, ...shape };
  return { ...scale, ...shape, patches: weighted[0]!.affine.rows };
}

/** The sizes of the fully connected network of the paper, when the graph is one. */
export function theoryScale(graph: NetworkGraph, trained: readonly ParameterRange[]): TheoryScale | null {
  const form = theoryForm(graph, trained);
  return form?.kind === "dense" ? { width: form.width, depth: form.depth, outputs: form.outputs } : null;
}

/** Which of the forms the layers follow one another in. */
function shapeOf({ nodes, architecture }: NetworkGraph): Shape | null {
  const names = nodes.map(({ operation }) => operation.name).join(" ");
  const isChain = nodes.every(({ inputs, output, operation }) => operation.name === "add" || inputs[0] === output - 1);
  if (!isChain) return null;
  if (/^dense relu( dense relu)+ dense$/.test(names)) {
    return nodes.every(({ operation }) => operation.rows <= 1) ? { kind: "dense" } : null;
  }
  if (architecture === null) return null;
  if (/^dense relu( conv relu)+ dense$/.test(names)) {
    const convs = architecture.filter((layer): layer is ConvLayer => layer.kind === "conv");
    const window = convs[0]!.filter[0] * convs[0]!.filter[1];
    const isRing = convs.every(
      ({ filter, strides, padding }) =>
        filter[0] * filter[1] === window && strides[0] * strides[1] === 1 && padding === "circular",
    );
    return isRing && nodes[0]!.operation.rows > 1 ? { kind: "patches", window } : null;
  }
  if (/^dense relu( dense polynomial add relu)+ dense relu dense$/.test(names)) {
    const blocks = architecture.filter((layer): layer is ResidualLayer => layer.kind === "residual");
    const taus = blocks.map(tauOf);
    const [tau] = taus;
    return tau !== null && tau !== undefined && taus.every((one) => one === tau) ? { kind: "residual", tau } : null;
  }
  return null;
}

/** The factor behind the matrix of a block h + tau W h; null for other blocks. */
function tauOf({ main, shortcut }: ResidualLayer): number | null {
  const last = main.at(-1);
  if (shortcut.length > 0 || last?.kind !== "activation" || last.name !== "polynomial") return null;
  const coefficients = last.parameters["coef"];
  if (!Array.isArray(coefficients) || coefficients.length !== 2 || coefficients[0] !== 0) return null;
  return coefficients[1] > 0 ? coefficients[1] : null;
}
