import type { Compute, RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";

/** What the assumptions on data say of some inputs (n x d). */
export interface DataSeparation {
  /** Least distance of two inputs; Infinity with fewer than two. */
  readonly separation: number;
  /** Largest | ||x|| - 1 |. */
  readonly normError: number;
  /** Largest |cosine| between two inputs. */
  readonly cosine: number;
}

/** Samples that are compared pair by pair; of more, as many evenly spaced ones. */
const COMPARED = 512;

/** What products of rows may be off by, relative to the squares of their norms. */
const ROUNDING = 1e-11;

/** Separation and norms of the rows of n x d inputs. */
export function dataSeparation(compute: Compute, inputs: RealArray, n: number, d: number): DataSeparation {
  const count = Math.min(n, COMPARED);
  return compute.scope((scope) => {
    const [rows, gram] = [scope.f64(count * d), scope.f64(count * count)];
    for (let k = 0; k < count; k++) {
      const at = Math.floor((k * n) / count) * d;
      rows.set(inputs.subarray(at, at + d), k * d);
    }
    compute.gemm(false, true, count, count, d, 1, rows, d, rows, d, 0, gram, count);
    const norms = Array.from({ length: count }, (_, k) => compute.norm2(d, rows.subarray(k * d, (k + 1) * d)));
    const squared = (i: number, j: number): number => {
      let square = 0;
      for (let k = 0; k < d; k++) square += (rows[i * d + k] - rows[j * d + k]) ** 2;
      return square;
    };
    let least = Number.POSITIVE_INFINITY;
    let cosine = 0;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) {
        const [dot, size] = [gram[i * count + j], gram[i * count + i] + gram[j * count + j]];
        cosine = Math.max(cosine, Math.abs(dot) / (norms[i]! * norms[j]!) || 0);
        // Differences of products cancel for rows that are close: these are subtracted one by one.
        if (size - 2 * dot - ROUNDING * size < least) least = Math.min(least, squared(i, j));
      }
    }
    const normError = norms.reduce((worst, norm) => Math.max(worst, Math.abs(norm - 1)), 0);
    return { separation: Math.sqrt(least), normError, cosine };
  });
}

/** What the assumptions say of inputs that are patches one after the other. */
export interface PatchSeparation {
  /** Least distance of two inputs in that of their patches where they differ most; Infinity with fewer than two. */
  readonly separation: number;
  /** Largest | ||patch|| - 1 |. */
  readonly normError: number;
}

/** Numbers that patches may be compared by. */
const PATCH_WORK = 3e7;

/** Separation and norms of n inputs of so many patches of d numbers. */
export function patchSeparation(inputs: RealArray, n: number, patches: number, d: number): PatchSeparation {
  const size = patches * d;
  const count = Math.min(n, COMPARED, Math.max(2, Math.floor(Math.sqrt((2 * PATCH_WORK) / size))));
  const rows = Array.from({ length: count }, (_, k) => Math.floor((k * n) / count) * size);
  const squared = (a: number, b: number | null): number => {
    let square = 0;
    for (let k = 0; k < d; k++) square += (inputs[a + k] - (b === null ? 0 : inputs[b + k])) ** 2;
    return square;
  };
  let [least, normError] = [Number.POSITIVE_INFINITY, 0];
  rows.forEach((row, i) => {
    for (let p = 0; p < size; p += d) normError = Math.max(normError, Math.abs(Math.sqrt(squared(row + p, null)) - 1));
    for (const other of rows.slice(0, i)) {
      let most = 0;
      for (let p = 0; p < size; p += d) most = Math.max(most, squared(row + p, other + p));
      least = Math.min(least, most);
    }
  });
  return { separation: Math.sqrt(least), normError };
}

/** A row without a statement. */
export function plain(name: string, value: number, layer: string | null = null): Measurement {
  return { name, layer, value, bound: null, constant: null, statement: null, status: null };
}

/** A row beside what a statement says; a plain one where `bound` is null, for it does not speak of this network. */
export function beside(
  name: string,
  value: number,
  bound: number | null,
  [statement, status]: Statement,
  layer: string | null = null,
): Measurement {
  if (bound === null) return plain(name, value, layer);
  return { name, layer, value, bound, constant: value / bound, statement, status };
}

/** A row of what a statement speaks of without a number of its own. */
export function stated(name: string, value: number, [statement, status]: Statement): Measurement {
  return { name, layer: null, value, bound: null, constant: null, statement, status };
}

/** A statement with its exact place, and whether it was read in the source, recalled, or derived. */
export type Statement = readonly [text: string, status: "verified" | "recalled" | "derived"];

