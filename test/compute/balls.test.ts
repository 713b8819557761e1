import fc from "fast-check";
import { expect, it } from "vitest";
import { referenceKernels } from "../../src/compute/reference.ts";
import { onEveryBackend, uniform } from "./backends.ts";

const SHAPES = [
  [0, 3],
  [1, 1],
  [2, 3],
  [3, 4],
  [4, 7],
  [5, 32],
  [3, 101],
] as const;

onEveryBackend("projectOnBalls", (compute) => {
  it.each(SHAPES)("projectOnBalls of %i x %i is the projection by sorting, from any level", (rows, cols) => {
    const start = uniform("b", rows * cols);
    // Inside its ball, on radius 0, far outside, with ties.
    const radii = Float64Array.from({ length: rows }, (_, j) => [0.3, 0, 1e3, 1][j % 4]!);
    for (let k = 0; k < Math.min(start.length, cols); k++) start[k] = Math.sign(start[k]!) || 1;
    const expected = start.slice();
    const levels = new Float64Array(rows);
    const gains = new Float64Array(rows);
    referenceKernels.projectOnBalls(rows, cols, expected, radii, levels, gains);
    for (const first of [0, 0.4, 1e6]) {
      compute().scope((scope) => {
        const b = scope.copy(start);
        const from = scope.copy(new Float64Array(rows).fill(first));
        const gain = scope.f64(rows);
        compute().projectOnBalls(rows, cols, b, scope.copy(radii), from, gain);
        for (let k = 0; k < b.length; k++) expect(b[k]).toBeCloseTo(expected[k]!, 11);
        for (let j = 0; j < rows; j++) {
          expect(gain[j]).toBeCloseTo(gains[j]!, 10);
          expect(from[j]).toBeCloseTo(levels[j]!, 11);
        }
      });
    }
  });

  it("projectOnBalls stays in the ball, and is nearer than any other point of it", () => {
    const entries = fc.array(fc.oneof(fc.double({ min: -4, max: 4, noNaN: true }), fc.integer({ min: -2, max: 2 })), {
      ...{ minLength: 1, maxLength: 20 },
    });
    fc.assert(
      fc.property(entries, fc.double({ min: 0, max: 6, noNaN: true }), (values, radius) => {
        compute().scope((scope) => {
          const n = values.length;
          const b = scope.copy(values);
          const gain = scope.f64(1);
          compute().projectOnBalls(1, n, b, scope.copy([radius]), scope.copy([0]), gain);
          const size = b.reduce((sum, p) => sum + Math.abs(p), 0);
          expect(size).toBeLessThanOrEqual(radius + 1e-12);
          // (b - p)'(c - p) <= 0 at the corners c of the ball.
          let inner = 0;
          for (let i = 0; i < n; i++) inner += (values[i]! - b[i]!) * b[i]!;
          for (let i = 0; i < n; i++) {
            expect(radius * Math.abs(values[i]! - b[i]!) - inner).toBeLessThanOrEqual(1e-11);
          }
          const value = values.reduce((sum, t, i) => sum + b[i]! * (2 * t - b[i]!), 0);
          expect(gain[0]).toBeCloseTo(value, 10);
        });
      }),
    );
  });

  it("projectOnBalls refuses arrays that are too short", () => {
    compute().scope((scope) => {
      const two = scope.f64(2);
      expect(() => compute().projectOnBalls(2, 2, two, two, two, two)).toThrow(RangeError);
      expect(() => compute().projectOnBalls(3, 0, two, two, two, two)).toThrow(RangeError);
    });
  });
});

onEveryBackend("stepOnBalls", (compute) => {
  it.each(SHAPES)("stepOnBalls of %i x %i equals the plain loops, step after step", (rows, cols) => {
    const size = rows * cols;
    const single = (name: string, scale: number): Float32Array =>
      Float32Array.from(uniform(name, size), (t) => scale * t);
    const [h, mean] = [single("h", 0.7), single("mean", 0.01)];
    const square = Float32Array.from(single("square", 0.01), Math.abs);
    h.fill(0, 0, Math.min(2, size));
    const slopes = uniform("slopes", size);
    const slack = Float64Array.from(uniform("slack", rows), Math.abs);
    const radii = Float64Array.from(uniform("radii", rows), Math.abs);
    const along = new Float64Array(rows);
    const rates = { rate: 0.02, fix: 1.5, decayMean: 0.9, decaySquare: 0.99 };
    compute().scope((scope) => {
      const [H, M, S] = [h, mean, square].map((from) => {
        const to = scope.f32(size);
        to.set(from);
        return to;
      }) as [Float32Array, Float32Array, Float32Array];
      const own = scope.f64(rows);
      const given = [slopes, slack, radii].map((x) => scope.copy(x)) as [Float64Array, Float64Array, Float64Array];
      for (let step = 0; step < 3; step++) {
        referenceKernels.stepOnBalls(rows, cols, rates, h, mean, square, slopes, slack, radii, along);
        compute().stepOnBalls(rows, cols, rates, H, M, S, ...given, own);
        for (let j = 0; j < rows; j++) expect(own[j]).toBeCloseTo(along[j]!, 6);
        for (let k = 0; k < size; k++) {
          expect(H[k]).toBeCloseTo(h[k]!, 5);
          expect(M[k]).toBeCloseTo(mean[k]!, 6);
          expect(S[k]).toBeCloseTo(square[k]!, 6);
        }
      }
    });
  });

  it("stepOnBalls goes downhill: `along` and the slopes are those of the value in p", () => {
    // value = sum_k (slack |p_k| - B_k p_k) / 2 at p = radius h |h| / max(1, |h|^2).
    const B = [0.7, -0.4, 0.2, 0.1, -0.9];
    const [slack, radius] = [0.3, 1.3];
    for (const scale of [0.2, 2]) {
      const first = Float32Array.from([0.5, -0.3, -0.2, 0.4, 0.1], (t) => scale * t);
      const value = (h: Float32Array): number => {
        const norm = h.reduce((sum, t) => sum + t * t, 0);
        const p = Array.from(h, (t) => (radius * t * Math.abs(t)) / Math.max(1, norm));
        return p.reduce((sum, t, k) => sum + (slack * Math.abs(t) - B[k]! * t) / 2, 0);
      };
      compute().scope((scope) => {
        const [h, mean, square] = [scope.f32(5), scope.f32(5), scope.f32(5)];
        h.set(first);
        mean.fill(0);
        square.fill(0);
        const along = scope.f64(1);
        const rates = { rate: 1e-3, fix: 1, decayMean: 0, decaySquare: 0 };
        const arrays = [scope.copy(B), scope.copy([slack]), scope.copy([radius])] as const;
        compute().stepOnBalls(1, 5, rates, h, mean, square, ...arrays, along);
        expect(along[0]).toBeCloseTo(value(first) / radius, 6);
        expect(value(h)).toBeLessThan(value(first));
        // Without decay the mean is the slope by h.
        for (let k = 0; k < 5; k++) {
          const [up, down] = [first.slice(), first.slice()];
          up[k]! += 1e-3;
          down[k]! -= 1e-3;
          expect(mean[k]).toBeCloseTo((value(up) - value(down)) / (up[k]! - down[k]!), 3);
        }
      });
    }
  });
});
