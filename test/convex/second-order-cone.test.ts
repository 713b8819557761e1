import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyInverseScaling,
  applyScaling,
  coneStep,
  jordanDivide,
  nesterovTodd,
  updateScaling,
} from "../../src/convex/solvers/second-order-cone.ts";
import { draws } from "./problems.ts";

/** A point inside the cone {s0 > ||s1||}, at a chosen relative distance from its boundary. */
function interior(seed: number, length: number, distance: number, name: string): Float64Array {
  const stream = draws(name, seed);
  const s = Float64Array.from({ length }, () => stream.normal());
  s[0] = Math.hypot(...s.subarray(1)) * (1 + distance) + (length === 1 ? 1 : 0);
  const size = Math.exp(2 * stream.normal());
  return s.map((t) => t * size);
}

function jordan(u: Float64Array, v: Float64Array): Float64Array {
  return u.map((_, k) => (k === 0 ? u.reduce((sum, t, i) => sum + t * v[i], 0) : u[0] * v[k] + v[0] * u[k]));
}

function close(actual: Float64Array, expected: Float64Array, tolerance: number): void {
  const scale = Math.hypot(...expected);
  actual.forEach((t, k) => {
    expect(Math.abs(t - expected[k])).toBeLessThanOrEqual(tolerance * scale);
  });
}

const points = fc.record({
  seed: fc.nat(1e6),
  length: fc.integer({ min: 2, max: 8 }),
  near: fc.constantFrom(1, 0.1, 1e-3),
});

/** The identities that define the scaling and the Jordan product; each is evaluated here from its definition. */
describe("Nesterov-Todd scaling of the second-order cone", () => {
  const scalingOf = (s: Float64Array, z: Float64Array): ReturnType<typeof nesterovTodd> => {
    const scaling = nesterovTodd(s.length);
    updateScaling(scaling, s, z);
    return scaling;
  };

  test("updateScaling: W z = W^-1 s = lambda, and w lies on the unit hyperboloid", () => {
    fc.assert(
      fc.property(points, ({ seed, length, near }) => {
        const s = interior(seed, length, near, "s");
        const z = interior(seed, length, near, "z");
        const scaling = scalingOf(s, z);
        const wz = new Float64Array(length);
        const ws = new Float64Array(length);
        applyScaling(scaling, z, wz);
        applyInverseScaling(scaling, s, ws);
        close(wz, ws, 1e-8);
        close(scaling.lambda, wz, 1e-12);
        const tail = Math.hypot(...scaling.w.subarray(1));
        expect((scaling.w[0] - tail) * (scaling.w[0] + tail)).toBeCloseTo(1, 6);
        // lambda'lambda = s'z: complementarity is kept.
        const gap = s.reduce((sum, t, k) => sum + t * z[k], 0);
        expect(scaling.lambda.reduce((sum, t) => sum + t * t, 0)).toBeCloseTo(gap, 6);
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  test("applyInverseScaling undoes applyScaling, and W is symmetric", () => {
    fc.assert(
      fc.property(points, ({ seed, length, near }) => {
        const scaling = scalingOf(interior(seed, length, near, "s"), interior(seed, length, near, "z"));
        const stream = draws("x", seed);
        const x = Float64Array.from({ length }, () => stream.normal());
        const y = Float64Array.from({ length }, () => stream.normal());
        const wx = new Float64Array(length);
        const wy = new Float64Array(length);
        const back = new Float64Array(length);
        applyScaling(scaling, x, wx);
        applyScaling(scaling, y, wy);
        applyInverseScaling(scaling, wx, back);
        close(back, x, 1e-6);
        const left = y.reduce((sum, t, k) => sum + t * wx[k], 0);
        const right = x.reduce((sum, t, k) => sum + t * wy[k], 0);
        expect(Math.abs(left - right)).toBeLessThanOrEqual(1e-10 * Math.hypot(...wx) * Math.hypot(...y));
      }),
      { numRuns: 150, seed: 2 },
    );
  });

  test("jordanDivide solves lambda o x = r", () => {
    fc.assert(
      fc.property(points, ({ seed, length, near }) => {
        const lambda = interior(seed, length, near, "lambda");
        const stream = draws("r", seed);
        const r = Float64Array.from({ length }, () => stream.normal());
        const x = new Float64Array(length);
        jordanDivide(lambda, r, x);
        const back = jordan(lambda, x);
        const scale = Math.hypot(...lambda) * Math.hypot(...x);
        back.forEach((t, k) => {
          expect(Math.abs(t - r[k])).toBeLessThanOrEqual(1e-12 * scale);
        });
      }),
      { numRuns: 150, seed: 3 },
    );
  });

  test("coneStep lands on the boundary when it is below 1, and stays inside when it is 1", () => {
    let hits = 0;
    fc.assert(
      fc.property(points, fc.constantFrom(0.01, 1, 100), ({ seed, length, near }, size) => {
        const s = interior(seed, length, near, "s");
        const stream = draws("step", seed);
        const ds = Float64Array.from({ length }, () => size * Math.hypot(...s) * stream.normal());
        const step = coneStep(s, ds);
        expect(step).toBeGreaterThan(0);
        expect(step).toBeLessThanOrEqual(1);
        const at = s.map((t, k) => t + step * ds[k]);
        const tail = Math.hypot(...at.subarray(1));
        const scale = Math.hypot(...s) + step * Math.hypot(...ds);
        expect(at[0] - tail).toBeGreaterThanOrEqual(-1e-7 * scale);
        if (step < 1) {
          hits++;
          expect(Math.abs(at[0] - tail)).toBeLessThanOrEqual(1e-7 * scale);
        }
        // Every shorter step stays in the cone, which is convex.
        const half = s.map((t, k) => t + 0.5 * step * ds[k]);
        expect(half[0]).toBeGreaterThan(Math.hypot(...half.subarray(1)));
      }),
      { numRuns: 300, seed: 4 },
    );
    expect(hits).toBeGreaterThan(50);
  });

  test("coneStep: straight to the apex, along the axis, and across the cone", () => {
    expect(coneStep(Float64Array.of(1, 0), Float64Array.of(-2, 0))).toBeCloseTo(0.5, 14);
    expect(coneStep(Float64Array.of(1, 0), Float64Array.of(5, 0))).toBe(1);
    expect(coneStep(Float64Array.of(2, 1), Float64Array.of(0, 4))).toBeCloseTo(0.25, 14);
    expect(coneStep(Float64Array.of(1, 0), Float64Array.of(0.1, -0.1))).toBe(1);
  });
});
