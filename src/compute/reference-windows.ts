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

/** Windows of images by their definition, tap by tap. */
export const windowsReference: Pick<RealKernels<RealArray>, "gatherWindows" | "scatterWindows"> = {
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
};
