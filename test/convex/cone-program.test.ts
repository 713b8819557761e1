import { describe, expect, test } from "vitest";
import { lossByName } from "../../src/convex/losses/index.ts";
import { type Cell, enumerateCells } from "../../src/convex/patterns/enumerate.ts";
import { isActive, patternKey, patternOf } from "../../src/convex/patterns/pattern.ts";
import {
  type Block,
  type ConeProgram,
  type ConeSolution,
  solveConeProgram,
} from "../../src/convex/solvers/interior-point.ts";
import { draws, gaussian, integers, rejected, targets, useCompute } from "./problems.ts";

const compute = useCompute();
const ACCURACY = 1e-11;
/** The solver counts a point as dual feasible up to this relative residual. */
const DUAL_ACCURACY = 1e-6;
const losses = ["squared", "logistic"] as const;

const run = (program: ConeProgram): ConeSolution => solveConeProgram(compute(), program, ACCURACY, () => false);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from({ length: a.length }, (_, k) => a[k] * b[k]).reduce((sum, t) => sum + t, 0);

function programOf(
  E: number[][],
  y: number[],
  beta: number,
  blocks: Block[],
  settings: Partial<ConeProgram> = {},
): ConeProgram {
  const p = E[0].length;
  return {
    E: Float64Array.from(E.flat()),
    n: E.length,
    p,
    penalized: p,
    y: Float64Array.from(y),
    loss: lossByName("squared"),
    beta,
    cones: true,
    offset: false,
    c0: 0,
    blocks,
    ...settings,
  };
}

const rowsOf = ({ E, n, p }: ConeProgram): number[][] =>
  Array.from({ length: n }, (_, i) => [...E.slice(i * p, (i + 1) * p)]);

/** Objective and v = -grad loss of a solution, from the definition. */
function evaluate(program: ConeProgram, { a, c0 }: Pick<ConeSolution, "a" | "c0">): { objective: number; v: number[] } {
  const { blocks, beta, penalized, y, loss } = program;
  const f = rowsOf(program).map((e, i) =>
    blocks.reduce((sum, { pattern, sign }, j) => sum + (isActive(pattern, i) ? sign * dot(e, a[j]) : 0), c0),
  );
  const squared = loss.name === "squared";
  let objective = 0;
  const v = f.map((t, i) => {
    objective += squared ? (t - y[i]) ** 2 / 2 : Math.log1p(Math.exp(-y[i] * t));
    return squared ? y[i] - t : y[i] / (1 + Math.exp(y[i] * t));
  });
  for (const block of a) objective += beta * Math.hypot(...block.subarray(0, penalized));
  return { objective, v };
}

/** E'D (s v), the gradient of a block's response. */
function slope(program: ConeProgram, { pattern, sign }: Block, v: readonly number[]): number[] {
  const q = new Array<number>(program.p).fill(0);
  rowsOf(program).forEach((e, i) => {
    if (isActive(pattern, i)) for (let k = 0; k < q.length; k++) q[k] += sign * v[i] * e[k];
  });
  return q;
}

/**
 * max q'u over the unit ball and {S E u >= 0}, p <= 3: the projection of q on the cone lies on the complement of fewer
 * than p rows (or is zero), so the largest feasible one of those projections is it.
 */
function coneMaximum(program: ConeProgram, block: Block, q: readonly number[]): number {
  const E = rowsOf(program);
  const feasible = (u: readonly number[]): boolean =>
    E.every((e, i) => (isActive(block.pattern, i) ? 1 : -1) * dot(e, u) >= -1e-9 * Math.hypot(...e) * Math.hypot(...u));
  const subsets: number[][] = [[]];
  for (let i = 0; i < E.length; i++) {
    subsets.push([i]);
    if (program.p > 2) for (let j = 0; j < i; j++) subsets.push([i, j]);
  }
  let best = 0;
  for (const subset of subsets) {
    const basis: number[][] = [];
    for (const i of subset) {
      const e = rejected(E[i], basis);
      if (Math.hypot(...e) > 1e-9 * Math.hypot(...E[i])) basis.push(e.map((t) => t / Math.hypot(...e)));
    }
    const u = rejected(q, basis);
    if (feasible(u)) best = Math.max(best, Math.hypot(...u));
  }
  return best;
}

/** Every `step`-th cell, with alternating signs. */
function blocksOf(cells: readonly Cell[], step: number): Block[] {
  return cells
    .filter((_, k) => k % step === 0)
    .flatMap(({ pattern, u }, k) =>
      [1, -1].slice(0, 1 + (k % 2)).map((sign) => ({ pattern, sign: sign as 1 | -1, start: u })),
    );
}

