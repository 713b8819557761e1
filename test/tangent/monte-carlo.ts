import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import type { Compute } from "../../src/compute/index.ts";
import { type Parametrization, parseArchitecture, type Shape, sizeOf } from "../../src/network/architecture/index.ts";
import { empiricalEngine, makeEngine, type Trained } from "../../src/tangent/index.ts";

/** An architecture of any width. */
export interface WidthCase {
  readonly name: string;
  /** Its text; W stands for the width. */
  readonly text: string;
  readonly input: Shape;
  readonly trained: Trained;
}

const VECTORS: Shape = [6];
const IMAGES: Shape = [4, 4, 2];

export const WIDTH_CASES: readonly WidthCase[] = [
  { name: "FC relu", text: "dense(W) relu dense(W) relu dense(2)", input: VECTORS, trained: "all" },
  {
    name: "FC relu, hidden",
    text: "dense(W) relu dense(W) relu dense(W) relu dense(2)",
    input: VECTORS,
    trained: "hidden",
  },
  {
    name: "FC gelu, last",
    text: "dense(W, b=0.1) relu dense(W, b=0.1) gelu dense(2, b=0.1)",
    input: VECTORS,
    trained: "last",
  },
  {
    name: "FC erf with biases",
    text: "dense(W, w=1.5, b=0.3) erf dense(W, w=1.5, b=0.3) erf dense(2, b=0.3)",
    input: VECTORS,
    trained: "all",
  },
  { name: "FC residual", text: "dense(W) [relu dense(W)]x2 relu dense(2)", input: VECTORS, trained: "all" },
  {
    name: "layer norm",
    text: "dense(W) layernorm relu dense(W) layernorm erf dense(2)",
    input: VECTORS,
    trained: "all",
  },
  {
    name: "CNN layer norm over all",
    text: "conv(W, 3) layernorm(all) relu conv(W, 3) relu flatten dense(2)",
    input: IMAGES,
    trained: "all",
  },
  {
    name: "CNN flatten",
    text: "conv(W, 3, b=0.2) relu conv(W, 3, s=2, b=0.2) relu flatten dense(2, b=0.1)",
    input: IMAGES,
    trained: "all",
  },
  {
    name: "CNN gap",
    text: "conv(W, 3, pad=circular) relu conv(W, 3) relu gap dense(2)",
    input: IMAGES,
    trained: "all",
  },
  {
    name: "CNN pooling with margins",
    text: "conv(W, 3) relu avgpool(3, s=2, pad=same) conv(W, 2) erf sumpool(2, s=1, pad=same) flatten dense(2)",
    input: IMAGES,
    trained: "all",
  },
  {
    name: "CNN residual",
    text: "conv(W, 3) [relu conv(W, 3) | conv(W, 1)] layernorm relu gap dense(2)",
    input: IMAGES,
    trained: "all",
  },
];

/** How kernels of finite networks lie around the analytic one, relative to its Frobenius norm. */
export interface Spread {
  readonly width: number;
  /** Root mean square distance of the kernel of a network. */
  readonly root: number;
  /** Distance of the mean over all networks. */
  readonly mean: number;
}

/** The tangent kernels of `networks` random networks of each width beside the analytic one. */
export function spreads(
  compute: Compute,
  { text, input, trained }: WidthCase,
  parametrization: Parametrization,
  widths: readonly number[],
  networks: number,
): Spread[] {
  const X = inputsFor(input);
  return widths.map((width) => {
    const architecture = parseArchitecture(text.replaceAll("W", String(width))).map(
      function standard(layer): typeof layer {
        if (layer.kind === "dense" || layer.kind === "conv") return { ...layer, parametrization };
        if (layer.kind !== "residual") return layer;
        return { ...layer, main: layer.main.map(standard), shortcut: layer.shortcut.map(standard) };
      },
    );
    const problem = { architecture, input, trained, kernels: ["ntk"] as const };
    const want = makeEngine(problem).block(compute, X, null).ntk!;
    const kernels = Array.from(
      { length: networks },
      (_, seed) => empiricalEngine(problem, { seed }).block(compute, X, null).ntk!,
    );
    const mean = want.map((_, k) => kernels.reduce((sum, kernel) => sum + kernel[k]!, 0) / networks);
    const squares = kernels.reduce((sum, kernel) => sum + distance(kernel, want) ** 2, 0);
    return { width, root: Math.sqrt(squares / networks), mean: distance(mean, want) };
  });
}

export function inputsFor(shape: Shape): Matrix {
  const size = sizeOf(shape);
  const { normal } = randomStream(3, "limit");
  return matrix(3, size, Float64Array.from({ length: 3 * size }, normal));
}

/** Frobenius norm of the difference over that of `want`. */
export function distance(got: Float64Array, want: Float64Array): number {
  const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(got.map((value, k) => value - want[k]!)) / norm(want);
}

/** The exponent p of root ~ width^p by least squares. */
export function slopeOf(found: readonly Spread[]): number {
  const [x, y] = [found.map(({ width }) => Math.log(width)), found.map(({ root }) => Math.log(root))];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const covariance = x.reduce((sum, value, k) => sum + (value - mx) * (y[k]! - my), 0);
  return covariance / x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
}
