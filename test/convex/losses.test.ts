import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dualBound, type Loss, lossByName } from "../../src/convex/losses/index.ts";
import { draws, targets } from "./problems.ts";

const names = ["squared", "logistic"] as const;
const instance = (name: Loss["name"]): fc.Arbitrary<{ f: Float64Array; y: Float64Array }> =>
  fc.tuple(fc.integer({ min: 1, max: 8 }), fc.nat(1e6)).map(([n, seed]) => {
    const stream = draws("loss", seed);
    return {
      f: Float64Array.from({ length: n }, () => 3 * stream.normal()),
      y: Float64Array.from(targets(stream, n, name)),
    };
  });

describe.each(names)("lossByName(%s)", (name) => {
  const loss = lossByName(name);

  test("negativeGradient and curvature are the differences of value", () => {
    fc.assert(
      fc.property(instance(name), ({ f, y }) => {
        const gradient = new Float64Array(f.length);
        const curvature = new Float64Array(f.length);
        loss.negativeGradient(f, y, gradient);
        loss.curvature(f, y, curvature);
        const step = 1e-3;
        f.forEach((_, i) => {
          const at = (shift: number): number =>
            loss.value(
              f.map((t, k) => (k === i ? t + shift : t)),
              y,
            );
          expect(-(at(step) - at(-step)) / (2 * step)).toBeCloseTo(gradient[i], 5);
          expect((at(step) - 2 * at(0) + at(-step)) / step ** 2).toBeCloseTo(curvature[i], 4);
        });
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  // The conjugate from its definition: loss*(-v) = max_f -v'f - loss(f), so the dual value is min_f v'f + loss(f).
  test("dualValue is never above v'f + loss(f), and meets it at f = the prediction of v", () => {
    fc.assert(
      fc.property(
        instance(name),
        instance(name),
        fc.double({ min: 0, max: 1.2, noNaN: true }),
        ({ f, y }, other, alpha) => {
          const v = new Float64Array(f.length);
          loss.negativeGradient(f, y, v);
          const linear = (g: Float64Array, scale: number): number =>
            loss.value(g, y) + g.reduce((sum, t, i) => sum + scale * v[i] * t, 0);
          const dual = loss.dualValue(v, y, 1);
          expect(Math.abs(dual - linear(f, 1))).toBeLessThanOrEqual(1e-10 * (1 + Math.abs(dual)));
          const g = Float64Array.from(f, (_, i) => other.f[i % other.f.length]);
          expect(loss.dualValue(v, y, alpha)).toBeLessThanOrEqual(linear(g, alpha) + 1e-10 * (1 + Math.abs(dual)));
        },
      ),
      { numRuns: 200, seed: 2 },
    );
  });

  test("bestScale is the best alpha of a fine grid up to its cap, and dualBound takes it", () => {
    fc.assert(
      fc.property(instance(name), fc.double({ min: 0.05, max: 3, noNaN: true }), ({ f, y }, cap) => {
        const v = new Float64Array(f.length);
        loss.negativeGradient(f, y, v);
        const alpha = loss.bestScale(v, y, cap);
        expect(alpha).toBeGreaterThanOrEqual(0);
        expect(alpha).toBeLessThanOrEqual(cap);
        const best = loss.dualValue(v, y, alpha);
        for (let k = 0; k <= 200; k++) {
          const value = loss.dualValue(v, y, (cap * k) / 200);
          expect(value).toBeLessThanOrEqual(best + 1e-12 * (1 + Math.abs(best)));
        }
        expect(dualBound(loss, v, y, cap, 1)).toBe(best);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  test("center makes the sum zero and stays in the domain of the conjugate", () => {
    fc.assert(
      fc.property(instance(name), ({ f, y }) => {
        const v = new Float64Array(f.length);
        loss.negativeGradient(f, y, v);
        loss.center(v, y);
        expect(Math.abs(v.reduce((sum, t) => sum + t, 0))).toBeLessThanOrEqual(1e-13 * f.length * 10);
        expect(loss.dualValue(v, y, 1)).toBeGreaterThan(Number.NEGATIVE_INFINITY);
        const again = v.slice();
        loss.center(again, y);
        again.forEach((t, i) => {
          expect(t).toBeCloseTo(v[i], 12);
        });
      }),
      { numRuns: 100, seed: 4 },
    );
  });

  test("value and negativeGradient survive predictions that overflow exp", () => {
    const f = Float64Array.of(1e4, -1e4);
    const y = Float64Array.of(-1, -1);
    const v = new Float64Array(2);
    loss.negativeGradient(f, y, v);
    expect(Number.isFinite(loss.value(f, y))).toBe(true);
    expect(v.every(Number.isFinite)).toBe(true);
    if (name === "logistic") expect(loss.value(f, y)).toBe(1e4);
  });

  test("dualBound without any constraint is the least loss, with v = 0 it is the value there", () => {
    const y = Float64Array.of(1, -1, 1);
    const zero = new Float64Array(3);
    expect(dualBound(loss, zero, y, 1, 5)).toBe(0);
    const v = new Float64Array(3);
    loss.negativeGradient(zero, y, v);
    // At f = 0 the unconstrained maximum over alpha is at alpha = 1: loss(0).
    expect(dualBound(loss, v, y, 1, 0)).toBeCloseTo(loss.value(zero, y), 12);
  });
});
