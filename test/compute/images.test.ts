import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DualKind } from "../../src/compute/duals.ts";
import {
  decodeImageProgram,
  encodeImageProgram,
  type ImageStep,
  imageNeeds,
  lineOf,
} from "../../src/compute/image-program.ts";
import { createCompute, type Scope } from "../../src/compute/index.ts";
import { imagePairsReference } from "../../src/compute/reference-images.ts";
import { difference, onEveryBackend, uniform } from "./backends.ts";

const STEP: ImageStep = {
  kind: "input",
  ...{ w: 1, b: 0, a: 0, e: 0, height: 1, width: 1, outHeight: 1, outWidth: 1, filterHeight: 1, filterWidth: 1 },
  ...{ strideHeight: 1, strideWidth: 1, top: 0, left: 0, circular: false, pairs: false, at: 0, id: 0 },
};

/** A program with every kind of step on images of height x width: pooling only when `pairs`. */
function program(height: number, width: number, pairs: boolean, circular: boolean, stride: number): ImageStep[] {
  const numbers = 2 * height * lineOf(width);
  const at = { height, width, pairs };
  const same = { ...at, outHeight: height, outWidth: width };
  const out = { outHeight: Math.ceil(height / stride), outWidth: Math.ceil(width / stride) };
  const small = { height: out.outHeight, width: out.outWidth, pairs };
  const conv = { filterHeight: 3, filterWidth: 3, top: 1, left: 1, circular };
  const list: Partial<ImageStep>[] = [
    { kind: "input", w: 0.5, id: 2, ...at },
    { kind: "conv", w: 0.2, b: 0.1, a: 0.2, e: 0.1, ...same, ...conv },
    { kind: "piecewise", w: 0.5, b: 1 / (2 * Math.PI), ...at },
    { kind: "save", at: 0, ...at },
    { kind: "affine", w: 1.3, b: 0.2, a: 2, e: 1, ...at },
    { kind: "erf", w: 0.6, b: 2, a: 0.1, at: numbers, ...at },
    { kind: "conv", w: 0.4, a: 0.4, ...same, filterHeight: 2, filterWidth: 3, left: 1, circular },
    { kind: "exchange", at: 0, ...at },
    { kind: "normalize", w: 1, at: 2 * numbers, ...at },
    { kind: "affine", w: 0.7, a: 0.7, ...at },
    { kind: "add", at: 0, ...at },
    { kind: pairs ? "pool" : "conv", w: 0.1, ...at, ...out, ...conv, strideHeight: stride, strideWidth: stride },
    { kind: "piecewise", w: 0.51, b: 0.9, at: 3 * numbers, ...small },
    ...(pairs && circular ? [{ kind: "total" as const, w: 0.01, ...small }] : []),
    ...(pairs && !circular ? [{ kind: "diagonal" as const, ...small }] : []),
    ...(pairs && circular ? [] : [{ kind: "mean" as const, w: 0.3, ...small, pairs: false }]),
  ];
  return list.map((step) => ({ ...STEP, ...step }));
}

describe("image programs", () => {
  test("decodeImageProgram gives back what encodeImageProgram took", () => {
    const steps = program(5, 6, true, true, 2);
    expect(decodeImageProgram(encodeImageProgram(steps))).toEqual(steps);
    expect(() => decodeImageProgram(new Float64Array(20).fill(99))).toThrow(RangeError);
  });
});

