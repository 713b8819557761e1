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
