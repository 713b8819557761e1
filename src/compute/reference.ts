import { philox4x32 } from "../base/random.ts";
import { symmetricEigen } from "./eigen.ts";
import { elementwiseReference } from "./reference-elementwise.ts";
import { imagePairsReference } from "./reference-images.ts";
import { pairRecursionReference } from "./reference-pairs.ts";
import { windowsReference } from "./reference-windows.ts";
import type { Kernels, RealArray, RealKernels, StreamKey } from "./types.ts";
import { patternWords } from "./types.ts";

const bit = (patterns: Uint32Array, words: number, p: number, i: number): boolean =>
  (((patterns[p * words + (i >>> 5)] as number) >>> (i & 31)) & 1) === 1;

/** Word `index` of a Philox stream: four a block. */
function streamWord([key0, key1]: StreamKey, index: number): number {
  const block = Math.floor(index / 4);
  const words = Uint32Array.of(block >>> 0, Math.floor(block / 2 ** 32), 0, 0);
  philox4x32(words, key0, key1);
  return words[index % 4]!;
}

function streamUniform(key: StreamKey, index: number): number {
  return ((streamWord(key, 2 * index) >>> 5) * 2 ** 26 + (streamWord(key, 2 * index + 1) >>> 6)) / 2 ** 53;
}

/** Naive loops of one precision: f64 arithmetic, rounded where an array of f32 is written. */
const realKernels: RealKernels<RealArray> = {
  ...elementwiseReference,
  ...windowsReference,
  pairRecursion: pairRecursionReference,
  gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = i * ldc + j;
        let value = beta === 0 ? 0 : beta * c[at]!;
        if (alpha !== 0) {
          let sum = 0;
          for (let p = 0; p < k; p++) {
            sum += a[transA ? p * lda + i : i * lda + p]! * b[transB ? j * ldb + p : p * ldb + j]!;
          }
          value += alpha * sum;
        }
        c[at] = value;
      }
    }
  },
  syrk(trans, n, k, alpha, a, lda, beta, c, ldc) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        const at = i * ldc + j;
        let value = beta === 0 ? 0 : beta * c[at]!;
        if (alpha !== 0) {
          let sum = 0;
          for (let p = 0; p < k; p++)
            sum += a[trans ? p * lda + i : i * lda + p]! * a[trans ? p * lda + j : j * lda + p]!;
          value += alpha * sum;
        }
        c[at] = value;
      }
    }
  },
  gemv(trans, m, n, alpha, a, lda, x, beta, y) {
    this.gemm(trans, false, trans ? n : m, 1, trans ? m : n, alpha, a, lda, x, 1, beta, y, 1);
  },
  normalProduct(m, n, a, lda, x, y) {
    const product = new Float64Array(m);
    this.gemv(false, m, n, 1, a, lda, x, 0, product);
    this.gemv(true, m, n, 1, a, lda, product, 0, y);
  },
  dot(n, x, y) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += x[i]! * y[i]!;
    return sum;
  },
  axpy(n, alpha, x, y) {
    for (let i = 0; i < n; i++) y[i] = alpha * x[i]! + y[i]!;
  },
  norm2(n, x) {
    const scale = this.normInf(n, x);
    if (scale === 0 || !Number.isFinite(scale)) return scale;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (x[i]! / scale) ** 2;
    return scale * Math.sqrt(sum);
  },
  normInf(n, x) {
    let largest = 0;
    for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(x[i]!));
    return largest;
  },
  norm1(n, x) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += Math.abs(x[i]!);
    return sum;
  },
};

