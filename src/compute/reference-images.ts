import { type DualKind, dualNumbers } from "./duals.ts";
import { decodeImageProgram, type ImageStep, imageNeeds, isRecorded, lineOf, tensorLength } from "./image-program.ts";
import { dualReference } from "./reference-duals.ts";
import type { Kernels } from "./types.ts";

interface Tensors {
  k: Float64Array;
  theta: Float64Array;
}

/** The naive kernels of pairs of images, entry by entry. */
export const imagePairsReference: Kernels["imagePairs"] = (
  record,
  lower,
  rows,
  cols,
  program,
  images1,
  images2,
  numbers1,
  numbers2,
  nngp,
  ntk,
) => {
  const steps = decodeImageProgram(program);
  const { image, numbers } = imageNeeds(steps);
  const part = (array: Float64Array, size: number, i: number): Float64Array => array.subarray(i * size, (i + 1) * size);
  for (let i = 0; i < rows; i++) {
    const x = part(images1, image, i);
    const first = part(numbers1, numbers, i);
    for (let j = 0; j < (record ? 1 : lower ? i + 1 : cols); j++) {
      const y = record ? x : part(images2, image, j);
      const { k, theta } = throughSteps(steps, record, x, y, first, record ? first : part(numbers2, numbers, j));
      if (nngp !== null) nngp[i * cols + j] = k[0]!;
      if (ntk !== null) ntk[i * cols + j] = theta[0]!;
    }
  }
};

function throughSteps(
  steps: readonly ImageStep[],
  record: boolean,
  x: Float64Array,
  y: Float64Array,
  numbers1: Float64Array,
  numbers2: Float64Array,
): Tensors {
  let now: Tensors = { k: new Float64Array(0), theta: new Float64Array(0) };
  const slots: Tensors[] = [];
  for (const [s, step] of steps.entries()) {
    const { kind, at } = step;
    if (kind === "numbers") continue;
    if (kind === "input") now = input(step, x, y);
    else if (kind === "conv" || kind === "pool") now = slide(step, now);
    else if (isRecorded(kind)) {
      if (record) recordNumbers(step, coefficientsOf(steps, s), now.k, numbers1);
      activate(step, kind, now, numbers1, numbers2);
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

/** The numbers of the steps `numbers` behind step s. */
function coefficientsOf(steps: readonly ImageStep[], s: number): readonly number[] {
  const rest = steps.slice(s + 1);
  const end = rest.findIndex(({ kind }) => kind !== "numbers");
  return rest.slice(0, end < 0 ? rest.length : end).flatMap(({ w, b, a, e }) => [w, b, a, e]);
}

/** Writes the numbers of a step for each pixel; see {@link DUAL_STEPS}. */
function recordNumbers(step: ImageStep, coefficients: readonly number[], k: Float64Array, numbers: Float64Array): void {
  const { kind, height, width, at } = step;
  const variances = diagonal(step, k);
  if (kind === "normalize" && step.w !== 0) {
    variances.fill(reduce({ ...step, pairs: false, w: 1 / (height * width) }, variances)[0]!);
  }
  forEntries(height, width, false, (p) => {
    numbersOf(step, coefficients, variances[p]!).forEach((value, m) => {
      numbers[at + m * height * lineOf(width) + p] = value;
    });
  });
}

function numbersOf({ kind, w, b, a }: ImageStep, coefficients: readonly number[], v: number): readonly number[] {
  const root = Math.sqrt(v);
  const inverse = root > 0 ? 1 / root : 0;
  if (kind === "erf") return [root, 1 / Math.sqrt(1 + b * v)];
  if (kind === "gelu") return [root, 1 / Math.sqrt(1 + v)];
  if (kind === "exponential") return [v, inverse];
  if (kind === "gaussian") return [Math.max(0, 1 - a * v), inverse];
  if (kind !== "polynomial") return [root, inverse];
  let from = 0;
  return Array.from({ length: w + 1 }, (_, m) => {
    const part = coefficients.slice(from, from + Math.floor((w - m) / 2) + 1);
    from += part.length;
    return part.reduce((sum, c, power) => sum + c * v ** power, 0);
  });
}

function activate(
  { height, width, pairs, at, w, b, a }: ImageStep,
  kind: DualKind,
  { k, theta }: Tensors,
  numbers1: Float64Array,
  numbers2: Float64Array,
): void {
  const line = lineOf(width);
  const count = dualNumbers(kind, w);
  const ofPixel = (numbers: Float64Array, i: number, j: number): number[] =>
    Array.from({ length: count }, (_, m) => numbers[at + (m * height + i) * line + j]!);
  forEntries(height, width, pairs, (p, i, j, i2, j2) => {
    const dual = dualReference(kind, [w, b, a], k[p]!, ofPixel(numbers1, i, j), ofPixel(numbers2, i2, j2));
    k[p] = dual.k;
    theta[p] = theta[p]! * dual.slope;
  });
}
