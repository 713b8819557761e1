import type { DataError } from "../../base/errors.ts";
import type { Attribute, Node } from "../onnx-schema.ts";
import { type Constant, constantOf, type ReadExternal, type Refuse } from "../onnx-tensors.ts";
import type { Builder } from "./builder.ts";
import { countOf, type Flow, type Value } from "./values.ts";

/** Most numbers of a sample, and of what is computed: a few bytes of a file can ask for any number of them. */
export const MOST_NUMBERS = 2 ** 24;

/** What the operators of a graph share while it is read. */
export interface Reading {
  readonly file: string;
  readonly builder: Builder;
  readonly values: Map<string, Value>;
  /** How many operators take a value. */
  readonly uses: ReadonlyMap<string, number>;
  readonly external: ReadExternal | undefined;
  /** Places of nodes that help an operator to what it does. */
  readonly helpers: Set<string>;
  /** Refuses the graph. */
  readonly refuse: Refuse;
  /** Plain sentences on what was done. */
  readonly notes: string[];
}

/** An operator of a graph that is being read: its operands and attributes. */
export class Step {
  readonly reading: Reading;
  readonly node: Node;
  /** Its name, or that of its output. */
  readonly place: string;

  constructor(reading: Reading, node: Node) {
    this.reading = reading;
    this.node = node;
    this.place = printable(node.name === "" ? (node.output[0] ?? "") : node.name);
  }

  get builder(): Builder {
    return this.reading.builder;
  }

  /** The place of a node that helps it to what it does. */
  helper(suffix: string): string {
    const place = `${this.place}.${suffix}`;
    this.reading.helpers.add(place);
    return place;
  }

  /** Refuses the graph for this operator. */
  refuse(why: string): DataError {
    return this.reading.refuse(`${printable(this.node.opType)} "${this.place}" ${why}`);
  }

  /** Operand k; null when it is left out. */
  operand(k: number): Value | null {
    const name = this.node.input[k] ?? "";
    if (name === "") return null;
    const value = this.reading.values.get(name);
    if (value !== undefined) return value;
    throw this.refuse(`takes "${printable(name)}", which no operator before it makes and which is no constant`);
  }

  /** Whether nothing else takes operand k. */
  isSole(k: number): boolean {
    return this.reading.uses.get(this.node.input[k] ?? "") === 1;
  }

  /** Operand k, a value that depends on the input. */
  flow(k: number): Flow {
    const value = this.operand(k);
    if (value?.kind === "flow") return value;
    if (value?.kind === "above") throw this.refuse("uses a comparison other than a softplus does");
    if (value?.kind === "statistic")
      throw this.refuse("uses a mean or a variance other than a layer normalization does");
    throw this.refuse(`has a constant for operand ${k + 1}: only what depends on the input can stand there`);
  }

  /** Operand k, a constant; null when it is left out. */
  optional(k: number): Constant | null {
    const value = this.operand(k);
    if (value === null) return null;
    if (value.kind === "constant") return value;
    throw this.refuse(`has an operand ${k + 1} that depends on the input: only constants can stand there`);
  }

  constant(k: number): Constant {
    const value = this.optional(k);
    if (value === null) throw this.refuse(`has no operand ${k + 1}`);
    return value;
  }

  #attribute(name: string): Attribute | undefined {
    return this.node.attribute.find((attribute) => attribute.name === name);
  }

  float(name: string, otherwise: number): number {
    return this.#attribute(name)?.f ?? otherwise;
  }

  int(name: string, otherwise: number): number {
    const attribute = this.#attribute(name);
    return attribute === undefined ? otherwise : Number(attribute.i);
  }

  ints(name: string): readonly number[] | null {
    return this.#attribute(name)?.ints.map(Number) ?? null;
  }

  text(name: string, otherwise: string): string {
    const attribute = this.#attribute(name);
    return attribute === undefined ? otherwise : printable(new TextDecoder().decode(attribute.s));
  }

  /** Axes or sizes: an attribute in old operator sets, operand k in new ones; null when there are none. */
  integers(name: string, k: number): readonly number[] | null {
    return this.ints(name) ?? (this.operand(k) === null ? null : [...this.constant(k).data]);
  }

  /** The constant of an operator of kind Constant. */
  ownConstant(): Constant {
    const { t, name = "", floats = [], ints = [], f = 0, i = 0n } = this.node.attribute[0] ?? {};
    if (name === "value" && t !== undefined) {
      const constant = constantOf(t, this.reading.file, this.reading.external);
      if (constant !== null) return constant;
    }
    if (name === "value_float") return { shape: [], data: Float64Array.of(f) };
    if (name === "value_int") return { shape: [], data: Float64Array.of(Number(i)) };
    if (name === "value_floats") return { shape: [floats.length], data: Float64Array.from(floats) };
    if (name === "value_ints") return { shape: [ints.length], data: Float64Array.from(ints, Number) };
    throw this.refuse("holds no numbers");
  }

  /** An axis of samples like those of a shape, counted from 0; refuses the axis of the samples themselves. */
  axis(axis: number, shape: readonly number[]): number {
    const rank = shape.length + 1;
    const own = axis < 0 ? axis + rank : axis;
    if (own === 0) throw this.refuse("works across samples, not on each");
    if (!Number.isInteger(own) || own < 0 || own >= rank) throw this.refuse(`has axis ${axis} of ${rank}`);
    return own - 1;
  }

  /** A shape that there is room for. */
  checked(shape: readonly number[]): readonly number[] {
    const isSound = shape.every((length) => Number.isInteger(length) && length > 0);
    if (!isSound || countOf(shape) > MOST_NUMBERS) throw this.refuse(`would give shape [${shape.slice(0, 8)}]`);
    return shape;
  }
}

/** Words from a hostile file must neither flood the terminal nor command it. */
export function printable(text: string): string {
  return text.slice(0, 100).replace(/[\p{Cc}\p{Cf}]/gu, "?");
}
