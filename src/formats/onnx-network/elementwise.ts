import { ACTIVATIONS, type ActivationLayer, type ActivationName } from "../../network/architecture/index.ts";
import type { Constant } from "../onnx-tensors.ts";
import { addBias } from "./affine.ts";
import { normalize, numbersFor, withGain, withShift } from "./normalization.ts";
import type { Step } from "./step.ts";
import { type Flow, type Statistic, sameOrder, type Value } from "./values.ts";

/** Activations of other programs under our names, where their parameters are ours. */
export const ACTIVATION_NAMES: Readonly<Record<string, ActivationName>> = {
  Relu: "relu",
  Tanh: "tanh",
  Softplus: "softplus",
  Erf: "erf",
  Abs: "abs",
  Sin: "sin",
  Cos: "cos",
  Exp: "exp",
  Sign: "sign",
};

function activate(
  step: Step,
  x: Flow,
  name: ActivationName,
  parameters: ActivationLayer["parameters"],
  place = step.place,
): Flow {
  const layer = { kind: "activation", name, parameters } as const;
  const input = [step.builder.sizeOf(x.value)] as const;
  return { ...x, value: step.builder.add(place, { kind: "layer", layer, input }, x.value) };
}

/** An activation of {@link ACTIVATION_NAMES}. */
export function activation(step: Step): Flow {
  const name = ACTIVATION_NAMES[step.node.opType]!;
  return activate(step, step.flow(0), name, ACTIVATIONS[name]);
}

export function leakyRelu(step: Step): Flow {
  return activate(step, step.flow(0), "leaky-relu", { alpha: step.float("alpha", ACTIVATIONS["leaky-relu"].alpha) });
}

export function gelu(step: Step): Flow {
  const how = step.text("approximate", "none");
  if (how !== "none") throw step.refuse(`is approximated by ${how}: only the exact one can be read`);
  return activate(step, step.flow(0), "gelu", {});
}

/** (tanh(x / 2) + 1) / 2. */
export function sigmoid(step: Step): Flow {
  const half = scale(step, step.flow(0), 0.5, 0, step.helper("half"));
  return scale(step, activate(step, half, "tanh", {}, step.helper("tanh")), 0.5, 0.5);
}

/** max(x, 0) as Clip without an upper end. */
export function clip(step: Step): Flow {
  const least = step.optional(1)?.data[0] ?? step.float("min", Number.NEGATIVE_INFINITY);
  const largest = step.optional(2)?.data[0] ?? step.float("max", Number.POSITIVE_INFINITY);
  if (least !== 0 || largest < 3e38)
    throw step.refuse(`is between ${least} and ${largest}: only 0 and infinity can be read`);
  return activate(step, step.flow(0), "relu", {});
}

export function negative(step: Step): Flow {
  return scale(step, step.flow(0), -1, 0);
}

export function squareRoot(step: Step): Statistic {
  const operand = step.operand(0);
  if (operand?.kind !== "statistic" || operand.what !== "variance") {
    throw step.refuse("is read as part of a layer normalization only");
  }
  return { ...operand, what: "deviation" };
}

/** Greater than a number: the question whether a softplus may be left out, as PyTorch asks it. */
export function greater(step: Step): Value {
  const threshold = step.constant(1).data[0] ?? Number.NaN;
  return { kind: "above", of: step.flow(0), threshold };
}

/** x itself where it is so large that softplus(x) is x to single precision, else softplus(x): softplus. */
export function where(step: Step): Flow {
  const question = step.operand(0);
  if (question?.kind === "above") {
    const [x, y] = [step.flow(1), step.flow(2)];
    const maker = step.builder.maker(y.value);
    const isSoftplus =
      maker?.step.kind === "layer" && maker.step.layer.kind === "activation" && maker.step.layer.name === "softplus";
    const isSame = x.value === question.of.value && maker?.inputs[0] === x.value;
    if (isSoftplus && isSame && question.threshold >= 15) return y;
  }
  throw step.refuse("is read as part of a softplus only");
}

