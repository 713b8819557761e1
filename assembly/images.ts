import { arcCosine, arcCosine2 } from "./angles";
import { atan2 } from "./functions";
import { bytes, madd } from "./simd";

/**
 * Kernels of convolutional networks: each pair of images goes through a list of steps by itself. A tensor holds the
 * covariances k and the tangent kernel theta of pixels: of equal places only (h lines of w), or of all pairs of places
 * (i, i', j, j': h h blocks of w lines of w). Lines have an even distance. The steps are described, and their numbers
 * mirrored, in src/compute/image-program.ts.
 */
const INPUT = 0;
const CONV = 1;
const POOL = 2;
const AFFINE = 3;
const PIECEWISE = 4;
const ERF = 5;
const NORMALIZE = 6;
const SAVE = 7;
const EXCHANGE = 8;
const ADD = 9;
const DIAGONAL = 10;
const MEAN = 11;
const TOTAL = 12;

const STEP: i32 = 20;

/** Slots of the table of pointers: current, spare, then the saved ones, k and theta each. */
const SPARE: usize = 16;
const SAVED: usize = 32;
const TABLE: usize = 512;

// @ts-ignore: decorator
@inline
function int(step: usize, index: usize): i32 {
  return <i32>load<f64>(step + (index << 3));
}

// @ts-ignore: decorator
@inline
function real(step: usize, index: usize): f64 {
  return load<f64>(step + (index << 3));
}

// @ts-ignore: decorator
@inline
function even(n: i32): i32 {
  return (n + 1) & ~1;
}

