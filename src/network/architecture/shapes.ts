import { ConfigError } from "../../base/errors.ts";
import type { Architecture, ConvLayer, Layer, PoolLayer, Shape } from "./layers.ts";
import { layerText } from "./text.ts";

/** A layer with the shapes that it takes and gives, and its trainable parameters. */
export interface ShapedLayer {
  readonly layer: Layer;
  readonly input: Shape;
  readonly output: Shape;
  /** Weights and biases, those of inner layers included. */
  readonly parameters: number;
}

/** Number of entries. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product: number, size) => product * size, 1);
}

/**
 * The shapes along an architecture.
 *
 * @throws ConfigError naming the first layer whose input does not fit.
 */
export function shapesOf(architecture: Architecture, input: Shape): readonly ShapedLayer[] {
  if (input.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new RangeError(`an input of shape ${showShape(input)} has no entries`);
  }
  let shape = input;
  return architecture.map((layer, k) => {
    const shaped = shapeOf(layer, shape, k);
    shape = shaped.output;
    return shaped;
  });
}

/** The shape behind the last layer. */
export function outputShape(architecture: Architecture, input: Shape): Shape {
  return shapesOf(architecture, input).at(-1)?.output ?? input;
}

/** `12` or `32 x 32 x 3`. */
export function showShape(shape: Shape): string {
  return shape.join(" x ");
}

function shapeOf(layer: Layer, input: Shape, position: number): ShapedLayer {
  const refuse = (why: string, hint: string): ConfigError =>
    new ConfigError(`layer ${position + 1}, ${layerText(layer)}, ${why}`, { code: "layer-shape", hint });
  const channels = input[input.length - 1] ?? 0;
  const given = (output: Shape, parameters = 0): ShapedLayer => ({ layer, input, output, parameters });
  switch (layer.kind) {
    case "dense":
      return given(
        [...input.slice(0, -1), layer.width] as unknown as Shape,
        weights(layer.width, channels, layer.bStd),
      );
    case "conv": {
      if (input.length !== 3) throw refuse(`needs an image, not ${showShape(input)}`, "use dense for vectors");
      const taps = layer.filter[0] * layer.filter[1];
      return given([...slide(layer, input, refuse), layer.width], weights(layer.width, channels * taps, layer.bStd));
    }
    case "pool":
      if (input.length !== 3) throw refuse(`needs an image, not ${showShape(input)}`, "leave it out for vectors");
      return given([...slide(layer, input, refuse), channels]);
    case "global-pool":
      if (input.length !== 3) throw refuse(`needs an image, not ${showShape(input)}`, "leave it out for vectors");
      return given([channels]);
    case "flatten":
      return given([sizeOf(input)]);
    case "residual": {
      const main = shapesOf(layer.main, input);
      const shortcut = shapesOf(layer.shortcut, input);
      const [a, b] = [main.at(-1)?.output ?? input, shortcut.at(-1)?.output ?? input];
      if (showShape(a) !== showShape(b)) {
        throw refuse(
          `adds ${showShape(a)} to ${showShape(b)}`,
          "make the widths equal, or put layers on the shortcut: [main | conv(WIDTH, 1)]",
        );
      }
      return given(a, total(main) + total(shortcut));
    }
    case "batch-norm":
      return given(input, 2 * channels);
    case "layer-norm":
    case "activation":
      return given(input);
  }
}

function weights(width: number, fanIn: number, bStd: number): number {
  return width * fanIn + (bStd > 0 ? width : 0);
}

function total(layers: readonly ShapedLayer[]): number {
  return layers.reduce((sum, { parameters }) => sum + parameters, 0);
}

/** Rows and columns behind a sliding window. */
function slide(
  layer: ConvLayer | PoolLayer,
  [height, width]: readonly [number, number, number] | readonly [number],
  refuse: (why: string, hint: string) => Error,
): [number, number] {
  const window = layer.kind === "conv" ? layer.filter : layer.window;
  const along = (size: number, axis: 0 | 1): number => {
    if (layer.padding !== "valid") return Math.ceil(size / layer.strides[axis]);
    const steps = size - window[axis];
    if (steps < 0)
      throw refuse(`is larger than its input of ${height} x ${width}`, "use a smaller window or padding same");
    return Math.floor(steps / layer.strides[axis]) + 1;
  };
  return [along(height, 0), along(width ?? 1, 1)];
}

/** Trainable parameters of an architecture on inputs of a shape. */
export function parameterCount(architecture: Architecture, input: Shape): number {
  return total(shapesOf(architecture, input));
}
