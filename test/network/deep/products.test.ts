import fc from "fast-check";
import { expect, it } from "vitest";
import type { Scope, WindowShape } from "../../../src/compute/index.ts";
import { createCompute, windowSizes } from "../../../src/compute/index.ts";
import { patchProducts } from "../../../src/network/deep/products.ts";
import { shiftedProducts } from "../../../src/network/deep/shifted-products.ts";
import { uniform } from "../../compute/backends.ts";

/** Windows at every pixel, padded by what the output is larger than without padding. */
const shapes: fc.Arbitrary<WindowShape> = fc
  .record({
    height: fc.integer({ min: 5, max: 12 }),
    width: fc.integer({ min: 5, max: 12 }),
    channels: fc.integer({ min: 12, max: 17 }),
    filterHeight: fc.integer({ min: 1, max: 4 }),
    filterWidth: fc.integer({ min: 2, max: 4 }),
    top: fc.integer({ min: 0, max: 2 }),
    bottom: fc.integer({ min: 0, max: 2 }),
    left: fc.integer({ min: 0, max: 2 }),
    right: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ bottom, right, ...shape }) => ({
    ...shape,
    strideHeight: 1,
    strideWidth: 1,
    outHeight: Math.max(0, shape.height + shape.top + bottom - shape.filterHeight + 1),
    outWidth: Math.max(0, shape.width + shape.left + right - shape.filterWidth + 1),
    circular: false,
  }));

it("shiftedProducts are patchProducts: outputs, gradients, several terms, chunks of samples", async () => {
  const compute = await createCompute({ threads: 2 });
  let taken = 0;
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 15 }), fc.constantFrom(12, 16, 40), (shape, n, width) => {
      const shifted = shiftedProducts(shape, width);
      if (shifted === null) return;
      taken += 1;
      const { image, patches } = windowSizes(shape);
      const fanIn = shape.filterHeight * shape.filterWidth * shape.channels;
      const output = (patches / fanIn) * width;
      compute.scope((scope: Scope) => {
        const copy = (name: string, length: number): Float64Array => {
          const array = scope.f64(length);
          array.set(uniform(name, length));
          return array;
        };
        const [x, w, v, dy, dz] = [
          ...[copy("x", n * image), copy("w", width * fanIn), copy("v", width * fanIn)],
          ...[copy("dy", n * output), copy("dz", n * output)],
        ] as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
        const results = [shifted, patchProducts(shape, width)].map((products) => {
          const call = { kernels: compute, n, scale: 0.5, scratch: scope.f64(products.scratch(n)).fill(Number.NaN) };
          const [y, z] = [copy("y", n * output), copy("z", n * output)];
          const [dx, more] = [copy("dx", n * image), copy("more", n * image)];
          const [dw, dv] = [copy("dw", width * fanIn), copy("dv", width * fanIn)];
          products.forward(call, x, [
            { w, y, adds: false },
            { w: v, y: z, adds: true },
          ]);
          products.inputGradient(call, [{ dy, w }], dx, false);
          const both = [
            { dy, w },
            { dy: dz, w: v },
          ];
          products.inputGradient(call, both, more, true);
          products.weightGradient(call, x, [
            { dy, dw },
            { dy: dz, dw: dv },
          ]);
          return { y, z, dx, more, dw, dv };
        });
        for (const name of ["y", "z", "dx", "more", "dw", "dv"] as const) {
          const [ours, theirs] = [results[0]![name], results[1]![name]];
          for (let k = 0; k < ours.length; k++) {
            if (!(Math.abs(ours[k]! - theirs[k]!) <= 1e-11)) throw new Error(`${name}[${k}]: ${ours[k]}, ${theirs[k]}`);
          }
        }
      });
    }),
    { numRuns: 60 },
  );
  await compute.close();
  expect(taken).toBeGreaterThan(20);
});

it("shiftedProducts leaves strides, circular images, few channels and small images to patches", () => {
  const shape: WindowShape = {
    ...{ height: 8, width: 8, channels: 16, filterHeight: 3, filterWidth: 3, strideHeight: 1, strideWidth: 1 },
    ...{ top: 1, left: 1, outHeight: 8, outWidth: 8, circular: false },
  };
  expect(shiftedProducts(shape, 16)).not.toBeNull();
  expect(shiftedProducts({ ...shape, strideHeight: 2, outHeight: 4 }, 16)).toBeNull();
  expect(shiftedProducts({ ...shape, circular: true }, 16)).toBeNull();
  expect(shiftedProducts({ ...shape, channels: 3 }, 16)).toBeNull();
  expect(shiftedProducts({ ...shape, height: 2, width: 2, outHeight: 2, outWidth: 2 }, 16)).toBeNull();
});