/** A window that slides over a tensor, with room for one block and its margins. */
@unmanaged
class Window {
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
function roomSide(w: i32, ow: i32, fw: i32, sw: i32, left: i32): i32 {
  return even(max(left + even(w), (even(ow) - 1) * sw + fw) + 2);
}

function describe(step: usize, win: Window): void {
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
  win.line = even(win.w);
  win.outLine = even(win.ow);
  win.roomLine = roomSide(win.w, win.ow, win.fw, win.sw, win.left);
  win.roomLines = win.pairs ? win.roomLine : 1;
}

/** i mod n, not negative. */
// @ts-ignore: decorator
@inline
function wrap(i: i32, n: i32): i32 {
  const rest = i % n;
  return rest < 0 ? rest + n : rest;
}

/** Block (i, i') of a tensor; of zeros outside. */
function source(win: Window, tensor: usize, i: i32, j: i32): usize {
  const h = win.h;
  if (win.circular) {
    i = wrap(i, h);
    j = wrap(j, h);
  } else if (<u32>i >= <u32>h || <u32>j >= <u32>h) return win.zeros;
  return tensor + bytes<f64>((win.pairs ? i * h + j : i) * win.lines * win.line);
}

/** Sums the blocks of the rows of window (o, o') into the room, and fills its margins. */
function sumRows(win: Window, tensor: usize, o: i32, p: i32, room: usize): void {
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
      for (let q: usize = 0; q < n; q += 16) {
        v128.store(to + q, f64x2.add(f64x2.add(v128.load(x + q), v128.load(y + q)), v128.load(z + q)));
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
    for (let l = 0, to = first + n - 8; l < win.lines; l++, to += gap) store<f64>(to, 0);
  }
  if (win.circular) wrapMargins(win, room, first);
}

/** Repeats the block in its room periodically. */
function wrapMargins(win: Window, room: usize, first: usize): void {
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
function sumColumns(win: Window, step: usize, roomK: usize, roomT: usize, k: usize, theta: usize): void {
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
      for (let q: usize = 0; q < n; q += 16) {
        const x = from + q;
        const s = f64x2.add(f64x2.add(v128.load(x), v128.load(x + tap)), v128.load(x + 2 * tap));
        const y = x + apart;
        const u = f64x2.add(f64x2.add(v128.load(y), v128.load(y + tap)), v128.load(y + 2 * tap));
        v128.store(k + q, madd<f64>(w, s, b));
        v128.store(theta + q, madd<f64>(w, u, madd<f64>(a, s, e)));
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

/** Piecewise linear on a line of n bytes; the roots and their inverses of the first image are one number when `one`. */
// @ts-ignore: decorator
@inline
function piecewiseLine(one: bool, mean: f64, factor: f64, n: usize, k: usize, theta: usize, p: usize, pGap: usize, q: usize, qGap: usize): void {
  const f = f64x2.splat(factor);
  const root = f64x2.mul(v128.load64_splat(p), f);
  const inverse = v128.load64_splat(p + pGap);
  let j: usize = 0;
  // Two vectors at once share the constants.
  for (; j + 32 <= n; j += 32) {
    const r0 = one ? root : f64x2.mul(f, v128.load(p + j));
    const r1 = one ? root : f64x2.mul(f, v128.load(p + j + 16));
    const i0 = one ? inverse : v128.load(p + pGap + j);
    const i1 = one ? inverse : v128.load(p + pGap + j + 16);
    const c0 = f64x2.mul(f64x2.mul(v128.load(k + j), i0), v128.load(q + qGap + j));
    const c1 = f64x2.mul(f64x2.mul(v128.load(k + j + 16), i1), v128.load(q + qGap + j + 16));
    arcCosine2(k + j, theta + j, c0, c1, f64x2.mul(r0, v128.load(q + j)), f64x2.mul(r1, v128.load(q + j + 16)), mean, factor);
  }
  if (j < n) {
    const r = one ? root : f64x2.mul(f, v128.load(p + j));
    const i = one ? inverse : v128.load(p + pGap + j);
    const c = f64x2.mul(f64x2.mul(v128.load(k + j), i), v128.load(q + qGap + j));
    arcCosine(k + j, theta + j, c, f64x2.mul(r, v128.load(q + j)), mean, factor);
  }
}

/** As {@link piecewiseLine}, for the error function and for normalization. */
function smoothLine(kind: i32, step: usize, one: bool, n: usize, k: usize, theta: usize, p: usize, q: usize): void {
  const A = v128.load64_splat(step + 8);
  const B = v128.load64_splat(step + 16);
  const C = v128.load64_splat(step + 24);
  const unit = f64x2.splat(1);
  let inverse = v128.load64_splat(p);
  for (let j: usize = 0; j < n; j += 16) {
    if (!one) inverse = v128.load(p + j);
    const other = v128.load(q + j);
    const both = f64x2.mul(inverse, other);
    if (kind == NORMALIZE) {
      const c = f64x2.mul(f64x2.mul(v128.load(k + j), inverse), other);
      const size = f64x2.abs(c);
      const full = v128.bitselect(unit, size, f64x2.gt(size, f64x2.splat(1 - 8.881784197001252e-16)));
      v128.store(k + j, v128.or(full, v128.and(c, i64x2.splat(i64.MIN_VALUE))));
      v128.store(theta + j, f64x2.mul(v128.load(theta + j), both));
    } else {
      const scaled = f64x2.mul(B, both);
      const u = f64x2.min(f64x2.max(f64x2.mul(scaled, v128.load(k + j)), f64x2.splat(-1)), unit);
      const root = f64x2.sqrt(f64x2.mul(f64x2.sub(unit, u), f64x2.add(unit, u)));
      v128.store(theta + j, f64x2.mul(f64x2.div(f64x2.mul(A, scaled), root), v128.load(theta + j)));
      v128.store(k + j, madd<f64>(A, atan2(u, root), C));
    }
  }
}

/** An activation or normalization on block (i, i') of a tensor of h x w pixels. */
function activate(step: usize, i: i32, p: i32, k: usize, theta: usize, numbers1: usize, numbers2: usize): void {
  const kind = int(step, 0);
  const w = int(step, 6);
  const pairs = int(step, 16) != 0;
  const line = bytes<f64>(even(w));
  const gap = <usize>int(step, 5) * line;
  const offset = bytes<f64>(int(step, 17));
  const mean = real(step, 1);
  const factor = real(step, 2);
  let first = numbers1 + offset + <usize>i * line;
  const second = numbers2 + offset + <usize>p * line;
  const lines = pairs ? w : 1;
  for (let j = 0; j < lines; j++) {
    if (kind != PIECEWISE) smoothLine(kind, step, pairs, line, k, theta, first + gap, second + gap);
    else if (pairs) piecewiseLine(true, mean, factor, line, k, theta, first, gap, second, gap);
    else piecewiseLine(false, mean, factor, line, k, theta, first, gap, second, gap);
    k += line;
    theta += line;
    first += 8;
  }
}

/** Writes the numbers of a step for one image from the covariances of its pixels with themselves. */
function recordNumbers(step: usize, k: usize, numbers: usize): void {
  const kind = int(step, 0);
  const h = int(step, 5);
  const w = int(step, 6);
  const pairs = int(step, 16) != 0;
  const line = even(w);
  const to = numbers + bytes<f64>(int(step, 17));
  const gap = bytes<f64>(h * line);
  const all = kind == NORMALIZE && real(step, 1) != 0;
  let sum: f64 = 0;
  for (let pass = all ? 0 : 1; pass < 2; pass++) {
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        let v = load<f64>(k + bytes<f64>(pairs ? ((i * h + i) * w + j) * line + j : i * line + j));
        if (pass == 0) {
          sum += v;
          continue;
        }
        if (all) v = sum / <f64>(h * w);
        const root = sqrt(v);
        const at = to + bytes<f64>(i * line + j);
        store<f64>(at, root);
        store<f64>(at + gap, kind == ERF ? 1 / sqrt(1 + real(step, 2) * v) : root > 0 ? 1 / root : 0);
      }
    }
  }
}

/** The covariances of the inputs: channel by channel, planes of h lines. */
function input(step: usize, k: usize, theta: usize, x: usize, y: usize): void {
  const h = int(step, 5);
  const w = int(step, 6);
  const pairs = int(step, 16) != 0;
  const channels = int(step, 18);
  const lines = pairs ? w : 1;
  const line = bytes<f64>(even(w));
  const plane = <usize>h * line;
  const scale = v128.load64_splat(step + 8);
  const start = k;
  for (let i = 0; i < h; i++) {
    const end = pairs ? h : i + 1;
    for (let p = pairs ? 0 : i; p < end; p++) {
      for (let j = 0; j < lines; j++) {
        for (let q: usize = 0; q < line; q += 16) {
          let at1 = x + <usize>i * line + (pairs ? bytes<f64>(j) : q);
          let at2 = y + <usize>p * line + q;
          let sum = f64x2.splat(0);
          for (let c = 0; c < channels; c++, at1 += plane, at2 += plane) {
            sum = madd<f64>(pairs ? v128.load64_splat(at1) : v128.load(at1), v128.load(at2), sum);
          }
          v128.store(k + q, f64x2.mul(scale, sum));
        }
        k += line;
      }
    }
  }
  memory.fill(theta, 0, k - start);
}

/** Bytes of a tensor of h x w pixels. */
// @ts-ignore: decorator
@inline
function tensorBytes(step: usize): usize {
  const h = int(step, 5);
  const w = int(step, 6);
  return bytes<f64>((int(step, 16) != 0 ? h * h * w : h) * even(w));
}

/** Exchanges the pointers of two places of the table, k and theta. */
function swap(table: usize, a: usize, b: usize): void {
  for (let part: usize = 0; part < 16; part += 8) {
    const kept = load<usize>(table + a + part);
    store<usize>(table + a + part, load<usize>(table + b + part));
    store<usize>(table + b + part, kept);
  }
}

/** Sum of the entries of a tensor: of all pairs, or of its pixels. */
function total(step: usize, from: usize): f64 {
  const h = int(step, 5);
  const w = int(step, 6);
  const lines = int(step, 16) != 0 ? h * h * w : h;
  const gap = bytes<f64>(even(w));
  let sum: f64 = 0;
  for (let l = 0; l < lines; l++, from += gap) {
    let part: f64 = 0;
    for (let j = 0; j < w; j++) part += load<f64>(from + bytes<f64>(j));
    sum += part;
  }
  return sum;
}

/** One number of each of the two tensors in the place of all. */
function reduce(step: usize, scale: f64, k: usize, theta: usize): void {
  store<f64>(k, scale * total(step, k));
  store<f64>(k, 0, 8);
  store<f64>(theta, scale * total(step, theta));
  store<f64>(theta, 0, 8);
}

/** The entries of pairs of equal places. */
function diagonal(step: usize, from: usize, to: usize): void {
  const h = int(step, 5);
  const w = int(step, 6);
  const line = even(w);
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < line; j++) {
      const value = j < w ? load<f64>(from + bytes<f64>(((i * h + i) * w + j) * line + j)) : 0;
      store<f64>(to + bytes<f64>(i * line + j), value);
    }
  }
}

