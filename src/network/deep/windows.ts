import type { WindowShape } from "../../compute/index.ts";
import type { ConvLayer, PoolLayer, Shape } from "../architecture/index.ts";

/**
 * The windows of a layer. Padding `same` puts floor(total / 2) zeros before and the rest behind; `circular` wraps around by
 * the same amount.
 */
export function layerWindows(layer: ConvLayer | PoolLayer, input: Shape, output: Shape): WindowShape {
  const [height, width, channels] = input as readonly [number, number, number];
  const [outHeight, outWidth] = output as readonly [number, number, number];
  const [filterHeight, filterWidth] = layer.kind === "conv" ? layer.filter : layer.window;
  const [strideHeight, strideWidth] = layer.strides;
  const before = (size: number, out: number, window: number, stride: number): number =>
    layer.padding === "valid" ? 0 : Math.floor(Math.max(0, (out - 1) * stride + window - size) / 2);
  return {
    height,
    width,
    channels,
    filterHeight,
    filterWidth,
    strideHeight,
    strideWidth,
    top: before(height, outHeight, filterHeight, strideHeight),
    left: before(width, outWidth, filterWidth, strideWidth),
    outHeight,
    outWidth,
    circular: layer.padding === "circular",
  };
}

/** For each window and tap, at window taps + tap: the pixel of the image, or -1 in the zero padding. */
export function windowSources(shape: WindowShape): Int32Array {
  const { height, width, filterHeight, filterWidth, outHeight, outWidth, circular } = shape;
  const place = (at: number, size: number): number => {
    if (circular) return ((at % size) + size) % size;
    return at < size ? at : -1;
  };
  const taps = filterHeight * filterWidth;
  return Int32Array.from({ length: outHeight * outWidth * taps }, (_, k) => {
    const [window, tap] = [Math.floor(k / taps), k % taps];
    const [i, j] = [Math.floor(window / outWidth), window % outWidth];
    const row = place(i * shape.strideHeight - shape.top + Math.floor(tap / filterWidth), height);
    const column = place(j * shape.strideWidth - shape.left + (tap % filterWidth), width);
    return row < 0 || column < 0 ? -1 : row * width + column;
  });
}
