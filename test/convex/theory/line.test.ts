import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matrix } from "../../../src/base/matrix.ts";
import {
  evaluateRamps,
  fitLine,
  fitLineSvm,
  fitLineVector,
  fitRankOne,
  fitRankOneSvm,
  interpolateLine,
  interpolateRankOne,
  lasso,
  leastRamps,
  lineData,
  lineMaximum,
  lineNorm,
  lineShape,
  rampCorrelations,
  rampMatrix,
  rankOneFactors,
  solveLinearProgram,
  sparsestKinks,
} from "../../../src/convex/theory/index.ts";
import { forward } from "../../../src/network/index.ts";
import { draws, rows } from "../problems.ts";
import { f64, fraction, golden } from "./golden.ts";

/** Points with ties, spread or integer; targets with trends, so that every regime of the slope occurs. */
function lineInstance(seed: number): { x: Float64Array; y: Float64Array; beta: number } {
  const s = draws("line", seed);
  const n = 1 + s.integer(12);
  const kind = s.integer(3);
  const x = f64(Array.from({ length: n }, (_, i) => (kind === 0 ? s.normal() : kind === 1 ? s.integer(5) - 2 : i)));
  const trend = s.integer(3);
  const y = x.map((t) => s.normal() + (trend === 1 ? 3 * t : trend === 2 ? Math.abs(t) - t * t : 0));
  return { x, y, beta: Math.exp(2 * s.normal() - 1) };
}

const seeds = fc.integer({ min: 0, max: 1e6 });

describe("Lemma 6: extreme points in one dimension", () => {
  test("rampCorrelations equals the sums of its definition", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y } = lineInstance(seed);
        const { t } = lineData(x, y);
        const s = draws("v", seed);
        const v = t.map(() => s.normal());
        const { right, left } = rampCorrelations(t, v);
        t.forEach((kink, j) => {
          let up = 0;
          let down = 0;
          t.forEach((p, i) => {
            up += v[i] * Math.max(0, p - kink);
            down += v[i] * Math.max(0, kink - p);
          });
          expect(right[j]).toBeCloseTo(up, 9);
          expect(left[j]).toBeCloseTo(down, 9);
        });
      }),
    );
  });

  test("lineMaximum: no bias, also between the data, does better when v sums to zero", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const s = draws("maximum", seed);
        const t = f64(Array.from({ length: 2 + s.integer(7) }, () => s.normal())).sort();
        const v = t.map(() => s.normal());
        const mean = v.reduce((sum, q) => sum + q, 0) / v.length;
        const centered = v.map((q) => q - mean);
        const { value, u, kink } = lineMaximum(t, centered);
        const at = (sign: number, c: number): number =>
          Math.abs(t.reduce((sum, p, i) => sum + centered[i] * Math.max(0, sign * (p - c)), 0));
        expect(at(u, kink)).toBeCloseTo(value, 10);
        for (let k = 0; k < 30; k++)
          expect(at(s.integer(2) ? 1 : -1, 2 * s.normal())).toBeLessThanOrEqual(value + 1e-10);
      }),
    );
  });
});

