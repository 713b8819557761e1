import type { Architecture, Layer, Shape } from "../architecture/index.ts";
import { shapesOf } from "../architecture/index.ts";
import { activationOperation } from "./activation.ts";
import { addOperation } from "./add.ts";
import { affineOperation } from "./affine.ts";
import { batchNormOperation, layerNormOperation } from "./normalization.ts";
import { type Operation, operationParameters } from "./operation.ts";
import { globalPoolOperation, poolOperation } from "./pooling.ts";

/** An operation in its place: which values it takes and which parameters are its own. */
export interface GraphNode {
  readonly operation: Operation;
  /** Numbers of the values that it takes; it makes value `output`. */
  readonly inputs: readonly number[];
  readonly output: number;
  /** Its part of all parameters, and of the state that is not trained. */
  readonly parameters: { readonly from: number; readonly count: number };
  readonly state: { readonly from: number; readonly count: number };
  /** Where its layer stands in the architecture, e.g. `3` or `4.main.2`, counted from 1. */
  readonly place: string;
}

/**
 * A finite network as a list of operations on numbered values: value 0 is the input, each node makes a new one from
 * earlier ones, and the last is the output. Fan-out (a value that several nodes take) is how residual layers branch.
 */
export interface NetworkGraph {
  /** What it was made from; null when that was no list of layers. */
  readonly architecture: Architecture | null;
  readonly input: Shape;
  readonly output: Shape;
  readonly nodes: readonly GraphNode[];
  /** Numbers a sample of each value. */
  readonly sizes: readonly number[];
  readonly outputValue: number;
  /** Number of all parameters, and of the numbers of the state. */
  readonly parameters: number;
  readonly state: number;
}

/**
 * The operations of an architecture on inputs of a shape.
 *
 * @throws ConfigError naming the first layer whose input does not fit.
 */
export function networkGraph(architecture: Architecture, input: Shape): NetworkGraph {
  const nodes: GraphNode[] = [];
  const sizes = [size(input)];
  let parameters = 0;
  let state = 0;

  const add = (operation: Operation, inputs: readonly number[], place: string): number => {
    const count = operationParameters(operation);
    const output = sizes.length;
    sizes.push(operation.size);
    nodes.push({
      operation,
      inputs,
      output,
      parameters: { from: parameters, count },
      state: { from: state, count: operation.state },
      place,
    });
    parameters += count;
    state += operation.state;
    return output;
  };
  const build = (layers: Architecture, shape: Shape, from: number, path: string): number => {
    let value = from;
    shapesOf(layers, shape).forEach((shaped, k) => {
      const place = `${path}${k + 1}`;
      if (shaped.layer.kind === "flatten") return;
      if (shaped.layer.kind === "residual") {
        const main = build(shaped.layer.main, shaped.input, value, `${place}.main.`);
        const shortcut = build(shaped.layer.shortcut, shaped.input, value, `${place}.shortcut.`);
        value = add(addOperation(size(shaped.output)), [main, shortcut], place);
        return;
      }
      value = add(operationOf(shaped.layer, shaped.input, shaped.output), [value], place);
    });
    return value;
  };

  const outputValue = build(architecture, input, 0, "");
  const output = shapesOf(architecture, input).at(-1)?.output ?? input;
  return { architecture, input, output, nodes, sizes, outputValue, parameters, state };
}

function size(shape: Shape): number {
  return shape.reduce((product: number, length) => product * length, 1);
}

function operationOf(layer: Exclude<Layer, { kind: "flatten" | "residual" }>, input: Shape, output: Shape): Operation {
  switch (layer.kind) {
    case "dense":
    case "conv":
      return affineOperation(layer, input, output);
    case "activation":
      return activationOperation(layer, input);
    case "pool":
      return poolOperation(layer, input, output);
    case "global-pool":
      return globalPoolOperation(layer, input);
    case "layer-norm":
      return layerNormOperation(layer, input);
    case "batch-norm":
      return batchNormOperation(input);
  }
}
