import type { RealArray, RealKernels, WindowShape } from "./types.ts";

/** Calls `each` for every tap of every window of n images with the places of its first channel; image -1: in the padding. */
function forTaps(n: number, shape: WindowShape, each: (image: number, patch: number) => void): void {
  const { height, width, channels, filterHeight, filterWidth } = shape;
  const place = (at: number, size: number): number => {
    if (shape.circular) return ((at % size) + size) % size;
    return at < size ? at : -1;
  };
  let patch = 0;
  for (let sample = 0; sample < n; sample++) {
    for (let i = 0; i < shape.outHeight; i++) {
      for (let j = 0; j < shape.outWidth; j++) {
        for (let tap = 0; tap < filterHeight * filterWidth; tap++) {
          const row = place(i * shape.strideHeight - shape.top + Math.floor(tap / filterWidth), height);
          const column = place(j * shape.strideWidth - shape.left + (tap % filterWidth), width);
          each(row < 0 || column < 0 ? -1 : ((sample * height + row) * width + column) * channels, patch);
          patch += channels;
        }
      }
    }
  }
}

/** Calls `each` for every entry of every window inside the images, with the place of its window and channel. */
function forEntries(n: number, shape: WindowShape, each: (entry: number, at: number) => void): void {
  const { channels, filterHeight, filterWidth } = shape;
  forTaps(n, shape, (image, patch) => {
    const window = Math.floor(patch / (filterHeight * filterWidth * channels));
    for (let c = 0; image >= 0 && c < channels; c++) each(image + c, window * channels + c);
  });
}

/** Kernels on images. */
type ImageKernels = Pick<
  RealKernels<RealArray>,
  | "gatherWindows"
  | "scatterWindows"
  | "copyLines"
  | "largestOfWindows"
  | "sumsOfWindows"
  | "spreadOverWindows"
  | "entriesAt"
  | "addEntriesAt"
>;

/** Windows of images by their definition, tap by tap. */
export const windowsReference: ImageKernels = {
  gatherWindows(n, shape, images, patches) {
    forTaps(n, shape, (image, patch) => {
      for (let c = 0; c < shape.channels; c++) patches[patch + c] = image < 0 ? 0 : images[image + c]!;
    });
  },
  scatterWindows(n, shape, patches, images) {
    forTaps(n, shape, (image, patch) => {
      for (let c = 0; image >= 0 && c < shape.channels; c++)
        images[image + c] = images[image + c]! + patches[patch + c]!;
    });
  },
  copyLines(mode, layout, from, to) {
    for (let image = 0; image < layout.images; image++) {
      for (let line = 0; line < layout.height; line++) {
        const source = image * layout.fromImage + line * layout.fromLine;
        const target = image * layout.toImage + line * layout.toLine;
        const next = line + 1 < layout.height ? target + layout.toLine : (image + 1) * layout.toImage;
        for (let k = 0; k < layout.length; k++) {
          const value = from[source + k]!;
          to[target + k] = mode === "add" ? to[target + k]! + value : value;
        }
        if (mode === "frame") to.fill(0, target + layout.length, next);
      }
    }
  },
  largestOfWindows(n, shape, images, out, places) {
    const size = shape.height * shape.width * shape.channels;
    out.fill(Number.NEGATIVE_INFINITY, 0, n * shape.outHeight * shape.outWidth * shape.channels);
    places.fill(0, 0, n * shape.outHeight * shape.outWidth * shape.channels);
    forEntries(n, shape, (entry, at) => {
      const value = images[entry]!;
      if (value > out[at]! || Number.isNaN(value)) [out[at], places[at]] = [value, entry % size];
    });
  },
  sumsOfWindows(n, shape, factor, images, out) {
    const size = n * shape.outHeight * shape.outWidth * shape.channels;
    const sums = new Float64Array(size);
    forEntries(n, shape, (entry, at) => {
      sums[at]! += images[entry]!;
    });
    sums.forEach((sum, at) => {
      out[at] = factor * sum;
    });
  },
  spreadOverWindows(n, shape, factor, values, images) {
    forEntries(n, shape, (entry, at) => {
      images[entry]! += factor * values[at]!;
    });
  },
  entriesAt(n, size, imageSize, places, images, values) {
    for (let at = 0; at < n * size; at++) {
      const inside = places[at]! >= 0 && places[at]! < imageSize;
      values[at] = inside ? images[Math.floor(at / size) * imageSize + places[at]!]! : Number.NaN;
    }
  },
  addEntriesAt(n, size, imageSize, places, values, images) {
    for (let at = 0; at < n * size; at++) {
      const inside = places[at]! >= 0 && places[at]! < imageSize;
      if (inside) images[Math.floor(at / size) * imageSize + places[at]!]! += values[at]!;
    }
  },
};
