import { bytes } from "./simd";
import { addRun, copyRun } from "./windows";

/**
 * Lines from .. to, counted over all images (`height` of `length` numbers each), are copied (mode 0), added (mode 1), or
 * copied with zeros behind, up to where the next line begins (mode 2). Lines of an image are `fromLine` and `toLine` numbers
 * apart, images `fromImage` and `toImage`.
 */
export function copyLines<T extends number>(
  mode: i32, first: i32, last: i32, height: i32, length: i32, fromLine: i32, fromImage: i32, toLine: i32, toImage: i32,
  source: usize, target: usize,
): void {
  for (let line = first; line < last; line++) {
    const image = line / height;
    const row = line % height;
    const from = source + bytes<T>(row * fromLine) + bytes<T>(fromImage) * <usize>image;
    const to = target + bytes<T>(row * toLine) + bytes<T>(toImage) * <usize>image;
    if (mode == 1) {
      addRun<T>(length, from, to);
      continue;
    }
    copyRun<T>(length, from, to);
    if (mode == 2) {
      const room = row + 1 < height ? toLine : toImage - row * toLine;
      memory.fill(to + bytes<T>(length), 0, bytes<T>(room - length));
    }
  }
}
