import { type Matrix, matrix, row, takeRows } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { hullNeuron } from "./extreme-points.ts";
import { lasso } from "./lasso.ts";

/** Images as rows: entry (r * width + s) * channels + q is channel q of the pixel in row r and column s. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export interface PatchOptions {
  /** Patches are `patch` x `patch` pixels, all channels. */
  readonly patch: number;
  /** Distance between patches; default 1. */
  readonly stride?: number;
  /** Random patches drawn for the filters (filters whose patch lies in the hull of the others are skipped). */
  readonly filters: number;
  /** Added to the variance of a patch before dividing; default 10 (for pixels of 0 to 255; use less for other scales). */
  readonly varianceFloor?: number;
  /** Whiten the patches: V (D + eps I)^-1/2 V' of their covariance; null: no. Default 0.1. */
  readonly zca?: number | null;
  /** Regions per side over which filter responses are summed; default 2 (four quadrants). */
  readonly pool?: number;
  readonly seed?: number;
}

/** Filters over normalized patches, and what prepares the patches. */
export interface PatchFilters {
  readonly shape: ImageShape;
  readonly patch: number;
  readonly stride: number;
  readonly pool: number;
  readonly varianceFloor: number;
  /** Mean of the normalized patches and the whitening matrix (null: none). */
  readonly zca: { readonly mean: Float64Array; readonly matrix: Matrix } | null;
  /** Unit vectors, one row a filter. */
  readonly U: Matrix;
}

/**
 * Filters of the convex random-feature method on image patches (Ergen & Pilanci, arXiv:2002.11219, Algorithm 2, steps 1 to 9):
 * random patches are normalized, (p - mean) / sqrt(var + eps), optionally ZCA-whitened, and each gives the Lemma 7 neuron that
 * separates it from the hull of the other patches (no bias is used).
 *
 * @throws RangeError when the images do not have the given shape or the patch does not fit.
 */
export function patchFilters(compute: Compute, images: Matrix, shape: ImageShape, options: PatchOptions): PatchFilters {
  const { patch, stride = 1, filters, varianceFloor = 10, zca = 0.1, pool = 2, seed = 0 } = options;
  checkImages(images, shape, patch);
  const random = randomStream(seed, "patches");
  const d = patch * patch * shape.channels;
  const drawn = matrix(filters, d);
  for (let j = 0; j < filters; j++) {
    const image = row(images, random.integer(images.rows));
    const top = random.integer(shape.height - patch + 1);
    const left = random.integer(shape.width - patch + 1);
    copyPatch(image, shape, patch, top, left, row(drawn, j));
    normalize(row(drawn, j), varianceFloor);
  }
  const whitening = zca === null ? null : zcaOf(compute, drawn, zca);
  for (let j = 0; j < filters; j++) whitenInPlace(whitening, row(drawn, j));
  const kept: Float64Array[] = [];
  for (let j = 0; filters > 1 && j < filters; j++) {
    const neuron = hullNeuron(drawn, j);
    if (neuron !== null) kept.push(neuron.u);
  }
  const U = matrix(kept.length, d);
  kept.forEach((u, j) => {
    U.data.set(u, j * d);
  });
  return { shape, patch, stride, pool, varianceFloor, zca: whitening, U };
}

/**
 * Pooled responses B = pool(ReLU(patches U')) of images, one row an image, pool^2 values a filter (Algorithm 2, steps 10 to
 * 13; the features on which a lasso or any linear model is trained).
 */
export function patchFeatures(filters: PatchFilters, images: Matrix): Matrix {
  const { shape, patch, stride, pool, varianceFloor, zca, U } = filters;
  checkImages(images, shape, patch);
  const down = Math.floor((shape.height - patch) / stride) + 1;
  const across = Math.floor((shape.width - patch) / stride) + 1;
  const out = matrix(images.rows, U.rows * pool * pool);
  const p = new Float64Array(U.cols);
  for (let i = 0; i < images.rows; i++) {
    const features = row(out, i);
    for (let r = 0; r < down; r++) {
      for (let s = 0; s < across; s++) {
        copyPatch(row(images, i), shape, patch, r * stride, s * stride, p);
        normalize(p, varianceFloor);
        whitenInPlace(zca, p);
        const region = Math.floor((r * pool) / down) * pool + Math.floor((s * pool) / across);
        for (let j = 0; j < U.rows; j++) {
          let z = 0;
          for (let k = 0; k < U.cols; k++) z += U.data[j * U.cols + k] * p[k];
          if (z > 0) features[j * pool * pool + region] += z;
        }
      }
    }
  }
  return out;
}