const ALS = "Allen-Zhu, Li and Song, arXiv:1811.03962";
/** Statements of the paper are recalled in their form; none of their constants is known. */
export const STATEMENTS = {
  gradientUpper: [`${ALS}, Theorem 3: ||grad F||^2 <= O(F L n m / c)`, "recalled"],
  gradientLower: [`${ALS}, Theorem 3: ||grad F||^2 >= Omega(F delta m / (c n^2))`, "recalled"],
  forwardNorm: [`${ALS}, Lemma 7.1: ||h_l|| in [1 - eps, 1 + eps] at the start`, "recalled"],
  separateness: [`${ALS}, Lemma 7.5: ||(I - h h'/||h||^2) h'|| >= delta / 2 at the start`, "recalled"],
  forwardProduct: [`${ALS}, Lemma 7.3: ||W_b D_(b-1) ... D_a W_a||_2 <= O(sqrt(L))`, "recalled"],
  backwardProduct: [`${ALS}, Lemma 7.4: ||B D_L W_L ... D_a W_a||_2 <= O(sqrt(m / c))`, "recalled"],
  signs: [`${ALS}, Lemma 8.2: ||D - D0||_0 <= O(m omega^(2/3) L)`, "recalled"],
  steps: [`${ALS}, proof of Theorem 1: T = Theta(n^6 L^2 / delta^2 log(1 / eps))`, "recalled"],
  stepsPatches: [`${ALS}, Theorem 7: T = poly(n, L, S) / delta^2 log(1 / eps)`, "recalled"],
  stepsResidual: [`${ALS}, Theorem 8: T = poly(n, L) / delta^2 log(1 / eps)`, "recalled"],
  patches: [`${ALS}, convolutional networks: patches of norm 1, a patch of any two inputs delta apart`, "recalled"],
  residualLeast: [`${ALS}, residual networks: 1 / tau >= L log m`, "recalled"],
  residualMost: [`${ALS}, residual networks: 1 / tau <= L^2 log^2 m`, "recalled"],
  patchNorm: ["||h_l|| = sqrt(S) at the start in the limit of infinite width, for S patches of norm 1", "derived"],
  residualNormLeast: ["E ||h_l||^2 >= 1 at the start, for inputs of norm 1", "derived"],
  residualNormMost: ["E ||h_l||^2 <= (1 + 2 tau^2)^l at the start, for inputs of norm 1", "derived"],
  adversary: [
    "a rank-one change of spectral norm omega flips at most (3 omega^2 / pi)^(1/3) of the neurons",
    "derived",
  ],
  distance: [`${ALS}, proof of Theorem 1: ||W - W0||_2 <= O(n^3 sqrt(c) log(m) / (delta sqrt(m)))`, "recalled"],
  semiSmooth: [
    `${ALS}, Theorem 4: F(W + W') - F - <grad F, W'> <= omega^(1/3) L^2 sqrt(n m log(m) / c) ||W'|| sqrt(F) + n L^2 m / c ||W'||^2`,
    "recalled",
  ],
  ntkGradient: [`${ALS}, Theorem 5 (a): ||grad f - grad f_NTK|| <= O(omega^(1/3) L^3) ||grad f_NTK||`, "recalled"],
  ntkFunction: [`${ALS}, Theorem 5 (b): |f - f_NTK| <= O(omega^(4/3) L^3 sqrt(m))`, "recalled"],
  ntkKernel: [`${ALS}, Theorem 5 (c): |K - K_NTK| <= O(omega^(1/3) L^3) sqrt(K_NTK(x, x) K_NTK(x', x'))`, "recalled"],
  rate: [
    "linearized gradient descent on smooth networks (Lee et al., arXiv:1902.06720, section 2, in steps): log(F_t+1 / F_t) <= 2 max log|1 - eta lambda| over the kernel's eigenvalues",
    "derived",
  ],
  kernelGradient: ["||grad F||^2 <= 2 lambda_max(Theta) F for squared loss", "derived"],
  sharpness: ["edge of stability, 2 / eta without momentum: Cohen et al., arXiv:2103.00065", "verified"],
  sharpnessMomentum: [
    "edge of stability, (2 + 2 beta) / eta, Nesterov (2 + 2 beta) / (eta (1 + 2 beta)): Cohen et al., arXiv:2103.00065",
    "recalled",
  ],
  lazy: [
    "lazy where kappa = ||h - y|| ||D2h|| / ||Dh||^2 << 1: Chizat, Oyallon and Bach, arXiv:1812.07956, section 1",
    "verified",
  ],
  trajectory: [
    "sup_t ||f_t - f_t_lin|| = O(m^(-1/2)), m the least hidden width: Lee et al., arXiv:1902.06720, Theorem 2.1",
    "verified",
  ],
} as const satisfies Record<string, Statement>;
