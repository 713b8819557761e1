import { bytes } from "./simd";

/**
 * Windows of images, channels last: the same loops read them out (gather) and add them back (scatter). A window's row of
 * taps lies in one piece in the image, but for the zero padding and where a circular image ends.
 *
 * The shape, twelve 32-bit words: height width channels filterHeight filterWidth strideHeight strideWidth top left outHeight
 * outWidth circular.
 */
// @ts-ignore: decorator
@inline
export function word(shape: usize, index: i32): i32 {
  return load<i32>(shape + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
export function wrap(at: i32, size: i32): i32 {
  const rest = at % size;
  return rest < 0 ? rest + size : rest;
}

/** to_k <- from_k for n numbers; short runs, mostly. */
// @ts-ignore: decorator
@inline
export function copyRun<T extends number>(n: i32, from: usize, to: usize): void {
  const whole = bytes<T>(n) & ~15;
  const end = bytes<T>(n);
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i < end; i += sizeof<T>()) store<T>(to + i, load<T>(from + i));
}

/** to_k <- to_k + from_k. */
// @ts-ignore: decorator
@inline
export function addRun<T extends number>(n: i32, from: usize, to: usize): void {
  const whole = bytes<T>(n) & ~15;
  const end = bytes<T>(n);
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(to + i, v128.add<T>(v128.load(to + i), v128.load(from + i)));
  for (; i < end; i += sizeof<T>()) store<T>(to + i, load<T>(to + i) + load<T>(from + i));
}

/**
 * Rows from .. to of windows, counted over all images (image by image, outHeight each): with `gathers` patches <- windows of
 * images, else images += patches.
 */
// @ts-ignore: decorator
@inline
function windows<T extends number>(gathers: bool, from: i32, to: i32, shape: usize, images: usize, patches: usize): void {
  const height = word(shape, 0);
  const width = word(shape, 1);
  const channels = word(shape, 2);
  const filterHeight = word(shape, 3);
  const filterWidth = word(shape, 4);
  const strideWidth = word(shape, 6);
  const outHeight = word(shape, 9);
  const outWidth = word(shape, 10);
  const isCircular = word(shape, 11) != 0;
  const run = filterWidth * channels;
  let patch = patches + bytes<T>(from) * <usize>(outWidth * filterHeight * run);
  for (let line = from; line < to; line++) {
    const image = images + bytes<T>(line / outHeight) * <usize>(height * width * channels);
    const first = (line % outHeight) * word(shape, 5) - word(shape, 7);
    for (let j = 0; j < outWidth; j++) {
      const left = j * strideWidth - word(shape, 8);
      // Taps start .. end are inside the image.
      const start = min(filterWidth, max(0, -left));
      const end = max(start, min(filterWidth, width - left));
      for (let s = 0; s < filterHeight; s++) {
        let row = first + s;
        if (isCircular) row = wrap(row, height);
        if (row < 0 || row >= height) {
          if (gathers) memory.fill(patch, 0, bytes<T>(run));
        } else if (isCircular && (start > 0 || end < filterWidth)) {
          for (let t = 0; t < filterWidth; t++) {
            const pixel = image + bytes<T>(row * width + wrap(left + t, width)) * <usize>channels;
            if (gathers) copyRun<T>(channels, pixel, patch + bytes<T>(t * channels));
            else addRun<T>(channels, patch + bytes<T>(t * channels), pixel);
          }
        } else {
          const pixel = image + bytes<T>(row * width + left + start) * <usize>channels;
          const inside = patch + bytes<T>(start * channels);
          const count = (end - start) * channels;
          if (gathers) {
            if (start > 0) memory.fill(patch, 0, bytes<T>(start * channels));
            copyRun<T>(count, pixel, inside);
            if (end < filterWidth) memory.fill(inside + bytes<T>(count), 0, bytes<T>((filterWidth - end) * channels));
          } else addRun<T>(count, inside, pixel);
        }
        patch += bytes<T>(run);
      }
    }
  }
}

export function gatherWindows<T extends number>(from: i32, to: i32, shape: usize, images: usize, patches: usize): void {
  windows<T>(true, from, to, shape, images, patches);
}

export function scatterWindows<T extends number>(from: i32, to: i32, shape: usize, images: usize, patches: usize): void {
  windows<T>(false, from, to, shape, images, patches);
}
