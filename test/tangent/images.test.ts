import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, DataError } from "../../src/base/errors.ts";
import { type Matrix, matrix, takeRows } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, type ComputeOptions, createCompute } from "../../src/compute/index.ts";
import { architectureOf, parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { imageEngine } from "../../src/tangent/images/index.ts";
import type { KernelBlock, KernelEngine, Trained } from "../../src/tangent/types.ts";
import { distance, engineOf, normalMatrix, ofRows } from "./kernels.ts";

const golden = JSON.parse(readFileSync(new URL("../fixtures/image-kernels.json", import.meta.url), "utf8"));
const BOTH = ["nngp", "ntk"] as const;

function imagesOf(text: string, input: Shape, trained: Trained = "all"): KernelEngine {
  return imageEngine({ architecture: parseArchitecture(text), input, trained, kernels: BOTH });
}

/** Row-by-row numbers of nested lists. */
function flat(images: readonly unknown[]): Matrix {
  return ofRows(images.map((image) => (image as unknown[]).flat(Number.POSITIVE_INFINITY) as number[]));
}

/** Largest relative difference of a block from rows of numbers: off the diagonal, and on it. */
function apart(values: Float64Array | null, expected: readonly number[][]): { off: number; on: number } {
  const found = { off: 0, on: 0 };
  expected.flat().forEach((value, p) => {
    const cols = expected[0]!.length;
    const where = Math.floor(p / cols) === p % cols && expected.length === cols ? "on" : "off";
    found[where] = Math.max(found[where], Math.abs(values![p]! / value - 1));
  });
  return found;
}

const BACKENDS: ComputeOptions[] = [
  { backend: "js" },
  { backend: "wasm", simd: "plain", threads: 1 },
  { backend: "wasm", threads: 2 },
];

describe.each(BACKENDS)("imageEngine ($backend $simd)", (options) => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute(options);
  });
  afterAll(() => compute.close());

  test.each(Object.keys(golden.nets).filter((name) => !name.startsWith("cntk")))(
    "imageEngine agrees with neural-tangents on %s",
    (name) => {
      const net = golden.nets[name];
      const engine = imageEngine({
        architecture: architectureOf(net.layers),
        input: [8, 8, 3],
        trained: "all",
        kernels: BOTH,
      });
      expect(engine.method).toBe(name.includes("flatten") ? "pixels" : "pixel-pairs");
      const X = flat(golden.images);
      const gram = engine.block(compute, X, null);
      const cross = engine.block(compute, flat(golden.test_images), X);
      for (const kernel of BOTH) {
        const { off, on } = apart(gram[kernel], net[kernel]);
        expect(off).toBeLessThan(1e-12);
        // The source rounds its diagonals.
        expect(on).toBeLessThan(1e-7);
        expect(apart(cross[kernel], net[`${kernel}_test_train`]).off).toBeLessThan(1e-12);
      }
    },
  );

  test("imageEngine makes the CNTK of Arora et al., with and without global average pooling", () => {
    for (const { L, variant, x, y, kernel } of golden.cntk) {
      if (variant !== "vanilla" && L === 1) continue;
      const [channels, height, width] = [x.length, x[0].length, x[0][0].length];
      const last = (image: number[][][]): number[] =>
        Array.from({ length: height * width }, (_, p) =>
          image.map((plane) => plane[Math.floor(p / width)]![p % width]!),
        ).flat();
      // Sigma(0) sums over channels and taps; the last layer has c_sigma / q^2 and no patch operator.
      const convs = `conv(9, 3, w=${3 * Math.sqrt(channels)}) relu ${`conv(9, 3, w=${Math.SQRT2}) relu `.repeat(L - 1)}`;
      const vanilla = variant === "vanilla";
      const text = vanilla
        ? `${convs} flatten dense(1, w=${Math.sqrt((2 * height * width) / 9)})`
        : `${convs} gap dense(1, w=${Math.SQRT2 / 3})`;
      const engine = imagesOf(text, [height, width, channels], vanilla ? "all" : "hidden");
      const { ntk } = engine.block(compute, ofRows([last(x)]), ofRows([last(y)]));
      expect(Math.abs(ntk![0]! / kernel - 1)).toBeLessThan(1e-12);
    }
  });

  test("imageEngine on images of one pixel is the vector engine", () => {
    const X = normalMatrix("one pixel", 6, 5);
    X.data.fill(0, 0, 5);
    X.data.set(X.data.subarray(5, 10), 10);
    for (const [image, vector] of [
      ["conv(9, 1) relu flatten dense(1)", "dense(9) relu dense(1)"],
      [
        "conv(9, 1, b=0.3) erf [conv(9, 1) erf conv(9, 1)] gap dense(1)",
        "dense(9, b=0.3) erf [dense(9) erf dense(9)] dense(1)",
      ],
      [
        "conv(9, 1) layernorm gelu conv(9, 1, b=0.1) leaky(0.2) flatten dense(1)",
        "dense(9) layernorm gelu dense(9, b=0.1) leaky(0.2) dense(1)",
      ],
      [
        "conv(9, 1, b=0.2, parametrization=standard) relu gap dense(1, parametrization=standard)",
        "dense(9, b=0.2, parametrization=standard) relu dense(1, parametrization=standard)",
      ],
    ] as const) {
      for (const trained of ["all", "last"] as const) {
        const expected = engineOf(vector, 5, trained).block(compute, X, null);
        const block = imagesOf(image, [1, 1, 5], trained).block(compute, X, null);
        for (const kernel of BOTH) expect(distance(block[kernel]!, expected[kernel]!)).toBeLessThan(1e-13);
      }
    }
  });

  test("imageEngine is symmetric, positive semidefinite and finite with zero, equal, opposite and flat images", () => {
    const X = normalMatrix("degenerate", 8, 5 * 6 * 2);
    const n = 60;
    X.data.fill(0, 0, n);
    X.data.set(X.data.subarray(n, 2 * n), 2 * n);
    for (let p = 0; p < n; p++) X.data[3 * n + p] = -X.data[n + p]!;
    X.data.fill(0.7, 4 * n, 5 * n);
    X.data.fill(0, 5 * n, 6 * n - 7);
    for (let p = 0; p < n; p++) X.data[6 * n + p] = 1e-150 * X.data[7 * n + p]!;
    for (const text of [
      "conv(9, 3) relu conv(9, 3, s=2) relu flatten dense(1)",
      "conv(9, 3, pad=circular) relu avgpool(2) conv(9, 2, pad=same) abs gap dense(1)",
      "conv(9, 3) layernorm(all) [erf conv(9, 3) | conv(9, 1)] flatten dense(1)",
    ]) {
      const engine = imagesOf(text, [5, 6, 2]);
      const block = engine.block(compute, X, null);
      const other = engine.block(compute, X, X);
      for (const kernel of BOTH) {
        const values = block[kernel]!;
        expect(values.every(Number.isFinite)).toBe(true);
        for (let i = 0; i < 8; i++) {
          for (let j = 0; j < 8; j++) expect(values[i * 8 + j]).toBe(values[j * 8 + i]);
          // Equal images have equal kernels, to the last bit.
          expect(values[i * 8 + 1]).toBe(values[i * 8 + 2]);
        }
        expect(values[2 * 8 + 1]).toBe(values[2 * 8 + 2]);
        expect(distance(other[kernel]!, values)).toBeLessThan(1e-13);
        compute.scope((scope) => {
          const eigenvalues = scope.f64(8);
          const a = scope.copy(values);
          compute.symmetricEigen(8, a, 8, eigenvalues);
          expect(eigenvalues[0]).toBeGreaterThan(-1e-13 * eigenvalues[7]!);
        });
      }
    }
  });

  test("imageEngine knows the diagonal of relu exactly: the variance is halved, the slope is a half", () => {
    const X = normalMatrix("diagonal", 3, 16);
    const deep = "conv(9, 3, pad=circular, w=1.4142135623730951) relu ".repeat(6);
    const { nngp, ntk } = imagesOf(`${deep} flatten dense(1, w=1)`, [4, 4, 1]).block(compute, X, null);
    for (let i = 0; i < 3; i++) {
      const square = X.data.subarray(16 * i, 16 * (i + 1)).reduce((sum, x) => sum + x * x, 0) / 16;
      expect(Math.abs(nngp![i * 4]! / square - 1)).toBeLessThan(1e-14);
      expect(Math.abs(ntk![i * 4]! / (7 * square) - 1)).toBeLessThan(1e-14);
    }
  });

  test("imageEngine asks for tiles of nothing and of one row", () => {
    const engine = imagesOf("conv(9, 3) relu flatten dense(1)", [4, 4, 1]);
    const X = normalMatrix("tiles", 5, 16);
    const whole = engine.block(compute, X, null);
    expect(engine.block(compute, takeRows(X, []), X).ntk!.length).toBe(0);
    expect(Array.from(engine.block(compute, takeRows(X, [4]), X).ntk!)).toEqual(Array.from(whole.ntk!.slice(20)));
  });
});

