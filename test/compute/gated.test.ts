import fc from "fast-check";
import { expect, it } from "vitest";
import { patternWords } from "../../src/compute/index.ts";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryBackend, randomPatterns, uniform } from "./backends.ts";

/** Row counts around the 32-row word, column counts around the column chunk, pattern counts around the block. */
const SHAPES = [
  [0, 3, 2],
  [3, 0, 2],
  [3, 2, 0],
  [1, 1, 1],
  [31, 2, 3],
  [32, 5, 4],
  [33, 32, 5],
  [70, 33, 33],
  [16, 65, 64],
  [17, 31, 150],
  [301, 30, 67],
  [1000, 19, 40],
  [1000, 33, 45],
] as const;

onEveryBackend("gated products", (compute) => {
  it.each(SHAPES)("gatedForward with n = %i, d = %i, P = %i equals the masked sum", (n, d, p) => {
    const x = uniform("x", n * d);
    const v = uniform("v", p * d);
    const patterns = randomPatterns("patterns", n, p);
    const expected = new Float64Array(n);
    referenceKernels.gatedForward(n, d, p, x, patterns, v, expected);
    compute().scope((scope) => {
      const bits = scope.u32(patterns.length);
      bits.set(patterns);
      const out = scope.f64(n).fill(Number.NaN);
      compute().gatedForward(n, d, p, scope.copy(x), bits, scope.copy(v), out);
      expect(difference(out, expected)).toBeLessThan(8 * (d * p + 4) * Number.EPSILON);
    });
  });

  it.each(SHAPES)("gatedAdjoint with n = %i, d = %i, P = %i equals the masked sum", (n, d, p) => {
    const x = uniform("x", n * d);
    const r = uniform("r", n);
    const patterns = randomPatterns("patterns", n, p);
    const expected = new Float64Array(p * d);
    referenceKernels.gatedAdjoint(n, d, p, x, patterns, r, expected);
    compute().scope((scope) => {
      const bits = scope.u32(patterns.length);
      bits.set(patterns);
      const out = scope.f64(p * d).fill(Number.NaN);
      compute().gatedAdjoint(n, d, p, scope.copy(x), bits, scope.copy(r), out);
      expect(difference(out, expected)).toBeLessThan(8 * (n + 4) * Number.EPSILON);
    });
  });

  it("gatedForward and gatedAdjoint are adjoint: <F v, r> = <v, F* r>", () => {
    const size = fc.integer({ min: 1, max: 80 });
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 0, max: 1000 }), (n, d, p, seed) => {
        compute().scope((scope) => {
          const x = scope.copy(uniform(`x${seed}`, n * d));
          const v = scope.copy(uniform(`v${seed}`, p * d));
          const r = scope.copy(uniform(`r${seed}`, n));
          const patterns = scope.u32(p * patternWords(n));
          patterns.set(randomPatterns(`D${seed}`, n, p));
          const forward = scope.f64(n);
          const adjoint = scope.f64(p * d);
          compute().gatedForward(n, d, p, x, patterns, v, forward);
          compute().gatedAdjoint(n, d, p, x, patterns, r, adjoint);
          const gap = Math.abs(compute().dot(n, forward, r) - compute().dot(p * d, v, adjoint));
          expect(gap).toBeLessThan(8 * (n * d * p + 4) * Number.EPSILON);
        });
      }),
      { numRuns: 40 },
    );
  });

  it("gatedForward and gatedAdjoint ignore bits beyond the last row", () => {
    const [n, d, p] = [33, 3, 2];
    compute().scope((scope) => {
      const ones = scope.u32(p * patternWords(n)).fill(0xffffffff);
      const x = scope.f64(n * d).fill(1);
      const adjoint = scope.f64(p * d);
      const forward = scope.f64(n);
      compute().gatedAdjoint(n, d, p, x, ones, scope.f64(n).fill(1), adjoint);
      compute().gatedForward(n, d, p, x, ones, scope.f64(p * d).fill(1), forward);
      expect(adjoint.every((value) => value === n)).toBe(true);
      expect(forward.every((value) => value === d * p)).toBe(true);
    });
  });

  it("gatedForward and gatedAdjoint do not let a closed gate's NaN or infinity through", () => {
    compute().scope((scope) => {
      const x = scope.copy([1, Number.NaN, 3]);
      const patterns = scope.u32(2);
      patterns[0] = 0b101;
      patterns[1] = 0b010;
      const v = scope.copy([2, Number.POSITIVE_INFINITY]);
      const forward = scope.f64(3);
      compute().gatedForward(3, 1, 2, x, patterns, v, forward);
      expect(Array.from(forward)).toEqual([2, Number.NaN, 6]);
      const adjoint = scope.f64(2);
      compute().gatedAdjoint(3, 1, 2, x, patterns, scope.copy([1, 1, 1]), adjoint);
      expect(Array.from(adjoint)).toEqual([4, Number.NaN]);
    });
  });

  it.each([...SHAPES, [129, 40, 131]] as const)("activationPatterns with n = %i, d = %i, P = %i", (n, d, p) => {
    // Small integers: inner products are exact, so ties at zero are ties on every backend.
    const whole = (name: string, length: number): Float64Array => uniform(name, length).map((u) => Math.round(2 * u));
    const x = whole("x", n * d);
    const g = whole("g", p * d);
    const expected = new Uint32Array(p * patternWords(n));
    referenceKernels.activationPatterns(n, d, p, x, g, expected);
    compute().scope((scope) => {
      const out = scope.u32(expected.length).fill(0xffffffff);
      compute().activationPatterns(n, d, p, scope.copy(x), scope.copy(g), out);
      expect(Array.from(out)).toEqual(Array.from(expected));
    });
  });

  it("activationPatterns closes the gate at zero and at NaN", () => {
    compute().scope((scope) => {
      const out = scope.u32(1);
      const x = scope.copy([1, 0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY, 5e-324]);
      compute().activationPatterns(7, 1, 1, x, scope.copy([1]), out);
      expect(out[0]).toBe(0b1100001);
    });
  });
});
