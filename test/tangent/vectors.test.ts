import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, DataError } from "../../src/base/errors.ts";
import { type Matrix, matrix, row } from "../../src/base/matrix.ts";
import { type Compute, type ComputeOptions, createCompute, symmetricEigenvalues } from "../../src/compute/index.ts";
import { architectureOf, parseArchitecture } from "../../src/network/architecture/index.ts";
import { vectorEngine } from "../../src/tangent/index.ts";
import { distance, engineOf, normalMatrix, ofRows } from "./kernels.ts";

const golden = JSON.parse(readFileSync(new URL("../fixtures/vector-kernels.json", import.meta.url), "utf8"));

/** Text of a fully connected network in the scaling of Arora et al. (2019): Sigma(0) = x.x', c_sigma = 2. */
function arora(d: number, layers: number): string {
  return `dense(9, w=${Math.sqrt(d)}) ${`relu dense(9, w=${Math.SQRT2}) `.repeat(layers)}`;
}

const BACKENDS: ComputeOptions[] = [
  { backend: "js" },
  { backend: "wasm", threads: 2 },
  { backend: "auto", threads: 2 },
];

describe.each(BACKENDS)("vectorEngine ($backend)", (options) => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute(options);
  });
  afterAll(() => compute.close());
  const smallest = ({ length }: Float64Array, data: Float64Array): number =>
    compute.scope((scope) => {
      const n = Math.sqrt(length);
      const values = scope.f64(n);
      symmetricEigenvalues(compute, n, scope.copy(data), n, values);
      return values[0]!;
    });

  test.each(Object.keys(golden.nets))("vectorEngine agrees with neural-tangents on %s", (name) => {
    const net = golden.nets[name];
    const X = ofRows(golden.inputs[net.input]);
    const problem = { architecture: architectureOf(net.layers), input: [X.cols] as const, trained: "all" as const };
    const engine = vectorEngine({ ...problem, kernels: ["nngp", "ntk"] });
    const block = engine.block(compute, X, null);
    for (const kernel of ["nngp", "ntk"] as const) {
      const expected: number[][] = net[kernel];
      for (let i = 0; i < X.rows; i++) {
        for (let j = 0; j < X.rows; j++) {
          const off = Math.abs(block[kernel]![i * X.rows + j]! - expected[i]![j]!);
          expect(off).toBeLessThan((i === j ? 1e-7 : 1e-10) * Math.max(1, Math.abs(expected[i]![j]!)));
        }
      }
    }
    if (net.ntk_test_train === undefined) return;
    const cross = engine.block(compute, ofRows(golden.inputsTest[net.input]), X);
    expect(distance(cross.nngp!, net.nngp_test_train.flat())).toBeLessThan(1e-10);
    expect(distance(cross.ntk!, net.ntk_test_train.flat())).toBeLessThan(1e-10);
  });

  test("vectorEngine meets the closed forms on unit vectors", () => {
    for (const { u, L, Sigma, Theta } of golden.unitInputs) {
      const block = engineOf(arora(2, L), 2).block(compute, ofRows([[1, 0]]), ofRows([[u, Math.sqrt(1 - u * u)]]));
      expect(Math.abs(block.nngp![0]! - Sigma)).toBeLessThan(2e-12);
      // Near parallel inputs the angle has lost half its digits in u already.
      expect(Math.abs(block.ntk![0]! - Theta)).toBeLessThan(u > 0.999 && u < 1 ? 1e-10 : 1e-11);
    }
  });

  test("vectorEngine meets 40 digits of library nets and of Arora's scaling", () => {
    for (const net of golden.libraryNets) {
      const layers = net.W_std.flatMap((w: number, k: number) => [
        ...(k === 0 ? [] : [net.activation]),
        `dense(7, w=${w}, b=${net.b_std[k]})`,
      ]);
      const { nngp, ntk } = engineOf(layers.join(" "), net.x.length).block(compute, ofRows([net.x, net.y]), null);
      expect(distance(nngp!, [net.nngp_xx, net.nngp_xy, net.nngp_xy, net.nngp_yy])).toBeLessThan(1e-12);
      expect(distance(ntk!, [net.ntk_xx, net.ntk_xy, net.ntk_xy, net.ntk_yy])).toBeLessThan(1e-12);
    }
    for (const { x, y, values } of golden.arora) {
      for (const { L, Sigma_xy, Theta_xy } of values) {
        const { nngp, ntk } = engineOf(arora(x.length, L), x.length).block(compute, ofRows([x]), ofRows([y]));
        expect(distance([nngp![0]!, ntk![0]!], [Sigma_xy, Theta_xy])).toBeLessThan(1e-12);
      }
    }
  });

  test("vectorEngine meets the printed tables of the specification", () => {
    // Hidden layers only: twice the kernel of a network with unit weights at its output.
    const hidden: readonly (readonly [number, readonly number[]])[] = [
      [0, [0.191977546082571, 0.455562386689638, 0.749436963854631]],
      [0.5, [0.431431185712729, 0.825036986202282, 1.19471159624368]],
      [0.9, [0.785445221259852, 1.48175373535103, 2.10772949838493]],
      [1, [1, 2, 3]],
    ];
    for (const [u, kcore] of hidden) {
      kcore.forEach((expected, k) => {
        const text = `dense(9, w=${Math.SQRT2}) ${`relu dense(9, w=${Math.SQRT2}) `.repeat(k + 1)} relu dense(1, w=1)`;
        const X = ofRows([
          [1, 0],
          [u, Math.sqrt(1 - u * u)],
        ]);
        expect(2 * engineOf(text, 2, "hidden").block(compute, X, null).ntk![1]!).toBeCloseTo(expected, 12);
      });
    }
    // H of Du et al., the first layer alone: all layers without the last.
    for (const [u, H] of [
      [0, 0],
      [0.5, 1 / 6],
      [0.9, 0.385395168092082],
      [1, 0.5],
      [-1, 0],
    ] as const) {
      const X = ofRows([
        [1, 0],
        [u, Math.sqrt(1 - u * u)],
      ]);
      const text = `dense(9, w=${Math.SQRT2}) relu dense(1, w=1)`;
      const [all, last] = (["all", "last"] as const).map((trained) =>
        engineOf(text, 2, trained).block(compute, X, null),
      );
      expect(all!.ntk![1]! - last!.ntk![1]!).toBeCloseTo(H, 12);
      expect(last!.ntk).toEqual(last!.nngp);
    }
  });

  test("vectorEngine meets the kernel of hidden layers in the golden list", () => {
    for (const { u, L, value } of golden.hidden) {
      const text = `dense(9, w=${Math.SQRT2}) ${`relu dense(9, w=${Math.SQRT2}) `.repeat(L)} relu dense(1, w=1)`;
      const X = ofRows([
        [1, 0],
        [u, Math.sqrt(1 - u * u)],
      ]);
      const got = 2 * engineOf(text, 2, "hidden").block(compute, X, null).ntk![1]!;
      expect(Math.abs(got - value)).toBeLessThan(u > 0.999 && u < 1 ? 1e-9 : 1e-11);
    }
  });

  test("vectorEngine gives the spectrum of H on the circle", () => {
    for (const { n, eigenvalues } of golden.circle) {
      const angles = Array.from({ length: n }, (_, k) => (2 * Math.PI * k) / n);
      const X = ofRows(angles.map((t) => [Math.cos(t), Math.sin(t)]));
      const text = `dense(9, w=${Math.SQRT2}) relu dense(1, w=1)`;
      const [all, last] = (["all", "last"] as const).map((trained) =>
        engineOf(text, 2, trained).block(compute, X, null),
      );
      const H = all!.ntk!.map((value, p) => value - last!.ntk![p]!);
      const values = new Float64Array(n);
      compute.scope((scope) => {
        const out = scope.f64(n);
        symmetricEigenvalues(compute, n, scope.copy(H), n, out);
        values.set(out);
      });
      // Antipodal points: the angle to pi is known to the root of the rounding error only.
      expect(distance(values, eigenvalues)).toBeLessThan(1e-7);
    }
  });

  const EVERY = [
    "relu",
    "leaky-relu(0.2)",
    "abrelu(-0.5, 1.5)",
    "abs",
    "erf",
    "sigmoid-like",
    "gelu",
    "sin",
    "cos",
    "rbf(0.5)",
    "exp(1, 0.3)",
    "gaussian",
    "sign",
    "polynomial(0.5, 1, 0.25)",
    "hermite(3)",
    "monomial(2)",
    "rectified-monomial(2)",
    "identity",
  ];

  test.each(EVERY)("vectorEngine is symmetric and positive semidefinite for %s", (activation) => {
    const n = 24;
    const X = normalMatrix(activation, n, 6);
    for (let j = 0; j < 6; j++) X.data[5 * 6 + j] = X.data[2 * 6 + j]!;
    X.data.fill(0, 9 * 6, 10 * 6);
    const engine = engineOf(`dense(9, b=0.3) ${activation} dense(9) ${activation} dense(1)`, 6);
    const { nngp, ntk } = engine.block(compute, X, null);
    const cross = engine.block(compute, X, matrix(n, 6, X.data.slice()));
    for (const [name, K] of [
      ["nngp", nngp!],
      ["ntk", ntk!],
    ] as const) {
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          expect(Number.isFinite(K[i * n + j])).toBe(true);
          expect(K[i * n + j]).toBe(K[j * n + i]);
        }
      }
      expect(K[5 * n + 2]).toBe(K[2 * n + 2]);
      expect(smallest(K, K)).toBeGreaterThan(-1e-10 * Math.max(...K));
      expect(distance(cross[name]!, K)).toBeLessThan(1e-12);
    }
  });

  test("vectorEngine gives the same in one block, in panels and in pairs", () => {
    const [n, m, d] = [37, 300, 5];
    const X = normalMatrix("left", n, d);
    const Y = normalMatrix("right", m, d);
    for (const text of [
      "dense(9, b=0.1) relu dense(4, parametrization=standard, b=0.2) erf dense(1)",
      "dense(9) [relu dense(9) layernorm | dense(9)] [relu dense(9) [erf dense(9)]] leaky-relu dense(1)",
      "dense(9) gelu dense(9) relu dense(1)",
    ]) {
      const engine = engineOf(text, d);
      const { nngp, ntk } = engine.block(compute, X, Y);
      for (const [i, j] of [
        [0, 0],
        [36, 299],
        [12, 256],
        [36, 255],
      ] as const) {
        const pair = engine.block(compute, ofRows([[...row(X, i)]]), ofRows([[...row(Y, j)]]));
        expect(distance([nngp![i * m + j]!, ntk![i * m + j]!], [pair.nngp![0]!, pair.ntk![0]!])).toBeLessThan(1e-13);
      }
    }
  });

  test("vectorEngine makes blocks of several panels", () => {
    if (options.backend === "js") return;
    const [n, d] = [2500, 3];
    const X = normalMatrix("panels", n, d);
    X.data.copyWithin(2400 * d, 7 * d, 8 * d);
    const engine = engineOf("dense(9, b=0.1) relu dense(9) relu dense(1)", d);
    const ntk = engine.block(compute, X, null).ntk!;
    const cross = engine.block(compute, X, matrix(n, d, X.data.slice())).ntk!;
    for (const [i, j] of [
      [0, 0],
      [1999, 4],
      [4, 1999],
      [2499, 2498],
      [1700, 1650],
      [1650, 1700],
      [2400, 7],
      [7, 2400],
    ] as const) {
      const pair = engine.block(compute, ofRows([[...row(X, i)]]), ofRows([[...row(X, j)]])).ntk![0]!;
      expect(Math.abs(ntk[i * n + j]! - pair)).toBeLessThan(1e-13);
      expect(Math.abs(cross[i * n + j]! - pair)).toBeLessThan(1e-13);
    }
    let odd = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) if (ntk[i * n + j] !== ntk[j * n + i]) odd += 1;
    expect(odd).toBe(0);
  });

  test("vectorEngine scales as it must at huge and tiny inputs", () => {
    const engine = engineOf("dense(9) relu dense(9) relu dense(1)", 3);
    const X = normalMatrix("scales", 6, 3);
    const unit = engine.block(compute, X, null);
    for (const power of [-500, -300, 60, 300, 500]) {
      const scaled: Matrix = matrix(
        6,
        3,
        X.data.map((value) => value * 2 ** power),
      );
      const { nngp, ntk } = engine.block(compute, scaled, null);
      expect(
        distance(
          nngp!.map((value) => value * 2 ** -power * 2 ** -power),
          unit.nngp!,
        ),
      ).toBeLessThan(1e-13);
      expect(
        distance(
          ntk!.map((value) => value * 2 ** -power * 2 ** -power),
          unit.ntk!,
        ),
      ).toBeLessThan(1e-13);
    }
    // Squares below the smallest number count as zero.
    const gone = engine.block(
      compute,
      matrix(
        6,
        3,
        X.data.map((value) => value * 1e-200),
      ),
      null,
    );
    expect([...gone.nngp!, ...gone.ntk!].every((value) => value === 0)).toBe(true);
    expect(() =>
      engine.block(
        compute,
        matrix(
          6,
          3,
          X.data.map((value) => value * 1e200),
        ),
        null,
      ),
    ).toThrow(DataError);
  });

  test("vectorEngine knows opposite and multiple inputs exactly enough", () => {
    const x = [0.3, -1.2, 0.7];
    const X = ofRows([x, x.map((value) => 3 * value), x.map((value) => -value), [0, 0, 0]]);
    const { nngp, ntk } = engineOf("dense(9) relu dense(1)", 3).block(compute, X, null);
    expect(nngp![1]).toBeCloseTo(3 * nngp![0]!, 14);
    expect(Math.abs(ntk![1]! - 3 * ntk![0]!)).toBeLessThan(1e-7);
    expect(Math.abs(nngp![2]!)).toBeLessThan(1e-15);
    expect([...nngp!.subarray(12), ...ntk!.subarray(12)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("vectorEngine takes empty sets of inputs", () => {
    const engine = engineOf("dense(9) relu dense(1)", 3);
    expect(engine.block(compute, matrix(0, 3), null).ntk).toHaveLength(0);
    expect(engine.block(compute, matrix(0, 3), matrix(4, 3)).nngp).toHaveLength(0);
    expect(engine.block(compute, matrix(2, 3), matrix(0, 3)).nngp).toHaveLength(0);
  });

  test("vectorEngine agrees with the standard parametrization of a one-layer network", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 4, maxLength: 4 }), (x) => {
        const { ntk } = engineOf("dense(5, w=1.3, b=0.2, parametrization=standard)", 2).block(
          compute,
          ofRows([x.slice(0, 2), x.slice(2)]),
          null,
        );
        const dot = x[0]! * x[2]! + x[1]! * x[3]!;
        // The gradient of w.x + b is (x, 1).
        expect(ntk![1]).toBeCloseTo(dot + 1, 12);
      }),
      { numRuns: 30 },
    );
  });
});