function checkPrimal(program: ConeProgram, { a }: ConeSolution): void {
  const E = rowsOf(program);
  program.blocks.forEach(({ pattern }, j) => {
    E.forEach((e, i) => {
      const slack = (isActive(pattern, i) ? 1 : -1) * dot(e, a[j]);
      expect(slack).toBeGreaterThanOrEqual(-1e-8 * Math.hypot(...e) * Math.hypot(...a[j]) - 1e-12);
    });
  });
}

/**
 * The optimality conditions of the convex program prove optimality whatever the method: each cell's response is at most
 * beta, and blocks that are used attain it.
 */
describe("solveConeProgram with cones", () => {
  const cases = losses.flatMap((loss) => [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => ({ loss, seed })));
  test.each(cases)("solveConeProgram satisfies the optimality conditions: $loss, case $seed", ({ loss, seed }) => {
    const stream = draws("cone program", seed);
    const p = 2 + (seed % 2);
    const n = 6 + seed;
    const E = seed % 4 === 3 ? integers(stream, n, p) : gaussian(stream, n, p);
    const y = targets(stream, n, loss);
    const cells = enumerateCells(Float64Array.from(E.flat()), n, p);
    const beta = [1, 0.3, 0.1][seed % 3];
    const program = programOf(E, y, beta, blocksOf(cells, 1 + (seed % 4)), { loss: lossByName(loss) });
    const solution = run(program);
    expect(solution.gap).toBeLessThanOrEqual(1e-7);
    checkPrimal(program, solution);
    const { objective, v } = evaluate(program, solution);
    const largest = Math.max(...solution.a.map((a) => Math.hypot(...a)));
    let maximum = 0;
    program.blocks.forEach((block, j) => {
      const q = slope(program, block, v);
      maximum = Math.max(maximum, coneMaximum(program, block, q));
      const norm = Math.hypot(...solution.a[j]);
      if (norm > 1e-4 * largest)
        expect(Math.abs(dot(q, solution.a[j]) - beta * norm)).toBeLessThanOrEqual(1e-5 * beta * norm);
    });
    expect(maximum).toBeLessThanOrEqual(beta * (1 + 3 * DUAL_ACCURACY));
    // The dual value of v, scaled to be feasible, closes the gap from below.
    const scale = Math.min(1, beta / maximum);
    const entropy = (t: number): number => (t <= 0 || t >= 1 ? 0 : -t * Math.log(t) - (1 - t) * Math.log1p(-t));
    const dual =
      loss === "squared"
        ? scale * dot(v, y) - (scale ** 2 * dot(v, v)) / 2
        : v.reduce((sum, t, i) => sum + entropy(scale * t * y[i]), 0);
    expect(objective - dual).toBeLessThanOrEqual(1e-5 * objective);
    expect(dual).toBeLessThanOrEqual(objective * (1 + 1e-9));
  });

  test("solveConeProgram drives blocks to zero above beta_max", () => {
    const E = gaussian(draws("zero blocks"), 8, 3);
    const y = targets(draws("zero targets"), 8, "squared");
    const blocks = blocksOf(enumerateCells(Float64Array.from(E.flat()), 8, 3), 5);
    const program = programOf(E, y, 100, blocks);
    const solution = run(program);
    for (const a of solution.a) expect(Math.hypot(...a)).toBeLessThanOrEqual(1e-8);
    expect(evaluate(program, solution).objective).toBeCloseTo(dot(y, y) / 2, 9);
  });

  test("solveConeProgram does not depend on the length of the starting directions", () => {
    const E = gaussian(draws("lengths"), 9, 3);
    const y = targets(draws("length targets"), 9, "squared");
    const blocks = blocksOf(enumerateCells(Float64Array.from(E.flat()), 9, 3), 6);
    const values = [1e-3, 1, 1e3].map((length) => {
      const program = programOf(
        E,
        y,
        0.2,
        blocks.map((block) => ({ ...block, start: block.start.map((t) => t * length) })),
      );
      return evaluate(program, run(program)).objective;
    });
    for (const value of values) expect(Math.abs(value - values[1])).toBeLessThanOrEqual(1e-9 * values[1]);
  });

  test("solveConeProgram refuses programs without blocks or with a zero start", () => {
    const E = [[1, 2]];
    expect(() => run(programOf(E, [1], 1, []))).toThrow(RangeError);
    const zero: Block = { pattern: patternOf([1]), sign: 1, start: new Float64Array(2) };
    expect(() => run(programOf(E, [1], 1, [zero]))).toThrow(RangeError);
  });

  test("solveConeProgram returns a point when it is stopped at once", () => {
    const block: Block = { pattern: patternOf([1]), sign: 1, start: Float64Array.of(1, 2) };
    const solution = solveConeProgram(compute(), programOf([[1, 2]], [1], 0.1, [block]), ACCURACY, () => true);
    expect(solution.converged).toBe(false);
    expect(solution.a[0].every(Number.isFinite)).toBe(true);
  });
});

