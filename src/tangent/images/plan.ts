import { ConfigError } from "../../base/errors.ts";
import type { DualKind } from "../../compute/duals.ts";
import { IMAGE_SLOTS, type ImageStep, isRecorded, recordedLength } from "../../compute/image-program.ts";
import {
  type ActivationLayer,
  type Architecture,
  type ConvLayer,
  type DenseLayer,
  type Layer,
  layerText,
  outputShape,
  type Shape,
  shapesOf,
  showShape,
} from "../../network/architecture/index.ts";
import { dualActivation } from "../dual-activations.ts";
import { checkLimit, checkNesting } from "../limit.ts";
import { trainedLayers } from "../trained.ts";
import type { KernelProblem } from "../types.ts";
import { isOnePixel, windowsOf } from "./geometry.ts";

/** How the kernels of an architecture on images are made. */
export interface ImagePlan {
  /** Whether covariances of all pairs of pixels are needed, not only of equal places. */
  readonly pairs: boolean;
  readonly steps: readonly ImageStep[];
  /** What an image goes through with itself to know its variances; empty when no layer asks for them. */
  readonly record: readonly ImageStep[];
}

const NO_STEP: ImageStep = {
  kind: "input",
  w: 1,
  b: 0,
  a: 0,
  e: 0,
  height: 1,
  width: 1,
  outHeight: 1,
  outWidth: 1,
  filterHeight: 1,
  filterWidth: 1,
  strideHeight: 1,
  strideWidth: 1,
  top: 0,
  left: 0,
  circular: false,
  pairs: false,
  at: 0,
  id: 0,
};

/** The features between two layers. */
interface Place {
  height: number;
  width: number;
  /** Covariances of all pairs of pixels are at hand. */
  pairs: boolean;
  /** Features of several pixels side by side: of different variances. */
  mixed: boolean;
}

/**
 * The plan of a problem on images; vectors are images of one pixel.
 *
 * @throws ConfigError naming a layer that does not fit or has no kernel.
 */
export function planOf(problem: KernelProblem): ImagePlan {
  const { architecture, input } = problem;
  const shaped = shapesOf(architecture, input);
  checkLimit(architecture);
  const output = outputShape(architecture, input);
  if (output.length !== 1) {
    throw new ConfigError(`the output of the network is an image, ${showShape(output)}`, {
      code: "kernel-output",
      hint: "end it with flatten or gap, and a dense layer",
    });
  }
  const lastPool = shaped.findLastIndex(({ layer, input: shape }) => poolsPixels(layer, shape));
  const walk = new Walk(problem, lastPool >= 0);
  walk.through(architecture, input, 0, lastPool);
  const { steps } = walk;
  return { pairs: lastPool >= 0, steps, record: recordOf(steps) };
}

/** Whether a layer, or one inside of it, takes covariances of different places together. */
function poolsPixels(layer: Layer, input: Shape): boolean {
  if (layer.kind === "residual") {
    return [layer.main, layer.shortcut].some((branch) =>
      shapesOf(branch, input).some((inner) => poolsPixels(inner.layer, inner.input)),
    );
  }
  const [height = 1, width = 1] = input.length === 3 ? input : [];
  if (layer.kind === "pool") return !isOnePixel(windowsOf(layer, height, width));
  return layer.kind === "global-pool" && height * width > 1;
}

/** The steps up to the last that needs variances; without pooling before it, equal places are enough. */
function recordOf(steps: readonly ImageStep[]): readonly ImageStep[] {
  const isNeeded = ({ kind }: ImageStep): boolean => isRecorded(kind) || kind === "numbers";
  const record = steps.slice(0, steps.findLastIndex(isNeeded) + 1);
  if (record.some(({ kind, pairs }) => (kind === "pool" || kind === "total") && pairs)) return record;
  return record.filter(({ kind }) => kind !== "diagonal").map((step) => ({ ...step, pairs: false }));
}

/** A flattened image goes through an activation pixel by pixel: such layers come first, then the average. */
function flattenLast(architecture: Architecture): readonly (readonly [layer: Layer, place: number])[] {
  const list: [Layer, number][] = architecture.map((layer, k) => [layer, k]);
  for (let k = list.length - 2; k >= 0; k--) {
    for (let next = k + 1; list[next - 1]![0].kind === "flatten" && next < list.length; next++) {
      const [layer, place] = list[next]!;
      if (layer.kind === "activation") list[next] = list[next - 1]!;
      else if (layer.kind === "layer-norm") list[next] = list[next - 1]!;
      else break;
      list[next - 1] = [layer.kind === "layer-norm" ? { ...layer, over: "all" } : layer, place];
    }
  }
  return list;
}

/** One walk along an architecture, which collects its steps. */
class Walk {
  readonly steps: ImageStep[] = [];
  private readonly trained: readonly boolean[];
  private readonly at: Place;
  private weighted = 0;
  private numbers = 0;

  constructor(problem: KernelProblem, pairs: boolean) {
    const [height, width, channels] = problem.input.length === 3 ? problem.input : [1, 1, problem.input[0]];
    this.trained = trainedLayers(problem);
    this.at = { height, width, pairs, mixed: false };
    this.emit("input", { w: 1 / channels, id: channels });
  }