describe("Corollaries 3 and 4: one-dimensional data", () => {
  const { a, y, table } = golden.named.A4c;
  test.each(table)("A4c: fitLine with the free output bias, beta $beta", ({ beta, with: optimum }) => {
    const fit = fitLine(f64(a), f64(y), fraction(beta));
    expect(Math.abs(fit.objective - fraction(optimum))).toBeLessThanOrEqual(1e-14);
    expect(Math.abs(fit.lowerBound - fraction(optimum))).toBeLessThanOrEqual(1e-13);
  });

  test.each(table)("A4c: lasso (17) without an output bias, beta $beta", ({ beta, without }) => {
    const H = rampMatrix(f64(a), f64(a));
    const { objective } = lasso({ H, y: f64(y), beta: fraction(beta), offset: false });
    expect(Math.abs(objective - fraction(without))).toBeLessThanOrEqual(1e-13);
  });

  test("section 2.4: fitLine is 8 beta - 8 beta^2 with v = beta (1, -3, 2, 1, -1) for small beta", () => {
    for (const beta of [1e-6, 1e-3, 0.05]) {
      const fit = fitLine(f64(a), f64(y), beta);
      expect(Math.abs(fit.objective - (8 * beta - 8 * beta ** 2))).toBeLessThanOrEqual(1e-14);
      [1, -3, 2, 1, -1].forEach((t, i) => {
        expect(y[i] - fit.f[i]).toBeCloseTo(beta * t, 13);
      });
    }
  });

  test("fitLine: gap closed, network as stated, no worse than the lasso over all ramps", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y: targets, beta } = lineInstance(seed);
        const fit = fitLine(x, targets, beta);
        const slack = 1e-9 * fit.objective + 1e-12;
        expect(fit.objective - fit.lowerBound).toBeLessThanOrEqual(slack);
        expect(fit.objective - fit.lowerBound).toBeGreaterThanOrEqual(-slack);
        const outputs = forward(fit.network, matrix(x.length, 1, x)).data;
        let loss = 0;
        outputs.forEach((f, i) => {
          expect(Math.abs(f - fit.f[i])).toBeLessThanOrEqual(1e-10 * (1 + Math.abs(f)));
          loss += (f - targets[i]) ** 2 / 2;
        });
        const norm = fit.ramps.reduce((sum, { w }) => sum + Math.abs(w), 0);
        expect(norm).toBeCloseTo(fit.norm, 10);
        expect(Math.abs(loss + beta * norm - fit.objective)).toBeLessThanOrEqual(1e-10 * (1 + fit.objective));
        const H = rampMatrix(x, lineData(x, targets).t);
        const reference = lasso({ H, y: targets, beta, offset: true });
        expect(Math.abs(reference.objective - fit.objective)).toBeLessThanOrEqual(1e-9 * (1 + fit.objective));
      }),
      { numRuns: 300 },
    );
  });

  test("fitLine: order, reflection, shift and scaling of the points", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y: targets, beta } = lineInstance(seed);
        const { objective } = fitLine(x, targets, beta);
        const same = (value: number): void =>
          expect(Math.abs(value - objective)).toBeLessThanOrEqual(1e-8 * (1 + objective));
        same(fitLine(x.toReversed(), targets.toReversed(), beta).objective);
        same(
          fitLine(
            x.map((t) => -t),
            targets,
            beta,
          ).objective,
        );
        same(
          fitLine(
            x.map((t) => t + 3),
            targets.map((t) => t - 5),
            beta,
          ).objective,
        );
        same(
          fitLine(
            x.map((t) => 2 * t),
            targets,
            2 * beta,
          ).objective,
        );
      }),
    );
  });

  test("fitLine: no random network of ramps goes below its bound", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y: targets, beta } = lineInstance(seed);
        const fit = fitLine(x, targets, beta);
        const s = draws("ramps", seed);
        for (let k = 0; k < 20; k++) {
          const extra = Array.from({ length: 1 + s.integer(3) }, () => ({
            u: s.integer(2) ? (1 as const) : (-1 as const),
            kink: 2 * s.normal(),
            w: 0.01 ** s.uniform() * s.normal(),
          }));
          const all = [...fit.ramps, ...extra];
          const c0 = fit.c0 + 0.1 * s.normal();
          let value = beta * all.reduce((sum, { w }) => sum + Math.abs(w), 0);
          x.forEach((t, i) => {
            value += (evaluateRamps(all, c0, t) - targets[i]) ** 2 / 2;
          });
          expect(value).toBeGreaterThanOrEqual(fit.lowerBound * (1 - 1e-12));
        }
      }),
    );
  });

  test("fitLine: n = 60,000 to 1e-11 (line problem of the benchmark, with free biases)", () => {
    const s = draws("line-60000");
    const x = f64(Array.from({ length: 60_000 }, () => 2 * s.uniform() - 1));
    const y60 = x.map((t) => Math.sin(4 * t) + 0.3 * s.normal());
    const { t, y: mean, count } = lineData(x, y60);
    const average = y60.reduce((sum, v) => sum + v, 0) / x.length;
    const top = lineMaximum(
      t,
      mean.map((v, k) => count[k] * (v - average)),
    ).value;
    const zero = fitLine(x, y60, top * (1 + 1e-9));
    expect(zero.ramps).toHaveLength(0);
    for (const ratio of [0.1, 0.01]) {
      const fit = fitLine(x, y60, ratio * top);
      expect(fit.objective - fit.lowerBound).toBeLessThanOrEqual(1e-11 * fit.objective);
      expect(fit.ramps.length).toBeLessThanOrEqual(fit.kinks.length + 1);
    }
  });

  test("fitLine and fitLineSvm refuse what they cannot solve", () => {
    const one = f64([1]);
    expect(() => fitLine(one, f64([1, 2]), 1)).toThrow(/1 and 2/);
    expect(() => fitLine(f64([Number.NaN]), one, 1)).toThrow(/finite/);
    for (const beta of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => fitLine(one, one, beta)).toThrow(/beta/);
      expect(() => fitLineSvm(one, one, beta)).toThrow(/beta/);
      expect(() => fitLineVector(one, matrix(1, 1, one), beta)).toThrow(/beta/);
    }
    expect(() => fitLineSvm(f64([1, 2]), f64([0, 1]), 1)).toThrow(/-1 or 1/);
    expect(fitLine(one, f64([3]), 1).objective).toBe(0);
    expect(fitLine(f64([2, 2]), f64([3, 5]), 1).objective).toBe(1);
  });
});