/** Both kernels on the naive backend. */
async function naive(engine: KernelEngine, X: Matrix): Promise<KernelBlock> {
  const compute = await createCompute({ backend: "js" });
  const block = engine.block(compute, X, null);
  await compute.close();
  return block;
}

describe("imageEngine, architecture", () => {
  test.each([
    ["conv(9, 3) maxpool(2) flatten dense(1)", "layer 2, maxpool(2)", "avgpool"],
    ["conv(9, 3) batchnorm flatten dense(1)", "layer 2, batchnorm", "layernorm"],
    ["conv(9, 3) tanh flatten dense(1)", "layer 2, tanh", "erf"],
    ["conv(9, 3) [softplus conv(9, 3)] gap dense(1)", "layer 2, main 1, softplus", "gelu"],
    ["conv(9, 3) relu", "is an image", "flatten"],
    ["conv(9, 3) flatten [relu dense(36)] dense(1)", "flatten put pixels", "dense layer between"],
  ])("imageEngine refuses %s", (text, message, hint) => {
    const make = (): KernelEngine => imagesOf(text, [2, 2, 3]);
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(message);
    try {
      make();
    } catch (error) {
      expect((error as ConfigError).hint).toContain(hint);
    }
  });

  test("imageEngine.block refuses wrong inputs and infinite kernels", async () => {
    const engine = imagesOf("conv(9, 3, w=3) gaussian(1, 1) flatten dense(1)", [2, 2, 1]);
    await expect(naive(engine, matrix(1, 3))).rejects.toThrow(RangeError);
    await expect(naive(engine, ofRows([[1, Number.NaN, 0, 0]]))).rejects.toThrow(DataError);
    await expect(naive(engine, ofRows([[9, 9, 9, 9]]))).rejects.toThrow("infinite");
  });

  test("imageEngine makes activations and normalization behind flatten pixel by pixel", async () => {
    const X = normalMatrix("behind flatten", 4, 4 * 4 * 2);
    const [a, b] = [
      await naive(imagesOf("conv(9, 3) flatten layernorm relu dense(1)", [4, 4, 2]), X),
      await naive(imagesOf("conv(9, 3) layernorm(all) relu flatten dense(1)", [4, 4, 2]), X),
    ];
    for (const kernel of BOTH) expect(a[kernel]).toEqual(b[kernel]);
  });

  test("imageEngine keeps only equal places behind the last pooling layer", async () => {
    // The same network with a global average of one pixel behind flatten's place needs no more than the first.
    const X = normalMatrix("last pool", 3, 4 * 4 * 2);
    const text = "conv(9, 3) relu avgpool(2) conv(9, 3) relu conv(9, 2, pad=valid) relu";
    const [a, b] = [
      await naive(imagesOf(`${text} flatten dense(1)`, [4, 4, 2]), X),
      await naive(imagesOf(`${text} gap dense(1)`, [4, 4, 2]), X),
    ];
    for (const kernel of BOTH) expect(distance(a[kernel]!, b[kernel]!)).toBeLessThan(1e-15);
    const cheap = imagesOf(`avgpool(2) ${"conv(9, 3) relu ".repeat(4)} flatten dense(1)`, [8, 8, 1]);
    const dear = imagesOf(`avgpool(2) ${"conv(9, 3) relu ".repeat(4)} gap dense(1)`, [8, 8, 1]);
    expect(dear.operations).toBeGreaterThan(3 * cheap.operations);
  });

  test("imageEngine trains what the parametrization and the mask say", async () => {
    const X = normalMatrix("standard", 2, 4 * 5 * 3);
    const [height, width, channels] = [4, 5, 3] as const;
    const at = (n: number, i: number, j: number, c: number): number =>
      i < 0 || j < 0 || i >= height || j >= width ? 0 : X.data[((n * height + i) * width + j) * channels + c]!;
    /** Sum over pixels, taps and channels of x x'. */
    let patches = 0;
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (let t = 0; t < 9; t++) {
          for (let c = 0; c < channels; c++) {
            const [a, b] = [i + Math.floor(t / 3) - 1, j + (t % 3) - 1];
            patches += at(0, a, b, c) * at(1, a, b, c);
          }
        }
      }
    }
    const pixels = height * width;
    const covariance = 0.25 + (4 * patches) / (27 * pixels);
    const value = async (how: string, trained: Trained): Promise<number> => {
      const text = `conv(7, 3, w=2, b=0.5${how}) flatten dense(1, w=3, b=0.2${how})`;
      return (await naive(imagesOf(text, [height, width, channels], trained), X)).ntk![1]!;
    };
    const standard = ", parametrization=standard";
    expect(await value(standard, "last")).toBeCloseTo(7 * pixels * covariance + 1, 10);
    expect(await value(standard, "all")).toBeCloseTo(9 * (patches / pixels + 1) + 7 * pixels * covariance + 1, 10);
    expect(await value("", "last")).toBeCloseTo(9 * covariance + 0.04, 10);
    expect(await value("", "all")).toBeCloseTo(18 * covariance + 0.04, 10);
  });

  test("imageEngine with train hidden trains nothing of a convolution and a dense layer, and says so", () => {
    const problem = { architecture: parseArchitecture("conv(9, 3) relu gap dense(1)"), input: [4, 4, 1] as const };
    const hidden = { ...problem, trained: "hidden" as const };
    expect(() => imageEngine({ ...hidden, kernels: BOTH })).toThrow(/leaves out the first and the last.*none of 2/);
    expect(imageEngine({ ...hidden, kernels: ["nngp"] }).method).toBe("pixel-pairs");
  });

  test("imageEngine.bytes counts results, images and working memory of eight threads", () => {
    const engine = imagesOf(`${"conv(9, 3) relu ".repeat(2)} gap dense(1)`, [16, 16, 3]);
    const tensor = 8 * 16 ** 4;
    expect(engine.bytes(1, 1)).toBeGreaterThan(4 * tensor);
    expect(engine.bytes(20, 20)).toBeGreaterThan(32 * tensor);
    expect(engine.bytes(20, 20)).toBeLessThan(33 * tensor + 8 * 40 * 16 * 16 * 8);
    const small = imagesOf(`${"conv(9, 3) relu ".repeat(2)} flatten dense(1)`, [16, 16, 3]);
    expect(small.bytes(1, 1)).toBeLessThan(tensor);
  });
});

