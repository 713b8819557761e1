import { afterAll, beforeAll, expect } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type RandomStream, randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import type { BiasForm, ConvexProblem, Solution, SolveEvent, SolveOptions } from "../../src/convex/index.ts";
import { betaMax, solveConvex } from "../../src/convex/index.ts";
import type { TwoLayerNetwork } from "../../src/network/index.ts";

/** The plain-loop backend, one a file, closed after its tests. */
export function useCompute(): () => Compute {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "js" });
  });
  afterAll(() => compute.close());
  return () => compute;
}

export function rows(values: readonly (readonly number[])[], cols = values[0]?.length ?? 0): Matrix {
  return matrix(values.length, cols, Float64Array.from(values.flat()));
}

type Settings = Partial<Omit<ConvexProblem, "X" | "y" | "beta">>;

/** A problem with squared loss, summed, without biases, over all ReLU networks, unless said otherwise. */
export function problem(
  X: readonly (readonly number[])[],
  y: readonly number[],
  beta: number,
  settings: Settings = {},
): ConvexProblem {
  return {
    X: rows(X),
    y: Float64Array.from(y),
    beta,
    loss: "squared",
    scaling: "sum",
    bias: "none",
    program: "relu",
    patterns: { kind: "generated" },
    ...settings,
  };
}

/** A clock that advances a millisecond at each look: runs do not depend on the machine's speed. */
export function countingClock(): () => number {
  let looks = 0;
  return () => 1e-3 * looks++;
}

export function solve(
  compute: Compute,
  task: ConvexProblem,
  options: Partial<SolveOptions> = {},
): { solution: Solution; events: SolveEvent[] } {
  const run = solveConvex(task, { compute, now: countingClock(), seed: 0, ...options });
  const events: SolveEvent[] = [];
  for (;;) {
    const step = run.next();
    if (step.done === true) return { solution: step.value, events };
    events.push(step.value);
  }
}

/**
 * The training objective in its weight-decay form, loss + (beta/2) sum_j (||u_j||^2 + w_j^2), written out from the
 * definition: at least the path-norm form that the product reports, and equal to it for balanced networks.
 */
export function naiveObjective(
  problem: Pick<ConvexProblem, "X" | "y" | "loss" | "scaling" | "beta" | "bias" | "weights" | "huber">,
  network: TwoLayerNetwork,
): number {
  const { X, y, scaling, beta, bias } = problem;
  const { U, b, W, c0, gates } = network;
  let total = 0;
  for (let i = 0; i < X.rows; i++) {
    let f = c0[0];
    for (let j = 0; j < U.rows; j++) {
      let z = b[j];
      let gate = gates === null ? 0 : gates.h[j];
      for (let k = 0; k < X.cols; k++) {
        z += U.data[j * X.cols + k] * X.data[i * X.cols + k];
        if (gates !== null) gate += gates.G.data[j * X.cols + k] * X.data[i * X.cols + k];
      }
      const open = gates === null ? z > 0 : gate > 0;
      if (open) f += W.data[j] * z;
    }
    total += (problem.weights?.[i] ?? 1) * naiveLoss(problem, f, y[i]);
  }
  let squares = 0;
  for (const u of U.data) squares += u * u;
  for (const w of W.data) squares += w * w;
  if (bias === "column") for (const t of b) squares += t * t;
  return total / (scaling === "mean" ? X.rows : 1) + (beta / 2) * squares;
}

/** The loss of one sample, from its definition. */
export function naiveLoss({ loss, huber = 1 }: Pick<ConvexProblem, "loss" | "huber">, f: number, y: number): number {
  const r = Math.abs(f - y);
  if (loss === "squared") return r ** 2 / 2;
  if (loss === "hinge") return Math.max(0, 1 - y * f);
  if (loss === "huber") return r <= huber ? r ** 2 / 2 : huber * r - huber ** 2 / 2;
  return softplus(-y * f);
}

