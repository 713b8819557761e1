import { randomStream } from "../base/random.ts";
import type { RealArray } from "../compute/types.ts";
import type { ActivationName, Architecture, Layer, Shape } from "../network/architecture/index.ts";
import { initialize, type NetworkGraph } from "../network/deep/index.ts";
import type { Trained } from "../tangent/index.ts";

/** A network of a paper: what it is made of, what it takes, and which of its layers are trained. */
export interface NetworkPreset {
  readonly architecture: Architecture;
  readonly input: Shape;
  readonly trained: Trained;
}

/** Widths of a preset: inputs d, hidden neurons m, trained hidden matrices L, outputs c. */
export interface PresetSizes {
  readonly inputs: number;
  readonly width: number;
  readonly depth: number;
  readonly outputs: number;
}

const relu: Layer = activation("relu");

function activation(name: ActivationName, parameters: Record<string, number | readonly number[]> = {}): Layer {
  return { kind: "activation", name, parameters };
}

/** A layer whose weights are drawn from N(0, variance), without biases. */
function drawn(width: number, fanIn: number, variance: number): Layer {
  return { kind: "dense", width, wStd: Math.sqrt(variance * fanIn), bStd: 0, parametrization: "standard" };
}

/**
 * The fully connected network of Allen-Zhu, Li and Song (arXiv:1811.03962): h_0 = relu(A x), h_l = relu(W_l h_{l-1}) for
 * l = 1 .. L, y = B h_L; A, W ~ N(0, 2/m), B ~ N(0, 1/c); only W is trained.
 */
export function convergenceNetwork({ inputs, width, depth, outputs }: PresetSizes): NetworkPreset {
  const hidden = Array.from({ length: depth }, () => [drawn(width, width, 2 / width), relu]).flat();
  return {
    architecture: [drawn(width, inputs, 2 / width), relu, ...hidden, drawn(outputs, width, 1 / outputs)],
    input: [inputs],
    trained: "hidden",
  };
}

/**
 * The residual network of the same paper: h_l = relu(h_{l-1} + tau W_l h_{l-1}) for l < L, h_L = relu(W_L h_{L-1}); the
 * factor tau stands behind the trained matrices, which are drawn as in {@link convergenceNetwork}.
 */
export function convergenceResidual({
  inputs,
  width,
  depth,
  outputs,
  tau,
}: PresetSizes & { readonly tau: number }): NetworkPreset {
  const block: readonly Layer[] = [
    {
      kind: "residual",
      main: [drawn(width, width, 2 / width), activation("polynomial", { coef: [0, tau] })],
      shortcut: [],
    },
    relu,
  ];
  return {
    architecture: [
      drawn(width, inputs, 2 / width),
      relu,
      ...Array.from({ length: depth - 1 }, () => block).flat(),
      drawn(width, width, 2 / width),
      relu,
      drawn(outputs, width, 1 / outputs),
    ],
    input: [inputs],
    trained: "hidden",
  };
}

/**
 * The convolutional network of the same paper, in its patch form: `patches` positions with `inputs` numbers each; hidden
 * layers see `window` neighbouring positions (around a circle, so that each position is in as many windows); A ~ N(0, 2/m),
 * W ~ N(0, 2/(window m)), an output matrix N(0, 1/c) for each position.
 */
export function convergencePatches({
  inputs,
  width,
  depth,
  outputs,
  patches,
  window,
}: PresetSizes & { readonly patches: number; readonly window: number }): NetworkPreset {
  const hidden: Layer = {
    kind: "conv",
    width,
    filter: [window, 1],
    strides: [1, 1],
    padding: "circular",
    wStd: Math.SQRT2,
    bStd: 0,
    parametrization: "standard",
  };
  return {
    architecture: [
      drawn(width, inputs, 2 / width),
      relu,
      ...Array.from({ length: depth }, () => [hidden, relu]).flat(),
      { kind: "flatten" },
      drawn(outputs, patches * width, 1 / outputs),
    ],
    input: [patches, 1, inputs],
    trained: "hidden",
  };
}

/**
 * One hidden layer: f(x) = m^-exponent sum_r a_r sigma(w_r . x) with w, a ~ N(0, 1). Exponent 1/2 is the scaling of tangent
 * kernels (with a fixed: Du et al., arXiv:1810.02054), 1 that of mean fields.
 */
export function twoLayerNetwork({
  inputs,
  width,
  exponent,
  outputs = 1,
  activationName = "relu",
}: {
  readonly inputs: number;
  readonly width: number;
  readonly exponent: number;
  readonly outputs?: number;
  readonly activationName?: ActivationName;
}): NetworkPreset {
  const plain = { kind: "dense", bStd: 0, parametrization: "ntk" } as const;
  return {
    architecture: [
      { ...plain, width, wStd: Math.sqrt(inputs) },
      activation(activationName),
      { ...plain, width: outputs, wStd: width ** (0.5 - exponent) },
    ],
    input: [inputs],
    trained: "all",
  };
}

/** Random parameters with those of the last layer replaced by their signs: the fixed a_r = +-1 of two-layer theory. */
export function initializeSigns(graph: NetworkGraph, seed: number, theta: RealArray): void {
  initialize(graph, seed, theta);
  const { from, count } = graph.nodes.at(-1)!.parameters;
  for (let k = from; k < from + count; k++) theta[k] = theta[k] < 0 ? -1 : 1;
}

/**
 * Rows of `raw` (n x d) as the paper's inputs (n x (d + 1)): u / sqrt(2) with the direction u of the row, and 1 / sqrt(2).
 *
 * @throws RangeError for a row of zeros, which has no direction.
 */
export function unitInputs(raw: ArrayLike<number>, n: number, d: number): Float64Array {
  const out = new Float64Array(n * (d + 1));
  for (let i = 0; i < n; i++) {
    let square = 0;
    for (let k = 0; k < d; k++) square += raw[i * d + k]! ** 2;
    if (!(square > 0)) throw new RangeError(`row ${i} has no direction`);
    const scale = Math.SQRT1_2 / Math.sqrt(square);
    for (let k = 0; k < d; k++) out[i * (d + 1) + k] = scale * raw[i * d + k]!;
    out[i * (d + 1) + d] = Math.SQRT1_2;
  }
  return out;
}

/** n random inputs of d numbers in the form of {@link unitInputs}. */
export function randomUnitInputs(n: number, d: number, seed: number): Float64Array {
  const { normal } = randomStream(seed, "unit inputs");
  return unitInputs(Float64Array.from({ length: n * (d - 1) }, normal), n, d - 1);
}

/** The inputs (cos t, sin t, 1) / sqrt(2) at n equal angles, whose kernels have closed forms. */
export function circleInputs(n: number): Float64Array {
  const angles = Array.from({ length: n }, (_, i) => (2 * Math.PI * i) / n);
  return unitInputs(
    angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]),
    n,
    2,
  );
}

/** The points of [-1, 1] in equal steps with the values of a Chebyshev polynomial (Cohen et al., arXiv:2103.00065). */
export function chebyshevData(degree: number, n: number): { inputs: Float64Array; values: Float64Array } {
  const inputs = Float64Array.from({ length: n }, (_, i) => -1 + (2 * i) / (n - 1));
  return { inputs, values: inputs.map((x) => Math.cos(degree * Math.acos(x))) };
}
