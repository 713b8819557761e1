import type { LineLayout, WindowShape } from "../../compute/index.ts";
import type { RealArray, RealKernels } from "../../compute/types.ts";
import { type ProductCall, type RowProducts, samplesFrom } from "./products.ts";

/** Least numbers in a row of taps, for the products to run at full speed. */
const LEAST_RUN = 24;
/** Most places of the frame for one window: the rest of the work is thrown away. */
const MOST_PLACES = 1.4;
/** Frames of as many samples are made at a time as have so many numbers: they stay in the cache. */
const CHUNK = 1 << 18;

/**
 * Convolution without patches, for windows that begin at every pixel. Images are laid into a frame, zeros between its
 * rows and between images, in which window u begins at place u and tap (s, t) lies `pitch` s + t places further: a row of
 * taps is one run of memory. Every `filterWidth`-th window then is a row of a matrix whose rows do not overlap, so each row
 * of taps takes `filterWidth` ordinary matrix products, which add up in a frame of outputs. Adjoints run the same way. Copies
 * are those of the image and of the output, where patches are filterHeight x filterWidth images large.
 */
export function shiftedProducts(windows: WindowShape, width: number): RowProducts | null {
  const { height, channels, filterHeight, filterWidth, outHeight, outWidth, top, left } = windows;
  const [bottom, right] = [
    outHeight - 1 + filterHeight - top - height,
    outWidth - 1 + filterWidth - left - windows.width,
  ];
  const isEvery = windows.strideHeight === 1 && windows.strideWidth === 1 && !windows.circular;
  // Zeros on one side of a row serve the next row on the other side.
  const [gapHeight, gapWidth] = [Math.max(0, top, bottom), Math.max(0, left, right)];
  const pitch = windows.width + gapWidth;
  const imagePitch = (height + gapHeight) * pitch;
  const windowsCount = outHeight * outWidth;
  const isInside = outHeight <= height + gapHeight && outWidth <= pitch;
  if (!isEvery || !isInside || bottom < 0 || right < 0 || windowsCount === 0) return null;
  if (imagePitch > MOST_PLACES * windowsCount || filterWidth * Math.min(channels, width) < LEAST_RUN) return null;

  const [image, output] = [height * windows.width * channels, windowsCount * width];
  const fanIn = filterHeight * filterWidth * channels;
  /** Places of the first pixel and of the first window in the frame of images. */
  const firstPixel = gapHeight * pitch + gapWidth;
  const firstWindow = (gapHeight - top) * pitch + gapWidth - left;
  /** How far taps reach: zeros before the frame of outputs, and behind that of images. */
  const reach = (filterHeight - 1) * pitch + filterWidth - 1;
  const chunkOf = (n: number): number => Math.min(n, Math.ceil(CHUNK / (imagePitch * Math.max(channels, width))));
  const placesOf = (n: number): number => firstPixel + n * imagePitch + reach;
  const places = (n: number, rows: number, columns: number): number =>
    n === 0 ? 0 : (n - 1) * imagePitch + (rows - 1) * pitch + columns;
  const lines = (n: number, rows: number, columns: number, depth: number): LineLayout => ({
    ...{ images: n, height: rows, length: columns * depth },
    ...{
      fromLine: columns * depth,
      fromImage: rows * columns * depth,
      toLine: pitch * depth,
      toImage: imagePitch * depth,
    },
  });
  const back = (layout: LineLayout): LineLayout => ({
    ...layout,
    ...{ fromLine: layout.toLine, fromImage: layout.toImage, toLine: layout.fromLine, toImage: layout.fromImage },
  });
  const from = <A extends RealArray>(array: A, place: number): A => array.subarray(place) as A;

  /** The scratch, cut: a frame of images, one of outputs, and the weights of a row of taps, turned around. */
  function roomsOf<A extends RealArray>({ scratch, n }: ProductCall<A>): { images: A; outputs: A; turned: A } {
    const size = placesOf(chunkOf(n));
    return {
      images: from(scratch, 0),
      outputs: from(scratch, size * channels),
      turned: from(scratch, size * (channels + width)),
    };
  }

  /** Images into their frame. */
  function frameImages<A extends RealArray>(kernels: RealKernels<A>, n: number, x: A, frame: A): void {
    frame.fill(0, 0, firstPixel * channels);
    kernels.copyLines("frame", lines(n, height, windows.width, channels), x, from(frame, firstPixel * channels));
    frame.fill(0, (firstPixel + n * imagePitch) * channels, placesOf(n) * channels);
  }

  /** Outputs into their frame, `reach` zeros before it. */
  function frameOutputs<A extends RealArray>(kernels: RealKernels<A>, n: number, dy: A, frame: A): void {
    frame.fill(0, 0, reach * width);
    kernels.copyLines("frame", lines(n, outHeight, outWidth, width), dy, from(frame, reach * width));
    frame.fill(0, (reach + n * imagePitch) * width, placesOf(n) * width);
  }

  /** turned[s] (filterWidth width x channels) <- the weights of row s of taps, last column first. */
  function turn<A extends RealArray>(w: A, turned: A): void {
    let at = 0;
    for (let s = 0; s < filterHeight; s++) {
      for (let t = filterWidth - 1; t >= 0; t--) {
        for (let o = 0; o < width; o++) {
          let tap = o * fanIn + (s * filterWidth + t) * channels;
          for (const end = tap + channels; tap < end; tap++, at++) turned[at] = w[tap];
        }
      }
    }
  }

  /** Rows of `count` consecutive places that a product takes which begins at `phase`. */
  const rowsOf = (count: number, phase: number): number => Math.ceil((count - phase) / filterWidth);
  const run = filterWidth * channels;
  const outputRun = filterWidth * width;

  function forChunks(n: number, each: (first: number, count: number) => void): void {
    const chunk = chunkOf(n);
    for (let first = 0; first < n; first += chunk) each(first, Math.min(chunk, n - first));
  }

  return {
    scratch: (n) => placesOf(chunkOf(n)) * (channels + width) + fanIn * width,

    forward(call, x, terms) {
      const { kernels, scale } = call;
      const { images, outputs } = roomsOf(call);
      forChunks(call.n, (first, n) => {
        frameImages(kernels, n, samplesFrom(x, first, image), images);
        const count = places(n, outHeight, outWidth);
        for (const { w, y, adds } of terms) {
          for (let s = 0; s < filterHeight; s++) {
            for (let phase = 0; phase < Math.min(filterWidth, count); phase++) {
              const a = from(images, (firstWindow + s * pitch + phase) * channels);
              const [b, c] = [from(w, s * run), from(outputs, phase * width)];
              const rows = rowsOf(count, phase);
              kernels.gemm(false, true, rows, width, run, scale, a, run, b, fanIn, s > 0 ? 1 : 0, c, outputRun);
            }
          }
          const layout = back(lines(n, outHeight, outWidth, width));
          kernels.copyLines(adds ? "add" : "set", layout, outputs, samplesFrom(y, first, output));
        }
      });
    },

    inputGradient(call, terms, dx, adds) {
      const { kernels, scale } = call;
      const { images, outputs, turned } = roomsOf(call);
      forChunks(call.n, (first, n) => {
        const count = places(n, height, windows.width);
        terms.forEach(({ dy, w }, k) => {
          if (first === 0 || terms.length > 1) turn(w, turned);
          frameOutputs(kernels, n, samplesFrom(dy, first, output), outputs);
          for (let s = 0; s < filterHeight; s++) {
            for (let phase = 0; phase < Math.min(filterWidth, count); phase++) {
              // Pixel q is tap (s, t) of the window at q + top pitch + left - s pitch - t.
              const place = reach + phase + (top - s) * pitch + left - (filterWidth - 1);
              const [a, b] = [from(outputs, place * width), from(turned, s * outputRun * channels)];
              const [c, beta] = [from(images, phase * channels), s > 0 || k > 0 ? 1 : 0];
              const rows = rowsOf(count, phase);
              kernels.gemm(false, false, rows, channels, outputRun, scale, a, outputRun, b, channels, beta, c, run);
            }
          }
        });
        const layout = back(lines(n, height, windows.width, channels));
        kernels.copyLines(adds ? "add" : "set", layout, images, samplesFrom(dx, first, image));
      });
    },

    weightGradient(call, x, terms) {
      const { kernels, scale } = call;
      const { images, outputs } = roomsOf(call);
      forChunks(call.n, (first, n) => {
        frameImages(kernels, n, samplesFrom(x, first, image), images);
        const count = places(n, outHeight, outWidth);
        for (const { dy, dw } of terms) {
          frameOutputs(kernels, n, samplesFrom(dy, first, output), outputs);
          for (let s = 0; s < filterHeight; s++) {
            for (let phase = 0; phase < Math.min(filterWidth, count); phase++) {
              const a = from(outputs, (reach + phase) * width);
              const b = from(images, (firstWindow + s * pitch + phase) * channels);
              const rows = rowsOf(count, phase);
              kernels.gemm(true, false, width, run, rows, scale, a, outputRun, b, run, 1, from(dw, s * run), fanIn);
            }
          }
        }
      });
    },
  };
}
