import type { RealArray } from "../../compute/types.ts";
import type { NetworkGraph, ParameterRange } from "../../network/deep/index.ts";
import type { Measurement } from "../monitor.ts";
import { affineOf, weightLayers } from "./weights.ts";

/** Width m, trained hidden matrices L and outputs c of a network that the theorems of arXiv:1811.03962 speak of. */
export interface TheoryScale {
  readonly width: number;
  readonly depth: number;
  readonly outputs: number;
}

/**
 * The sizes of the fully connected network of the paper, when the graph is one: relu layers of one width without biases,
 * A, W ~ N(0, 2/m) and B ~ N(0, 1/c), of which the hidden W are trained; null for all others.
 */
export function theoryScale(graph: NetworkGraph, trained: readonly ParameterRange[]): TheoryScale | null {
  const weighted = graph.nodes.flatMap((node) => {
    const affine = affineOf(node);
    return affine === null ? [] : [affine];
  });
  const alternates = graph.nodes.every(({ operation, inputs, output }, k) => {
    const isWeighted = k % 2 === 0;
    return output === k + 1 && inputs[0] === k && operation.name === (isWeighted ? "dense" : "relu");
  });
  const depth = weighted.length - 2;
  if (!alternates || graph.nodes.length % 2 === 0 || depth < 1) return null;
  const [width, outputs] = [weighted[0]!.width, weighted.at(-1)!.width];
  const isDrawn = weighted.every(({ parameters, hasBias, scale, width: rows }, k) => {
    const variance = k > depth ? 1 / outputs : 2 / width;
    const std = parameters[0]!.std * scale;
    return !hasBias && scale === 1 && (k > depth || rows === width) && Math.abs(std * std - variance) < 1e-9 * variance;
  });
  const layers = weightLayers(graph, trained);
  const isHidden = layers.length === depth && layers.every(({ node }, k) => node === graph.nodes[2 * k + 2]);
  return isDrawn && isHidden ? { width, depth, outputs } : null;
}

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

/** Separation and norms of the rows of n x d inputs. */
export function dataSeparation(inputs: RealArray, n: number, d: number): DataSeparation {
  const count = Math.min(n, COMPARED);
  const rows = Array.from({ length: count }, (_, k) => Math.floor((k * n) / count) * d);
  const norms = rows.map((at) => Math.hypot(...inputs.subarray(at, at + d)));
  let least = Number.POSITIVE_INFINITY;
  let cosine = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      let square = 0;
      let dot = 0;
      for (let k = 0; k < d; k++) {
        const [a, b] = [inputs[rows[i]! + k], inputs[rows[j]! + k]];
        square += (a - b) ** 2;
        dot += a * b;
      }
      least = Math.min(least, square);
      cosine = Math.max(cosine, Math.abs(dot) / (norms[i]! * norms[j]!) || 0);
    }
  }
  const normError = norms.reduce((worst, norm) => Math.max(worst, Math.abs(norm - 1)), 0);
  return { separation: Math.sqrt(least), normError, cosine };
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