/** On the line a cell in (u, b) is a wedge: a linear function on it is at most beta |u| iff it is on the two edges. */
describe("solveConeProgram with a free bias and a free constant", () => {
  const cases = losses.flatMap((loss) => [0, 1, 2, 3].map((seed) => ({ loss, seed })));
  test.each(cases)(
    "solveConeProgram with offset satisfies the optimality conditions: $loss, case $seed",
    ({ loss, seed }) => {
      const stream = draws("offset", seed);
      const n = 6;
      const x = gaussian(stream, n, 1).flat();
      const E = x.map((t) => [t, 1]);
      const y = loss === "squared" ? targets(stream, n, loss) : [1, -1, 1, -1, -1, 1];
      const cells = enumerateCells(Float64Array.from(E.flat()), n, 2).filter(({ pattern }) => {
        const active = x.filter((_, i) => isActive(pattern, i)).length;
        return active > 0 && active < n;
      });
      const beta = [0.5, 0.2][seed % 2];
      const program = programOf(E, y, beta, blocksOf(cells, 2), { loss: lossByName(loss), penalized: 1, offset: true });
      const solution = run(program);
      expect(solution.gap).toBeLessThanOrEqual(1e-7);
      checkPrimal(program, solution);
      const { v } = evaluate(program, solution);
      expect(Math.abs(v.reduce((sum, t) => sum + t, 0))).toBeLessThanOrEqual(1e-6);
      const edges = x.flatMap((t) => [
        [1, -t],
        [-1, t],
      ]);
      program.blocks.forEach((block, j) => {
        const q = slope(program, block, v);
        for (const edge of edges) {
          const inside = E.every((e, i) => (isActive(block.pattern, i) ? 1 : -1) * dot(e, edge) >= -1e-9);
          if (inside) expect(dot(q, edge)).toBeLessThanOrEqual(beta * (1 + 5 * DUAL_ACCURACY));
        }
        const size = Math.abs(solution.a[j][0]);
        if (size > 1e-4) expect(Math.abs(dot(q, solution.a[j]) - beta * size)).toBeLessThanOrEqual(1e-5 * beta * size);
      });
    },
  );
});

/** Plain proximal gradient on the group lasso, run long: another method, and no second-order cone in it. */
function proximalGradient(program: ConeProgram, steps: number): number {
  const { blocks, beta, p } = program;
  const E = rowsOf(program);
  const open = blocks.map(({ pattern }) =>
    E.filter((_, i) => isActive(pattern, i)).reduce((sum, e) => sum + dot(e, e), 0),
  );
  const lipschitz = open.reduce((sum, t) => sum + t, 0) * (program.loss.name === "logistic" ? 0.25 : 1);
  let a = blocks.map(() => new Float64Array(p));
  let momentum = a;
  let t = 1;
  for (let step = 0; step < steps; step++) {
    const { v } = evaluate(program, { a: momentum, c0: 0 });
    const next = blocks.map((block, j) => {
      const q = slope(program, block, v);
      const u = momentum[j].map((value, k) => value + q[k] / lipschitz);
      const norm = Math.hypot(...u);
      return u.map((value) => value * Math.max(0, 1 - beta / (lipschitz * norm || 1)));
    });
    const larger = (1 + Math.sqrt(1 + 4 * t * t)) / 2;
    momentum = next.map((block, j) => block.map((value, k) => value + ((t - 1) / larger) * (value - a[j][k])));
    a = next;
    t = larger;
  }
  return evaluate(program, { a, c0: 0 }).objective;
}

describe("solveConeProgram without cones (gated)", () => {
  const cases = losses.flatMap((loss) => [0, 1, 2].map((seed) => ({ loss, seed })));

  test.each(cases)(
    "solveConeProgram equals proximal gradient on the group lasso: $loss, case $seed",
    ({ loss, seed }) => {
      const stream = draws("gated", seed);
      const n = 10;
      const p = 2 + seed;
      const E = gaussian(stream, n, p);
      const gates = new Map<string, Block>();
      while (gates.size < 5) {
        const gate = Float64Array.from({ length: p }, () => stream.normal());
        const pattern = patternOf(E.map((e) => dot(e, gate)));
        gates.set(patternKey(pattern), { pattern, sign: 1, start: gate });
      }
      const blocks = [...gates.values()];
      const y = targets(stream, n, loss);
      const program = programOf(E, y, 0.4, blocks, { loss: lossByName(loss), cones: false });
      const solution = run(program);
      expect(solution.gap).toBeLessThanOrEqual(1e-8);
      const { objective } = evaluate(program, solution);
      const reference = proximalGradient(program, 6000);
      expect(Math.abs(objective - reference)).toBeLessThanOrEqual(1e-8 * reference);
    },
  );
});