/** Powers with whole exponents. */
export function power(step: Step): Value {
  const { shape, data } = step.constant(1);
  const exponent = data[0] ?? Number.NaN;
  const operand = step.operand(0);
  if (operand?.kind === "statistic") {
    if (operand.what !== "centred" || exponent !== 2) throw step.refuse("is no square of what was centred");
    return { ...operand, what: "square" };
  }
  if (shape.some((length) => length !== 1) || !Number.isInteger(exponent) || exponent < 1 || exponent > 16) {
    throw step.refuse("has an exponent that is no whole number from 1 to 16");
  }
  return activate(step, step.flow(0), "monomial", { degree: exponent });
}

/** gain x + shift with one number for all. */
function scale(step: Step, x: Flow, gain: number, shift: number, place = step.place): Flow {
  return { ...x, value: step.builder.scale(place, x.value, Float64Array.of(gain), Float64Array.of(shift)) };
}

/** gain x + shift with numbers of a constant. */
function scaleBy(step: Step, x: Flow, constant: Constant, what: "gain" | "shift", map: (t: number) => number): Flow {
  const isSingle = constant.data.length === 1 && constant.shape.length <= x.shape.length + 1;
  const numbers = isSingle ? constant.data : numbersFor(x, constant);
  if (numbers === null) throw step.refuse(`combines shape [${x.shape}] with a constant of shape [${constant.shape}]`);
  const mapped = numbers.map(map);
  if (!mapped.every(Number.isFinite)) throw step.refuse("divides by zero");
  const [gain, shift] = what === "gain" ? [mapped, Float64Array.of(0)] : [Float64Array.of(1), mapped];
  return { ...x, value: step.builder.scale(step.place, x.value, gain, shift) };
}

/** The two operands of Add or Mul, a constant last. */
function operands(step: Step): readonly [Value, Value, number] {
  const [a, b] = [step.operand(0), step.operand(1)];
  if (a === null || b === null) throw step.refuse("has one operand");
  return a.kind === "constant" ? [b, a, 1] : [a, b, 0];
}

/** Add: of two values, of a bias to what has none, of a constant. */
export function add(step: Step): Value {
  const [a, b, first] = operands(step);
  if (a.kind === "statistic") {
    if (a.what !== "variance" || b.kind !== "constant" || b.data.length !== 1) {
      throw step.refuse("adds to a mean or a variance other than a layer normalization does");
    }
    return { ...a, epsilon: a.epsilon + b.data[0]! };
  }
  const x = step.flow(first);
  if (b.kind === "flow") return sum(step, x, b);
  if (b.kind !== "constant") throw step.refuse("adds a mean or a variance");
  if (step.isSole(first) && (withShift(step, x, b) || addBias(step, x, biasOf(step, x, b)))) return x;
  return scaleBy(step, x, b, "shift", (t) => t);
}

/** A constant as biases of the layer that made a value: one for each feature, the same at each pixel; none else. */
function biasOf(step: Step, x: Flow, constant: Constant): Float64Array {
  const none = new Float64Array(0);
  const maker = step.builder.maker(x.value)?.step;
  if (maker?.kind !== "affine") return none;
  const { width } = maker.layer;
  const numbers = constant.data.length < width ? null : numbersFor(x, constant);
  const isBias = numbers?.every((number, k) => number === numbers[k % width]) === true;
  return isBias ? numbers!.slice(0, width) : none;
}

function sum(step: Step, a: Flow, b: Flow): Flow {
  if (a.shape.join() !== b.shape.join() || !sameOrder(a.order, b.order)) {
    throw step.refuse(`adds shapes [${a.shape}] and [${b.shape}]: both must be the same, in the same order`);
  }
  return { ...a, value: step.builder.add(step.place, { kind: "add" }, a.value, b.value) };
}

