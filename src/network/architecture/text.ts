import { didYouMean } from "../../base/did-you-mean.ts";
import { ConfigError } from "../../base/errors.ts";
import {
  ACTIVATIONS,
  type ActivationName,
  type Architecture,
  type Layer,
  type Padding,
  type Pair,
  type Parametrization,
  RELU_LIKE,
} from "./layers.ts";

/** Words of the text form whose layer has another name. */
const ALIASES: Readonly<Record<string, ActivationName>> = {
  leaky: "leaky-relu",
  sigmoid: "sigmoid-like",
  poly: "polynomial",
  rectmonomial: "rectified-monomial",
};
const OTHER_WORDS = [
  "dense",
  "conv",
  "avgpool",
  "sumpool",
  "maxpool",
  "gap",
  "gsp",
  "flatten",
  "layernorm",
  "batchnorm",
];
const PADDINGS: readonly Padding[] = ["same", "valid", "circular"];
const PARAMETRIZATIONS: readonly Parametrization[] = ["ntk", "standard"];

type Value = number | string;

/** A word with its arguments: `conv(64, 3, s=2)`. */
interface Call {
  readonly word: string;
  readonly list: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** A weighted layer whose scale waits for what follows. */
type Draft = Layer | { readonly unscaled: Layer & { readonly kind: "dense" | "conv" } };

/**
 * The architecture of a text such as
 *
 * ```
 * dense(512) relu dense(512, w=1.5, b=0.1) relu dense(10)
 * conv(64, 3) relu [conv(64, 3) relu conv(64, 3)]x2 gap dense(10)
 * conv(16, 3) [relu conv(32, 3, s=2) | conv(32, 1, s=2)] flatten dense(1)
 * ```
 *
 * `[main]` adds its input, `[main | shortcut]` what layers make of it; `x3` repeats. Without `w`, W_std is sqrt(2) before
 * ReLU-like activations (pooling and normalization in between do not matter) and 1 elsewhere; without `b`, there are no biases.
 *
 * @throws ConfigError with the place of the mistake in the text.
 */
export function parseArchitecture(text: string): Architecture {
  const parser = new Parser(text);
  const layers = parser.layers("");
  if (layers.length === 0)
    throw new ConfigError("the architecture has no layers", {
      code: "architecture-text",
      hint: 'for example "dense(512) relu dense(1)"',
    });
  return scaled(layers);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Layers up to one of the `ends`, or the end of the text when there are none. */
  layers(ends: string): Draft[] {
    const out: Draft[] = [];
    for (;;) {
      this.#skip();
      const next = this.#text[this.#at];
      if (next === undefined) {
        if (ends === "") return out;
        throw this.#mistake("a bracket is not closed", 'write residual blocks as "[relu conv(64, 3)]"');
      }
      if (ends.includes(next)) return out;
      if (next === "[") out.push(...this.#residual());
      else if (/[a-z]/i.test(next)) out.push(this.#layer(this.#call()));
      else throw this.#mistake(`"${next}" cannot stand here`, 'for example "dense(512) relu dense(1)"');
    }
  }

  #residual(): Draft[] {
    this.#at += 1;
    const main = scaled(this.layers("|]"));
    let shortcut: Architecture = [];
    if (this.#text[this.#at] === "|") {
      this.#at += 1;
      shortcut = scaled(this.layers("]"));
    }
    this.#at += 1;
    const times = /^x(\d{1,4})/.exec(this.#text.slice(this.#at));
    if (times !== null) this.#at += times[0].length;
    return Array.from({ length: Number(times?.[1] ?? 1) }, () => ({ kind: "residual", main, shortcut }));
  }

  #call(): Call {
    const word = (/^[a-z][a-z0-9-]*/i.exec(this.#text.slice(this.#at))?.[0] ?? "").toLowerCase();
    const start = this.#at;
    this.#at += word.length;
    const list: Value[] = [];
    const named = new Map<string, Value>();
    if (this.#text[this.#at] === "(") {
      const end = this.#text.indexOf(")", this.#at);
      if (end < 0) throw this.#mistake("a parenthesis is not closed", undefined);
      const inside = this.#text.slice(this.#at + 1, end).trim();
      for (const part of inside === "" ? [] : inside.split(",")) {
        const [left, right] = part.split("=").map((side) => side.trim());
        if (right === undefined) list.push(readValue(left ?? ""));
        else named.set(left ?? "", readValue(right));
      }
      this.#at = end + 1;
    }
    if (![...OTHER_WORDS, ...Object.keys(ACTIVATIONS), ...Object.keys(ALIASES)].includes(word)) {
      this.#at = start;
      const known = [...OTHER_WORDS, ...Object.keys(ACTIVATIONS)];
      const near = didYouMean(word, known);
      throw this.#mistake(
        `"${word}" is no layer`,
        near === null ? `the layers are ${known.join(", ")}` : `did you mean "${near}"?`,
      );
    }
    return { word, list, named };
  }

  #layer(call: Call): Draft {
    const { word } = call;
    const name = ALIASES[word] ?? word;
    if (name in ACTIVATIONS) return this.#activation(name as ActivationName, call);
    switch (word) {
      case "dense": {
        this.#allow(call, 1, ["w", "b", "parametrization", "parameterization"]);
        return this.#weighted(call, { kind: "dense", width: this.#count(call.list[0], "a width"), ...UNIT });
      }
      case "conv": {
        this.#allow(call, 2, ["s", "pad", "w", "b", "parametrization", "parameterization"]);
        const { strides, padding } = this.#sliding(call, 1);
        const width = this.#count(call.list[0], "a width");
        return this.#weighted(call, {
          kind: "conv",
          width,
          filter: this.#pair(call.list[1], "a filter size"),
          strides,
          padding,
          ...UNIT,
        });
      }
      case "avgpool":
      case "sumpool":
      case "maxpool": {
        this.#allow(call, 1, ["s", "pad"]);
        const how = word === "avgpool" ? "average" : word === "sumpool" ? "sum" : "max";
        const window = this.#pair(call.list[0], "a window size");
        return { kind: "pool", how, window, ...this.#sliding(call, window, "valid") };
      }
      case "gap":
      case "gsp":
        this.#allow(call, 0, []);
        return { kind: "global-pool", how: word === "gap" ? "average" : "sum" };
      case "layernorm": {
        this.#allow(call, 1, []);
        const over = call.list[0] ?? "channels";
        if (over !== "channels" && over !== "all")
          throw this.#mistake(`layernorm(${over})`, "write layernorm or layernorm(all)");
        return { kind: "layer-norm", over };
      }
      case "batchnorm":
        this.#allow(call, 0, []);
        return { kind: "batch-norm" };
      default:
        this.#allow(call, 0, []);
        return { kind: "flatten" };
    }
  }

  #activation(name: ActivationName, call: Call): Layer {
    const defaults: Readonly<Record<string, number | readonly number[]>> = ACTIVATIONS[name];
    const keys = Object.keys(defaults);
    if (name === "polynomial") {
      this.#allow(call, Number.POSITIVE_INFINITY, []);
      const coef = call.list.map((value) => this.#number(value, "coefficients"));
      return { kind: "activation", name, parameters: { coef: coef.length > 0 ? coef : (defaults.coef ?? []) } };
    }
    this.#allow(call, keys.length, keys);
    const parameters = Object.fromEntries(
      keys.map((key, k) => [key, this.#number(call.named.get(key) ?? call.list[k] ?? (defaults[key] as number), key)]),
    );
    if ("degree" in parameters) this.#count(parameters.degree, "a degree");
    return { kind: "activation", name, parameters };
  }

  #weighted(call: Call, layer: Layer & { readonly kind: "dense" | "conv" }): Draft {
    const how = call.named.get("parametrization") ?? call.named.get("parameterization") ?? "ntk";
    const parametrization = PARAMETRIZATIONS.find((one) => one === how);
    if (parametrization === undefined) throw this.#mistake(`parametrization ${how}`, "use ntk or standard");
    const bStd = this.#number(call.named.get("b") ?? 0, "b");
    const given = call.named.get("w");
    if (given === undefined) return { unscaled: { ...layer, bStd, parametrization } };
    return { ...layer, wStd: this.#number(given, "w"), bStd, parametrization };
  }

  #sliding(call: Call, strides: number | Pair, padding: Padding = "same"): { strides: Pair; padding: Padding } {
    const pad = call.named.get("pad") ?? padding;
    const known = PADDINGS.find((one) => one === pad);
    if (known === undefined) throw this.#mistake(`padding ${pad}`, `use ${PADDINGS.join(", ")}`);
    const stride = call.named.get("s");
    const own: Pair = typeof strides === "number" ? [strides, strides] : strides;
    return { strides: stride === undefined ? own : this.#pair(stride, "a stride"), padding: known };
  }

  #allow({ word, list, named }: Call, most: number, keys: readonly string[]): void {
    const odd = [...named.keys()].find((key) => !keys.includes(key));
    if (odd !== undefined) {
      throw this.#mistake(`${word} has no "${odd}"`, keys.length > 0 ? `it takes ${keys.join(", ")}` : undefined);
    }
    if (list.length > most) throw this.#mistake(`${word} takes at most ${most} values, got ${list.length}`, undefined);
  }

  #number(value: Value | undefined, what: string): number {
    if (typeof value !== "number" || !Number.isFinite(value))
      throw this.#mistake(`${what} must be a number, got ${value}`, undefined);
    return value;
  }

  #count(value: Value | readonly number[] | undefined, what: string): number {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      throw this.#mistake(`${what} must be a whole number of at least 1, got ${value}`, undefined);
    }
    return value;
  }

  /** `3` or `3x5`. */
  #pair(value: Value | undefined, what: string): Pair {
    const both = typeof value === "string" ? /^(\d+)x(\d+)$/.exec(value) : null;
    if (both !== null) return [this.#count(Number(both[1]), what), this.#count(Number(both[2]), what)];
    const size = this.#count(value, what);
    return [size, size];
  }

  #skip(): void {
    while (/[\s,]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
  }

  #mistake(message: string, hint: string | undefined): ConfigError {
    const where = `at character ${this.#at + 1} of "${this.#text.slice(0, 200)}"`;
    return new ConfigError(`${message} ${where}`, {
      code: "architecture-text",
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

const UNIT = { wStd: 1, bStd: 0, parametrization: "ntk" } as const;

function readValue(text: string): Value {
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? number : text;
}

/** Fills in W_std: sqrt(2) where the next activation is ReLU-like. */
function scaled(drafts: readonly Draft[]): Layer[] {
  return drafts.map((draft, k) => {
    if (!("unscaled" in draft)) return draft;
    const next = drafts.slice(k + 1).find((later) => "unscaled" in later || !PASSED.includes(later.kind));
    const relu = next !== undefined && "kind" in next && next.kind === "activation" && RELU_LIKE.includes(next.name);
    return { ...draft.unscaled, wStd: relu ? Math.SQRT2 : 1 };
  });
}

/** Layers that may stand between weights and the activation that sets their scale. */
const PASSED: readonly Layer["kind"][] = ["pool", "global-pool", "flatten", "layer-norm", "batch-norm"];

/** The text of a layer, complete: parsing it gives the layer again. */
export function layerText(layer: Layer): string {
  const pair = ([a, b]: Pair): string => (a === b ? String(a) : `${a}x${b}`);
  switch (layer.kind) {
    case "dense":
    case "conv": {
      const size = layer.kind === "conv" ? [pair(layer.filter)] : [];
      const stride = layer.kind === "conv" && pair(layer.strides) !== "1" ? [`s=${pair(layer.strides)}`] : [];
      const pad = layer.kind === "conv" && layer.padding !== "same" ? [`pad=${layer.padding}`] : [];
      const bias = layer.bStd !== 0 ? [`b=${layer.bStd}`] : [];
      const how = layer.parametrization === "ntk" ? [] : [`parametrization=${layer.parametrization}`];
      return `${layer.kind}(${[layer.width, ...size, ...stride, ...pad, `w=${layer.wStd}`, ...bias, ...how].join(", ")})`;
    }
    case "activation": {
      const values = Object.values(layer.parameters).flat();
      return values.length === 0 ? layer.name : `${layer.name}(${values.join(", ")})`;
    }
    case "pool": {
      const word = { average: "avgpool", sum: "sumpool", max: "maxpool" }[layer.how];
      const stride = pair(layer.strides) === pair(layer.window) ? [] : [`s=${pair(layer.strides)}`];
      const pad = layer.padding === "valid" ? [] : [`pad=${layer.padding}`];
      return `${word}(${[pair(layer.window), ...stride, ...pad].join(", ")})`;
    }
    case "global-pool":
      return layer.how === "average" ? "gap" : "gsp";
    case "residual": {
      const shortcut = layer.shortcut.length === 0 ? "" : ` | ${architectureText(layer.shortcut)}`;
      return `[${architectureText(layer.main)}${shortcut}]`;
    }
    case "layer-norm":
      return layer.over === "all" ? "layernorm(all)" : "layernorm";
    case "batch-norm":
      return "batchnorm";
    case "flatten":
      return "flatten";
  }
}

/** The text of an architecture; {@link parseArchitecture} gives the architecture again. */
export function architectureText(architecture: Architecture): string {
  return architecture.map(layerText).join(" ");
}
