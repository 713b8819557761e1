import type {
  ActivationLayer,
  BatchNormLayer,
  ConvLayer,
  DenseLayer,
  GlobalPoolLayer,
  Layer,
  LayerNormLayer,
  PoolLayer,
  Shape,
} from "../../network/architecture/index.ts";
import { layerText, outputShape, sizeOf } from "../../network/architecture/index.ts";
import { blockSize, type GraphNode, type NetworkGraph, type Operation } from "../../network/deep/index.ts";
import {
  addOperation,
  fixedOperation,
  joined,
  normalizationNumbers,
  operationOf,
  type Pads,
  padOperation,
  type Statistics,
} from "./operations.ts";

/** A node of the network in the making. */
interface Draft {
  readonly place: string;
  readonly inputs: readonly number[];
  readonly size: number;
  readonly step: Step;
}

/** What a node does; numbers of affine layers and normalizations may still be joined by those of the next operator. */
export type Step =
  | {
      readonly kind: "affine";
      readonly layer: DenseLayer | ConvLayer;
      readonly input: Shape;
      readonly weights: Float64Array;
      bias: Float64Array | null;
    }
  | {
      readonly kind: "batch-norm" | "gain";
      readonly input: Shape;
      readonly numbers: Statistics;
      /** In place of that of the numbers. */
      shift: Float64Array | null;
    }
  | { readonly kind: "layer"; readonly layer: PlainLayer; readonly input: Shape }
  | { readonly kind: "scale"; readonly gain: Float64Array; readonly shift: Float64Array }
  | { readonly kind: "pad"; readonly input: Shape; readonly pads: Pads; readonly fill: number }
  | { readonly kind: "add" };

/** Layers without parameters. */
type PlainLayer = ActivationLayer | PoolLayer | GlobalPoolLayer | LayerNormLayer;

/** Nodes that are added one by one, in the order in which they act. */
export class Builder {
  readonly #input: Shape;
  readonly #drafts: Draft[] = [];

  constructor(input: Shape) {
    this.#input = input;
  }

  /** Numbers of a sample of a value. */
  sizeOf(value: number): number {
    return value === 0 ? sizeOf(this.#input) : this.#drafts[value - 1]!.size;
  }

  /** What made a value, and of what; null for the input. */
  maker(value: number): Draft | null {
    return this.#drafts[value - 1] ?? null;
  }

  /** Adds a node; returns the number of its value. */
  add(place: string, step: Step, ...inputs: readonly number[]): number {
    this.#drafts.push({ place, inputs, size: this.#sizeAfter(step, inputs[0]!), step });
    return this.#drafts.length;
  }

  /** gain x + shift, both of one number or one for each of x, joined with such a step before. */
  scale(place: string, value: number, gain: Float64Array, shift: Float64Array): number {
    const maker = this.maker(value);
    const isJoined = maker?.step.kind === "scale";
    const before = maker?.step.kind === "scale" ? maker.step : { gain: Float64Array.of(1), shift: Float64Array.of(0) };
    const length = Math.max(gain.length, shift.length, before.gain.length);
    const at = (array: Float64Array, k: number): number => array[array.length === 1 ? 0 : k];
    const factor = Float64Array.from({ length }, (_, k) => at(gain, k) * at(before.gain, k));
    const term = Float64Array.from({ length }, (_, k) => at(gain, k) * at(before.shift, k) + at(shift, k));
    const from = isJoined ? maker.inputs[0]! : value;
    if (factor.every((one) => one === 1) && term.every((one) => one === 0)) return from;
    return this.add(place, { kind: "scale", gain: factor, shift: term }, from);
  }

  #sizeAfter(step: Step, input: number): number {
    if (step.kind === "affine" || step.kind === "layer") return sizeOf(outputShape([step.layer], step.input));
    if (step.kind !== "pad") return this.sizeOf(input);
    const [top, left, bottom, right] = step.pads;
    const [height, width, channels] = step.input as readonly [number, number, number];
    return (height + top + bottom) * (width + left + right) * channels;
  }

