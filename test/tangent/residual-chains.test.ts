import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import { makeEngine } from "../../src/tangent/index.ts";
import { normalMatrix } from "./kernels.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

interface Pair {
  k: number;
  theta: number;
  /** Variances of the two inputs. */
  a: number;
  b: number;
}

/** relu, then a trained dense layer of weights w and biases b. */
function reluDense({ k, theta, a, b }: Pair, w: number, bias: number): Pair {
  const s = Math.sqrt(a * b);
  const angle = Math.atan2(Math.sqrt(Math.max(0, s * s - k * k)), k);
  const mean = (s * Math.sin(angle) + (Math.PI - angle) * k) / (2 * Math.PI);
  const slope = (Math.PI - angle) / (2 * Math.PI);
  const next = w * w * mean + bias * bias;
  return {
    k: next,
    theta: w * w * theta * slope + next,
    a: (w * w * a) / 2 + bias * bias,
    b: (w * w * b) / 2 + bias * bias,
  };
}

/** A first dense layer on vectors. */
function start(x: Float64Array, y: Float64Array): Pair {
  const dot = (u: Float64Array, v: Float64Array): number => u.reduce((sum, value, j) => sum + value * v[j]!, 0) / 5;
  return { k: dot(x, y), theta: dot(x, y), a: dot(x, x), b: dot(y, y) };
}

const sum = (one: Pair, two: Pair): Pair => ({
  k: one.k + two.k,
  theta: one.theta + two.theta,
  a: one.a + two.a,
  b: one.b + two.b,
});

const X = normalMatrix("chains", 4, 5);
const rows = Array.from({ length: 4 }, (_, i) => X.data.subarray(5 * i, 5 * i + 5));

/** Largest relative distance of both kernels from those of a recursion. */
function offFrom(text: string, recursion: (from: Pair) => Pair): number {
  const problem = {
    architecture: parseArchitecture(text),
    input: [5],
    trained: "all",
    kernels: ["nngp", "ntk"],
  } as const;
  const { nngp, ntk } = makeEngine(problem).block(compute, X, null);
  let off = 0;
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 4; j++) {
      if (i === j) continue;
      const { k, theta } = recursion(start(rows[i]!, rows[j]!));
      off = Math.max(off, Math.abs(nngp![4 * i + j]! / k - 1), Math.abs(ntk![4 * i + j]! / theta - 1));
    }
  }
  return off;
}

describe("makeEngine of residual networks", () => {
  test.each([16, 17, 50, 300])("has the kernels of a chain of %i blocks", (blocks) => {
    const block = "[relu dense(8, w=0.3, b=0.1) relu dense(8, w=0.7)] ";
    const off = offFrom(`dense(8, w=1) ${block.repeat(blocks)} relu dense(1, w=1)`, (from) => {
      let pair = from;
      for (let k = 0; k < blocks; k++) pair = sum(pair, reluDense(reluDense(pair, 0.3, 0.1), 0.7, 0));
      return reluDense(pair, 1, 0);
    });
    expect(off).toBeLessThan(1e-10);
  });

  test.each([1, 8, 15])("has the kernels of %i blocks inside of each other", (depth) => {
    const layer = "relu dense(8, w=1.2)";
    const text = (level: number): string => (level === 0 ? layer : `[${layer} ${text(level - 1)} ${layer}]`);
    const nested = (pair: Pair, level: number): Pair =>
      level === 0 ? reluDense(pair, 1.2, 0) : sum(pair, reluDense(nested(reluDense(pair, 1.2, 0), level - 1), 1.2, 0));
    const off = offFrom(`dense(8, w=1) ${text(depth)} relu dense(1, w=1)`, (from) =>
      reluDense(nested(from, depth), 1, 0),
    );
    expect(off).toBeLessThan(1e-11);
  });

  test("takes a time that is linear in the blocks, of vectors and of images", () => {
    const block = { vectors: "[relu dense(8) relu dense(8)] ", images: "[relu conv(8, 3) relu conv(8, 3)] " };
    const operations = (text: string, input: readonly [number] | readonly [number, number, number]): number =>
      makeEngine({ architecture: parseArchitecture(text), input, trained: "all", kernels: ["ntk"] }).operations;
    for (const end of ["flatten", "gap"]) {
      const of = (blocks: number): number =>
        operations(`conv(8, 3) ${block.images.repeat(blocks)} relu ${end} dense(1)`, [8, 8, 3]);
      expect(of(150) - of(100)).toBe(of(100) - of(50));
    }
    const of = (blocks: number): number => operations(`dense(8) ${block.vectors.repeat(blocks)} relu dense(1)`, [5]);
    expect(of(150) - of(100)).toBe(of(100) - of(50));
  });

  test("of images, a chain of 50 blocks of one pixel has the kernels of vectors", () => {
    const vectors = `dense(8) ${"[relu dense(8, w=0.4) relu dense(8, b=0.1)] ".repeat(50)} relu dense(1)`;
    const images = vectors.replaceAll(/dense\(8/g, "conv(8, 1").replace("relu dense(1)", "relu flatten dense(1)");
    const of = (text: string, input: readonly [number] | readonly [number, number, number]) =>
      makeEngine({ architecture: parseArchitecture(text), input, trained: "all", kernels: ["ntk"] }).block(
        compute,
        X,
        null,
      ).ntk!;
    const [one, other] = [of(vectors, [5]), of(images, [1, 1, 5])];
    one.forEach((value, k) => {
      expect(other[k]! / value).toBeCloseTo(1, 11);
    });
  });

  test("refuses more blocks inside of each other than there are slots, and says what to do", () => {
    for (const [op, input] of [
      ["dense(2)", [5]],
      ["conv(2, 1)", [1, 1, 5]],
    ] as const) {
      const nested = "[".repeat(400) + `relu ${op}` + `] relu ${op}`.repeat(400);
      const text = `${op} ${nested} ${input.length === 1 ? "" : "flatten"} dense(1)`;
      const make = () => makeEngine({ architecture: parseArchitecture(text), input, trained: "all", kernels: ["ntk"] });
      expect(make).toThrow(ConfigError);
      expect(make).toThrow(/inside of/);
    }
  });
});
