import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, DataError } from "../../src/base/errors.ts";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { initialize, networkGraph } from "../../src/network/deep/index.ts";
import {
  empiricalEngine,
  empiricalNtk,
  gram,
  type KernelName,
  type KernelProblem,
  makeEngine,
  type Trained,
} from "../../src/tangent/index.ts";
import { distance, inputsFor, slopeOf, spreads, WIDTH_CASES } from "./monte-carlo.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute();
});
afterAll(() => compute.close());

const NETWORKS = 50;

describe.each(["ntk", "standard"] as const)("empiricalEngine, parametrization %s", (parametrization) => {
  it.each(WIDTH_CASES)("tends to makeEngine as width^(-1/2): $name", (one) => {
    const found = spreads(compute, one, parametrization, [16, 64], NETWORKS);
    for (const { width, root, mean } of found) {
      // Within four standard errors; the bias is of order 1 / width.
      expect(mean).toBeLessThan((4 * root) / Math.sqrt(NETWORKS) + 1 / width);
    }
    const slope = slopeOf(found);
    expect(slope).toBeGreaterThan(-0.75);
    expect(slope).toBeLessThan(-0.3);
  });
});

describe("empiricalEngine", () => {
  const problemOf = (text: string, kernels: readonly KernelName[], trained: Trained = "all"): KernelProblem => ({
    architecture: parseArchitecture(text),
    input: [6],
    trained,
    kernels,
  });

  it("a net of width 4096 with erf is within 2 percent", () => {
    const problem = problemOf("dense(4096, w=1, b=0.05) erf dense(10, w=1, b=0.05)", ["ntk"]);
    const X = inputsFor(problem.input);
    const want = makeEngine(problem).block(compute, X, null).ntk!;
    for (const seed of [1, 2, 3]) {
      const got = empiricalEngine(problem, { seed }).block(compute, X, null).ntk!;
      expect(distance(got, want)).toBeLessThan(0.02);
      want.forEach((value, k) => {
        const scale = Math.sqrt(want[4 * Math.floor(k / 3)]! * want[4 * (k % 3)]!);
        expect(Math.abs(got[k]! - value)).toBeLessThan(0.02 * scale);
      });
    }
  });

  it.each([
    ["products of outputs", "dense(128, b=0.2) relu dense(128, b=0.2) relu dense(500, b=0.2) identity", [6], 0.08],
    ["vectors", "dense(128, b=0.2) relu dense(128, b=0.2) relu dense(1, w=1.3, b=0.2)", [6], 0.05],
    ["standard", "dense(128) relu dense(128) relu dense(1, w=1.3, b=0.2, parametrization=standard)", [6], 0.05],
    ["images", "conv(64, 3) relu conv(64, 3) relu flatten dense(1, b=0.2)", [4, 4, 2], 0.05],
    ["images out", "conv(64, 3) relu conv(1, 3, pad=valid, b=0.2) flatten", [4, 4, 2], 0.05],
  ] as const)("nngp tends to the analytic one: %s", (_, text, input, tolerance) => {
    const problem = { ...problemOf(text, ["nngp"]), input };
    const X = inputsFor(problem.input);
    const want = makeEngine(problem).block(compute, X, null).nngp!;
    const engine = empiricalEngine(problem, { networks: 60 });
    const got = engine.block(compute, X, null);
    expect(got.ntk).toBeNull();
    expect(distance(got.nngp!, want)).toBeLessThan(tolerance);
    expect(got.nngp![1]).toBe(got.nngp![3]);
    expect(distance(engine.block(compute, X, X).nngp!, got.nngp!)).toBeLessThan(1e-14);
  });

  it("nngp is the mean of products of outputs over the weights of the last layer", () => {
    const problem = problemOf("dense(5, b=0.5) relu dense(20000, w=1.3, b=0.2)", ["nngp"]);
    const X = inputsFor(problem.input);
    const got = empiricalEngine(problem, { seed: 5 }).block(compute, X, null).nngp!;
    const products = { ...problem, architecture: [...problem.architecture, ...parseArchitecture("identity")] };
    const sampled = empiricalEngine(products, { seed: 5 }).block(compute, X, null).nngp!;
    expect(distance(sampled, got)).toBeLessThan(0.03);
  });

  it("is the mean over networks of empiricalNtk, and the same for the same seed", () => {
    const problem = problemOf("dense(8, b=0.5) relu dense(3, b=0.2)", ["nngp", "ntk"]);
    const X = inputsFor(problem.input);
    const of = (networks: number, seed: number): Float64Array =>
      empiricalEngine(problem, { networks, seed }).block(compute, X, null).ntk!;
    const graph = networkGraph(problem.architecture, problem.input);
    const seeds = randomStream(7, "networks");
    const theta = new Float64Array(graph.parameters);
    const singles = [0, 1, 2].map(() => {
      initialize(graph, seeds.bits(), theta);
      return empiricalNtk(compute, { graph, theta }, X).values;
    });
    expect(of(1, 7)).toEqual(singles[0]);
    const mean = singles[0]!.map((_, k) => (singles[0]![k]! + singles[1]![k]! + singles[2]![k]!) / 3);
    expect(distance(of(3, 7), mean)).toBeLessThan(1e-14);
    expect(of(3, 7)).toEqual(of(3, 7));
    expect(distance(of(3, 7), of(3, 8))).toBeGreaterThan(1e-3);
    const single = empiricalEngine(problem, { networks: 3, seed: 7, precision: "f32" });
    expect(single.precision).toBe("f32");
    const { nngp, ntk } = single.block(compute, X, null);
    for (const values of [nngp, ntk]) expect(values).toBeInstanceOf(Float32Array);
    expect(distance(Float64Array.from(ntk!), mean)).toBeLessThan(1e-5);
  });

  it("plans in terms of its memory, and works in tiles", () => {
    const problem = problemOf("dense(64) relu dense(2)", ["ntk"]);
    const engine = empiricalEngine(problem, { networks: 2 });
    expect(engine.method).toBe("finite");
    const size = 40;
    const X = matrix(size, 6, Float64Array.from({ length: size * 6 }, randomStream(1, "tiles").normal));
    const whole = engine.block(compute, X, null).ntk!;
    const tiled = gram(compute, engine, X, null, { limitBytes: engine.bytes(30, 30) + 8 * size ** 2 }).ntk!;
    expect(distance(tiled, whole)).toBeLessThan(1e-14);
    expect(engine.bytes(40, 40)).toBeGreaterThan(engine.bytes(20, 20));
    expect(empiricalEngine(problem, { networks: 4 }).operations).toBe(2 * engine.operations);
    expect(empiricalEngine(problemOf("dense(64) relu dense(2)", ["nngp"])).operations).toBeLessThan(engine.operations);
  });

  it("has kernels where the infinite network has none; refuses what cannot be", () => {
    const X = inputsFor([4, 4, 2]);
    const images = {
      architecture: parseArchitecture("conv(8, 3) batchnorm relu maxpool(2) flatten dense(2)"),
      input: [4, 4, 2],
      trained: "all",
      kernels: ["ntk"],
    } as const;
    expect(() => makeEngine(images)).toThrow(ConfigError);
    expect(empiricalEngine(images).block(compute, X, null).ntk![0]).toBeGreaterThan(0);
    const problem = problemOf("dense(8) relu dense(2)", ["ntk"]);
    expect(() => empiricalEngine({ ...problem, trained: "hidden" })).toThrow(/none of 2 weighted layers is trained/);
    expect(() => empiricalEngine(problem, { networks: 0 })).toThrow(RangeError);
    expect(() => empiricalEngine(problem).block(compute, matrix(1, 5), null)).toThrow(/inputs of 5 numbers/);
    const odd = matrix(1, 6, new Float64Array(6).fill(Number.NaN));
    expect(() => empiricalEngine(problemOf("dense(8) relu dense(2)", ["nngp"])).block(compute, odd, null)).toThrow(
      DataError,
    );
  });
});