/** Naive loops, one formula a kernel: what every other backend is tested against. */
export const referenceKernels: Kernels = {
  ...realKernels,
  f32: realKernels,
  imagePairs: imagePairsReference,
  gatedForward(n, d, p, x, patterns, v, out) {
    const words = patternWords(n);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let q = 0; q < p; q++) {
        if (!bit(patterns, words, q, i)) continue;
        for (let j = 0; j < d; j++) sum += x[i * d + j]! * v[q * d + j]!;
      }
      out[i] = sum;
    }
  },
  gatedAdjoint(n, d, p, x, patterns, r, out) {
    const words = patternWords(n);
    for (let q = 0; q < p; q++) {
      for (let j = 0; j < d; j++) {
        let sum = 0;
        for (let i = 0; i < n; i++) if (bit(patterns, words, q, i)) sum += x[i * d + j]! * r[i]!;
        out[q * d + j] = sum;
      }
    }
  },
  activationPatterns(n, d, p, x, g, out) {
    const words = patternWords(n);
    out.fill(0, 0, p * words);
    for (let q = 0; q < p; q++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < d; j++) sum += x[i * d + j]! * g[q * d + j]!;
        const at = q * words + (i >>> 5);
        if (sum > 0) out[at] = out[at]! | (1 << (i & 31));
      }
    }
  },
  blockSoftThreshold(p, d, v, tau) {
    for (let q = 0; q < p; q++) {
      const block = v.subarray(q * d, (q + 1) * d);
      const norm = this.norm2(d, block);
      // At norm = 0 the factor 1 - tau / norm is not needed: the block is zero already.
      const factor = norm <= tau ? 0 : 1 - tau / norm;
      for (let j = 0; j < d; j++) block[j] = factor === 0 ? 0 : factor * block[j]!;
    }
  },
  projectOnBalls(rows, cols, b, radii, levels, gains) {
    for (let j = 0; j < rows; j++) {
      const row = b.subarray(j * cols, (j + 1) * cols);
      const radius = radii[j]!;
      // The level at which the k largest add up to the radius, for the k that makes it largest.
      const sizes = row.map(Math.abs).sort().reverse();
      let level = 0;
      let sum = 0;
      sizes.forEach((size, k) => {
        sum += size;
        level = Math.max(level, (sum - radius) / (k + 1));
      });
      levels[j] = level;
      gains[j] = 0;
      for (let i = 0; i < cols; i++) {
        const p = Math.sign(row[i]!) * Math.max(0, Math.abs(row[i]!) - level);
        gains[j]! += p * (2 * row[i]! - p);
        row[i] = p;
      }
    }
  },
  stepOnBalls(rows, cols, { rate, fix, decayMean, decaySquare }, h, mean, square, slopes, slack, radii, along) {
    for (let j = 0; j < rows; j++) {
      let norm = 0;
      let sum = 0;
      for (let k = j * cols; k < (j + 1) * cols; k++) {
        norm += h[k]! ** 2;
        sum += h[k]! * Math.abs(h[k]!) * (slack[j]! * Math.sign(h[k]!) - slopes[k]!);
      }
      const inverse = 1 / Math.max(1, norm);
      along[j] = (sum * inverse) / 2;
      const pull = norm > 1 ? 2 * along[j]! * inverse : 0;
      for (let k = j * cols; k < (j + 1) * cols; k++) {
        const g = radii[j]! * (h[k]! * (slack[j]! * inverse - pull) - slopes[k]! * Math.abs(h[k]!) * inverse);
        mean[k] = decayMean * mean[k]! + (1 - decayMean) * g;
        square[k] = decaySquare * square[k]! + (1 - decaySquare) * g * g;
        h[k]! -= (rate * mean[k]!) / (fix * Math.sqrt(square[k]!) + 1e-9);
      }
    }
  },
  cholesky(n, a, lda) {
    for (let j = 0; j < n; j++) {
      let pivot = a[j * lda + j]!;
      for (let k = 0; k < j; k++) pivot -= a[j * lda + k]! ** 2;
      if (!(pivot > 0)) return j + 1;
      const root = Math.sqrt(pivot);
      a[j * lda + j] = root;
      for (let i = j + 1; i < n; i++) {
        let sum = a[i * lda + j]!;
        for (let k = 0; k < j; k++) sum -= a[i * lda + k]! * a[j * lda + k]!;
        a[i * lda + j] = sum / root;
      }
    }
    for (let i = 0; i < n; i++) a.fill(0, i * lda + i + 1, i * lda + n);
    return 0;
  },
  solveLower(trans, n, nrhs, l, ldl, b, ldb) {
    for (let step = 0; step < n; step++) {
      const i = trans ? n - 1 - step : step;
      for (let q = 0; q < nrhs; q++) {
        let sum = b[i * ldb + q]!;
        if (trans) for (let k = i + 1; k < n; k++) sum -= l[k * ldl + i]! * b[k * ldb + q]!;
        else for (let k = 0; k < i; k++) sum -= l[i * ldl + k]! * b[k * ldb + q]!;
        b[i * ldb + q] = sum / l[i * ldl + i]!;
      }
    }
  },
  symmetricEigen,
  randomBits(key, first, n, out) {
    for (let i = 0; i < n; i++) out[i] = streamWord(key, first + i);
  },
  randomUniform(key, first, n, out) {
    for (let i = 0; i < n; i++) out[i] = streamUniform(key, first + i);
  },
  randomNormal(key, first, n, out) {
    for (let i = 0; i < n; i++) {
      const even = first + i - ((first + i) % 2);
      const radius = Math.sqrt(-2 * Math.log(1 - streamUniform(key, even)));
      const angle = 2 * Math.PI * streamUniform(key, even + 1);
      out[i] = radius * (even === first + i ? Math.cos(angle) : Math.sin(angle));
    }
  },
};
