import { decodeImageProgram, type ImageStep, imageNeeds, isRecorded, lineOf, tensorLength } from "./image-program.ts";
import type { Kernels } from "./types.ts";

/** Writes value and slope at (s, k, t) to out[0], out[1]; k = s = t is the diagonal. */
export type PairFunction = (s: number, k: number, t: number, out: Float64Array) => void;

/** |c| nearer to 1 than this is 1: as near as rounding brings the cosine of equal patches. */
const NEAR_ONE = 1 - 2 ** -50;

interface Tensors {
  k: Float64Array;
  theta: Float64Array;
}

/** The naive kernels of pairs of images, entry by entry; `others` are the functions of the steps `other`. */
export function imagePairsReference(others: readonly PairFunction[] = []): Kernels["imagePairs"] {
  return (record, lower, rows, cols, program, images1, images2, numbers1, numbers2, nngp, ntk) => {
    const steps = decodeImageProgram(program);
    const { image, numbers } = imageNeeds(steps);
    const part = (array: Float64Array, size: number, i: number): Float64Array =>
      array.subarray(i * size, (i + 1) * size);
    for (let i = 0; i < rows; i++) {
      const x = part(images1, image, i);
      const first = part(numbers1, numbers, i);
      for (let j = 0; j < (record ? 1 : lower ? i + 1 : cols); j++) {
        const y = record ? x : part(images2, image, j);
        const { k, theta } = throughSteps(
          steps,
          others,
          record,
          x,
          y,
          first,
          record ? first : part(numbers2, numbers, j),
        );
        if (nngp !== null) nngp[i * cols + j] = k[0]!;
        if (ntk !== null) ntk[i * cols + j] = theta[0]!;
      }
    }
  };
}

function throughSteps(
  steps: readonly ImageStep[],
  others: readonly PairFunction[],
  record: boolean,
  x: Float64Array,
  y: Float64Array,
  numbers1: Float64Array,
  numbers2: Float64Array,
): Tensors {
  let now: Tensors = { k: new Float64Array(0), theta: new Float64Array(0) };
  const slots: Tensors[] = [];
  for (const step of steps) {
    const { kind, at } = step;
    if (kind === "input") now = input(step, x, y);
    else if (kind === "conv" || kind === "pool") now = slide(step, now);
    else if (isRecorded(kind)) {
      if (record) recordNumbers(step, now.k, numbers1);
      activate(step, others[step.id], now, numbers1, numbers2);
    } else if (kind === "save") slots[at] = { k: now.k.slice(), theta: now.theta.slice() };
    else if (kind === "exchange") [now, slots[at]] = [slots[at]!, now];
    else if (kind === "diagonal") now = { k: diagonal(step, now.k), theta: diagonal(step, now.theta) };
    else if (kind === "mean" || kind === "total") now = { k: reduce(step, now.k), theta: reduce(step, now.theta) };
    else {
      const slot = kind === "add" ? slots[at]! : null;
      for (let p = 0; p < tensorLength(step.height, step.width, step.pairs); p++) {
        const k = now.k[p]!;
        now.k[p] = slot === null ? step.w * k + step.b : k + slot.k[p]!;
        now.theta[p] = slot === null ? step.w * now.theta[p]! + step.a * k + step.e : now.theta[p]! + slot.theta[p]!;
      }
    }
  }
  return now;
}

/** Calls `visit(entry, i, j, i', j')` for the entries of a tensor. */
function forEntries(
  height: number,
  width: number,
  pairs: boolean,
  visit: (p: number, i: number, j: number, i2: number, j2: number) => void,
): void {
  for (let i = 0; i < height; i++) {
    for (let i2 = pairs ? 0 : i; i2 < (pairs ? height : i + 1); i2++) {
      for (let j = 0; j < width; j++) {
        for (let j2 = pairs ? 0 : j; j2 < (pairs ? width : j + 1); j2++) {
          visit(entryOf(height, width, pairs, i, j, i2, j2), i, j, i2, j2);
        }
      }
    }
  }
}

function entryOf(height: number, width: number, pairs: boolean, i: number, j: number, i2: number, j2: number): number {
  return pairs ? ((i * height + i2) * width + j) * lineOf(width) + j2 : i * lineOf(width) + j;
}

function emptyTensors(height: number, width: number, pairs: boolean): Tensors {
  const length = tensorLength(height, width, pairs);
  return { k: new Float64Array(length), theta: new Float64Array(length) };
}

function input({ height, width, pairs, w, id: channels }: ImageStep, x: Float64Array, y: Float64Array): Tensors {
  const out = emptyTensors(height, width, pairs);
  const line = lineOf(width);
  forEntries(height, width, pairs, (p, i, j, i2, j2) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += x[(c * height + i) * line + j]! * y[(c * height + i2) * line + j2]!;
    out.k[p] = w * sum;
  });
  return out;
}

/** i, wrapped around when `circular`; null outside. */
function inside(i: number, size: number, circular: boolean): number | null {
  if (circular) return ((i % size) + size) % size;
  return i >= 0 && i < size ? i : null;
}