describe("vectorEngine refuses", () => {
  const refuse = (text: string, ...words: string[]): void => {
    const problem = { architecture: parseArchitecture(text), input: [4] as const, trained: "all" as const };
    try {
      vectorEngine({ ...problem, kernels: ["ntk"] });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      const { message, hint } = error as ConfigError;
      for (const word of words) expect(`${message} | ${hint}`).toContain(word);
      return;
    }
    throw new Error(`${text} was accepted`);
  };

  test("vectorEngine names the layer, says why, and what to use instead", () => {
    refuse("dense(4) batchnorm relu dense(1)", "layer 2, batchnorm", "batch", "layernorm");
    refuse("dense(4) tanh dense(1)", "layer 2, tanh", "closed form", "erf");
    refuse("dense(4) softplus dense(1)", "layer 2, softplus", "closed form", "relu or gelu");
    refuse("dense(4) relu relu dense(1)", "layer 3, relu", "not Gaussian", "dense");
    refuse("relu dense(1)", "layer 1, relu", "not Gaussian");
    refuse("dense(4) relu layernorm dense(1)", "layer 3, layernorm", "mean zero");
    refuse("dense(4) [relu] dense(1)", "layer 2", "correlate");
    refuse("dense(4) [relu dense(4) tanh dense(4)] dense(1)", "layer 2, main 3, tanh");
    refuse("dense(4) maxpool(2)", "layer 2, maxpool(2)", "image");
  });

  test("vectorEngine refuses wrong shapes, infinite kernels and masks that train nothing", async () => {
    const compute = await createCompute({ backend: "js" });
    const X = normalMatrix("refused", 3, 4);
    expect(() => engineOf("dense(4) relu dense(1)", 5).block(compute, X, null)).toThrow(/4 numbers .* 5/);
    expect(() => engineOf("dense(4) gaussian(1, 3) dense(1)", 4).block(compute, X, null)).toThrow(/gaussian.*infinite/);
    expect(() => engineOf("dense(4) relu dense(1)", 4, "hidden")).toThrow(/none of 2 weighted layers/);
    X.data[7] = Number.NaN;
    expect(() => engineOf("dense(4) relu dense(1)", 4).block(compute, X, null)).toThrow(/input 2/);
    await compute.close();
  });
});
