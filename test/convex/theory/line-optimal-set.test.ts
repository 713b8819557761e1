import { describe, expect, test } from "vitest";
import { evaluateRamps, fitLine, optimalSet1d } from "../../../src/convex/theory/index.ts";
import { draws } from "../problems.ts";
import { f64, fraction, golden } from "./golden.ts";

const { a, y, beta: betaText, solutions, expected_optimum, expected_l1 } = golden.named.A2;
/** A2 has the loss factor 1/(2n) = 1/10: five times its objective is the summed problem at 5 beta. */
const N = 5;
const beta = N * fraction(betaText);

describe("Proposition 1 and Figure 7: the set of optimal networks", () => {
  test("A2: fitLine has the optimum 1999/2500000 and sum |w| = 999/125", () => {
    const fit = fitLine(f64(a), f64(y), beta);
    expect(Math.abs(fit.objective / N - fraction(expected_optimum))).toBeLessThanOrEqual(1e-16);
    expect(fit.norm).toBeCloseTo(fraction(expected_l1), 12);
  });

  test.each(solutions)("A2: $name at c = $c is optimal and inside the ranges of optimalSet1d", ({ c, u, b, w }) => {
    const set = optimalSet1d(f64(a), f64(y), beta, { kinks: [...a, fraction(c)], outputBias: "none" });
    const weights = w.map(fraction);
    const ramps = u.map((sign, j) => ({ u: sign as 1 | -1, kink: -sign * fraction(b[j]), w: weights[j] }));
    a.forEach((x, i) => {
      expect(evaluateRamps(ramps, 0, x)).toBeCloseTo(set.f[i], 12);
    });
    for (const { u: sign, kink, w: weight } of ramps) {
      const range = set.candidates.find((candidate) => candidate.u === sign && Math.abs(candidate.kink - kink) < 1e-12);
      expect(range).toBeDefined();
      expect(weight).toBeGreaterThanOrEqual((range?.min ?? 0) - 1e-9);
      expect(weight).toBeLessThanOrEqual((range?.max ?? 0) + 1e-9);
    }
    expect(set.dimension).toBe(3);
  });

  test("A2: the kink c may be anywhere in [0, 1], and nowhere else between or beyond the data", () => {
    const freedom = (c: number): number => {
      const { candidates } = optimalSet1d(f64(a), f64(y), beta, { kinks: [...a, c], outputBias: "none" });
      return Math.max(...candidates.filter(({ kink }) => kink === c).map(({ min, max }) => max - min));
    };
    for (const c of [0.01, 0.2, 0.5, 0.8, 0.99]) expect(freedom(c)).toBeGreaterThan(0.1);
    for (const c of [-3, -1.5, -0.5, 1.5, 4]) expect(freedom(c)).toBe(0);
  });

  test("optimalSet1d: a vertex is an optimal network; the ends of every range are reached by the polytope", () => {
    for (let seed = 0; seed < 30; seed++) {
      const s = draws("set", seed);
      const n = 3 + s.integer(6);
      const x = f64(Array.from({ length: n }, () => s.normal()));
      const targets = x.map((t) => Math.sin(2 * t) + 0.5 * s.normal());
      const penalty = 0.02 + 0.2 * s.uniform();
      const set = optimalSet1d(x, targets, penalty);
      const ramps = set.candidates.map(({ u, kink }, j) => ({ u, kink, w: set.vertex[j] }));
      let value = penalty * ramps.reduce((sum, { w }) => sum + Math.abs(w), 0);
      x.forEach((t, i) => {
        expect(evaluateRamps(ramps, set.c0, t)).toBeCloseTo(set.f[i], 7);
        value += (evaluateRamps(ramps, set.c0, t) - targets[i]) ** 2 / 2;
      });
      expect(value).toBeCloseTo(set.objective, 8);
      set.candidates.forEach(({ min, max }, j) => {
        expect(min).toBeLessThanOrEqual(set.vertex[j] + 1e-8);
        expect(max).toBeGreaterThanOrEqual(set.vertex[j] - 1e-8);
      });
    }
  });

  test("optimalSet1d names what is impossible", () => {
    expect(() => optimalSet1d(f64(a), f64(y), beta, { kinks: [0] })).toThrow(/kinks/);
    // Targets shifted by 10 need an output bias.
    const shifted = f64(y).map((t) => t + 10);
    expect(() => optimalSet1d(f64(a), shifted, 0.5, { outputBias: "none" })).toThrow(/output bias/);
  });
});