function softplus(t: number): number {
  return t > 0 ? t + Math.log1p(Math.exp(-t)) : Math.log1p(Math.exp(t));
}

/** A ReLU network of m neurons with the parameters that the bias form allows, drawn from `stream`. */
export function randomNetwork(stream: RandomStream, d: number, m: number, bias: BiasForm, size = 1): TwoLayerNetwork {
  const draw = (length: number): Float64Array => Float64Array.from({ length }, () => size * stream.normal());
  return {
    kind: "two-layer",
    activation: "relu",
    U: matrix(m, d, draw(m * d)),
    b: bias === "none" ? new Float64Array(m) : draw(m),
    W: matrix(m, 1, draw(m)),
    c0: bias === "output" ? draw(1) : new Float64Array(1),
    gates: null,
  };
}

/** The network after `steps` steps of gradient descent with backtracking on the weight-decay objective. */
export function descend(task: ConvexProblem, start: TwoLayerNetwork, steps: number): TwoLayerNetwork {
  let network = start;
  let value = naiveObjective(task, network);
  let rate = 0.1;
  for (let step = 0; step < steps; step++) {
    const gradient = weightGradient(task, network);
    for (let trial = 0; trial < 30; trial++, rate /= 2) {
      const moved = add(network, gradient, -rate);
      const next = naiveObjective(task, moved);
      if (next < value) {
        network = moved;
        value = next;
        rate *= 1.5;
        break;
      }
    }
  }
  return network;
}

function weightGradient({ X, y, loss, scaling, beta, bias }: ConvexProblem, network: TwoLayerNetwork): TwoLayerNetwork {
  const { U, b, W, c0 } = network;
  const scale = scaling === "mean" ? 1 / X.rows : 1;
  const gU = U.data.map((t) => beta * t);
  const gW = W.data.map((t) => beta * t);
  const gb = b.map((t) => (bias === "column" ? beta * t : 0));
  let gc = 0;
  for (let i = 0; i < X.rows; i++) {
    const z = Array.from(b, (t, j) => {
      let sum = t;
      for (let k = 0; k < X.cols; k++) sum += U.data[j * X.cols + k] * X.data[i * X.cols + k];
      return sum;
    });
    const f = z.reduce((sum, t, j) => sum + Math.max(0, t) * W.data[j], c0[0]);
    const slope = scale * (loss === "squared" ? f - y[i] : -y[i] / (1 + Math.exp(y[i] * f)));
    gc += slope;
    z.forEach((t, j) => {
      if (t <= 0) return;
      gW[j] += slope * t;
      gb[j] += slope * W.data[j];
      for (let k = 0; k < X.cols; k++) gU[j * X.cols + k] += slope * W.data[j] * X.data[i * X.cols + k];
    });
  }
  return {
    ...network,
    U: matrix(U.rows, U.cols, gU),
    b: bias === "none" ? new Float64Array(b.length) : gb,
    W: matrix(W.rows, 1, gW),
    c0: Float64Array.of(bias === "output" ? gc : 0),
  };
}

function add(network: TwoLayerNetwork, step: TwoLayerNetwork, scale: number): TwoLayerNetwork {
  const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((t, k) => t + scale * b[k]);
  return {
    ...network,
    U: { ...network.U, data: sum(network.U.data, step.U.data) },
    b: sum(network.b, step.b),
    W: { ...network.W, data: sum(network.W.data, step.W.data) },
    c0: sum(network.c0, step.c0),
  };
}

/** n x d standard normals. */
export function gaussian(stream: RandomStream, n: number, d: number): number[][] {
  return Array.from({ length: n }, () => Array.from({ length: d }, () => stream.normal()));
}

/** n x d integers from -size to size: many ties, parallel, antipodal and zero rows. */
export function integers(stream: RandomStream, n: number, d: number, size = 2): number[][] {
  return Array.from({ length: n }, () => Array.from({ length: d }, () => stream.integer(2 * size + 1) - size));
}