/** Takes one pair of images through the steps; `record`: an image and itself, writing its numbers. */
function pair(
  record: bool, steps: i32, program: usize, x: usize, y: usize, numbers1: usize, numbers2: usize,
  table: usize, rooms: usize, roomSize: usize, win: Window,
): void {
  for (let s = 0; s < steps; s++) {
    const step = program + bytes<f64>(s * STEP);
    const kind = int(step, 0);
    const k = load<usize>(table);
    const theta = load<usize>(table + 8);
    const toK = load<usize>(table + SPARE);
    const toTheta = load<usize>(table + SPARE + 8);
    if (kind == INPUT) input(step, k, theta, x, y);
    else if (kind == CONV || kind == POOL) {
      describe(step, win);
      const next = step + bytes<f64>(STEP);
      const nextKind = s + 1 < steps ? int(next, 0) : -1;
      const fused = !record && nextKind >= PIECEWISE && nextKind <= NORMALIZE;
      memory.fill(rooms, 0, 2 * roomSize);
      const block = bytes<f64>((win.pairs ? win.ow : 1) * win.outLine);
      let outK = toK;
      let outTheta = toTheta;
      for (let o = 0; o < win.oh; o++) {
        const end = win.pairs ? win.oh : o + 1;
        for (let p = win.pairs ? 0 : o; p < end; p++) {
          sumRows(win, k, o, p, rooms);
          sumRows(win, theta, o, p, rooms + roomSize);
          sumColumns(win, step, rooms, rooms + roomSize, outK, outTheta);
          if (fused) activate(next, o, p, outK, outTheta, numbers1, numbers2);
          outK += block;
          outTheta += block;
        }
      }
      swap(table, 0, SPARE);
      if (fused) s++;
    } else if (kind == AFFINE) {
      const w = v128.load64_splat(step + 8);
      const b = v128.load64_splat(step + 16);
      const a = v128.load64_splat(step + 24);
      const e = v128.load64_splat(step + 32);
      const n = tensorBytes(step);
      for (let j: usize = 0; j < n; j += 16) {
        const before = v128.load(k + j);
        v128.store(theta + j, madd<f64>(w, v128.load(theta + j), madd<f64>(a, before, e)));
        v128.store(k + j, madd<f64>(w, before, b));
      }
    } else if (kind <= NORMALIZE) {
      if (record) recordNumbers(step, k, numbers1);
      const h = int(step, 5);
      const pairs = int(step, 16) != 0;
      const block = bytes<f64>((pairs ? int(step, 6) : 1) * even(int(step, 6)));
      let at: usize = 0;
      for (let i = 0; i < h; i++) {
        const end = pairs ? h : i + 1;
        for (let p = pairs ? 0 : i; p < end; p++, at += block) {
          activate(step, i, p, k + at, theta + at, numbers1, numbers2);
        }
      }
    } else if (kind == SAVE) {
      const n = tensorBytes(step);
      const slot = table + SAVED + (<usize>int(step, 17) << 4);
      memory.copy(load<usize>(slot), k, n);
      memory.copy(load<usize>(slot + 8), theta, n);
    } else if (kind == EXCHANGE) swap(table, 0, SAVED + (<usize>int(step, 17) << 4));
    else if (kind == ADD) {
      const n = tensorBytes(step);
      const slot = table + SAVED + (<usize>int(step, 17) << 4);
      const otherK = load<usize>(slot);
      const otherTheta = load<usize>(slot + 8);
      for (let j: usize = 0; j < n; j += 16) {
        v128.store(k + j, f64x2.add(v128.load(k + j), v128.load(otherK + j)));
        v128.store(theta + j, f64x2.add(v128.load(theta + j), v128.load(otherTheta + j)));
      }
    } else if (kind == DIAGONAL) {
      diagonal(step, k, toK);
      diagonal(step, theta, toTheta);
      swap(table, 0, SPARE);
    } else if (kind == MEAN || kind == TOTAL) reduce(step, real(step, 1), k, theta);
  }
}

