import { blockedSymmetricEigen } from "./blocked-eigen.ts";
import { decodeImageProgram, imageNeeds } from "./image-program.ts";
import type { KernelMemory } from "./memory.ts";
import type { Job, Team } from "./team.ts";
import type { Kernels, StreamKey } from "./types.ts";
import { wasmRealKernels } from "./wasm-real-kernels.ts";

/** Jobs of assembly/jobs.ts in f64 alone; `reals` marks the f64 arguments. */
const GATED_FORWARD: Job = { code: 8, reals: 0 };
const GATED_ADJOINT: Job = { code: 9, reals: 0 };
const ACTIVATION_PATTERNS: Job = { code: 10, reals: 0 };
const SOLVE_ROWS: Job = { code: 11, reals: 0 };
const SOLVE_COLUMNS: Job = { code: 12, reals: 0 };
const RANDOM_BITS: Job = { code: 13, reals: 1 << 2 };
const RANDOM_UNIFORM: Job = { code: 14, reals: 1 << 2 };
const RANDOM_NORMAL: Job = { code: 15, reals: 1 << 2 };
const IMAGE_PAIRS: Job = { code: 16, reals: 0 };

/** Multiply-adds below which the gated products, whose multiply-adds are tabulated, stay on one thread. */
const GATED_THREAD_WORK = 1 << 20;
/** Multiply-adds that one random number costs. */
const RANDOM_WORK = 32;
/** Multiply-adds that a step costs for an entry of the tensors of a pair of images. */
const IMAGE_ENTRY_WORK = 8;
/** Width of the panels of the Cholesky factorization. */
const PANEL = 128;

/** The kernels of assembly/, on the threads of `team`. Arguments are not checked here. */
export function wasmKernels(team: Team, memory: KernelMemory): Kernels {
  const { exports } = team;
  const double = wasmRealKernels(team, memory, "F64");
  const { threadsFor } = double;

  const fill = (job: Job, key: StreamKey, first: number, n: number, out: Float64Array | Uint32Array): void =>
    team.run(job, threadsFor(n * RANDOM_WORK), [key[0], key[1], first, n, out.byteOffset]);

  const kernels: Kernels = {
    ...double.kernels,
    f32: wasmRealKernels(team, memory, "F32").kernels,
    gatedForward(n, d, p, x, patterns, v, out) {
      const args = [n, d, p, x.byteOffset, patterns.byteOffset, v.byteOffset, out.byteOffset];
      team.run(GATED_FORWARD, threadsFor(n * d * p, GATED_THREAD_WORK), args);
    },
    gatedAdjoint(n, d, p, x, patterns, r, out) {
      const args = [n, d, p, x.byteOffset, patterns.byteOffset, r.byteOffset, out.byteOffset];
      team.run(GATED_ADJOINT, threadsFor(n * d * p, GATED_THREAD_WORK), args);
    },
    activationPatterns(n, d, p, x, g, out) {
      team.run(ACTIVATION_PATTERNS, threadsFor(n * d * p), [n, d, p, x.byteOffset, g.byteOffset, out.byteOffset]);
    },
    blockSoftThreshold(p, d, v, tau) {
      exports.blockSoftThreshold(p, d, v.byteOffset, tau);
    },
    projectOnBalls(rows, cols, b, radii, levels, gains) {
      const { byteOffset } = gains;
      exports.projectOnBalls(rows, cols, b.byteOffset, radii.byteOffset, levels.byteOffset, byteOffset);
    },
    stepOnBalls(rows, cols, { rate, fix, decayMean, decaySquare }, h, mean, square, slopes, slack, radii, along) {
      const arrays = [h, mean, square, slopes, slack, radii, along].map(({ byteOffset }) => byteOffset);
      exports.stepOnBalls(rows, cols, rate, fix, decayMean, decaySquare, ...arrays);
    },
    cholesky(n, a, lda) {
      const at = (i: number, j: number): number => a.byteOffset + 8 * (i * lda + j);
      for (let j = 0; j < n; j += PANEL) {
        // 1. The diagonal block, 2. the panel below it, 3. the rest of the lower triangle.
        const width = Math.min(PANEL, n - j);
        const failed = exports.choleskyBlock(width, at(j, j), lda, team.work);
        if (failed !== 0) return j + failed;
        const next = j + width;
        const rest = n - next;
        if (rest === 0) break;
        team.run(SOLVE_ROWS, threadsFor((rest * width * width) / 2), [rest, width, at(j, j), lda, at(next, j), lda]);
        double.rankUpdate(false, rest, width, -1, at(next, j), lda, 1, at(next, next), lda);
      }
      exports.clearUpper(n, a.byteOffset, lda);
      return 0;
    },
    solveLower(trans, n, nrhs, l, ldl, b, ldb) {
      const args = [trans ? 1 : 0, n, nrhs, l.byteOffset, ldl, b.byteOffset, ldb];
      team.run(SOLVE_COLUMNS, nrhs < 8 ? 1 : threadsFor((n * n * nrhs) / 2), args);
    },
    symmetricEigen(n, a, lda, values) {
      blockedSymmetricEigen(arithmetic, n, a, lda, values);
    },
    imagePairs(record, lower, rows, cols, program, images1, images2, numbers1, numbers2, nngp, ntk) {
      const steps = decodeImageProgram(program);
      const { tensor, slots, room, numbers, image, work } = imageNeeds(steps);
      const entries = record ? rows : lower ? (rows * (rows + 1)) / 2 : rows * cols;
      const threads = Math.min(entries, threadsFor(entries * tensor * steps.length * IMAGE_ENTRY_WORK));
      if (entries === 0) return;
      memory.scope((scope) => {
        const spaces = scope.f64(threads * work);
        const flags = [record ? 1 : 0, lower ? 1 : 0, rows, record ? 1 : cols, steps.length, program.byteOffset];
        const images = [images1.byteOffset, images2.byteOffset, image];
        const ofImages = [numbers1.byteOffset, numbers2.byteOffset, numbers];
        const results = record ? [0, 0] : [nngp?.byteOffset ?? 0, ntk?.byteOffset ?? 0];
        const space = [tensor, slots, room, spaces.byteOffset, work];
        team.run(IMAGE_PAIRS, threads, [...flags, ...images, ...ofImages, ...results, ...space]);
      });
    },
    randomBits: (key, first, n, out) => fill(RANDOM_BITS, key, first, n, out),
    randomUniform: (key, first, n, out) => fill(RANDOM_UNIFORM, key, first, n, out),
    randomNormal: (key, first, n, out) => fill(RANDOM_NORMAL, key, first, n, out),
  };
  const arithmetic = { ...kernels, scope: memory.scope };
  return kernels;
}
