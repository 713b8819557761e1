import type { RealArray } from "../../compute/types.ts";
import type { ConvLayer, PoolLayer, Shape } from "../architecture/index.ts";

/** Where the windows of a convolution or a pooling layer lie in an image. */
export interface PatchGeometry {
  readonly channels: number;
  readonly inputPixels: number;
  readonly outputPixels: number;
  /** Pixels of a window. */
  readonly taps: number;
  /** For output pixel p and tap t, at p taps + t: the input pixel, or -1 in the zero padding. */
  readonly sources: Int32Array;
}

/**
 * The windows of a layer. Padding `same` puts floor(total / 2) zeros before and the rest behind; `circular` wraps around by
 * the same amount.
 */
export function patchGeometry(layer: ConvLayer | PoolLayer, input: Shape, output: Shape): PatchGeometry {
  const [height, width, channels] = input as readonly [number, number, number];
  const [outHeight, outWidth] = output as readonly [number, number, number];
  const [a, b] = layer.kind === "conv" ? layer.filter : layer.window;
  const [down, right] = layer.strides;
  const before = (size: number, out: number, window: number, stride: number): number =>
    layer.padding === "valid" ? 0 : Math.floor(Math.max(0, (out - 1) * stride + window - size) / 2);
  const top = before(height, outHeight, a, down);
  const left = before(width, outWidth, b, right);
  const isCircular = layer.padding === "circular";
  const place = (at: number, size: number): number => {
    if (at >= 0 && at < size) return at;
    return isCircular ? ((at % size) + size) % size : -1;
  };
  const taps = a * b;
  const sources = new Int32Array(outHeight * outWidth * taps);
  let next = 0;
  for (let i = 0; i < outHeight; i++) {
    for (let j = 0; j < outWidth; j++) {
      for (let s = 0; s < a; s++) {
        const row = place(i * down + s - top, height);
        for (let t = 0; t < b; t++) {
          const column = place(j * right + t - left, width);
          sources[next++] = row < 0 || column < 0 ? -1 : row * width + column;
        }
      }
    }
  }
  return { channels, inputPixels: height * width, outputPixels: outHeight * outWidth, taps, sources };
}

/** out (n outputPixels x taps channels) <- the windows of n images, tap by tap with all its channels; zeros outside. */
export function gatherPatches<A extends RealArray>(geometry: PatchGeometry, n: number, x: A, out: A): void {
  const { channels, inputPixels, sources } = geometry;
  let to = 0;
  for (let sample = 0; sample < n; sample++) {
    const image = sample * inputPixels * channels;
    for (let k = 0; k < sources.length; k++) {
      const source = sources[k]!;
      if (source < 0) {
        for (let c = 0; c < channels; c++) out[to + c] = 0;
      } else {
        const from = image + source * channels;
        for (let c = 0; c < channels; c++) out[to + c] = x[from + c];
      }
      to += channels;
    }
  }
}

/** x <- (or x += when `adds`) the sum over all windows that a pixel lies in: the transpose of {@link gatherPatches}. */
export function scatterPatches<A extends RealArray>(
  geometry: PatchGeometry,
  n: number,
  patches: A,
  x: A,
  adds: boolean,
): void {
  const { channels, inputPixels, sources } = geometry;
  if (!adds) x.fill(0, 0, n * inputPixels * channels);
  let from = 0;
  for (let sample = 0; sample < n; sample++) {
    const image = sample * inputPixels * channels;
    for (let k = 0; k < sources.length; k++) {
      const source = sources[k]!;
      if (source >= 0) {
        const to = image + source * channels;
        for (let c = 0; c < channels; c++) x[to + c] += patches[from + c];
      }
      from += channels;
    }
  }
}