/**
 * Part `id` of `count` of the entries (i, j) of rows x cols pairs of images (j <= i when `lower`), in turn; or, when
 * `record`, of the numbers of the rows. `work` has room for a table, 2 (2 + slots) tensors, a block of zeros and two
 * rooms; see src/compute/image-program.ts.
 */
export function imagePairs(
  record: bool, lower: bool, rows: i32, cols: i32, steps: i32, program: usize, images1: usize, images2: usize,
  imageSize: i32, numbers1: usize, numbers2: usize, numbersSize: i32, nngp: usize, ntk: usize,
  tensor: i32, slots: i32, room: i32, id: i32, count: i32, work: usize,
): void {
  const table = work;
  const size = bytes<f64>(tensor);
  let free = work + TABLE;
  for (let t = 0; t < 2 * (2 + slots); t++, free += size) store<usize>(table + (<usize>t << 3), free);
  const roomSize = bytes<f64>(room);
  const win = changetype<Window>(table + TABLE - 128);
  win.zeros = free;
  const rooms = free + roomSize;
  let turn = 0;
  for (let i = 0; i < rows; i++) {
    const end = record ? 1 : lower ? i + 1 : cols;
    for (let j = 0; j < end; j++) {
      if (turn == id) {
        const first = numbers1 + bytes<f64>(i * numbersSize);
        const x = images1 + bytes<f64>(i * imageSize);
        const y = record ? x : images2 + bytes<f64>(j * imageSize);
        const second = record ? first : numbers2 + bytes<f64>(j * numbersSize);
        pair(record, steps, program, x, y, first, second, table, rooms, roomSize, win);
        if (nngp != 0) store<f64>(nngp + bytes<f64>(i * cols + j), load<f64>(load<usize>(table)));
        if (ntk != 0) store<f64>(ntk + bytes<f64>(i * cols + j), load<f64>(load<usize>(table + 8)));
      }
      if (++turn == count) turn = 0;
    }
  }
}
