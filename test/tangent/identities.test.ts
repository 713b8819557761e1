/** Relations between kernels of different networks: what has to be the same whatever the way it is computed. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrix, row } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { type ActivationLayer, parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { dualActivation } from "../../src/tangent/dual-activations.ts";
import { type KernelBlock, makeEngine, type Trained } from "../../src/tangent/index.ts";
import { distance, normalMatrix, ofRows } from "./kernels.ts";

const BOTH = ["nngp", "ntk"] as const;
const ACTIVATIONS = [
  "relu",
  "leaky-relu(0.2)",
  "abrelu(-0.5, 1.5)",
  "abs",
  "identity",
  "erf(1.2, 0.7, 0.3)",
  "sigmoid-like",
  "gelu",
  "sin(1.1, 0.8, 0.4)",
  "cos(0.9, 1.2, -0.3)",
  "rbf(0.5)",
  "exp(1.1, 0.3)",
  "gaussian(1.3, -0.6)",
  "gaussian(1.3, 0.05)",
  "sign",
  "polynomial(0.5, 1, 0.25, -0.1, 0.02)",
  "polynomial(2)",
  "hermite(1)",
  "hermite(2)",
  "hermite(5)",
  "monomial(1)",
  "monomial(4)",
  "rectified-monomial(1)",
  "rectified-monomial(2)",
  "rectified-monomial(4)",
];

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "wasm", threads: 2 });
});
afterAll(() => compute.close());

const X = normalMatrix("identities", 7, 12);
const Y = normalMatrix("identities against", 5, 12);
X.data.copyWithin(3 * 12, 0, 12);

function kernels(
  text: string,
  input: Shape = [12],
  trained: Trained = "all",
): [symmetric: KernelBlock, cross: KernelBlock] {
  const engine = makeEngine({ architecture: parseArchitecture(text), input, trained, kernels: BOTH });
  return [engine.block(compute, X, null), engine.block(compute, X, Y)];
}

function expectSame(
  a: readonly KernelBlock[],
  b: readonly KernelBlock[],
  map: (value: number) => number = (value) => value,
  tolerance = 1e-13,
): void {
  a.forEach((block, which) => {
    for (const kernel of BOTH) {
      expect(distance(Array.from(block[kernel]!, map), b[which]![kernel]!)).toBeLessThan(tolerance);
    }
  });
}

describe("makeEngine and the duals", () => {
  test.each(ACTIVATIONS)("makeEngine takes vectors through %s as its closed form does", (activation) => {
    const dual = dualActivation(parseArchitecture(activation)[0] as ActivationLayer);
    const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, j) => sum + value * y[j]!, 0) / 12;
    const [symmetric, cross] = kernels(`dense(9, w=1.1, b=0.4) ${activation} dense(1, w=0.9, b=0.2)`);
    const out = new Float64Array(2);
    for (const [block, others] of [
      [symmetric, X],
      [cross, Y],
    ] as const) {
      for (let i = 0; i < X.rows; i++) {
        for (let j = 0; j < others.rows; j++) {
          const [x, y] = [row(X, i), row(others, j)];
          const [s, k, t] = (
            [
              [x, x],
              [x, y],
              [y, y],
            ] as const
          ).map(([a, b]) => 1.21 * dot(a, b) + 0.16);
          if (x.every((value, c) => value === y[c])) dual.diagonal(s!, out);
          else dual.at(s!, k!, t!, out);
          const nngp = 0.81 * out[0]! + 0.04;
          const at = i * others.rows + j;
          // Of the first layer k, of the second nngp: all gradients are products with inputs.
          expect(Math.abs(block.nngp![at]! - nngp) / Math.max(1, Math.abs(nngp))).toBeLessThan(1e-13);
          const ntk = 0.81 * k! * out[1]! + nngp;
          expect(Math.abs(block.ntk![at]! - ntk) / Math.max(1, Math.abs(ntk))).toBeLessThan(1e-13);
        }
      }
    }
  });

  test.each(ACTIVATIONS)("makeEngine takes images of one pixel through %s as vectors", (activation) => {
    const vector = `dense(9, b=0.3) ${activation} dense(9, w=0.8, b=0.1) ${activation} dense(1)`;
    const image = `conv(9, 1, b=0.3) ${activation} conv(9, 1, w=0.8, b=0.1) ${activation} gap dense(1)`;
    expectSame(kernels(image, [1, 1, 12]), kernels(vector), undefined, 1e-12);
  });

  test.each(ACTIVATIONS)(
    "makeEngine takes images of one colour through %s as vectors, place by place and in pairs",
    (activation) => {
      // All places are alike in circular convolutions: neither kind of average changes anything.
      const painted = (colours: typeof X) =>
        matrix(
          colours.rows,
          72,
          Float64Array.from({ length: colours.rows * 72 }, (_, p) => row(colours, Math.floor(p / 72))[p % 12]!),
        );
      const layers = (first: string, second: string): string => `${first} ${activation} ${second} ${activation}`;
      const dense = kernels(`${layers("dense(9, b=0.2)", "dense(9, w=0.9)")} dense(1)`);
      const convolutions = layers("conv(9, 2x3, b=0.2, pad=circular)", "conv(9, 3, w=0.9, pad=circular)");
      for (const [end, method] of [
        ["flatten", "pixels"],
        ["gap", "pixel-pairs"],
      ] as const) {
        const architecture = parseArchitecture(`${convolutions} ${end} dense(1)`);
        const engine = makeEngine({ architecture, input: [2, 3, 12], trained: "all", kernels: BOTH });
        expect(engine.method).toBe(method);
        const blocks = [engine.block(compute, painted(X), null), engine.block(compute, painted(X), painted(Y))];
        expectSame(blocks, dense, undefined, 1e-12);
      }
    },
  );
});

test("makeEngine knows the slope of erf between parallel inputs of any size", () => {
  const x = [0.3, -1.2, 0.7, 2];
  for (const size of [1, 1e5, 1e9, 1e14, 1e60]) {
    const points = ofRows([x.map((value) => size * value), x.map((value) => 3 * size * value)]);
    const architecture = parseArchitecture("dense(9) erf dense(1)");
    const engine = makeEngine({ architecture, input: [4], trained: "all", kernels: BOTH });
    const { nngp, ntk } = engine.block(compute, points, null);
    const s = points.data.subarray(0, 4).reduce((sum, value) => sum + value * value, 0) / 4;
    // (1 + 2 s) (1 + 18 s) - 4 (3 s)^2 = 1 + 20 s.
    const slope = (4 / Math.PI) * (3 * s * (1 / Math.sqrt(1 + 20 * s)));
    expect(Math.abs(ntk![1]! - nngp![1]! - slope) / slope).toBeLessThan(1e-6);
    expect(nngp!.every((value) => value > 0 && value <= 1)).toBe(true);
  }
});

describe("makeEngine gives equal kernels to equal networks", () => {
  test.each([
    ["relu", "abrelu(0, 1)"],
    ["leaky-relu(0.3)", "abrelu(0.3, 1)"],
    ["abs", "abrelu(-1, 1)"],
    ["identity", "abrelu(1, 1)"],
    ["identity", "polynomial(0, 1)"],
    ["relu", "rectified-monomial(1)"],
    ["monomial(3)", "polynomial(0, 0, 0, 1)"],
    ["monomial(1)", "hermite(1)"],
    ["hermite(3)", `polynomial(0, ${-3 / Math.sqrt(6)}, 0, ${1 / Math.sqrt(6)})`],
    ["sin(1, 1, 0.5)", `cos(1, 1, ${0.5 - Math.PI / 2})`],
    ["rbf(0.3)", `sin(${Math.SQRT2}, ${Math.sqrt(0.6)}, ${Math.PI / 4})`],
    ["sigmoid-like", `erf(0.5, ${1 / 2.4020563531719796}, 0.5)`],
  ])("makeEngine: %s is %s", (a, b) => {
    // Weights as given: the default of w depends on the name of the activation.
    const text = (activation: string): string =>
      `dense(9, w=1.2, b=0.3) ${activation} dense(9, w=0.9) ${activation} dense(1, w=1)`;
    expectSame(kernels(text(a)), kernels(text(b)), undefined, 1e-12);
  });

  test("makeEngine: the sum of kernels of sin and cos is that of rbf", () => {
    const [sine, cosine, rbf] = ["sin(1, 1.1)", "cos(1, 1.1)", "rbf(0.605)"].map((activation) =>
      kernels(`dense(9, w=1.3) ${activation} dense(1, w=1)`),
    );
    const sum = sine!.map((block, which) => ({
      nngp: block.nngp!.map((value, p) => value + cosine![which]!.nngp![p]!),
      ntk: block.ntk!.map((value, p) => value + cosine![which]!.ntk![p]!),
    }));
    expectSame(sum, rbf!);
    // exp(-gamma |x - y|^2), with gamma over the features.
    const at = rbf![1]!.nngp![1]!;
    const square = row(X, 0).reduce((total, value, j) => total + (value - row(Y, 1)[j]!) ** 2, 0);
    expect(at).toBeCloseTo(Math.exp((-0.605 * 1.69 * square) / 12), 12);
  });

  test("makeEngine: a convolution over the whole image is a dense layer on it", () => {
    const rest = "relu dense(9, w=1.1) erf dense(1)";
    const wide = kernels(`conv(9, 2x3, w=1.2, b=0.3, pad=valid) ${rest.replace("relu", "relu flatten")}`, [2, 3, 2]);
    const dense = kernels(`dense(9, w=1.2, b=0.3) ${rest}`);
    expectSame(wide, dense);
    expectSame(kernels(`flatten dense(9, w=1.2, b=0.3) ${rest}`, [2, 3, 2]), dense);
  });

  test("makeEngine: a branch of nothing else but a sum doubles what both share; a network inside of another is the network", () => {
    const dense = kernels("dense(9, w=1, b=0.2) relu dense(9, w=1, b=0.2) relu dense(1)");
    // Two branches of half of the variance each.
    const half = `dense(9, w=${Math.SQRT1_2}, b=${0.2 * Math.SQRT1_2})`;
    const both = kernels(`[${half} | ${half}] relu dense(9, w=1, b=0.2) relu dense(1)`);
    expectSame(both, dense);
  });

  test("makeEngine: sum pooling is average pooling times the taps", () => {
    const [sum, average] = ["sumpool(2)", "avgpool(2)"].map((pool) =>
      kernels(`conv(9, 3, w=1.3) relu ${pool} flatten dense(1, w=1)`, [2, 2, 3]),
    );
    expectSame(average!, sum!, (value) => 16 * value);
    const total = kernels("conv(9, 3, w=1.3) relu gap dense(1, w=1)", [2, 2, 3]);
    expectSame(total, average!);
  });

  test("makeEngine: without biases, circular convolutions do not see a shift of both images, nor any network a permutation of features", () => {
    const text = "dense(9, b=0.3) gelu dense(9) rbf(0.3) dense(1)";
    const order = [5, 2, 11, 0, 7, 1, 10, 3, 9, 4, 8, 6];
    const permuted = (from: typeof X) =>
      matrix(
        from.rows,
        12,
        Float64Array.from(from.data, (_, p) => from.data[p - (p % 12) + order[p % 12]!]!),
      );
    const engine = makeEngine({ architecture: parseArchitecture(text), input: [12], trained: "all", kernels: BOTH });
    expectSame([engine.block(compute, permuted(X), permuted(Y))], [engine.block(compute, X, Y)]);
    const circular = "conv(9, 3, pad=circular) relu conv(9, 3, pad=circular) erf flatten dense(1)";
    const images = makeEngine({
      architecture: parseArchitecture(circular),
      input: [3, 4, 1],
      trained: "all",
      kernels: BOTH,
    });
    const shifted = (from: typeof X) =>
      matrix(
        from.rows,
        12,
        Float64Array.from(from.data, (_, p) => {
          const [i, j] = [Math.floor((p % 12) / 4), p % 4];
          return from.data[p - (p % 12) + ((i + 1) % 3) * 4 + ((j + 3) % 4)]!;
        }),
      );
    expectSame([images.block(compute, shifted(X), shifted(Y))], [images.block(compute, X, Y)]);
  });

  test("makeEngine: kernels are positive semidefinite in any mixture of layers", () => {
    const activation = fc.constantFrom(...ACTIVATIONS.filter((name) => !name.startsWith("gaussian(1.3, 0.05)")));
    const scale = fc.double({ min: 0.2, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(activation, scale), { minLength: 1, maxLength: 3 }), scale, (layers, b) => {
        const text = layers.map(([name, w]) => `dense(9, w=${w}, b=${b}) ${name}`).join(" ");
        const [block] = kernels(`${text} dense(1)`);
        for (const kernel of BOTH) {
          const values = block[kernel]!;
          compute.scope((scope) => {
            const eigenvalues = scope.f64(7);
            compute.symmetricEigen(7, scope.copy(values), 7, eigenvalues);
            expect(eigenvalues[0]).toBeGreaterThan(-1e-12 * Math.max(1, eigenvalues[6]!));
          });
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("makeEngine: H of points on a circle has the nullities of the theory", () => {
  const golden = JSON.parse(readFileSync(new URL("../fixtures/vector-kernels.json", import.meta.url), "utf8"));
  const nullities = golden.circle.map(({ n, eigenvalues }: { n: number; eigenvalues: number[] }) => [
    n,
    eigenvalues.filter((value) => Math.abs(value) < 1e-9).length,
  ]);
  for (const [n, nullity] of nullities) {
    const angles = Array.from({ length: n }, (_, k) => (2 * Math.PI * k) / n);
    const points = ofRows(angles.map((t) => [Math.cos(t), Math.sin(t)]));
    const problem = {
      architecture: parseArchitecture(`dense(9, w=${Math.SQRT2}) relu dense(1, w=1)`),
      input: [2] as const,
    };
    const [all, last] = (["all", "last"] as const).map((trained) =>
      makeEngine({ ...problem, trained, kernels: ["ntk"] }).block(compute, points, null),
    );
    const H = all!.ntk!.map((value, p) => value - last!.ntk![p]!);
    compute.scope((scope) => {
      const values = scope.f64(n);
      compute.symmetricEigen(n, scope.copy(H), n, values);
      expect(Array.from(values).filter((value) => Math.abs(value) < 1e-7)).toHaveLength(nullity);
    });
  }
  expect(new Map(nullities).get(6)).toBe(1);
  expect(new Map(nullities).get(8)).toBe(2);
});

test("makeEngine: the kernel of hidden layers on a lifted circle has the golden eigenvalues", () => {
  const golden = JSON.parse(readFileSync(new URL("../fixtures/vector-kernels.json", import.meta.url), "utf8"));
  for (const { n, L, eigenvalues } of golden.hiddenCircle) {
    const angles = Array.from({ length: n }, (_, k) => (2 * Math.PI * k) / n);
    const points = ofRows(angles.map((t) => [Math.cos(t), Math.sin(t), 1].map((value) => value / Math.SQRT2)));
    // Weights of the scaling sum over the three features; the output layer halves the core.
    const text = `dense(9, w=${Math.sqrt(3)}) ${`relu dense(9, w=${Math.SQRT2}) `.repeat(L)} relu dense(1, w=1)`;
    const problem = { architecture: parseArchitecture(text), input: [3] as const, trained: "hidden" as const };
    const { ntk } = makeEngine({ ...problem, kernels: ["ntk"] }).block(compute, points, null);
    compute.scope((scope) => {
      const values = scope.f64(n);
      compute.symmetricEigen(n, scope.copy(ntk!), n, values);
      expect(
        distance(
          values,
          [...eigenvalues].sort((a, b) => a - b),
        ),
      ).toBeLessThan(1e-12);
    });
  }
});
