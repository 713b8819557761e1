import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { type Compute, type ComputeOptions, createCompute } from "../../src/compute/index.ts";
import {
  type Architecture,
  architectureOf,
  parseArchitecture,
  type Shape,
} from "../../src/network/architecture/index.ts";
import {
  gram,
  gramTiles,
  makeEngine,
  type Precision,
  placeTile,
  planGram,
  type Trained,
} from "../../src/tangent/index.ts";
import { distance, normalMatrix, ofRows } from "./kernels.ts";

const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}-kernels.json`, import.meta.url), "utf8"));
const vectors = golden("vector");
const images = golden("image");
const BOTH = ["nngp", "ntk"] as const;

const engineIn = (architecture: Architecture, input: Shape, accumulation: Precision, trained: Trained = "all") =>
  makeEngine({ architecture, input, trained, kernels: BOTH }, { precision: "f32", accumulation });
const pair = (text: string, d: number, accumulation: Precision, trained?: Trained) =>
  engineIn(parseArchitecture(text), [d], accumulation, trained);
const arora = (d: number, layers: number): string =>
  `dense(9, w=${Math.sqrt(d)}) ${`relu dense(9, w=${Math.SQRT2}) `.repeat(layers)}`;

/** Largest |a / b - 1|, with |b| from `least` times the largest one. */
function relative(a: ArrayLike<number>, b: readonly number[], least = 1e-3): number {
  const floor = least * Math.max(...b.map(Math.abs));
  return Math.max(...b.map((value, p) => Math.abs(a[p]! - value) / Math.max(floor, Math.abs(value))));
}

const BACKENDS: ComputeOptions[] = [
  { backend: "js" },
  { backend: "wasm", threads: 2 },
  { backend: "auto", threads: 2 },
];

describe.each(BACKENDS)("makeEngine in f32 ($backend)", (options) => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute(options);
  });
  afterAll(() => compute.close());

  test.each(["f32", "f64"] as const)(
    "makeEngine in f32 with products in %s meets the golden values of vectors",
    (sums) => {
      for (const name of Object.keys(vectors.nets)) {
        const net = vectors.nets[name];
        const X = ofRows(vectors.inputs[net.input]);
        const { nngp, ntk } = engineIn(architectureOf(net.layers), [X.cols], sums).block(compute, X, null);
        expect(nngp).toBeInstanceOf(Float32Array);
        expect(relative(nngp!, net.nngp.flat())).toBeLessThan(1e-5);
        expect(relative(ntk!, net.ntk.flat())).toBeLessThan(1e-5);
      }
      for (const { u, L, Sigma, Theta } of vectors.unitInputs) {
        // Between nearly parallel inputs, f32 knows the angle to the root of its rounding only.
        if (sums === "f32" && u > 0.999 && u < 1) continue;
        const block = pair(arora(2, L), 2, sums).block(compute, ofRows([[1, 0]]), ofRows([[u, Math.sqrt(1 - u * u)]]));
        expect(distance([block.nngp![0]!, block.ntk![0]!], [Sigma, Theta])).toBeLessThan(1e-5);
      }
      for (const { x, y, values } of vectors.arora) {
        for (const { L, Sigma_xy, Theta_xy } of values) {
          const { nngp, ntk } = pair(arora(x.length, L), x.length, sums).block(compute, ofRows([x]), ofRows([y]));
          expect(distance([nngp![0]!, ntk![0]!], [Sigma_xy, Theta_xy])).toBeLessThan(1e-5);
        }
      }
      for (const { u, L, value } of vectors.hidden) {
        if (sums === "f32" && u > 0.999 && u < 1) continue;
        const text = `dense(9, w=${Math.SQRT2}) ${`relu dense(9, w=${Math.SQRT2}) `.repeat(L)} relu dense(1, w=1)`;
        const X = ofRows([
          [1, 0],
          [u, Math.sqrt(1 - u * u)],
        ]);
        const got = 2 * pair(text, 2, sums, "hidden").block(compute, X, null).ntk![1]!;
        expect(Math.abs(got - value)).toBeLessThan(1e-5 * Math.max(1, value));
      }
    },
  );

  test("makeEngine in f32 meets the golden values of images", () => {
    const flat = (list: readonly unknown[]): Matrix =>
      ofRows(list.map((image) => (image as unknown[]).flat(Number.POSITIVE_INFINITY) as number[]));
    for (const name of Object.keys(images.nets)) {
      const net = images.nets[name];
      const engine = engineIn(architectureOf(net.layers), [8, 8, 3], "f32");
      const { nngp, ntk } = engine.block(compute, flat(images.images), null);
      expect(ntk).toBeInstanceOf(Float32Array);
      expect(relative(nngp!, net.nngp.flat())).toBeLessThan(1e-6);
      expect(relative(ntk!, net.ntk.flat())).toBeLessThan(1e-6);
    }
  });

  test("makeEngine in f32 is symmetric, exact on equal inputs, and takes any scale", () => {
    const X = normalMatrix("single", 12, 9);
    X.data.copyWithin(4 * 9, 9, 2 * 9);
    X.data.fill(0, 7 * 9, 8 * 9);
    for (const sums of ["f32", "f64"] as const) {
      const engine = pair("dense(9) relu dense(9) erf dense(1)", 9, sums);
      const homogeneous = pair("dense(9) relu dense(9) relu dense(1)", 9, sums);
      const { nngp, ntk } = engine.block(compute, X, null);
      for (const values of [nngp!, ntk!]) {
        for (let i = 0; i < 12; i++) for (let j = 0; j < 12; j++) expect(values[i * 12 + j]).toBe(values[j * 12 + i]);
        expect(values[4 * 12 + 1]).toBe(values[12 + 1]);
        expect(values.every(Number.isFinite)).toBe(true);
      }
      const unit = homogeneous.block(compute, X, null).ntk!;
      // Squares of 2^-70 are below what f32 knows; the products are of inputs of norm 1.
      for (const power of [-70, 60]) {
        const scaled = matrix(
          12,
          9,
          X.data.map((value) => value * 2 ** power),
        );
        const { ntk: values } = homogeneous.block(compute, scaled, null);
        const back = Float64Array.from(values!, (value) => value * 2 ** -power * 2 ** -power);
        expect(distance(back, unit)).toBeLessThan(power < 0 ? 1e-2 : 1e-6);
      }
      const huge = matrix(
        12,
        9,
        X.data.map((value) => value * 1e20),
      );
      expect(() => homogeneous.block(compute, huge, null)).toThrow(ConfigError);
      expect(() => homogeneous.block(compute, huge, null)).toThrow(/single precision/);
    }
  });

  test("gram and gramTiles in f32 give the block of the engine in half of the memory", () => {
    const X = normalMatrix("tiles", 30, 5);
    const problem = {
      architecture: parseArchitecture("dense(9) gelu dense(1)"),
      input: [5] as const,
      trained: "all" as const,
    };
    const engine = makeEngine({ ...problem, kernels: BOTH }, { precision: "f32" });
    const double = makeEngine({ ...problem, kernels: BOTH });
    expect(engine.precision).toBe("f32");
    expect(engine.bytes(3000, 3000) / double.bytes(3000, 3000)).toBeLessThan(0.51);
    const whole = gram(compute, engine, X, null);
    expect(distance(whole.ntk!, double.block(compute, X, null).ntk!)).toBeLessThan(1e-6);
    const plan = planGram({ ...engine, operations: 5e10 / 49 }, 30, null, 1e9);
    expect(plan.matrixBytes).toBe(4 * 900);
    const out = new Float32Array(900);
    for (const { tile, block } of gramTiles(compute, engine, X, null, plan)) {
      placeTile(block.ntk!, tile, true, (row, column, values) => out.set(values, row * 30 + column));
    }
    expect(plan.tiles.length).toBeGreaterThan(5);
    expect(distance(out, whole.ntk!)).toBeLessThan(1e-6);
  });
});
