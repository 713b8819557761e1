import { randomStream } from "../../src/base/random.ts";
import type { Compute } from "../../src/compute/index.ts";
import { type ConvexProblem, solveConvex } from "../../src/convex/index.ts";

/** Settings that between them run every solver, search and bound; each solve takes the next. */
const SETTINGS = [
  { loss: "squared", bias: "none", program: "relu", patterns: { kind: "generated" } },
  { loss: "squared", bias: "column", program: "relu", patterns: { kind: "generated" } },
  { loss: "logistic", bias: "none", program: "relu", patterns: { kind: "generated" } },
  { loss: "squared", bias: "output", program: "relu", patterns: { kind: "generated" } },
  { loss: "squared", bias: "none", program: "relu", patterns: { kind: "all" } },
  { loss: "squared", bias: "none", program: "gated", patterns: { kind: "sampled", count: 12 } },
] as const satisfies readonly Partial<ConvexProblem>[];

/**
 * Solves tiny random problems until the solvers have made this many iterations.
 *
 * @returns bytes of kernel memory in use after each solve, and bytes taken from the system, one entry a solve.
 */
export function solveMany(compute: Compute, iterations: number): { inUse: number[]; reserved: number[] } {
  const [inUse, reserved]: [number[], number[]] = [[], []];
  for (let k = 0, made = 0; made < iterations; k++) {
    const random = randomStream(k, "many solves");
    const settings = SETTINGS[k % SETTINGS.length]!;
    const rows = 6 + (k % 5);
    const X = { rows, cols: 2, data: Float64Array.from({ length: 2 * rows }, () => random.normal()) };
    const target = (): number => (settings.loss === "logistic" ? Math.sign(random.normal()) : random.normal());
    const y = Float64Array.from({ length: rows }, target);
    const problem: ConvexProblem = { X, y, scaling: "sum", beta: 0.02, ...settings };
    const solving = solveConvex(problem, { compute, now: () => 0, seed: k, certify: k % 4 === 0 });
    let step = solving.next();
    while (step.done !== true) step = solving.next();
    made += step.value.iterations;
    inUse.push(compute.bytesInUse);
    reserved.push(compute.bytesReserved);
  }
  return { inUse, reserved };
}
