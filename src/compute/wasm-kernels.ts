import { symmetricEigen } from "./eigen.ts";
import type { KernelMemory } from "./memory.ts";
import type { Job, Team } from "./team.ts";
import type { Kernels } from "./types.ts";

/** Jobs of assembly/team.ts; `reals` marks the f64 arguments. */
const GEMM: Job = { code: 0, reals: (1 << 5) | (1 << 10) };
const GEMV_ROWS: Job = { code: 1, reals: (1 << 2) | (1 << 6) };
const GEMV_TRANSPOSED: Job = { code: 2, reals: (1 << 2) | (1 << 6) };
const NORMAL_PRODUCT: Job = { code: 3, reals: 0 };
const GATED_FORWARD: Job = { code: 4, reals: 0 };
const GATED_ADJOINT: Job = { code: 5, reals: 0 };
const ACTIVATION_PATTERNS: Job = { code: 6, reals: 0 };
const SOLVE_ROWS: Job = { code: 7, reals: 0 };
const SOLVE_COLUMNS: Job = { code: 8, reals: 0 };

/**
 * Multiply-adds below which a kernel stays on one thread: about 20 microseconds of work. Waking a helper costs less
 * than one when it still polls, and some ten when it sleeps or the machine is busy.
 */
const THREAD_WORK = 1 << 18;
/** The same for the gated products, whose multiply-adds are tabulated. */
const GATED_THREAD_WORK = 1 << 20;
/** Width of the panels of the Cholesky factorization. */
const PANEL = 128;

/** The kernels of assembly/, on the threads of `team`. Arguments are not checked here. */
export function wasmKernels(team: Team, memory: KernelMemory): Kernels {
  const { exports } = team;
  const threadsFor = (work: number, enough = THREAD_WORK): number => (work < enough ? 1 : team.threads);

  /** Runs a job whose threads each make their own sum of n entries, and adds the sums to `y` in thread order. */
  const runWithPartials = (job: Job, n: number, work: number, args: readonly number[], y: Float64Array): void => {
    const threads = threadsFor(work);
    if (threads === 1) team.run(job, 1, [...args, 0]);
    else
      memory.scope((scope) => {
        const partials = scope.f64((threads - 1) * n).byteOffset;
        team.run(job, threads, [...args, partials]);
        exports.addPartials(n, threads, partials, y.byteOffset);
      });
  };

  /** C <- alpha op(A) op(B) + beta C on pointers. */
  const multiply = (
    transA: boolean,
    transB: boolean,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    beta: number,
    c: number,
    ldc: number,
  ): void => {
    const args = [transA ? 1 : 0, transB ? 1 : 0, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc];
    team.run(GEMM, threadsFor(m * n * k), args);
  };

  return {
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      multiply(transA, transB, m, n, k, alpha, a.byteOffset, lda, b.byteOffset, ldb, beta, c.byteOffset, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      const args = [m, n, alpha, a.byteOffset, lda, x.byteOffset, beta, y.byteOffset];
      if (trans) runWithPartials(GEMV_TRANSPOSED, n, m * n, args, y);
      else team.run(GEMV_ROWS, threadsFor(m * n), args);
    },
    normalProduct(m, n, a, lda, x, y) {
      runWithPartials(NORMAL_PRODUCT, n, 2 * m * n, [m, n, a.byteOffset, lda, x.byteOffset, y.byteOffset], y);
    },
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
    dot: (n, x, y) => exports.dot(n, x.byteOffset, y.byteOffset),
    axpy: (n, alpha, x, y) => exports.axpy(n, alpha, x.byteOffset, y.byteOffset),
    norm2: (n, x) => exports.norm2(n, x.byteOffset),
    normInf: (n, x) => exports.normInf(n, x.byteOffset),
    norm1: (n, x) => exports.norm1(n, x.byteOffset),
    cholesky(n, a, lda) {
      const at = (i: number, j: number): number => a.byteOffset + 8 * (i * lda + j);
      for (let j = 0; j < n; j += PANEL) {
        // 1. The diagonal block, 2. the panel below it, 3. the rest of the lower triangle, one block column at a time.
        const width = Math.min(PANEL, n - j);
        const failed = exports.choleskyBlock(width, at(j, j), lda, team.work);
        if (failed !== 0) return j + failed;
        const next = j + width;
        const rest = n - next;
        if (rest === 0) break;
        team.run(SOLVE_ROWS, threadsFor(rest * width * width), [rest, width, at(j, j), lda, at(next, j), lda]);
        for (let q = next; q < n; q += PANEL) {
          const cols = Math.min(PANEL, n - q);
          multiply(false, true, n - q, cols, width, -1, at(q, j), lda, at(q, j), lda, 1, at(q, q), lda);
        }
      }
      for (let i = 0; i < n; i++) a.fill(0, i * lda + i + 1, i * lda + n);
      return 0;
    },
    solveLower(trans, n, nrhs, l, ldl, b, ldb) {
      const args = [trans ? 1 : 0, n, nrhs, l.byteOffset, ldl, b.byteOffset, ldb];
      team.run(SOLVE_COLUMNS, nrhs < 8 ? 1 : threadsFor(n * n * nrhs), args);
    },
    symmetricEigen,
  };
}