  /** The network that ends with a value, without nodes that have no part in it. */
  finish(output: number): {
    readonly graph: NetworkGraph;
    readonly theta: Float64Array;
    readonly state: Float64Array;
    readonly text: string;
  } {
    const used = new Set([output]);
    for (let value = output; value > 0; value--) {
      if (used.has(value)) for (const input of this.#drafts[value - 1]!.inputs) used.add(input);
    }
    const numbers = new Map([[0, 0]]);
    const nodes: GraphNode[] = [];
    const sizes = [sizeOf(this.#input)];
    const places = new Set<string>();
    const arrays: { theta: Float64Array[]; state: Float64Array[] } = { theta: [], state: [] };
    let [parameters, state] = [0, 0];
    const texts: string[] = [];
    this.#drafts.forEach((draft, k) => {
      if (!used.has(k + 1)) return;
      const { operation, theta, own, text } = realize(draft);
      const count = operation.parameters.reduce((sum, block) => sum + blockSize(block), 0);
      let place = draft.place;
      for (let copy = 2; places.has(place); copy++) place = `${draft.place}.${copy}`;
      places.add(place);
      nodes.push({
        operation,
        inputs: draft.inputs.map((value) => numbers.get(value)!),
        output: sizes.length,
        parameters: { from: parameters, count },
        state: { from: state, count: operation.state },
        place,
      });
      numbers.set(k + 1, sizes.length);
      sizes.push(operation.size);
      arrays.theta.push(theta);
      arrays.state.push(own);
      parameters += count;
      state += operation.state;
      texts.push(text);
    });
    const outputValue = numbers.get(output)!;
    const last = [sizes[outputValue]!] as const;
    return {
      // Not every graph of the file is one of layers and blocks.
      graph: { architecture: null, input: this.#input, output: last, nodes, sizes, outputValue, parameters, state },
      theta: joined(...arrays.theta),
      state: joined(...arrays.state),
      text: texts.join(" "),
    };
  }
}

const BATCH_NORM: BatchNormLayer = { kind: "batch-norm" };
const NOTHING = new Float64Array(0);

/** The operation of a node, its parameters, its state, and its layer in words. */
function realize({ step, size }: Draft): {
  operation: Operation;
  theta: Float64Array;
  own: Float64Array;
  text: string;
} {
  switch (step.kind) {
    case "affine": {
      const { layer, input, weights, bias } = step;
      const whole: Layer = {
        ...layer,
        wStd: rootMeanSquare(weights) * Math.sqrt(weights.length / layer.width),
        bStd: bias === null ? 0 : rootMeanSquare(bias),
      };
      const theta = bias === null ? weights : joined(weights, bias);
      return { operation: operationOf(whole, input), theta, own: NOTHING, text: affineText(layer) };
    }
    case "batch-norm":
    case "gain": {
      const numbers = step.shift === null ? step.numbers : { ...step.numbers, shift: step.shift };
      const { theta, state } = normalizationNumbers(numbers);
      const operation = operationOf(BATCH_NORM, step.input);
      if (step.kind === "batch-norm") return { operation, theta, own: state, text: layerText(BATCH_NORM) };
      return { operation: { ...operation, name: "gain" }, theta, own: state, text: "gain" };
    }
    case "layer":
      return {
        operation: operationOf(step.layer, step.input),
        theta: NOTHING,
        own: NOTHING,
        text: layerText(step.layer),
      };
    case "scale":
      return { operation: fixedOperation(size, step.gain, step.shift), theta: NOTHING, own: NOTHING, text: "scale" };
    case "pad":
      return {
        operation: padOperation(step.input, step.pads, step.fill),
        theta: NOTHING,
        own: NOTHING,
        text: `pad(${step.pads.join(", ")})`,
      };
    case "add":
      return { operation: addOperation(size), theta: NOTHING, own: NOTHING, text: "add" };
  }
}

/** A layer in words, without the spread of its weights. */
function affineText(layer: DenseLayer | ConvLayer): string {
  return layerText({ ...layer, wStd: 1, bStd: 0, parametrization: "ntk" }).replace(", w=1", "");
}

/** 1 for zeros, which are parameters nevertheless. */
function rootMeanSquare(values: Float64Array): number {
  const sum = values.reduce((total, value) => total + value * value, 0);
  return sum > 0 ? Math.sqrt(sum / values.length) : 1;
}