  /** Walks along an architecture inside of `depth` residual blocks; behind layer `lastPool`, equal places are enough. */
  through(architecture: Architecture, input: Shape, depth: number, lastPool = -1): void {
    const layers = flattenLast(architecture);
    const shaped = shapesOf(
      layers.map(([layer]) => layer),
      input,
    );
    shaped.forEach(({ layer, input: shape }, k) => {
      this.layer(layer, shape, depth, layers[k]![1]);
      if (depth === 0 && layers[k]![1] === lastPool) this.equalPlaces();
    });
  }

  private emit(kind: ImageStep["kind"], fields: Partial<ImageStep> = {}): void {
    const { height, width, pairs } = this.at;
    this.steps.push({ ...NO_STEP, kind, height, width, pairs, ...fields });
  }

  /** Emits a step with numbers of its own for each pixel of an image. */
  private emitRecorded(kind: DualKind, fields: Partial<ImageStep> & { readonly w: number }): void {
    this.emit(kind, { ...fields, at: this.numbers });
    this.numbers += recordedLength(kind, fields.w, this.at.height, this.at.width);
  }

  private equalPlaces(): void {
    if (this.at.pairs) this.emit("diagonal");
    this.at.pairs = false;
  }

  /** Becomes one vector. */
  private onePixel(): void {
    Object.assign(this.at, { height: 1, width: 1, pairs: false });
  }

  private layer(layer: Layer, shape: Shape, depth: number, place: number): void {
    const { height, width } = this.at;
    switch (layer.kind) {
      case "dense":
        this.emit("affine", this.affine(layer, shape, 1));
        this.at.mixed = false;
        break;
      case "conv": {
        const windows = windowsOf(layer, height, width);
        const taps = windows.filterHeight * windows.filterWidth;
        const plain = isOnePixel(windows) && windows.strideHeight === 1 && windows.strideWidth === 1;
        this.emit(plain ? "affine" : "conv", { ...this.affine(layer, shape, taps), ...windows });
        Object.assign(this.at, { height: windows.outHeight, width: windows.outWidth });
        break;
      }
      case "pool": {
        const windows = windowsOf(layer, height, width);
        const taps = windows.filterHeight * windows.filterWidth;
        this.emit(taps === 1 ? "conv" : "pool", { w: layer.how === "average" ? 1 / taps ** 2 : 1, ...windows });
        Object.assign(this.at, { height: windows.outHeight, width: windows.outWidth });
        break;
      }
      case "global-pool":
        this.emit("total", { w: layer.how === "average" ? 1 / (height * width) ** 2 : 1 });
        this.onePixel();
        break;
      case "flatten":
        this.equalPlaces();
        if (height * width > 1) {
          this.emit("mean", { w: 1 / (height * width) });
          this.at.mixed = true;
        }
        this.onePixel();
        break;
      case "activation":
        if (layer.name !== "identity") {
          this.refuseMixed(layer, place);
          this.activation(layer);
        }
        break;
      case "layer-norm":
        this.refuseMixed(layer, place);
        this.emitRecorded("normalize", { w: layer.over === "all" ? 1 : 0 });
        break;
      case "residual":
        this.residual(layer.main, layer.shortcut, shape, depth);
    }
  }

  /** k <- w S + b, theta <- w U + a S + e, with S, U the sums over the taps: as trained in its parametrization. */
  private affine(layer: DenseLayer | ConvLayer, shape: Shape, taps: number): Partial<ImageStep> {
    const [w, b] = [layer.wStd ** 2 / taps, layer.bStd ** 2];
    if (this.trained[this.weighted++] !== true) return { w, b };
    if (layer.parametrization === "ntk") return { w, b, a: w, e: b };
    // The gradient by the weights of a sum of channels x taps products: S averages over the channels alone.
    return { w, b, a: shape[shape.length - 1]!, e: b > 0 ? 1 : 0 };
  }

  private activation(layer: ActivationLayer): void {
    const { kind, parameters, coefficients } = dualActivation(layer).step;
    const [w, b, a] = parameters;
    this.emitRecorded(kind, { w, b, a });
    for (let from = 0; from < coefficients.length; from += 4) {
      const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = coefficients.slice(from, from + 4);
      this.emit("numbers", { w: c0, b: c1, a: c2, e: c3 });
    }
  }

  private residual(main: Architecture, shortcut: Architecture, shape: Shape, depth: number): void {
    checkNesting(depth, IMAGE_SLOTS);
    const start = { ...this.at };
    this.emit("save", { at: depth });
    this.through(main, shape, depth + 1);
    const mixed = this.at.mixed;
    this.emit("exchange", { at: depth });
    Object.assign(this.at, start);
    this.through(shortcut, shape, depth + 1);
    this.at.mixed ||= mixed;
    this.emit("add", { at: depth });
  }

  private refuseMixed(layer: Layer, place: number): void {
    if (!this.at.mixed) return;
    throw new ConfigError(
      `layer ${place + 1} of a branch, ${layerText(layer)}, has no kernel here: flatten put pixels of different variances side by side`,
      { code: "kernel-undefined", hint: "put a dense layer between flatten and the residual block" },
    );
  }
}