describe("imageEngine, finite networks", () => {
  /** A convolution with zero margins, features last; weights (width, 3, 3, channels), then relu. */
  function forward(
    x: Float64Array,
    side: number,
    channels: number,
    width: number,
    weights: Float64Array,
  ): Float64Array {
    const out = new Float64Array(side * side * width);
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) {
        for (let t = 0; t < 9; t++) {
          const [a, b] = [i + Math.floor(t / 3) - 1, j + (t % 3) - 1];
          if (a < 0 || b < 0 || a >= side || b >= side) continue;
          for (let f = 0; f < width; f++) {
            let sum = 0;
            for (let c = 0; c < channels; c++) {
              sum += weights[(f * 9 + t) * channels + c]! * x[(a * side + b) * channels + c]!;
            }
            out[(i * side + j) * width + f] = out[(i * side + j) * width + f]! + sum;
          }
        }
      }
    }
    return out.map((v) => Math.max(0, v));
  }

  test("imageEngine: the covariance of finite networks with global pooling tends to nngp as width^(-1/2)", async () => {
    const side = 3;
    const X = normalMatrix("finite", 2, side * side);
    const text = "conv(9, 3, w=1.5) relu conv(9, 3, w=1.5) relu gap dense(1, w=1)";
    const { nngp } = await naive(imagesOf(text, [side, side, 1]), X);
    const stream = randomStream(5, "finite");
    const draw = (count: number, fanIn: number): Float64Array =>
      Float64Array.from({ length: count }, () => (1.5 / Math.sqrt(fanIn)) * stream.normal());
    const widths = [8, 32, 128];
    const draws = 60;
    const errors = widths.map((width) => {
      let squares = 0;
      let sum = 0;
      for (let r = 0; r < draws; r++) {
        const first = draw(width * 9, 9);
        const second = draw(width * 9 * width, 9 * width);
        const means = [0, 1].map((n) => {
          const hidden = forward(X.data.subarray(n * side * side, (n + 1) * side * side), side, 1, width, first);
          const last = forward(hidden, side, width, width, second);
          return Float64Array.from({ length: width }, (_, f) => {
            let mean = 0;
            for (let p = 0; p < side * side; p++) mean += last[p * width + f]! / (side * side);
            return mean;
          });
        });
        const value = means[0]!.reduce((total, v, f) => total + v * means[1]![f]!, 0) / width;
        squares += (value / nngp![1]! - 1) ** 2;
        sum += value;
      }
      // Within four standard errors; the bias is of order 1 / width.
      const root = Math.sqrt(squares / draws);
      expect(Math.abs(sum / draws / nngp![1]! - 1)).toBeLessThan((4 * root) / Math.sqrt(draws));
      return root;
    });
    const slope = Math.log(errors[2]! / errors[0]!) / Math.log(widths[2]! / widths[0]!);
    expect(slope).toBeGreaterThan(-0.65);
    expect(slope).toBeLessThan(-0.35);
  });
});