onEveryBackend("imagePairs", (compute) => {
  /** Both results for `rows` x `cols` images of a program. */
  const run = (
    kernel: typeof imagePairsReference,
    scope: Scope,
    steps: readonly ImageStep[],
    rows: number,
    cols: number,
    lower: boolean,
  ): Float64Array[] => {
    const { image, numbers } = imageNeeds(steps);
    const { height, width } = steps[0]!;
    const images = uniform("images", (rows + cols) * image);
    // Nothing behind the ends of lines.
    images.forEach((_, p) => {
      if (p % lineOf(width) >= width || p % image >= 2 * height * lineOf(width)) images[p] = 0;
    });
    const x = scope.copy(images.subarray(0, rows * image));
    const y = lower ? x : scope.copy(images.subarray(rows * image));
    const code = scope.copy(encodeImageProgram(steps));
    const [first, second] = [scope.f64(rows * numbers), scope.f64(cols * numbers)];
    kernel(true, false, rows, 0, code, x, x, first, first, null, null);
    kernel(true, false, cols, 0, code, y, y, second, second, null, null);
    const [nngp, ntk] = [scope.f64(rows * cols), scope.f64(rows * cols)];
    kernel(false, lower, rows, cols, code, x, y, first, second, nngp, ntk);
    return [nngp, ntk, first];
  };

  test("imagePairs agrees with the naive recursion on programs of every step", () => {
    const sides = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(sides, sides, fc.boolean(), fc.boolean(), fc.constantFrom(1, 2), (h, w, pairs, circular, stride) => {
        const [height, width] = pairs ? [Math.min(h, 6), Math.min(w, 6)] : [h, w];
        const steps = program(height, width, pairs, circular, stride);
        compute().scope((scope) => {
          const fast = run(compute().imagePairs, scope, steps, 2, 3, false);
          const naive = run(imagePairsReference, scope, steps, 2, 3, false);
          fast.forEach((values, k) => {
            const size = Math.max(1, ...naive[k]!.map(Math.abs));
            expect(difference(values, naive[k]!) / size).toBeLessThan(1e-13);
          });
        });
      }),
      { numRuns: 20 },
    );
  });

  const DUALS: readonly (readonly [DualKind, number, number, number])[] = [
    ["gelu", 0, 0, 0],
    ["exponential", 0.5, -0.4, -0.5],
    ["exponential", 1.1, 0, 0.02],
    ["gaussian", 1.2, 0, -2],
    ["sign", 0, 0, 0],
    ["rectified", 2, 0, 0],
    ["polynomial", 2, 0, 0],
  ];

  test.each(DUALS)("imagePairs takes images through %s as the naive recursion does", (kind, w, b, a) => {
    for (const pairs of [false, true]) {
      const [height, width] = [3, 5];
      const at = { height, width, pairs };
      const conv = { outHeight: height, outWidth: width, filterHeight: 3, filterWidth: 3, top: 1, left: 1 };
      const list: Partial<ImageStep>[] = [
        { kind: "input", w: 0.5, id: 2, ...at },
        { kind: "conv", w: 0.2, b: 0.1, a: 0.2, e: 0.1, ...at, ...conv },
        { kind, w, b, a, ...at },
        // 0.3 + 0.2 v, 0.7 and 0.5 of a quadratic polynomial.
        { kind: "numbers", w: 0.3, b: 0.2, a: 0.7, e: 0.5, ...at },
        { kind: "affine", w: 0.4, a: 0.4, ...at },
        { kind, w, b, a, at: 3 * height * lineOf(width), ...at },
        { kind: "numbers", w: 0.3, b: 0.2, a: 0.7, e: 0.5, ...at },
        { kind: pairs ? "total" : "mean", w: 0.1, ...at },
      ];
      const steps = list.map((step) => ({ ...STEP, ...step }));
      compute().scope((scope) => {
        const fast = run(compute().imagePairs, scope, steps, 3, 4, false);
        const naive = run(imagePairsReference, scope, steps, 3, 4, false);
        expect(naive[1]!.some((value) => value !== 0)).toBe(kind !== "sign");
        fast.forEach((values, k) => {
          const size = Math.max(1, ...naive[k]!.map(Math.abs));
          expect(difference(values, naive[k]!) / size).toBeLessThan(1e-13);
        });
      });
    }
  });

  test("imagePairs clears the margins that an earlier window of another kind left", () => {
    for (const pairs of [false, true]) {
      const sides = [
        [5, 7],
        [5, 6],
        [3, 5],
      ] as const;
      const list: Partial<ImageStep>[] = [{ kind: "input", w: 0.5, id: 2, height: 5, width: 7, pairs }];
      // Circular and not, of equal and of shrinking sizes.
      const windows = [
        [0, 0, true],
        [0, 0, false],
        [0, 0, true],
        [0, 1, false],
        [1, 1, false],
        [1, 2, false],
        [2, 2, true],
        [2, 2, false],
      ] as const;
      for (const [from, to, circular] of windows) {
        const [[height, width], [outHeight, outWidth]] = [sides[from], sides[to]];
        const size = { height, width, outHeight, outWidth, filterHeight: 3, filterWidth: 3, top: 1, left: 1 };
        list.push({ kind: "conv", w: 0.3, a: 0.2, b: 0.1, pairs, circular, ...size });
      }
      list.push({ kind: pairs ? "total" : "mean", height: 3, width: 5, pairs });
      const steps = list.map((step) => ({ ...STEP, ...step }));
      compute().scope((scope) => {
        const fast = run(compute().imagePairs, scope, steps, 2, 2, false);
        const naive = run(imagePairsReference, scope, steps, 2, 2, false);
        fast.forEach((values, k) => {
          const size = Math.max(1, ...naive[k]!.map(Math.abs));
          expect(difference(values, naive[k]!) / size).toBeLessThan(1e-13);
        });
      });
    }
  });

  test("imagePairs with lower leaves the upper half alone, whatever the number of threads", () => {
    const steps = program(5, 6, true, false, 1);
    compute().scope((scope) => {
      const [nngp, ntk] = run(compute().imagePairs, scope, steps, 4, 4, true);
      const [all] = run(imagePairsReference, scope, steps, 4, 4, true);
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < 4; j++) {
          if (j > i) expect([nngp![i * 4 + j], ntk![i * 4 + j]]).toEqual([0, 0]);
          else expect(Math.abs(nngp![i * 4 + j]! - all![i * 4 + j]!)).toBeLessThan(1e-12);
        }
      }
    });
  });

  test("imagePairs refuses what is no program, short arrays and halves of rectangles", () => {
    const steps = program(3, 3, false, false, 1);
    compute().scope((scope) => {
      const { image, numbers } = imageNeeds(steps);
      const code = scope.copy(encodeImageProgram(steps));
      const [x, own] = [scope.f64(2 * image), scope.f64(2 * numbers)];
      const call =
        (lower: boolean, rows: number, images: Float64Array, coded = code) =>
        () =>
          compute().imagePairs(false, lower, rows, 2, coded, images, x, own, own, scope.f64(4), null);
      expect(call(false, 2, x)).not.toThrow();
      expect(call(false, 0, x)).not.toThrow();
      expect(call(true, 1, x)).toThrow(RangeError);
      expect(call(false, 2, x.subarray(1))).toThrow(RangeError);
      expect(call(false, 2, new Float64Array(2 * image))).toThrow(TypeError);
      expect(call(false, 2, x, scope.copy(new Float64Array(20).fill(99)))).toThrow(RangeError);
      const deep = encodeImageProgram([steps[0]!, { ...STEP, kind: "save", at: 256 }]);
      expect(call(false, 2, x, scope.copy(deep))).toThrow(RangeError);
    });
  });
});

test("imagePairs gives the same bits with one thread and with three", async () => {
  const steps = program(6, 7, true, true, 2);
  const results = await Promise.all(
    [1, 3].map(async (threads) => {
      const compute = await createCompute({ backend: "wasm", threads });
      const { image, numbers } = imageNeeds(steps);
      const values = compute.scope((scope) => {
        const x = scope.copy(uniform("bits", 9 * image));
        const own = scope.f64(9 * numbers);
        const code = scope.copy(encodeImageProgram(steps));
        compute.imagePairs(true, false, 9, 0, code, x, x, own, own, null, null);
        const ntk = scope.f64(81);
        compute.imagePairs(false, false, 9, 9, code, x, x, own, own, null, ntk);
        return Array.from(ntk);
      });
      await compute.close();
      return values;
    }),
  );
  expect(results[0]).toEqual(results[1]);
});
