import { ConfigError } from "../base/errors.ts";
import { type Architecture, architectureText, layerText, type Shape, shapesOf } from "../network/architecture/index.ts";
import { checkLimit } from "../tangent/index.ts";
import { readArchitecture } from "./kernel.ts";

/** A line of the drawing of an architecture. */
export interface DrawnLayer {
  /** Layers of residual blocks stand deeper than the block. */
  readonly depth: number;
  readonly text: string;
  readonly output: Shape;
  readonly parameters: number;
}

/** An architecture layer by layer. */
export interface DrawnArchitecture {
  readonly text: string;
  readonly input: Shape;
  readonly layers: readonly DrawnLayer[];
  readonly parameters: number;
  /** Why it has no infinite-width kernel; null when it has one. */
  readonly kernel: string | null;
}

const IMAGE: Shape = [32, 32, 3];
const VECTOR: Shape = [784];

/**
 * Shapes and parameters along an architecture, given as text or as a JSON file.
 *
 * @param input the shape of a sample; null: an image where a layer needs one, a vector otherwise.
 * @throws ConfigError for a mistake in it, or a layer that does not fit.
 */
export function drawArchitecture(spec: string, input: readonly number[] | null): DrawnArchitecture {
  const architecture = readArchitecture(spec, null);
  const shape = input === null ? (seesPixels(architecture) ? IMAGE : VECTOR) : (input as unknown as Shape);
  const layers = draw(architecture, shape, 0);
  const parameters = layers.reduce((sum, { depth, parameters: own }) => sum + (depth === 0 ? own : 0), 0);
  return { text: architectureText(architecture), input: shape, layers, parameters, kernel: whyNoKernel(architecture) };
}

/** Whether a layer acts on the pixels of an image. */
export function seesPixels(architecture: Architecture): boolean {
  return architecture.some((layer) => {
    if (layer.kind === "residual") return seesPixels(layer.main) || seesPixels(layer.shortcut);
    return layer.kind === "conv" || layer.kind === "pool" || layer.kind === "global-pool";
  });
}

function draw(architecture: Architecture, input: Shape, depth: number): DrawnLayer[] {
  return shapesOf(architecture, input).flatMap(({ layer, input: from, output, parameters }): DrawnLayer[] => {
    if (layer.kind !== "residual") return [{ depth, text: layerText(layer), output, parameters }];
    const inner = (title: string, branch: Architecture): DrawnLayer[] => [
      { depth: depth + 1, text: title, output, parameters: 0 },
      ...draw(branch, from, depth + 2),
    ];
    const shortcut = layer.shortcut.length === 0 ? [] : inner("shortcut", layer.shortcut);
    return [{ depth, text: "residual", output, parameters }, ...inner("main", layer.main), ...shortcut];
  });
}

function whyNoKernel(architecture: Architecture): string | null {
  try {
    checkLimit(architecture);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}
