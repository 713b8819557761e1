import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import type { Compute } from "../../src/compute/index.ts";
import { type ConvexProblem, type Solution, type SolveEvent, solveConvex } from "../../src/convex/index.ts";
import { networkGraph, networkModel } from "../../src/network/deep/index.ts";
import type { TwoLayerNetwork } from "../../src/network/index.ts";
import { curveChart } from "../../src/report/charts/curve.ts";
import { Trainer, trainingLoss } from "../../src/training/index.ts";
import { noisySine } from "../make-examples.ts";
import { linesPicture, type Picture, type Points, picture } from "./draw.ts";

/** x and y of `examples/noisy-sine.csv`. */
export function sineRows(): { readonly x: Float64Array; readonly y: Float64Array } {
  const rows = noisySine()
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",").map(Number));
  return { x: Float64Array.from(rows, ([x]) => x!), y: Float64Array.from(rows, ([, y]) => y!) };
}

/** Solves a problem with a clock that counts how often it is asked: the same events on every machine. */
function solve(compute: Compute, problem: ConvexProblem): { events: SolveEvent[]; solution: Solution } {
  let ticks = 0;
  const now = (): number => {
    ticks += 1;
    return 1e-3 * ticks;
  };
  const solving = solveConvex(problem, { compute, now, seconds: 1e3 });
  const events: SolveEvent[] = [];
  for (let step = solving.next(); ; step = solving.next()) {
    if (step.done === true) return { events, solution: step.value };
    events.push(step.value);
  }
}

/** A network of one feature as a piecewise linear curve over [low, high]. */
function vertices({ U, b, W, c0 }: TwoLayerNetwork, low: number, high: number) {
  const neurons = Array.from(b, (bias, j) => ({ u: U.data[j]!, bias, w: W.data[j]! }));
  const value = (x: number): number =>
    neurons.reduce((sum, { u, bias, w }) => sum + w * Math.max(0, u * x + bias), c0[0] ?? 0);
  const kinks = neurons.map(({ u, bias }) => -bias / u).filter((kink) => kink > low && kink < high);
  return [low, ...kinks.sort((p, q) => p - q), high].map((x) => ({ x, y: value(x), kink: x !== low && x !== high }));
}

const SQUARED = { loss: "squared", scaling: "mean", program: "relu", patterns: { kind: "generated" } } as const;

function solveSine(compute: Compute): { events: SolveEvent[]; solution: Solution } {
  const { x, y } = sineRows();
  return solve(compute, { ...SQUARED, X: matrix(x.length, 1, x), y, beta: 7.7e-4, bias: "column" });
}

/** The optimal network on a noisy sine. */
function sineCurve(compute: Compute): Picture {
  const { x, y } = sineRows();
  const { solution } = solveSine(compute);
  const points = Array.from(x, (at, i) => ({ x: at, value: y[i]!, heldOut: false }));
  const curves = [{ label: "y", vertices: vertices(solution.network, -3.2, 3.2) }];
  const chart = curveChart(
    { kind: "curve", feature: "x", output: "y", classes: null, points, curves },
    { width: 700, height: 360 },
  );
  return picture("noisy-sine-curve", chart);
}

/** Objective and lower bound of a solve against its work, and the band between them that holds the optimum. */
function gapPicture(name: string, events: readonly SolveEvent[]): Picture {
  // Each value holds until the next.
  const steps = <T>(of: (event: SolveEvent) => T) =>
    events.flatMap((event, k) => {
      const [from, to] = [event.seconds, events[k + 1]?.seconds ?? event.seconds].map((time) => 1e3 * time);
      return [from!, to!].map((at) => ({ at, value: of(event) }));
    });
  const lines = (of: (event: SolveEvent) => number | null): Points =>
    steps(of).flatMap(({ at, value }) => (value === null ? [] : [[at, value] as const]));
  return linesPicture({
    name,
    x: { label: "work, in readings of the solver's clock", log: true },
    y: { label: "training objective", log: true },
    lines: [
      { label: "network", points: lines(({ objective }) => objective) },
      { label: "lower bound", points: lines(({ bound }) => bound) },
    ],
    bands: [
      {
        label: "the optimum is here",
        points: steps(({ bound, objective }) => [bound, objective] as const).flatMap(({ at, value: [low, high] }) =>
          low === null ? [] : [[at, low, high] as const],
        ),
      },
    ],
  });
}

