import fc from "fast-check";
import { expect, it } from "vitest";
import { windowsReference } from "../../src/compute/reference-windows.ts";
import {
  type LineMode,
  lineSizes,
  type RealArray,
  type RealKernels,
  type Scope,
  type WindowShape,
  windowSizes,
} from "../../src/compute/types.ts";
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
      { numRuns: 30 },
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

  it("largestOfWindows, sumsOfWindows, spreadOverWindows, entriesAt and addEntriesAt are those of the definition", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 5 }), fc.boolean(), (shape, n, hasNaN) => {
        const size = shape.outHeight * shape.outWidth * shape.channels;
        const { image } = windowSizes(shape);
        const images = uniform("images", n * image);
        if (hasNaN && images.length > 3) images[3] = Number.NaN;
        const values = uniform("values", n * size);
        compute().scope((scope) => {
          const [x, v] = [copy(scope, images), copy(scope, values)];
          const arrays = (): RealArray[] => Array.from({ length: 4 }, () => array(scope, n * size).fill(9));
          const into = (): RealArray[] => [copy(scope, images), copy(scope, images)];
          const [out, places, sums, picked] = arrays() as [RealArray, RealArray, RealArray, RealArray];
          const [spread, added] = into() as [RealArray, RealArray];
          const [out1, places1, sums1, picked1] = arrays() as [RealArray, RealArray, RealArray, RealArray];
          const [spread1, added1] = into() as [RealArray, RealArray];
          const run = (k: Pick<RealKernels<RealArray>, keyof typeof windowsReference>, a: RealArray[]): void => {
            k.largestOfWindows(n, shape, x, a[0]!, a[1]!);
            k.sumsOfWindows(n, shape, 0.5, x, a[2]!);
            k.spreadOverWindows(n, shape, 0.25, v, a[4]!);
            k.entriesAt(n, size, image, a[1]!, x, a[3]!);
            k.addEntriesAt(n, size, image, a[1]!, v, a[5]!);
          };
          run(kernels(), [out, places, sums, picked, spread, added]);
          run(windowsReference, [out1, places1, sums1, picked1, spread1, added1]);
          expect(Array.from(out)).toEqual(Array.from(out1));
          expect(Array.from(places)).toEqual(Array.from(places1));
          expect(Array.from(picked)).toEqual(Array.from(picked1));
          const close = (a: RealArray, b: RealArray): void => {
            for (let k = 0; k < a.length; k++) {
              if (!Number.isNaN(b[k])) expect(Math.abs(a[k]! - b[k]!)).toBeLessThan(2e-4);
              else expect(a[k]).toBeNaN();
            }
          };
          close(sums, sums1);
          close(spread, spread1);
          close(added, added1);
        });
      }),
      { numRuns: 30 },
    );
  });

  it("entriesAt and addEntriesAt touch nothing outside of the images", () => {
    compute().scope((scope) => {
      const x = copy(scope, Float64Array.of(1, 2, 3));
      const places = copy(scope, Float64Array.of(-1, 3, 1e30, 2));
      const out = array(scope, 4);
      kernels().entriesAt(1, 4, 3, places, x, out);
      expect(Array.from(out)).toEqual([Number.NaN, Number.NaN, Number.NaN, 3]);
      kernels().addEntriesAt(1, 4, 3, places, copy(scope, Float64Array.of(5, 5, 5, 5)), x);
      expect(Array.from(x)).toEqual([1, 2, 8]);
    });
  });

  it("copyLines sets, adds and frames lines as the loops do", () => {
    const layouts = fc.record({
      ...{ images: fc.integer({ min: 0, max: 4 }), height: fc.integer({ min: 0, max: 5 }) },
      ...{ length: fc.integer({ min: 0, max: 70 }), gaps: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 4 }) },
    });
    const modes = fc.constantFrom<LineMode[]>("set", "add", "frame");
    fc.assert(
      fc.property(layouts, modes, ({ images, height, length, gaps }, mode) => {
        const [fromLine, toLine] = [length + gaps[0]!, length + gaps[1]!];
        const [fromImage, toImage] = [height * fromLine + gaps[2]!, height * toLine + gaps[3]!];
        const layout = { images, height, length, fromLine, fromImage, toLine, toImage };
        compute().scope((scope) => {
          const sizes = lineSizes(layout, mode);
          const from = copy(scope, uniform("from", sizes.from));
          const [to, expected] = [0, 1].map(() => copy(scope, uniform("to", sizes.to + 5)));
          kernels().copyLines(mode, layout, from, to!);
          windowsReference.copyLines(mode, layout, from, expected!);
          expect(Array.from(to!)).toEqual(Array.from(expected!));
        });
      }),
      { numRuns: 50 },
    );
  });

  it("copyLines refuses lines that overlap or do not fit", () => {
    const layout = { images: 2, height: 2, length: 3, fromLine: 3, fromImage: 6, toLine: 3, toImage: 6 };
    compute().scope((scope) => {
      const [from, to] = [array(scope, 12), array(scope, 11)];
      expect(() => kernels().copyLines("set", layout, from, to)).toThrow(/to needs 12/);
      expect(() => kernels().copyLines("set", { ...layout, toLine: 2 }, from, from)).toThrow(/overlap/);
      expect(() => kernels().copyLines("set", { ...layout, toImage: 5 }, from, from)).toThrow(/overlap/);
    });
  });

  it("add is the sum", () => {
    const [a, b] = [uniform("a", 1003), uniform("b", 1003)];
    compute().scope((scope) => {
      const [x, y, out] = [copy(scope, a), copy(scope, b), array(scope, 1003)];
      kernels().add(1003, x, y, out);
      const sums = copy(
        scope,
        x.map((value, k) => value + y[k]!),
      );
      expect(Array.from(out)).toEqual(Array.from(sums));
    });
  });
});
