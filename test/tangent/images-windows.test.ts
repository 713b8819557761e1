import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { type Padding, parseArchitecture } from "../../src/network/architecture/index.ts";
import { imageEngine } from "../../src/tangent/images/index.ts";
import type { KernelBlock } from "../../src/tangent/types.ts";
import { distance, normalMatrix } from "./kernels.ts";

interface Geometry {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly window: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: Padding;
}

const size = fc.integer({ min: 1, max: 7 });
const step = fc.integer({ min: 1, max: 3 });
const geometries: fc.Arbitrary<Geometry> = fc
  .record({
    height: size,
    width: size,
    channels: fc.integer({ min: 1, max: 3 }),
    window: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 })),
    strides: fc.tuple(step, step),
    padding: fc.constantFrom<Padding>("same", "valid", "circular"),
  })
  .filter(({ height, width, window, padding }) => padding !== "valid" || (window[0] <= height && window[1] <= width));

/** For each window, the places of its taps (null in the margin), row by row; and its two sizes. */
function tapsOf(g: Geometry): { places: (number | null)[][]; rows: number; cols: number } {
  const axis = (length: number, window: number, stride: number): (number | null)[][] => {
    const out = g.padding === "valid" ? Math.floor((length - window) / stride) + 1 : Math.ceil(length / stride);
    const margin = g.padding === "valid" ? 0 : Math.floor(Math.max(0, (out - 1) * stride + window - length) / 2);
    return Array.from({ length: out }, (_, o) =>
      Array.from({ length: window }, (_, t) => {
        const at = o * stride + t - margin;
        if (g.padding === "circular") return ((at % length) + length) % length;
        return at >= 0 && at < length ? at : null;
      }),
    );
  };
  const [down, across] = [axis(g.height, g.window[0], g.strides[0]), axis(g.width, g.window[1], g.strides[1])];
  const places = down.flatMap((is) =>
    across.map((js) => is.flatMap((i) => js.map((j) => (i === null || j === null ? null : i * g.width + j)))),
  );
  return { places, rows: down.length, cols: across.length };
}

const layer = (word: string, g: Geometry): string =>
  `${word}${g.window.join("x")}, s=${g.strides.join("x")}, pad=${g.padding}`;

describe("imageEngine, windows", () => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "wasm", threads: 2 });
  });
  afterAll(() => compute.close());
  const block = (text: string, input: readonly [number, number, number], X: Matrix): KernelBlock =>
    imageEngine({ architecture: parseArchitecture(text), input, trained: "all", kernels: ["nngp", "ntk"] }).block(
      compute,
      X,
      null,
    );

  test("imageEngine: a linear convolution averages products of patches", () => {
    fc.assert(
      fc.property(geometries, (g) => {
        const pixels = g.height * g.width;
        const X = normalMatrix(`conv ${JSON.stringify(g)}`, 2, pixels * g.channels);
        const { places } = tapsOf(g);
        const taps = g.window[0] * g.window[1];
        /** Mean over taps and channels at windows p of image 0 and q of image 1. */
        const product = (p: number, q: number): number => {
          let sum = 0;
          places[p]!.forEach((a, t) => {
            const b = places[q]![t];
            if (a === null || b === null || b === undefined) return;
            for (let c = 0; c < g.channels; c++)
              sum += X.data[a * g.channels + c]! * X.data[(pixels + b) * g.channels + c]!;
          });
          return sum / (taps * g.channels);
        };
        const count = places.length;
        let [equal, all] = [0, 0];
        for (let p = 0; p < count; p++) {
          equal += product(p, p) / count;
          for (let q = 0; q < count; q++) all += product(p, q) / count ** 2;
        }
        const input = [g.height, g.width, g.channels] as const;
        const conv = `${layer("conv(9, ", g)}, w=1.5, b=0.5)`;
        for (const [end, mean] of [
          ["flatten", equal],
          ["gap", all],
        ] as const) {
          const { nngp, ntk } = block(`${conv} ${end} dense(1, w=1)`, input, X);
          const value = 2.25 * mean + 0.25;
          expect(distance([nngp![1]!, ntk![1]!], [value, 2 * value])).toBeLessThan(1e-12);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("imageEngine: pooling of the inputs is pooling in the kernel", () => {
    fc.assert(
      fc.property(geometries, fc.boolean(), (g, average) => {
        const X = normalMatrix(`pool ${JSON.stringify(g)}`, 3, g.height * g.width * g.channels);
        const { places, rows, cols } = tapsOf(g);
        const pooled = matrix(3, places.length * g.channels);
        const scale = average ? 1 / (g.window[0] * g.window[1]) : 1;
        for (let n = 0; n < 3; n++) {
          places.forEach((taps, p) => {
            for (const place of taps) {
              if (place === null) continue;
              for (let c = 0; c < g.channels; c++) {
                const to = n * pooled.cols + p * g.channels + c;
                pooled.data[to] = pooled.data[to]! + scale * X.data[n * X.cols + place * g.channels + c]!;
              }
            }
          });
        }
        const pool = `${layer(average ? "avgpool(" : "sumpool(", g)})`;
        for (const rest of [
          "conv(9, 3, b=0.2) relu conv(9, 3) flatten dense(1)",
          "conv(9, 3, b=0.2) erf gsp dense(1)",
          "flatten dense(9) relu dense(1)",
        ]) {
          const direct = block(`${pool} ${rest}`, [g.height, g.width, g.channels], X);
          const expected = block(rest, [rows, cols, g.channels], pooled);
          for (const kernel of ["nngp", "ntk"] as const) {
            const size = Math.max(...expected[kernel]!.map(Math.abs));
            expect(
              distance(
                direct[kernel]!.map((v) => v / size),
                expected[kernel]!.map((v) => v / size),
              ),
            ).toBeLessThan(1e-12);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
