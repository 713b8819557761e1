import { dualLines } from "./duals";
import { at, bytes, madd } from "./simd";

/**
 * Recursions over pairs: each entry (i, j) of a matrix goes through a list of steps, together with a second number theta
 * that starts at zero. A row goes strip by strip, a strip through all steps while it is in the first-level cache.
 * The steps are described, and their numbers mirrored, in src/compute/types.ts.
 */
const AFFINE = 0;
const SAVE = 1;
const EXCHANGE = 2;
const ADD = 3;
/** The kinds of duals.ts, from which on a step is one of them. */
const DUAL = 32;

/** Numbers of a step: its kind and its parameters. */
const STEP: i32 = 6;
/** Entries of a strip, and bytes of one of its two arrays. */
const STRIP: i32 = 256;
const ARRAY: usize = <usize>STRIP << 3;
/** What is put aside at a time, at most (PAIR_SLOTS of src/compute/types.ts), and the room for it. */
const SLOTS: usize = 256;
export const PAIR_BYTES: usize = 2 * ARRAY * (1 + SLOTS);

// @ts-ignore: decorator
@inline
function parameter(step: usize, index: i32): v128 {
  return v128.load64_splat(step + (<usize>index << 3));
}

/** m = w k + b; theta <- w theta + a m + c k + e; k <- m, for n bytes. */
function affine(step: usize, n: usize, k: usize, theta: usize): void {
  const w = parameter(step, 1);
  const b = parameter(step, 2);
  const a = parameter(step, 3);
  const c = parameter(step, 4);
  const e = parameter(step, 5);
  for (let j: usize = 0; j < n; j += 16) {
    const before = v128.load(k + j);
    const after = madd<f64>(w, before, b);
    const added = madd<f64>(a, after, madd<f64>(c, before, e));
    v128.store(theta + j, madd<f64>(w, v128.load(theta + j), added));
    v128.store(k + j, after);
  }
}

/** current <-> slot. */
function exchange(n: usize, current: usize, slot: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    const before = v128.load(current + j);
    v128.store(current + j, v128.load(slot + j));
    v128.store(slot + j, before);
  }
}

function add(n: usize, current: usize, slot: usize): void {
  for (let j: usize = 0; j < n; j += 16) {
    v128.store(current + j, f64x2.add(v128.load(current + j), v128.load(slot + j)));
  }
}

/**
 * Rows `from` <= i < `to` of the recursion, columns j <= i only when `lower`. Numbers of rows and columns: for each step two
 * arrays of `rowStride` (`colStride`) entries; columns are read up to the next multiple of four. `theta` may be 0: not
 * written. `work` has PAIR_BYTES.
 */
export function pairRecursion<T extends number>(
  lower: bool, from: i32, to: i32, cols: i32, steps: i32, program: usize,
  rowNumbers: usize, rowStride: i32, colNumbers: usize, colStride: i32,
  k: usize, ldk: i32, theta: usize, ldt: i32, work: usize,
): void {
  const here = work;
  const second = work + ARRAY;
  const rowGap = bytes<f64>(rowStride);
  const colGap = bytes<f64>(colStride);
  for (let i = from; i < to; i++) {
    const end = lower ? i + 1 : cols;
    for (let j0 = 0; j0 < end; j0 += STRIP) {
      const count = min(STRIP, end - j0);
      const n = bytes<f64>((count + 3) & ~3);
      // 1. The strip in f64, up to a whole number of four entries.
      const kRow = at<T>(k, ldk, i, j0);
      memory.fill(here + n - 32, 0, 32);
      if (sizeof<T>() == 8) memory.copy(here, kRow, bytes<f64>(count));
      else for (let j = 0; j < count; j++) store<f64>(here + bytes<f64>(j), <f64>load<T>(kRow + bytes<T>(j)));
      memory.fill(second, 0, n);
      // 2. Its steps.
      for (let s = 0; s < steps; s++) {
        const step = program + bytes<f64>(s * STEP);
        const kind = <i32>load<f64>(step);
        const row = rowNumbers + <usize>(2 * s) * rowGap + bytes<f64>(i);
        const col = colNumbers + <usize>(2 * s) * colGap + bytes<f64>(j0);
        const slot = work + 2 * ARRAY * (1 + <usize>load<f64>(step, 8));
        if (kind == AFFINE) affine(step, n, here, second);
        else if (kind >= DUAL) dualLines(kind, step, true, 1, n, here, second, row, rowGap, col, colGap);
        else if (kind == SAVE) {
          memory.copy(slot, here, 2 * ARRAY);
        } else if (kind == EXCHANGE) {
          exchange(n, here, slot);
          exchange(n, second, slot + ARRAY);
        } else if (kind == ADD) {
          add(n, here, slot);
          add(n, second, slot + ARRAY);
        }
      }
      // 3. Back.
      write<T>(kRow, here, count);
      if (theta != 0) write<T>(at<T>(theta, ldt, i, j0), second, count);
    }
  }
}

// @ts-ignore: decorator
@inline
function write<T extends number>(to: usize, from: usize, count: i32): void {
  if (sizeof<T>() == 8) memory.copy(to, from, bytes<f64>(count));
  else for (let j = 0; j < count; j++) store<T>(to + bytes<T>(j), <T>load<f64>(from + bytes<f64>(j)));
}
