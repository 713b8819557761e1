import { describe, expect, test } from "vitest";
import { lossOf } from "../../src/convex/losses/index.ts";
import { patternKey, patternOf } from "../../src/convex/patterns/pattern.ts";
import { BlockOperator } from "../../src/convex/solvers/block-operator.ts";
import { GatedSystem } from "../../src/convex/solvers/gated-system.ts";
import { type Block, type ConeProgram, solveConeProgram } from "../../src/convex/solvers/interior-point.ts";
import { BorderedSystem, ConeSystem, type NewtonSystem } from "../../src/convex/solvers/newton-system.ts";
import { coneNorm } from "../../src/convex/solvers/norm-terms.ts";
import { draws, gaussian, targets, useCompute } from "./problems.ts";

const compute = useCompute();

function blocksOf(E: readonly (readonly number[])[], count: number, seed: number): Block[] {
  const stream = draws("gates", seed);
  const blocks = new Map<string, Block>();
  while (blocks.size < count) {
    const start = Float64Array.from(E[0], () => stream.normal());
    const pattern = patternOf(E.map((e) => e.reduce((sum, t, k) => sum + t * start[k], 0)));
    if (pattern.some((word) => word !== 0)) blocks.set(patternKey(pattern), { pattern, sign: 1, start });
  }
  return [...blocks.values()];
}

/**
 * Both equations B x - F'dv = r and F x + H^{-1} dv = g, with B written out from what the norm terms add to it and F from
 * the patterns.
 */
describe("NewtonSystem", () => {
  const kinds = ["GatedSystem", "ConeSystem by rows", "ConeSystem by blocks", "BorderedSystem"] as const;
  test.each(kinds)("solve of %s satisfies the two equations", (kind) => {
    const stream = draws("newton");
    const [n, p] = kind === "ConeSystem by blocks" ? [40, 3] : [9, 3];
    const rows = gaussian(stream, n, p);
    const E = Float64Array.from(rows.flat());
    const blocks = blocksOf(rows, 5, 1).map((block, j) => ({
      ...block,
      sign: j % 2 === 0 ? (1 as const) : (-1 as const),
    }));
    const m = blocks.length;
    compute().scope((scope) => {
      const F = new BlockOperator(compute(), scope, E, { n, p }, blocks);
      const norms = blocks.map(({ start }) => coneNorm(start, 0.5, 1));
      for (const norm of norms) norm.prepare();
      const plain: NewtonSystem =
        kind === "GatedSystem"
          ? new GatedSystem(compute(), scope, F)
          : new ConeSystem(compute(), scope, F, scope.copy(E), kind === "ConeSystem by rows");
      const offset = kind === "BorderedSystem";
      const system = new BorderedSystem(scope, F, plain, offset);
      const h = scope.copy(Float64Array.from({ length: n }, (_, i) => (i === 2 ? 0 : 0.1 + stream.uniform())));
      const weights =
        kind === "GatedSystem" ? null : scope.copy(Float64Array.from({ length: m * n }, () => stream.uniform()));
      expect(system.factor(h, norms, weights)).toBe(true);
      const right = Float64Array.from({ length: m * p }, () => stream.normal());
      const goal = Float64Array.from({ length: n }, () => stream.normal());
      const v = Float64Array.from({ length: n }, () => stream.normal());
      const [x, dv] = [scope.copy(right), scope.copy(goal)];
      const constant = system.solve(x, dv, v, true);
      const Fx = scope.f64(n);
      F.forward(x, Fx);
      const adjoint = scope.f64(m * p);
      F.adjoint(dv, 0, adjoint);
      for (let j = 0; j < m; j++) {
        const B = new Float64Array(p * p);
        norms[j].addSecondOrder(B, p);
        for (let i = 0; weights !== null && i < n; i++) {
          for (let k = 0; k < p; k++)
            for (let l = 0; l < p; l++) B[k * p + l] += weights[j * n + i] * rows[i][k] * rows[i][l];
        }
        for (let k = 0; k < p; k++) {
          let left = -adjoint[j * p + k];
          for (let l = 0; l < p; l++) left += B[k * p + l] * x[j * p + l];
          expect(left).toBeCloseTo(right[j * p + k], 9);
        }
      }
      for (let i = 0; i < n; i++) {
        if (h[i] === 0) expect(Math.abs(dv[i])).toBe(0);
        else expect(Fx[i] + constant + dv[i] / h[i]).toBeCloseTo(goal[i], 9);
      }
      if (offset) expect(dv.reduce((sum, t, i) => sum + t + v[i], 0)).toBeCloseTo(0, 9);
      else expect(constant).toBe(0);
    });
  });

  test("BlockOperator: forward and adjoint are adjoint, and forward adds up the active rows", () => {
    const stream = draws("operator");
    const rows = gaussian(stream, 7, 3);
    const blocks = blocksOf(rows, 4, 2);
    compute().scope((scope) => {
      const F = new BlockOperator(compute(), scope, Float64Array.from(rows.flat()), { n: 7, p: 3 }, blocks);
      const A = scope.copy(Float64Array.from({ length: 12 }, () => stream.normal()));
      const v = scope.copy(Float64Array.from({ length: 7 }, () => stream.normal()));
      const [f, q] = [scope.f64(7), scope.f64(12)];
      F.forward(A, f);
      F.adjoint(v, 0, q);
      expect(compute().dot(7, f, v)).toBeCloseTo(compute().dot(12, A, q), 12);
      rows.forEach((e, i) => {
        const naive = blocks.reduce((sum, { pattern }, j) => {
          const on = ((pattern[0] >>> i) & 1) === 1;
          return sum + (on ? e.reduce((t, z, k) => t + z * A[j * 3 + k], 0) : 0);
        }, 0);
        expect(f[i]).toBeCloseTo(naive, 12);
      });
    });
  });
});

describe("gated programs over many patterns", () => {
  const losses = ["squared", "logistic", "hinge", "huber"] as const;
  const cases = losses.flatMap((loss) => [1, 1e-2].map((share) => ({ loss, share })));
  test.each(cases)("solveConeProgram: a feasible dual point within 1e-9, $loss, beta $share", ({ loss, share }) => {
    const stream = draws("many patterns");
    const [n, p] = [14, 3];
    const rows = gaussian(stream, n, p);
    const y = Float64Array.from(targets(stream, n, loss));
    const program: ConeProgram = {
      ...{ E: Float64Array.from(rows.flat()), n, p, penalized: p, y, loss: lossOf({ loss }), beta: share },
      ...{ cones: false, offset: false, c0: 0, blocks: blocksOf(rows, 60, 3) },
    };
    const { v, objective, gap } = solveConeProgram(compute(), program, 1e-11, () => false);
    expect(gap).toBeLessThanOrEqual(1e-10);
    // ||X'D v|| <= beta for every pattern: v itself is feasible, so its dual value is a bound without any scaling.
    for (const { pattern } of program.blocks) {
      const q = new Float64Array(p);
      rows.forEach((e, i) => {
        if ((pattern[0] >>> i) & 1) for (let k = 0; k < p; k++) q[k] += v[i] * e[k];
      });
      expect(Math.hypot(...q)).toBeLessThanOrEqual(share * (1 + 1e-8));
    }
    const dual = program.loss.dualValue(v, y, 1 - 1e-8);
    expect(objective - dual).toBeLessThanOrEqual(1e-7 * objective);
    expect(dual).toBeLessThanOrEqual(objective * (1 + 1e-10));
  });
});