export function targets(stream: RandomStream, n: number, loss: ConvexProblem["loss"]): number[] {
  return Array.from({ length: n }, () =>
    loss === "squared" || loss === "huber" ? stream.normal() : stream.uniform() < 0.5 ? -1 : 1,
  );
}

/** A random stream of the tests. */
export function draws(name: string, seed = 0): RandomStream {
  return randomStream(seed, name);
}

/** G(u) = sum_i v_i (x_i'u + b)_+. */
export function response(X: readonly (readonly number[])[], v: ArrayLike<number>, u: ArrayLike<number>, b = 0): number {
  let sum = 0;
  X.forEach((x, i) => {
    let z = b;
    for (let k = 0; k < x.length; k++) z += x[k] * u[k];
    if (z > 0) sum += v[i] * z;
  });
  return sum;
}

/**
 * The maximum of G over the unit ball by brute force, for small n and r <= 3: at a maximizer with active rows A and
 * boundary rows T, u is the normalized projection of sum_A v_i x_i on the complement of T. All 2^n sets A and all T of
 * fewer than r rows are tried, and G itself is evaluated at each u; no arrangement, cell or sweep is involved.
 */
export function bruteMaximum(X: readonly (readonly number[])[], v: ArrayLike<number>, r: number): number {
  const complements = orthonormalSubsets(X, r);
  let best = 0;
  for (let set = 0; set < 1 << X.length; set++) {
    const g = new Array<number>(r).fill(0);
    X.forEach((x, i) => {
      if ((set >> i) & 1) for (let k = 0; k < r; k++) g[k] += v[i] * x[k];
    });
    for (const basis of complements) {
      const u = rejected(g, basis);
      const length = Math.hypot(...u);
      if (length > 1e-12 * Math.hypot(...g)) {
        best = Math.max(
          best,
          response(
            X,
            v,
            u.map((t) => t / length),
          ),
        );
      }
    }
  }
  return best;
}

/** Orthonormal bases of the spans of all subsets of fewer than r rows. */
function orthonormalSubsets(X: readonly (readonly number[])[], r: number): number[][][] {
  let last: { basis: number[][]; next: number }[] = [{ basis: [], next: 0 }];
  const all: number[][][] = [[]];
  for (let size = 1; size < r; size++) {
    const longer: typeof last = [];
    for (const { basis, next } of last) {
      for (let i = next; i < X.length; i++) {
        const q = rejected(X[i], basis);
        const length = Math.hypot(...q);
        if (length > 1e-9 * Math.hypot(...X[i])) {
          longer.push({ basis: [...basis, q.map((t) => t / length)], next: i + 1 });
        }
      }
    }
    all.push(...longer.map(({ basis }) => basis));
    last = longer;
  }
  return all;
}

/** g minus its projection on an orthonormal basis, twice for accuracy. */
export function rejected(g: readonly number[], basis: readonly (readonly number[])[]): number[] {
  const q = [...g];
  for (let pass = 0; pass < 2; pass++) {
    for (const e of basis) {
      const along = q.reduce((sum, t, k) => sum + t * e[k], 0);
      for (let k = 0; k < q.length; k++) q[k] -= along * e[k];
    }
  }
  return q;
}

/** A task at a chosen part of its beta_max. */
export function atRatio(compute: Compute, task: ConvexProblem, ratio: number): ConvexProblem {
  const { beta: _, ...unpenalized } = task;
  return { ...task, beta: ratio * betaMax(unpenalized, { compute, now: countingClock() }) };
}

/** What must hold for every answer, however it ended. */
export function checkSound(task: ConvexProblem, solution: Solution): void {
  const naive = naiveObjective(task, solution.network);
  expect(Number.isFinite(solution.objective)).toBe(true);
  expect(Math.abs(naive - solution.objective)).toBeLessThanOrEqual(1e-10 * (1 + Math.abs(naive)));
  expect(solution.lowerBound).toBeLessThanOrEqual(solution.objective * (1 + 1e-12) + 1e-300);
  expect(solution.neurons).toBe(solution.network.U.rows);
}
