import { bytes } from "./simd";
import { addRun, word, wrap } from "./windows";

/**
 * Pooling over windows of images, channels last; the shape is that of windows.ts. An output line is the windows of one row
 * of an image.
 */

/** Address of tap (s, t) of the window at (i, j) in an image, or 0 in the zero padding. */
// @ts-ignore: decorator
@inline
function tapAt<T extends number>(shape: usize, image: usize, i: i32, j: i32, s: i32, t: i32): usize {
  const height = word(shape, 0);
  const width = word(shape, 1);
  let row = i * word(shape, 5) - word(shape, 7) + s;
  let column = j * word(shape, 6) - word(shape, 8) + t;
  if (word(shape, 11) != 0) {
    row = wrap(row, height);
    column = wrap(column, width);
  } else if (row < 0 || row >= height || column < 0 || column >= width) return 0;
  return image + bytes<T>(row * width + column) * <usize>word(shape, 2);
}

/** `out`, `places` <- x and its numbers `first`, `first` + 1, ... where x is larger or NaN. */
// @ts-ignore: decorator
@inline
function keepLarger<T extends number>(channels: i32, x: usize, first: i32, out: usize, places: usize): void {
  const whole = bytes<T>(channels) & ~15;
  const end = bytes<T>(channels);
  let i: usize = 0;
  let numbers = v128.splat<T>(<T>first);
  if (sizeof<T>() == 4) numbers = v128.add<T>(numbers, f32x4(0, 1, 2, 3));
  else numbers = v128.add<T>(numbers, f64x2(0, 1));
  const step = v128.splat<T>(<T>(sizeof<T>() == 4 ? 4 : 2));
  for (; i < whole; i += 16) {
    const value = v128.load(x + i);
    const before = v128.load(out + i);
    const wins = v128.or(v128.gt<T>(value, before), v128.ne<T>(value, value));
    v128.store(out + i, v128.bitselect(value, before, wins));
    v128.store(places + i, v128.bitselect(numbers, v128.load(places + i), wins));
    numbers = v128.add<T>(numbers, step);
  }
  for (; i < end; i += sizeof<T>()) {
    const value = load<T>(x + i);
    if (value > load<T>(out + i) || value != value) {
      store<T>(out + i, value);
      store<T>(places + i, <T>(first + <i32>(i >> alignof<T>())));
    }
  }
}

/** Output lines from .. to: the largest entry of each window and channel, and its number in its image. */
export function largestOfWindows<T extends number>(
  from: i32, to: i32, shape: usize, images: usize, out: usize, places: usize,
): void {
  const channels = word(shape, 2);
  const outHeight = word(shape, 9);
  const outWidth = word(shape, 10);
  const imageBytes = bytes<T>(word(shape, 0) * word(shape, 1)) * <usize>channels;
  const lowest = v128.splat<T>(<T>-Infinity);
  for (let line = from; line < to; line++) {
    const image = images + imageBytes * <usize>(line / outHeight);
    const i = line % outHeight;
    for (let j = 0; j < outWidth; j++) {
      const offset = bytes<T>(line * outWidth + j) * <usize>channels;
      const o = out + offset;
      const p = places + offset;
      let c: usize = 0;
      for (; c < (bytes<T>(channels) & ~15); c += 16) v128.store(o + c, lowest);
      for (; c < bytes<T>(channels); c += sizeof<T>()) store<T>(o + c, <T>-Infinity);
      memory.fill(p, 0, bytes<T>(channels));
      for (let s = 0; s < word(shape, 3); s++) {
        for (let t = 0; t < word(shape, 4); t++) {
          const x = tapAt<T>(shape, image, i, j, s, t);
          if (x != 0) keepLarger<T>(channels, x, <i32>((x - image) >> alignof<T>()), o, p);
        }
      }
    }
  }
}

