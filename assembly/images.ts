import { activateBlock, activatePixels, recordNumbers } from "./image-activations";
import { diagonal, input, reduce } from "./image-ends";
import {
  ADD,
  AFFINE,
  CONV,
  DIAGONAL,
  DUAL,
  EXCHANGE,
  INPUT,
  int,
  lineOf,
  MEAN,
  POOL,
  real,
  SAVE,
  STEP,
  tensorBytes,
  TOTAL,
} from "./image-step";
import { describe, roomShape, sumColumns, sumRows, Window } from "./image-window";
import { bytes, madd } from "./simd";

/**
 * Kernels of convolutional networks: each pair of images goes through a list of steps by itself. A tensor holds the
 * covariances k and the tangent kernel theta of pixels: of equal places only (h lines of w), or of all pairs of places
 * (i, i', j, j': h h blocks of w lines of w). Lines begin at multiples of four entries. The steps are described in
 * src/compute/image-program.ts.
 */

/** Places in the table of pointers: current, spare, then the saved ones, k and theta each. */
const SPARE: usize = 16;
const SAVED: usize = 32;
const TABLE: usize = 4352;

/** Exchanges the pointers of two places of the table, k and theta. */
function swap(table: usize, a: usize, b: usize): void {
  for (let part: usize = 0; part < 16; part += 8) {
    const kept = load<usize>(table + a + part);
    store<usize>(table + a + part, load<usize>(table + b + part));
    store<usize>(table + b + part, kept);
  }
}

/** Takes one pair of images through the steps; `record`: an image and itself, writing its numbers. */
function pair(
  record: bool, steps: i32, program: usize, x: usize, y: usize, numbers1: usize, numbers2: usize,
  table: usize, rooms: usize, roomSize: usize, win: Window,
): void {
  let cleared: i64 = -1;
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
      const fused = win.pairs && !record && nextKind >= DUAL;
      if (roomShape(win) != cleared) {
        memory.fill(rooms, 0, 2 * roomSize);
        cleared = roomShape(win);
      }
      const block = bytes<f64>((win.pairs ? win.ow : 1) * win.outLine);
      let outK = toK;
      let outTheta = toTheta;
      if (win.pairs) {
        for (let o = 0; o < win.oh; o++) {
          for (let p = 0; p < win.oh; p++) {
            sumRows(win, k, o, p, rooms);
            sumRows(win, theta, o, p, rooms + roomSize);
            sumColumns(win, step, rooms, rooms + roomSize, outK, outTheta);
            if (fused) activateBlock(next, o, p, outK, outTheta, numbers1, numbers2);
            outK += block;
            outTheta += block;
          }
        }
      } else {
        // All rows, then all columns: what is read across the seams of vectors must have left the store buffer.
        const gap = bytes<f64>(win.roomLine);
        let room = rooms;
        for (let o = 0; o < win.oh; o++, room += gap) {
          sumRows(win, k, o, o, room);
          sumRows(win, theta, o, o, room + roomSize);
        }
        room = rooms;
        for (let o = 0; o < win.oh; o++, room += gap, outK += block, outTheta += block) {
          sumColumns(win, step, room, room + roomSize, outK, outTheta);
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
    } else if (kind >= DUAL) {
      if (record) recordNumbers(step, k, numbers1);
      if (int(step, 16) == 0) activatePixels(step, k, theta, numbers1, numbers2);
      else {
        const h = int(step, 5);
        const block = bytes<f64>(int(step, 6) * lineOf(int(step, 6)));
        let at: usize = 0;
        for (let i = 0; i < h; i++) {
          for (let p = 0; p < h; p++, at += block) activateBlock(step, i, p, k + at, theta + at, numbers1, numbers2);
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
