/**
 * Architectures as data: a list of layers that both finite networks and infinite-width kernels are made from.
 *
 * Inputs are vectors of d numbers or images height x width x channels. All layers act on the last axis as features.
 */

/**
 * How weights are scaled. `ntk`: pre-activations are wStd / sqrt(fan-in) W x + bStd b with W, b ~ N(0, 1). `standard`:
 * W x + b with W ~ N(0, wStd^2 / fan-in), b ~ N(0, bStd^2). The same functions at the start; another gradient flow.
 */
export type Parametrization = "ntk" | "standard";
/** `same`: zero padding, the output has ceil(size / stride) entries; `valid`: none; `circular`: same size, wrapped around. */
export type Padding = "same" | "valid" | "circular";
/** Two numbers, for rows and columns of an image. */
export type Pair = readonly [number, number];

interface Weighted {
  /** Number of outputs of the layer. */
  readonly width: number;
  /** Standard deviation of weights, fan-in apart. */
  readonly wStd: number;
  /** Standard deviation of biases; 0: no biases. */
  readonly bStd: number;
  readonly parametrization: Parametrization;
}

export interface DenseLayer extends Weighted {
  readonly kind: "dense";
}

export interface ConvLayer extends Weighted {
  readonly kind: "conv";
  readonly filter: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
}

/** The parameters of each activation with their defaults; names and meanings are those of neural-tangents' `stax`. */
export const ACTIVATIONS = {
  /** max(x, 0). */
  relu: {},
  /** x where x > 0, alpha x elsewhere. */
  "leaky-relu": { alpha: 0.01 },
  /** a min(x, 0) + b max(x, 0). */
  abrelu: { a: 0, b: 1 },
  abs: {},
  /** a erf(b x) + c. */
  erf: { a: 1, b: 1, c: 0 },
  /** (erf(x / 2.4020563531719796) + 1) / 2, near the logistic function. */
  "sigmoid-like": {},
  /** x Phi(x). */
  gelu: {},
  /** a sin(b x + c). */
  sin: { a: 1, b: 1, c: 0 },
  /** a cos(b x + c). */
  cos: { a: 1, b: 1, c: 0 },
  /** a exp(b x). */
  exp: { a: 1, b: 1 },
  /** sqrt(2) sin(sqrt(2 gamma) x + pi / 4), whose kernel is exp(-gamma ||x - y||^2). */
  rbf: { gamma: 1 },
  /** a exp(b x^2). */
  gaussian: { a: 1, b: -1 },
  sign: {},
  /** sum_k coef_k x^k. */
  polynomial: { coef: [0, 1] as readonly number[] },
  /** The normalized probabilists' Hermite polynomial of this degree. */
  hermite: { degree: 2 },
  /** x^degree. */
  monomial: { degree: 2 },
  /** max(x, 0)^degree. */
  "rectified-monomial": { degree: 2 },
  identity: {},
  /** Finite networks only. */
  tanh: {},
  /** log(1 + exp(x)); finite networks only. */
  softplus: {},
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;

export interface ActivationLayer {
  readonly kind: "activation";
  readonly name: ActivationName;
  readonly parameters: Readonly<Record<string, number | readonly number[]>>;
}

export interface PoolLayer {
  readonly kind: "pool";
  readonly how: "average" | "sum" | "max";
  readonly window: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
}

/** One vector of features from an image: over all its pixels. */
export interface GlobalPoolLayer {
  readonly kind: "global-pool";
  readonly how: "average" | "sum";
}

/** An image as a vector, row by row, channels last. */
export interface FlattenLayer {
  readonly kind: "flatten";
}

/** main(x) + shortcut(x). */
export interface ResidualLayer {
  readonly kind: "residual";
  readonly main: readonly Layer[];
  /** Empty: the identity. */
  readonly shortcut: readonly Layer[];
}

/** Each sample's features (channels of each pixel) to mean 0 and variance 1. */
export interface LayerNormLayer {
  readonly kind: "layer-norm";
  /** `channels`: at each pixel by itself; `all`: over all pixels and channels. */
  readonly over: "channels" | "all";
}

/** Each feature over the batch; finite networks only. */
export interface BatchNormLayer {
  readonly kind: "batch-norm";
}

export type Layer =
  | DenseLayer
  | ConvLayer
  | ActivationLayer
  | PoolLayer
  | GlobalPoolLayer
  | FlattenLayer
  | ResidualLayer
  | LayerNormLayer
  | BatchNormLayer;

/** Layers in the order in which they act. */
export type Architecture = readonly Layer[];

/** [d] for vectors; [height, width, channels] for images. */
export type Shape = readonly [number] | readonly [number, number, number];

/** Activations whose variance He's scaling W_std = sqrt(2) preserves, about. */
export const RELU_LIKE: readonly ActivationName[] = ["relu", "leaky-relu", "abrelu"];
