import type { ConvLayer, Padding, PoolLayer } from "../../network/architecture/index.ts";

/** Where windows of one axis lie: window o begins at o stride - margin. */
interface Axis {
  readonly out: number;
  readonly margin: number;
}

/** The windows of a layer on an image, by the names of the steps of image programs. */
export interface Windows {
  readonly outHeight: number;
  readonly outWidth: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly top: number;
  readonly left: number;
  readonly circular: boolean;
}

function axis(size: number, window: number, stride: number, padding: Padding): Axis {
  if (padding === "valid") return { out: Math.floor((size - window) / stride) + 1, margin: 0 };
  const out = Math.ceil(size / stride);
  const missing = Math.max((out - 1) * stride + window - size, 0);
  return { out, margin: Math.floor(missing / 2) };
}

/** The windows of a convolution or pooling; margins as in XLA: what is odd goes to the end. */
export function windowsOf(layer: ConvLayer | PoolLayer, height: number, width: number): Windows {
  const { strides, padding } = layer;
  const [filterHeight, filterWidth] = layer.kind === "conv" ? layer.filter : layer.window;
  const rows = axis(height, filterHeight, strides[0], padding);
  const cols = axis(width, filterWidth, strides[1], padding);
  return {
    outHeight: rows.out,
    outWidth: cols.out,
    filterHeight,
    filterWidth,
    strideHeight: strides[0],
    strideWidth: strides[1],
    top: rows.margin,
    left: cols.margin,
    circular: padding === "circular",
  };
}

/** Whether a layer only picks and scales pixels. */
export function isOnePixel({ filterHeight, filterWidth }: Windows): boolean {
  return filterHeight === 1 && filterWidth === 1;
}