/** How the gap of the noisy sine closes. */
function sineConvergence(compute: Compute): Picture {
  return gapPicture("noisy-sine-convergence", solveSine(compute).events);
}

/** A harder problem: rank 5, where the bound is the longer part of the work. */
function certifiedGap(compute: Compute): Picture {
  const [n, d] = [100, 4];
  const { normal } = randomStream(2, "convergence");
  const X = matrix(n, d, Float64Array.from({ length: n * d }, normal));
  const y = Float64Array.from({ length: n }, (_, i) => Math.sin(2 * X.data[i * d]!) + X.data[i * d + 1]! ** 2 - 1);
  return gapPicture("certified-gap", solve(compute, { ...SQUARED, X, y, beta: 0.01, bias: "column" }).events);
}

/** Gradient descent from several starts, over the bound that no network of any width can pass. */
function descents(compute: Compute): Picture {
  const { x, y } = sineRows();
  const n = 60;
  // The bias column: a feature of ones.
  const X = matrix(
    n,
    2,
    Float64Array.from({ length: 2 * n }, (_, k) => (k % 2 === 0 ? x[k / 2]! : 1)),
  );
  const beta = 0.01;
  const { solution } = solve(compute, { ...SQUARED, X, y: y.slice(0, n), beta, bias: "none" });
  const steps = 20_000;
  const descent = (width: number, seed: number): Points =>
    compute.scope((scope) => {
      const graph = networkGraph(
        [
          { kind: "dense", width, wStd: 1, bStd: 0, parametrization: "standard" },
          { kind: "activation", name: "relu", parameters: {} },
          { kind: "dense", width: 1, wStd: 1, bStd: 0, parametrization: "standard" },
        ],
        [2],
      );
      const allocate = (length: number): Float64Array => scope.f64(length);
      const model = networkModel(graph, { kernels: compute, allocate, samples: n });
      const loss = trainingLoss("squared", { kind: "values", outputs: 1, data: y.slice(0, n) }, 1);
      const trainer = new Trainer(
        model,
        { n, inputs: X.data, loss },
        {
          ...{ reduction: "mean", batch: n, noise: 0, seed },
          rule: { kind: "sgd", momentum: 0, nesterov: false, weightDecay: beta },
          schedule: { rate: 0.05, factor: 1, drops: [] },
        },
        compute,
        allocate,
      );
      const points: (readonly [number, number])[] = [];
      for (let step = 1, next = 1; step <= steps; step++) {
        const penalty = trainer.theta.reduce((sum, value) => sum + value * value, 0);
        const { loss: before } = trainer.step();
        if (step >= next || step === steps) points.push([step, before + (beta / 2) * penalty]);
        if (step >= next) next = Math.ceil(next * 1.12);
      }
      return points;
    });
  const bound = solution.lowerBound;
  return linesPicture({
    name: "descents-and-bound",
    x: { label: "step of gradient descent", log: true },
    y: { label: "training objective", log: true },
    lines: [
      ...[2, 4, 8, 64].map((width) => ({ label: `${width} neurons`, points: descent(width, 3) })),
      { label: "bound for any width", dashed: true, points: [[1, bound] as const, [steps, bound] as const] },
    ],
  });
}

export const convexPictures = {
  "noisy-sine-curve": sineCurve,
  "noisy-sine-convergence": sineConvergence,
  "certified-gap": certifiedGap,
  "descents-and-bound": descents,
};