/** Sub: of two values, of a constant, of a mean. */
export function subtract(step: Step): Value {
  const [a, b] = [step.operand(0), step.operand(1)];
  if (a?.kind === "flow" && b?.kind === "statistic" && b.what === "mean" && b.of.value === a.value) {
    return { ...b, of: a, what: "centred" };
  }
  if (b?.kind === "constant") return scaleBy(step, step.flow(0), b, "shift", (t) => -t);
  const other = scale(step, step.flow(1), -1, 0, step.helper("negative"));
  if (a?.kind === "constant") return scaleBy(step, other, a, "shift", (t) => t);
  return sum(step, step.flow(0), other);
}

/** Mul: by a constant, of x and 1 + erf(x / sqrt(2)), of what was centred with itself. */
export function multiply(step: Step): Value {
  const [a, b, first] = operands(step);
  if (
    a.kind === "statistic" &&
    b.kind === "statistic" &&
    a.what === "centred" &&
    step.node.input[0] === step.node.input[1]
  ) {
    return { ...a, what: "square" };
  }
  const x = step.flow(first);
  if (b.kind === "flow") return geluOf(step, x, b) ?? geluOf(step, b, x) ?? refuseProduct(step);
  if (b.kind !== "constant") throw step.refuse("multiplies by a mean or a variance");
  const isNormalized = isLayerNorm(step, x);
  if (isNormalized && step.isSole(first) && b.data.length > 1) return withGain(step, x, b);
  return scaleBy(step, x, b, "gain", (t) => t);
}

function isLayerNorm(step: Step, { value }: Flow): boolean {
  const maker = step.builder.maker(value)?.step;
  return maker?.kind === "layer" && maker.layer.kind === "layer-norm";
}

/** Div: by a constant, of what was centred by its deviation. */
export function divide(step: Step): Value {
  const [a, b] = [step.operand(0), step.operand(1)];
  if (a?.kind === "statistic" && b?.kind === "statistic" && a.what === "centred" && b.what === "deviation") {
    if (a.of.value !== b.of.value || a.over !== b.over) throw step.refuse("divides by the deviation of something else");
    return normalize(step, a.of, a.over, b.epsilon);
  }
  if (b?.kind === "constant") return scaleBy(step, step.flow(0), b, "gain", (t) => 1 / t);
  throw step.refuse("divides by what depends on the input");
}

function refuseProduct(step: Step): never {
  throw step.refuse(
    "multiplies two values that depend on the input: of these only x (1 + erf(x / sqrt(2))) can be read",
  );
}

/** A value as gain x + shift of another. */
function lineOf(step: Step, value: number): { readonly of: number; readonly gain: number; readonly shift: number } {
  const maker = step.builder.maker(value);
  if (maker?.step.kind !== "scale" || maker.step.gain.length > 1) return { of: value, gain: 1, shift: 0 };
  return { of: maker.inputs[0]!, gain: maker.step.gain[0]!, shift: maker.step.shift[0]! };
}

/** x times g (erf(c x) + 1) where c is 1 / sqrt(2): a gelu; null when it is none. */
function geluOf(step: Step, x: Flow, factor: Flow): Flow | null {
  const outer = lineOf(step, factor.value);
  const erf = step.builder.maker(outer.of);
  if (erf?.step.kind !== "layer" || erf.step.layer.kind !== "activation" || erf.step.layer.name !== "erf") return null;
  const inner = lineOf(step, erf.inputs[0]!);
  const own = lineOf(step, x.value);
  const slope = inner.gain * Math.SQRT2;
  const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.abs(b);
  if (inner.of !== own.of || inner.shift !== 0 || own.shift !== 0 || !isNear(outer.shift, outer.gain)) return null;
  if (!sameOrder(x.order, factor.order)) return null;
  // k z g (1 + erf(c z)) = 2 g (k / s) gelu(s z) with s = sqrt(2) c, which is 1 up to the rounding of sqrt(2) in the file.
  const rounded = isNear(slope, 1) ? 1 : slope;
  const base: Flow = { ...x, value: own.of };
  const before = scale(step, base, rounded, 0, step.helper("inner"));
  return scale(
    step,
    activate(step, before, "gelu", {}),
    (2 * outer.gain * own.gain) / rounded,
    0,
    step.helper("outer"),
  );
}
