import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bestConstant, dualBound, type LossChoice, lossOf } from "../../src/convex/losses/index.ts";
import { draws, naiveLoss, targets } from "./problems.ts";

const names = ["squared", "logistic", "hinge", "huber"] as const;
const HUBER = 0.8;

interface Instance {
  readonly f: Float64Array;
  readonly y: Float64Array;
  readonly choice: LossChoice;
}

/** Predictions, targets, and weights of which some are zero (or none at all). */
const instance = (name: LossChoice["loss"]): fc.Arbitrary<Instance> =>
  fc.tuple(fc.integer({ min: 1, max: 8 }), fc.nat(1e6), fc.boolean()).map(([n, seed, weighted]) => {
    const stream = draws("loss", seed);
    const weights = Float64Array.from({ length: n }, () => (stream.uniform() < 0.2 ? 0 : 2 * stream.uniform()));
    return {
      f: Float64Array.from({ length: n }, () => 3 * stream.normal()),
      y: Float64Array.from(targets(stream, n, name)),
      choice: { loss: name, huber: HUBER, ...(weighted ? { weights } : {}) },
    };
  });

describe.each(names)("lossOf(%s)", (name) => {
  test("value is the weighted sum of the definition", () => {
    fc.assert(
      fc.property(instance(name), ({ f, y, choice }) => {
        const sum = f.reduce((t, z, i) => t + (choice.weights?.[i] ?? 1) * naiveLoss(choice, z, y[i]), 0);
        expect(Math.abs(lossOf(choice).value(f, y) - sum)).toBeLessThanOrEqual(1e-13 * (1 + sum));
      }),
      { numRuns: 100, seed: 5 },
    );
  });

  test("negativeGradient and curvature are the differences of value, away from kinks", () => {
    fc.assert(
      fc.property(instance(name), ({ f, y, choice }) => {
        const loss = lossOf(choice);
        const gradient = new Float64Array(f.length);
        const curvature = new Float64Array(f.length);
        loss.negativeGradient(f, y, gradient);
        loss.curvature(f, y, curvature);
        const step = 1e-3;
        f.forEach((t, i) => {
          if (name === "hinge" && Math.abs(1 - y[i] * t) <= 2 * step) return;
          if (name === "huber" && Math.abs(Math.abs(t - y[i]) - HUBER) <= 2 * step) return;
          const at = (shift: number): number =>
            loss.value(
              f.map((z, k) => (k === i ? z + shift : z)),
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
        ({ f, y, choice }, other, alpha) => {
          const loss = lossOf(choice);
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

  test("dualBox: the largest v (y - f) - q v^2 / 2 in it is the loss", () => {
    fc.assert(
      fc.property(instance(name), ({ f, y, choice }) => {
        const loss = lossOf(choice);
        const box = loss.dualBox(y);
        expect(box === null).toBe(name === "logistic");
        if (box === null) return;
        let sum = 0;
        f.forEach((t, i) => {
          const r = y[i] - t;
          const free = box.q[i] > 0 ? r / box.q[i] : Math.sign(r) * Number.MAX_VALUE;
          const v = Math.max(box.low[i], Math.min(box.high[i], free));
          sum += v === 0 ? 0 : v * r - (box.q[i] * v * v) / 2;
        });
        expect(Math.abs(sum - loss.value(f, y))).toBeLessThanOrEqual(1e-12 * (1 + sum));
      }),
      { numRuns: 200, seed: 6 },
    );
  });

  test("bestScale is the best alpha of a fine grid up to its cap, and dualBound takes it", () => {
    fc.assert(
      fc.property(instance(name), fc.double({ min: 0.05, max: 3, noNaN: true }), ({ f, y, choice }, cap) => {
        const loss = lossOf(choice);
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
      fc.property(instance(name), ({ f, y, choice }) => {
        const loss = lossOf(choice);
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

  test("bestConstant is no worse than any constant of a grid", () => {
    fc.assert(
      fc.property(instance(name), ({ f, y, choice }) => {
        const loss = lossOf(choice);
        const at = (c: number): number => loss.value(new Float64Array(f.length).fill(c), y);
        const best = at(bestConstant(loss, y));
        for (let c = -6; c <= 6; c += 0.05) expect(best).toBeLessThanOrEqual(at(c) + 1e-12 * (1 + best));
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  test("value and negativeGradient survive predictions that overflow exp", () => {
    const loss = lossOf({ loss: name });
    const f = Float64Array.of(1e4, -1e4);
    const y = Float64Array.of(-1, -1);
    const v = new Float64Array(2);
    loss.negativeGradient(f, y, v);
    expect(Number.isFinite(loss.value(f, y))).toBe(true);
    expect(v.every(Number.isFinite)).toBe(true);
    if (name === "logistic") expect(loss.value(f, y)).toBe(1e4);
  });

  test("dualBound without any constraint is the least loss, with v = 0 it is the value there", () => {
    const loss = lossOf({ loss: name });
    const y = Float64Array.of(1, -1, 1);
    const zero = new Float64Array(3);
    expect(dualBound(loss, zero, y, 1, 5)).toBe(0);
    const v = new Float64Array(3);
    loss.negativeGradient(zero, y, v);
    // At f = 0 the unconstrained maximum over alpha is at alpha = 1: loss(0).
    expect(dualBound(loss, v, y, 1, 0)).toBeCloseTo(loss.value(zero, y), 12);
  });
});
