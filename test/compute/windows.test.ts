import fc from "fast-check";
import { expect, it } from "vitest";
import { windowsReference } from "../../src/compute/reference-windows.ts";
import { type RealArray, type Scope, type WindowShape, windowSizes } from "../../src/compute/types.ts";
import { onEveryPrecision, uniform } from "./backends.ts";

/** Any windows, also larger than the image, beside it, and skipping pixels. */
const shapes: fc.Arbitrary<WindowShape> = fc.record({
  height: fc.integer({ min: 1, max: 7 }),
  width: fc.integer({ min: 1, max: 7 }),
  channels: fc.integer({ min: 1, max: 6 }),
  filterHeight: fc.integer({ min: 1, max: 9 }),
  filterWidth: fc.integer({ min: 1, max: 9 }),
  strideHeight: fc.integer({ min: 1, max: 3 }),
  strideWidth: fc.integer({ min: 1, max: 3 }),
  top: fc.integer({ min: 0, max: 9 }),
  left: fc.integer({ min: 0, max: 9 }),
  outHeight: fc.integer({ min: 0, max: 6 }),
  outWidth: fc.integer({ min: 0, max: 6 }),
  circular: fc.boolean(),
});

onEveryPrecision("windows", (kernels, { copy }, compute) => {
  const array = (scope: Scope, length: number): RealArray => copy(scope, new Float64Array(length));
  it("gatherWindows and scatterWindows are those of the definition, and each other's transpose", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 5 }), (shape, n) => {
        const sizes = windowSizes(shape);
        const images = uniform("images", n * sizes.image);
        const patches = uniform("patches", n * sizes.patches);
        const [gathered, scattered] = [new Float64Array(patches.length), Float64Array.from(images)];
        compute().scope((scope) => {
          const [x, p] = [copy(scope, images), copy(scope, patches)];
          const out = array(scope, patches.length).fill(9);
          kernels().gatherWindows(n, shape, x, out);
          windowsReference.gatherWindows(n, shape, x, gathered);
          expect(Array.from(out)).toEqual(Array.from(gathered));
          const transposed = Array.from(out).reduce((sum, value, k) => sum + value * p[k]!, 0);
          windowsReference.scatterWindows(n, shape, p, scattered);
          const before = Float64Array.from(x);
          kernels().scatterWindows(n, shape, p, x);
          for (let k = 0; k < x.length; k++) expect(x[k]).toBeCloseTo(scattered[k]!, 4);
          const other = before.reduce((sum, value, k) => sum + value * (x[k]! - value), 0);
          expect(transposed).toBeCloseTo(other, 2);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("gatherWindows of a batch on all threads is that of each image", () => {
    const shape: WindowShape = {
      height: 28,
      width: 28,
      channels: 32,
      filterHeight: 3,
      filterWidth: 3,
      strideHeight: 1,
      strideWidth: 1,
      top: 1,
      left: 1,
      outHeight: 28,
      outWidth: 28,
      circular: false,
    };
    const { image, patches } = windowSizes(shape);
    const n = 5;
    compute().scope((scope) => {
      const x = copy(scope, uniform("batch", n * image));
      const [whole, single] = [array(scope, n * patches), array(scope, patches)];
      kernels().gatherWindows(n, shape, x, whole);
      const back = array(scope, n * image);
      kernels().scatterWindows(n, shape, whole, back);
      for (let sample = 0; sample < n; sample++) {
        kernels().gatherWindows(1, shape, x.subarray(sample * image), single);
        expect(whole.subarray(sample * patches, (sample + 1) * patches).every((value, k) => value === single[k])).toBe(
          true,
        );
        // Inside, each pixel lies in nine windows.
        const at = sample * image + (14 * 28 + 14) * 32;
        expect(back[at]! / x[at]!).toBeCloseTo(9, 4);
      }
    });
  });

  it("gatherWindows refuses arrays that are too short", () => {
    const shape: WindowShape = {
      height: 2,
      width: 2,
      channels: 1,
      filterHeight: 1,
      filterWidth: 1,
      strideHeight: 1,
      strideWidth: 1,
      top: 0,
      left: 0,
      outHeight: 2,
      outWidth: 2,
      circular: false,
    };
    compute().scope((scope) => {
      expect(() => kernels().gatherWindows(1, shape, array(scope, 3), array(scope, 4))).toThrow(/images needs 4/);
      expect(() => kernels().scatterWindows(2, shape, array(scope, 4), array(scope, 8))).toThrow(/patches needs 8/);
    });
  });
});
