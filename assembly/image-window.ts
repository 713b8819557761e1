import { int, lineOf, POOL } from "./image-step";
import { bytes, madd } from "./simd";

/** A window that slides over a tensor, with room for one block and its margins. */
@unmanaged
export class Window {
  pairs: bool;
  independent: bool;
  circular: bool;
  h: i32;
  w: i32;
  oh: i32;
  ow: i32;
  fh: i32;
  fw: i32;
  sh: i32;
  sw: i32;
  top: i32;
  left: i32;
  /** Lines of a block; distance of lines in a block, its result and the room. */
  lines: i32;
  line: i32;
  outLine: i32;
  roomLine: i32;
  roomLines: i32;
  zeros: usize;
}

/** Numbers between lines of the room of a step, as in src/compute/image-program.ts. */
// @ts-ignore: decorator
@inline
export function roomSide(w: i32, ow: i32, fw: i32, sw: i32, left: i32): i32 {
  return lineOf(max(left + lineOf(w), (lineOf(ow) - 1) * sw + fw) + 2);
}

export function describe(step: usize, win: Window): void {
  win.independent = int(step, 0) == POOL;
  win.h = int(step, 5);
  win.w = int(step, 6);
  win.oh = int(step, 7);
  win.ow = int(step, 8);
  win.fh = int(step, 9);
  win.fw = int(step, 10);
  win.sh = int(step, 11);
  win.sw = int(step, 12);
  win.top = int(step, 13);
  win.left = int(step, 14);
  win.circular = int(step, 15) != 0;
  win.pairs = int(step, 16) != 0;
  win.lines = win.pairs ? win.w : 1;
  win.line = lineOf(win.w);
  win.outLine = lineOf(win.ow);
  win.roomLine = roomSide(win.w, win.ow, win.fw, win.sw, win.left);
  win.roomLines = win.pairs ? win.roomLine : 1;
}

/** What a window leaves where in its room: with the same number, the margins are as they were. */
export function roomShape(win: Window): i64 {
  const sizes = (<i64>win.roomLine << 40) | (<i64>win.w << 20) | (<i64>win.left << 2);
  return sizes | (<i64>win.circular << 1) | <i64>win.pairs;
}

/** i mod n, not negative. */
// @ts-ignore: decorator
@inline
export function wrap(i: i32, n: i32): i32 {
  const rest = i % n;
  return rest < 0 ? rest + n : rest;
}

/** Block (i, i') of a tensor; of zeros outside. */
export function source(win: Window, tensor: usize, i: i32, j: i32): usize {
  const h = win.h;
  if (win.circular) {
    i = wrap(i, h);
    j = wrap(j, h);
  } else if (<u32>i >= <u32>h || <u32>j >= <u32>h) return win.zeros;
  return tensor + bytes<f64>((win.pairs ? i * h + j : i) * win.lines * win.line);
}

/** Sums the blocks of the rows of window (o, o') into the room, and fills its margins. */
export function sumRows(win: Window, tensor: usize, o: i32, p: i32, room: usize): void {
  const i0 = win.sh * o - win.top;
  const j0 = win.sh * p - win.top;
  const gap = bytes<f64>(win.roomLine);
  const n = bytes<f64>(win.line);
  // Lines of zero margins stay as they were cleared.
  const first = room + (win.pairs ? <usize>win.left * gap : 0) + bytes<f64>(win.left);
  if (win.fh == 3 && !win.independent) {
    let x = source(win, tensor, i0, j0);
    let y = source(win, tensor, i0 + 1, j0 + 1);
    let z = source(win, tensor, i0 + 2, j0 + 2);
    for (let l = 0, to = first; l < win.lines; l++, to += gap) {
      for (let q: usize = 0; q < n; q += 32) {
        const at = to + q;
        const x0 = f64x2.add(v128.load(x + q), v128.load(y + q));
        const x1 = f64x2.add(v128.load(x + q, 16), v128.load(y + q, 16));
        v128.store(at, f64x2.add(x0, v128.load(z + q)));
        v128.store(at, f64x2.add(x1, v128.load(z + q, 16)), 16);
      }
      x += n;
      y += n;
      z += n;
    }
  } else {
    for (let l = 0, to = first; l < win.lines; l++, to += gap) memory.fill(to, 0, n);
    for (let a = 0; a < win.fh; a++) {
      const from = win.independent ? 0 : a;
      const end = win.independent ? win.fh : a + 1;
      for (let b = from; b < end; b++) {
        let x = source(win, tensor, i0 + a, j0 + b);
        if (x == win.zeros) continue;
        for (let l = 0, to = first; l < win.lines; l++, to += gap) {
          for (let q: usize = 0; q < n; q += 16) v128.store(to + q, f64x2.add(v128.load(to + q), v128.load(x + q)));
          x += n;
        }
      }
    }
  }
  if (win.line != win.w) {
    const w = bytes<f64>(win.w);
    for (let l = 0, to = first + w; l < win.lines; l++, to += gap) memory.fill(to, 0, n - w);
  }
  if (win.circular) wrapMargins(win, room, first);
}