function slide(step: ImageStep, from: Tensors): Tensors {
  const { height, width, outHeight, outWidth, pairs, circular, filterHeight, filterWidth } = step;
  const out = emptyTensors(outHeight, outWidth, pairs);
  const place = (o: number, tap: number, stride: number, margin: number, size: number): number | null =>
    inside(o * stride + tap - margin, size, circular);
  const row = (o: number, tap: number): number | null => place(o, tap, step.strideHeight, step.top, height);
  const col = (o: number, tap: number): number | null => place(o, tap, step.strideWidth, step.left, width);
  const apart = step.kind === "pool";
  forEntries(outHeight, outWidth, pairs, (p, i, j, i2, j2) => {
    let [sum, thetas] = [0, 0];
    for (let a = 0; a < filterHeight; a++) {
      for (let a2 = apart ? 0 : a; a2 < (apart ? filterHeight : a + 1); a2++) {
        for (let b = 0; b < filterWidth; b++) {
          for (let b2 = apart ? 0 : b; b2 < (apart ? filterWidth : b + 1); b2++) {
            const [r, r2, c, c2] = [row(i, a), row(i2, a2), col(j, b), col(j2, b2)];
            if (r === null || r2 === null || c === null || c2 === null) continue;
            const q = entryOf(height, width, pairs, r, c, r2, c2);
            sum += from.k[q]!;
            thetas += from.theta[q]!;
          }
        }
      }
    }
    out.k[p] = step.w * sum + step.b;
    out.theta[p] = step.w * thetas + step.a * sum + step.e;
  });
  return out;
}

/** The covariances of the pixels with themselves. */
function diagonal({ height, width, pairs }: ImageStep, k: Float64Array): Float64Array {
  const out = new Float64Array(height * lineOf(width));
  forEntries(height, width, false, (p, i, j) => {
    out[p] = k[entryOf(height, width, pairs, i, j, i, j)]!;
  });
  return out;
}

/** w times the sum of the entries. */
function reduce({ height, width, pairs, w }: ImageStep, from: Float64Array): Float64Array {
  let sum = 0;
  forEntries(height, width, pairs, (p) => {
    sum += from[p]!;
  });
  const out = new Float64Array(lineOf(1));
  out[0] = w * sum;
  return out;
}

/** Two numbers of each pixel: sqrt(v) (of a step `other`: v) and 1 / sqrt(v) (0 at 0), 1 / sqrt(1 + B v) for erf. */
function recordNumbers(step: ImageStep, k: Float64Array, numbers: Float64Array): void {
  const { kind, height, width, at } = step;
  const variances = diagonal(step, k);
  if (kind === "normalize" && step.w !== 0) {
    variances.fill(reduce({ ...step, pairs: false, w: 1 / (height * width) }, variances)[0]!);
  }
  forEntries(height, width, false, (p) => {
    const root = Math.sqrt(variances[p]!);
    numbers[at + p] = kind === "other" ? variances[p]! : root;
    numbers[at + height * lineOf(width) + p] =
      kind === "erf" ? 1 / Math.sqrt(1 + step.b * variances[p]!) : root > 0 ? 1 / root : 0;
  });
}

function activate(
  step: ImageStep,
  other: PairFunction | undefined,
  { k, theta }: Tensors,
  numbers1: Float64Array,
  numbers2: Float64Array,
): void {
  const { kind, height, width, pairs, at, w, b, a } = step;
  const line = lineOf(width);
  const gap = height * line;
  const out = new Float64Array(2);
  forEntries(height, width, pairs, (p, i, j, i2, j2) => {
    const [first, second] = [at + i * line + j, at + i2 * line + j2];
    const inverse = numbers1[first + gap]! * numbers2[second + gap]!;
    const before = k[p]!;
    // Not through the product of the inverses, which may overflow.
    const c = before * numbers1[first + gap]! * numbers2[second + gap]!;
    const cosine = Math.abs(c) > NEAR_ONE ? Math.sign(c) : c;
    if (kind === "piecewise") {
      const sine = Math.sqrt((1 - cosine) * (1 + cosine));
      const slope = w - b * Math.atan2(sine, cosine);
      k[p] = slope * before + b * numbers1[first]! * numbers2[second]! * sine;
      theta[p] = theta[p]! * slope;
    } else if (kind === "normalize") {
      k[p] = cosine;
      theta[p] = theta[p]! * inverse;
    } else if (kind === "erf") {
      const u = Math.min(1, Math.max(-1, b * before * inverse));
      const root = Math.sqrt((1 - u) * (1 + u));
      k[p] = w * Math.atan2(u, root) + a;
      theta[p] = (theta[p]! * w * b * inverse) / root;
    } else {
      if (other === undefined) throw new RangeError(`imagePairs: no function ${step.id} for a step of another kind`);
      const [s, t] = [numbers1[first]!, numbers2[second]!];
      const most = Math.sqrt(s) * Math.sqrt(t);
      other(s, s === t && before === s ? s : Math.min(most, Math.max(-most, before)), t, out);
      k[p] = out[0]!;
      theta[p] = theta[p]! * out[1]!;
    }
  });
}