describe("Theorem 11: hinge loss in one dimension", () => {
  function labelled(seed: number): { x: Float64Array; y: Float64Array; beta: number } {
    const s = draws("svm", seed);
    const n = 1 + s.integer(16);
    const x = f64(Array.from({ length: n }, () => (s.integer(2) ? s.normal() : s.integer(5) - 2)));
    return { x, y: x.map((t) => (Math.sin(3 * t) + s.normal() > 0 ? 1 : -1)), beta: Math.exp(2 * s.normal() - 1.5) };
  }

  test("fitLineSvm: gap closed, and equal to the linear program over all 2n ramps", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y, beta } = labelled(seed);
        const fit = fitLineSvm(x, y, beta);
        expect(Math.abs(fit.objective - fit.lowerBound)).toBeLessThanOrEqual(1e-8 * (1e-3 + fit.objective));
        // min sum xi + beta sum (p + q)  s.t.  y_i (H (p - q) + c0) + xi_i - s_i = 1
        const n = x.length;
        const H = rampMatrix(x, lineData(x, y).t);
        const p = H.cols;
        const cols = 2 * p + 1 + 2 * n;
        const A = matrix(n, cols);
        for (let i = 0; i < n; i++) {
          const at = i * cols;
          for (let j = 0; j < p; j++) {
            A.data[at + j] = y[i] * H.data[i * p + j];
            A.data[at + p + j] = -y[i] * H.data[i * p + j];
          }
          A.data[at + 2 * p] = y[i];
          A.data[at + 2 * p + 1 + i] = 1;
          A.data[at + 2 * p + 1 + n + i] = -1;
        }
        const c = new Float64Array(cols).fill(beta, 0, 2 * p).fill(1, 2 * p + 1, 2 * p + 1 + n);
        const lower = new Float64Array(cols);
        lower[2 * p] = Number.NEGATIVE_INFINITY;
        const upper = new Float64Array(cols).fill(Number.POSITIVE_INFINITY);
        const { status, value } = solveLinearProgram({ c, A, b: new Float64Array(n).fill(1), lower, upper });
        expect(status).toBe("optimal");
        expect(Math.abs(value - fit.objective)).toBeLessThanOrEqual(1e-8 * (1 + value));
      }),
    );
  });

  test("fitLineSvm: dual point in its box, sum 0, within beta; value of the network", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y, beta } = labelled(seed);
        const fit = fitLineSvm(x, y, beta);
        let sum = 0;
        fit.v.forEach((v, i) => {
          sum += v;
          expect(v * y[i]).toBeGreaterThanOrEqual(-1e-12);
          expect(v * y[i]).toBeLessThanOrEqual(1 + 1e-12);
        });
        expect(Math.abs(sum)).toBeLessThanOrEqual(1e-9);
        const { t, index } = lineData(x, y);
        const v = new Float64Array(t.length);
        index.forEach((k, i) => {
          v[k] += fit.v[i];
        });
        expect(lineMaximum(t, v).value).toBeLessThanOrEqual(beta * (1 + 1e-9));
        const outputs = forward(fit.network, matrix(x.length, 1, x)).data;
        let value = beta * fit.ramps.reduce((total, { w }) => total + Math.abs(w), 0);
        outputs.forEach((f, i) => {
          value += Math.max(0, 1 - y[i] * f);
        });
        expect(value).toBeCloseTo(fit.objective, 9);
      }),
    );
  });
});