/** A linear readout of patch features: 1/2 ||B w + c0 - y||^2 + beta ||w||_1 (Algorithm 2, last step). */
export interface PatchFit {
  readonly w: Float64Array;
  readonly c0: number;
  readonly objective: number;
}

/** Trains the readout of {@link patchFeatures} for one target. */
export function fitPatchReadout(features: Matrix, y: Float64Array, beta: number): PatchFit {
  const { w, c0, objective } = lasso({ H: features, y, beta, offset: true });
  return { w, c0, objective };
}

/**
 * The K patch matrices of images (n x (patch^2 channels) each): the data of {@link fitPooled}, a convolutional layer with global
 * sum pooling.
 */
export function patchMatrices(images: Matrix, shape: ImageShape, patch: number, stride = 1): Matrix[] {
  checkImages(images, shape, patch);
  const out: Matrix[] = [];
  for (let top = 0; top + patch <= shape.height; top += stride) {
    for (let left = 0; left + patch <= shape.width; left += stride) {
      const part = matrix(images.rows, patch * patch * shape.channels);
      for (let i = 0; i < images.rows; i++) copyPatch(row(images, i), shape, patch, top, left, row(part, i));
      out.push(part);
    }
  }
  return out;
}

function checkImages(images: Matrix, { height, width, channels }: ImageShape, patch: number): void {
  if (images.cols !== height * width * channels) {
    throw new RangeError(`images of ${height} x ${width} x ${channels} do not have ${images.cols} entries`);
  }
  if (!(patch >= 1 && patch <= Math.min(height, width))) {
    throw new RangeError(`a patch of ${patch} pixels does not fit into ${height} x ${width}`);
  }
}

function copyPatch(
  image: Float64Array,
  { width, channels }: ImageShape,
  patch: number,
  top: number,
  left: number,
  out: Float64Array,
): void {
  const run = patch * channels;
  for (let r = 0; r < patch; r++) {
    const at = ((top + r) * width + left) * channels;
    out.set(image.subarray(at, at + run), r * run);
  }
}

/** p <- (p - mean) / sqrt(var + floor). */
function normalize(p: Float64Array, floor: number): void {
  let mean = 0;
  for (const t of p) mean += t / p.length;
  let variance = 0;
  for (const t of p) variance += (t - mean) ** 2 / p.length;
  const scale = variance + floor > 0 ? 1 / Math.sqrt(variance + floor) : 0;
  for (let k = 0; k < p.length; k++) p[k] = (p[k] - mean) * scale;
}

/** V (D + eps I)^-1/2 V' of the covariance V D V' of rows. */
function zcaOf(compute: Compute, rows: Matrix, eps: number): { mean: Float64Array; matrix: Matrix } {
  const { rows: n, cols: d } = rows;
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) mean[k] += rows.data[i * d + k] / n;
  const centered = takeRows(
    rows,
    Array.from({ length: n }, (_, i) => i),
  );
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) centered.data[i * d + k] -= mean[k];
  return compute.scope((scope) => {
    const C = scope.f64(d * d);
    const data = scope.copy(centered.data);
    compute.gemm(true, false, d, d, n, 1 / n, data, d, data, d, 0, C, d);
    const values = scope.f64(d);
    compute.symmetricEigen(d, C, d, values);
    const scaled = scope.f64(d * d);
    for (let k = 0; k < d; k++) {
      for (let q = 0; q < d; q++) scaled[k * d + q] = C[k * d + q] / Math.sqrt(Math.max(0, values[q]) + eps);
    }
    const out = scope.f64(d * d);
    compute.gemm(false, true, d, d, d, 1, scaled, d, C, d, 0, out, d);
    return { mean, matrix: matrix(d, d, Float64Array.from(out)) };
  });
}

function whitenInPlace(zca: PatchFilters["zca"], p: Float64Array): void {
  if (zca === null) return;
  const d = p.length;
  const centered = p.map((t, k) => t - zca.mean[k]);
  for (let k = 0; k < d; k++) {
    p[k] = 0;
    for (let q = 0; q < d; q++) p[k] += zca.matrix.data[k * d + q] * centered[q];
  }
}