/** Output lines from .. to: out <- out + factor times the sum of each window and channel. */
export function sumsOfWindows<T extends number>(from: i32, to: i32, shape: usize, images: usize, out: usize, factor: T): void {
  const channels = word(shape, 2);
  const outHeight = word(shape, 9);
  const outWidth = word(shape, 10);
  const imageBytes = bytes<T>(word(shape, 0) * word(shape, 1)) * <usize>channels;
  for (let line = from; line < to; line++) {
    const image = images + imageBytes * <usize>(line / outHeight);
    for (let j = 0; j < outWidth; j++) {
      const o = out + bytes<T>(line * outWidth + j) * <usize>channels;
      memory.fill(o, 0, bytes<T>(channels));
      for (let s = 0; s < word(shape, 3); s++) {
        for (let t = 0; t < word(shape, 4); t++) {
          const x = tapAt<T>(shape, image, line % outHeight, j, s, t);
          if (x != 0) addRun<T>(channels, x, o);
        }
      }
      scaleRun<T>(channels, factor, o);
    }
  }
}

/** The transpose of sumsOfWindows: the windows of output lines from .. to of `images` += factor times `values`. */
export function spreadOverWindows<T extends number>(
  from: i32, to: i32, shape: usize, values: usize, images: usize, factor: T,
): void {
  const channels = word(shape, 2);
  const outHeight = word(shape, 9);
  const outWidth = word(shape, 10);
  const imageBytes = bytes<T>(word(shape, 0) * word(shape, 1)) * <usize>channels;
  for (let line = from; line < to; line++) {
    const image = images + imageBytes * <usize>(line / outHeight);
    for (let j = 0; j < outWidth; j++) {
      const value = values + bytes<T>(line * outWidth + j) * <usize>channels;
      for (let s = 0; s < word(shape, 3); s++) {
        for (let t = 0; t < word(shape, 4); t++) {
          const x = tapAt<T>(shape, image, line % outHeight, j, s, t);
          if (x != 0) addScaledRun<T>(channels, factor, value, x);
        }
      }
    }
  }
}

/** x <- factor x. */
// @ts-ignore: decorator
@inline
function scaleRun<T extends number>(n: i32, factor: T, x: usize): void {
  const factors = v128.splat<T>(factor);
  let i: usize = 0;
  for (; i < (bytes<T>(n) & ~15); i += 16) v128.store(x + i, v128.mul<T>(factors, v128.load(x + i)));
  for (; i < bytes<T>(n); i += sizeof<T>()) store<T>(x + i, factor * load<T>(x + i));
}

/** y <- y + factor x, every entry rounded the same way. */
// @ts-ignore: decorator
@inline
function addScaledRun<T extends number>(n: i32, factor: T, x: usize, y: usize): void {
  const factors = v128.splat<T>(factor);
  let i: usize = 0;
  for (; i < (bytes<T>(n) & ~15); i += 16) {
    v128.store(y + i, v128.add<T>(v128.load(y + i), v128.mul<T>(factors, v128.load(x + i))));
  }
  for (; i < bytes<T>(n); i += sizeof<T>()) store<T>(y + i, load<T>(y + i) + factor * load<T>(x + i));
}

/** For samples from .. to: values <- the entries of images at `places` (`size` a sample), or with `puts` added back there. */
export function entriesAtPlaces<T extends number>(
  puts: bool, from: i32, to: i32, size: i32, imageSize: i32, values: usize, places: usize, images: usize,
): void {
  for (let sample = from; sample < to; sample++) {
    const image = images + bytes<T>(imageSize) * <usize>sample;
    const offset = bytes<T>(size) * <usize>sample;
    for (let k: usize = 0; k < bytes<T>(size); k += sizeof<T>()) {
      const place = <i32>load<T>(places + offset + k);
      const x = image + bytes<T>(place);
      const value = values + offset + k;
      // Whatever is in `places`, nothing outside of the images is touched.
      if (<u32>place >= <u32>imageSize) {
        if (!puts) store<T>(value, <T>NaN);
      } else if (puts) store<T>(x, load<T>(x) + load<T>(value));
      else store<T>(value, load<T>(x));
    }
  }
}