/** Repeats the block in its room periodically. */
export function wrapMargins(win: Window, room: usize, first: usize): void {
  const gap = bytes<f64>(win.roomLine);
  for (let l = 0, line = first - bytes<f64>(win.left); l < win.lines; l++, line += gap) {
    for (let q = 0; q < win.roomLine; q++) {
      const to = q - win.left;
      if (<u32>to >= <u32>win.w) store<f64>(line + bytes<f64>(q), load<f64>(line + bytes<f64>(win.left + wrap(to, win.w))));
    }
  }
  if (!win.pairs) return;
  for (let l = 0; l < win.roomLines; l++) {
    const to = l - win.left;
    if (<u32>to >= <u32>win.w) memory.copy(room + <usize>l * gap, room + <usize>(win.left + wrap(to, win.w)) * gap, gap);
  }
}

/** Sums over the columns of the windows of one pair of rows: from the rooms to a block of the result. */
export function sumColumns(win: Window, step: usize, roomK: usize, roomT: usize, k: usize, theta: usize): void {
  const w = v128.load64_splat(step + 8);
  const b = v128.load64_splat(step + 16);
  const a = v128.load64_splat(step + 24);
  const e = v128.load64_splat(step + 32);
  const apart = roomT - roomK;
  const tap = bytes<f64>(win.pairs && !win.independent ? win.roomLine + 1 : 1);
  const n = bytes<f64>(win.outLine);
  const lines = win.pairs ? win.ow : 1;
  for (let o = 0; o < lines; o++) {
    const from = roomK + (win.pairs ? bytes<f64>(win.sw * o * win.roomLine) : 0);
    if (win.sw == 1 && win.fw == 3 && !win.independent) {
      for (let q: usize = 0; q < n; q += 32) {
        const x = from + q;
        const x1 = x + tap;
        const x2 = x1 + tap;
        const s0 = f64x2.add(f64x2.add(v128.load(x), v128.load(x1)), v128.load(x2));
        const s1 = f64x2.add(f64x2.add(v128.load(x, 16), v128.load(x1, 16)), v128.load(x2, 16));
        const y = x + apart;
        const y1 = y + tap;
        const y2 = y1 + tap;
        const u0 = f64x2.add(f64x2.add(v128.load(y), v128.load(y1)), v128.load(y2));
        const u1 = f64x2.add(f64x2.add(v128.load(y, 16), v128.load(y1, 16)), v128.load(y2, 16));
        v128.store(k + q, madd<f64>(w, s0, b));
        v128.store(k + q, madd<f64>(w, s1, b), 16);
        v128.store(theta + q, madd<f64>(w, u0, madd<f64>(a, s0, e)));
        v128.store(theta + q, madd<f64>(w, u1, madd<f64>(a, s1, e)), 16);
      }
    } else if (win.sw == 1 && !win.independent) {
      for (let q: usize = 0; q < n; q += 16) {
        let x = from + q;
        let s = f64x2.splat(0);
        let u = f64x2.splat(0);
        for (let c = 0; c < win.fw; c++, x += tap) {
          s = f64x2.add(s, v128.load(x));
          u = f64x2.add(u, v128.load(x + apart));
        }
        v128.store(k + q, madd<f64>(w, s, b));
        v128.store(theta + q, madd<f64>(w, u, madd<f64>(a, s, e)));
      }
    } else {
      // One entry in both lanes: the same roundings as above.
      const rows = win.independent && win.pairs ? win.fw : 1;
      for (let p = 0; p < win.outLine; p++) {
        let s = f64x2.splat(0);
        let u = f64x2.splat(0);
        for (let d = 0; d < rows; d++) {
          let x = from + bytes<f64>(d * win.roomLine + p * win.sw);
          for (let c = 0; c < win.fw; c++, x += tap) {
            s = f64x2.add(s, v128.load64_splat(x));
            u = f64x2.add(u, v128.load64_splat(x + apart));
          }
        }
        v128.store64_lane(k + bytes<f64>(p), madd<f64>(w, s, b), 0);
        v128.store64_lane(theta + bytes<f64>(p), madd<f64>(w, u, madd<f64>(a, s, e)), 0);
      }
    }
    k += n;
    theta += n;
  }
}