describe("minimum-norm interpolation (4) in one dimension", () => {
  const { problem, expected_optimum, dual_v, solutions } = golden.named.A1;
  test("A1: interpolateLine has norm 8 and the dual point (1, -3, 2, 1, -1)", () => {
    const fit = interpolateLine(f64(problem.a), f64(problem.y));
    expect(fit.norm).toBe(fraction(expected_optimum));
    expect([...fit.v]).toEqual(dual_v);
    problem.a.forEach((x, i) => {
      expect(evaluateRamps(fit.ramps, fit.c0, x)).toBeCloseTo(problem.y[i], 14);
    });
  });

  test.each(solutions)("A1: the listed solutions interpolate at that norm: $b", ({ u, b, w }) => {
    const ramps = u.map((sign, j) => ({ u: sign as 1 | -1, kink: -sign * fraction(b[j]), w: fraction(w[j]) }));
    problem.a.forEach((x, i) => {
      expect(evaluateRamps(ramps, 0, x)).toBeCloseTo(problem.y[i], 13);
    });
    expect(ramps.reduce((sum, ramp) => sum + Math.abs(ramp.w), 0)).toBeCloseTo(8, 13);
  });

  test("interpolateLine: exact, and its dual point proves the norm", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { x, y } = lineInstance(seed);
        const values = new Map<number, number>();
        const targets = x.map((t, i) => values.get(t) ?? values.set(t, y[i]).get(t) ?? 0);
        const fit = interpolateLine(x, targets);
        x.forEach((t, i) => {
          expect(Math.abs(evaluateRamps(fit.ramps, fit.c0, t) - targets[i])).toBeLessThanOrEqual(
            1e-11 * (1 + fit.norm),
          );
        });
        expect(fit.ramps.reduce((sum, { w }) => sum + Math.abs(w), 0)).toBeCloseTo(fit.norm, 8);
        const { t, index } = lineData(x, targets);
        const v = new Float64Array(t.length);
        let vy = 0;
        index.forEach((k, i) => {
          v[k] += fit.v[i];
          vy += fit.v[i] * targets[i];
        });
        expect(Math.abs(vy - fit.norm)).toBeLessThanOrEqual(1e-9 * (1 + fit.norm));
        expect(lineMaximum(t, v).value).toBeLessThanOrEqual(1 + 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  test("sparsestKinks: two and two of one sign become one, the function on the data and the norm stay", () => {
    const t = f64([0, 1, 2, 3, 4, 5, 6]);
    const y = f64([0, 0, 1, 3, 6, 5, 4]); // slope changes 1, 1, 1, -4, 0
    const shape = lineShape(t, y);
    const fewest = sparsestKinks(t, y, shape);
    expect([...fewest.change]).toEqual([1, 2, -4]);
    expect([...fewest.kinks]).toEqual([1, 2.5, 4]);
    const { ramps, c0 } = leastRamps(fewest.kinks, { slope: shape.slope, change: fewest.change }, 0, 6, 0);
    t.forEach((x, i) => {
      expect(evaluateRamps(ramps, c0, x)).toBeCloseTo(y[i], 13);
    });
    expect(ramps.reduce((sum, { w }) => sum + Math.abs(w), 0)).toBeCloseTo(lineNorm(shape), 13);
  });

  test("interpolateLine refuses two targets at one point", () => {
    expect(() => interpolateLine(f64([1, 1]), f64([0, 1]))).toThrow(/two targets/);
    expect(interpolateLine(f64([1, 1]), f64([2, 2])).norm).toBe(0);
  });
});

describe("Corollaries 5 and 6: data of rank one", () => {
  const s = draws("rank one");
  const a = f64([3, -4, 12]); // length 13
  const c = f64(Array.from({ length: 9 }, () => s.normal()));
  const X = rows([...c].map((t) => [...a].map((q) => t * q)));
  const positions = c.map((t) => 13 * t);
  const y = c.map((t) => Math.sin(2 * t) + 0.2 * s.normal());

  test("fitRankOne and interpolateRankOne: the problem on the line c_i ||a||, entries of c of both signs", () => {
    for (const beta of [0.01, 0.5]) {
      const fit = fitRankOne(X, y, beta);
      expect(fit.objective).toBeCloseTo(fitLine(positions, y, beta).objective, 12);
      forward(fit.network, X).data.forEach((f, i) => {
        expect(f).toBeCloseTo(fit.f[i], 10);
      });
    }
    const fit = interpolateRankOne(X, y);
    expect(fit.norm).toBeCloseTo(interpolateLine(positions, y).norm, 9);
    forward(fit.network, X).data.forEach((f, i) => {
      expect(f).toBeCloseTo(y[i], 10);
    });
    const labels = y.map((t) => (t > 0 ? 1 : -1));
    expect(fitRankOneSvm(X, labels, 0.3).objective).toBeCloseTo(fitLineSvm(positions, labels, 0.3).objective, 9);
  });

  test("rankOneFactors: null above rank one, zero data allowed", () => {
    expect(
      rankOneFactors(
        rows([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toBeNull();
    expect(() =>
      fitRankOne(
        rows([
          [1, 0],
          [0, 1],
        ]),
        f64([1, 2]),
        1,
      ),
    ).toThrow(/rank one/);
    expect(
      fitRankOne(
        rows([
          [0, 0],
          [0, 0],
        ]),
        f64([1, 3]),
        1,
      ).objective,
    ).toBe(1);
  });
});

describe("Theorem 14: one-dimensional data, vector outputs", () => {
  test("fitLineVector: gap closed, one output equals fitLine, no random network below the bound", () => {
    for (let seed = 0; seed < 40; seed++) {
      const s = draws("vector", seed);
      const n = 2 + s.integer(10);
      const c = 1 + (seed % 3);
      const x = f64(Array.from({ length: n }, () => (s.integer(2) ? s.normal() : s.integer(5) - 2)));
      const Y = matrix(n, c, f64(Array.from({ length: n * c }, () => s.normal())));
      const beta = Math.exp(1.5 * s.normal() - 1);
      const fit = fitLineVector(x, Y, beta);
      expect(Math.abs(fit.objective - fit.lowerBound)).toBeLessThanOrEqual(1e-8 * fit.objective);
      if (c === 1) expect(fit.objective).toBeCloseTo(fitLine(x, Y.data, beta).objective, 8);
      const F = forward(fit.network, matrix(n, 1, x));
      let value = 0;
      F.data.forEach((f, k) => {
        value += (f - Y.data[k]) ** 2 / 2;
      });
      const { U, W } = fit.network;
      for (let j = 0; j < U.rows; j++)
        value += beta * Math.abs(U.data[j]) * Math.hypot(...W.data.subarray(j * c, j * c + c));
      expect(value).toBeCloseTo(fit.objective, 8);
      // Rotating the outputs changes nothing: the group norm is rotation invariant, and decoupled outputs cost more.
      if (c === 2) {
        const turned = matrix(n, 2);
        for (let i = 0; i < n; i++) {
          turned.data[2 * i] = 0.6 * Y.data[2 * i] - 0.8 * Y.data[2 * i + 1];
          turned.data[2 * i + 1] = 0.8 * Y.data[2 * i] + 0.6 * Y.data[2 * i + 1];
        }
        expect(fitLineVector(x, turned, beta).objective).toBeCloseTo(fit.objective, 7);
        const apart = [0, 1].map((q) => fitLine(x, f64(Array.from({ length: n }, (_, i) => Y.data[2 * i + q])), beta));
        expect(fit.objective).toBeLessThanOrEqual(apart[0].objective + apart[1].objective + 1e-9);
      }
    }
  });
});
