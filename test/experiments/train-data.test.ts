import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/base/errors.ts";
import { writeNpy } from "../../src/data/index.ts";
import { loadTraining } from "../../src/experiments/training/load.ts";
import type { TrainingInputs } from "../../src/experiments/training/samples.ts";
import { trainSettingsSchema } from "../../src/experiments/training/settings.ts";
import { temporaryFolder } from "../cli/program.ts";

const folder = temporaryFolder();
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const load = (data: string, changes: object = {}): TrainingInputs =>
  loadTraining(trainSettingsSchema.parse({ data, arch: "dense(1)", ...changes }), (length) => new Float64Array(length));

/** What a user is told. */
function mistake(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** n images of h x w bytes in which pixel p of image i is (7 i + p) mod 256, and labels i mod 3. */
function idx(n: number, h: number, w: number): { images: Uint8Array; labels: Uint8Array } {
  const images = new Uint8Array(16 + n * h * w);
  images.set([0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, h, 0, 0, 0, w]);
  for (let k = 0; k < n * h * w; k++) images[16 + k] = (7 * Math.floor(k / (h * w)) + (k % (h * w))) % 256;
  const labels = new Uint8Array(8 + n);
  labels.set([0, 0, 8, 1, 0, 0, 0, n]);
  for (let i = 0; i < n; i++) labels[8 + i] = i % 3;
  return { images, labels };
}

const moments = (values: ArrayLike<number>): [number, number] => {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return [mean, Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length)];
};

describe("loadTraining of made-up samples", () => {
  test("circle(N) has the closed-form points", () => {
    const { train, test: held, shape, target } = load("circle(8)");
    expect([train.n, shape, held, target.classes]).toEqual([8, [3], null, null]);
    for (let i = 0; i < 8; i++) {
      const angle = (Math.PI * i) / 4;
      [Math.cos(angle), Math.sin(angle), 1].forEach((value, k) => {
        expect(train.X[3 * i + k]).toBeCloseTo(value * Math.SQRT1_2, 14);
      });
    }
  });

  test("sphere and padded-sphere have unit vectors, labels(K) K classes, --split more of the same", () => {
    for (const name of ["sphere(40, 5)", "padded-sphere(40, 5)"]) {
      const { train, test: held, target } = load(name, { target: "labels(3)", split: 0.2, seed: 2 });
      expect([train.n, held?.n, target.classes]).toEqual([40, 10, ["0", "1", "2"]]);
      for (let i = 0; i < 40; i++) {
        const x = Array.from(train.X.subarray(5 * i, 5 * i + 5));
        expect(Math.hypot(...x)).toBeCloseTo(1, 13);
        if (name.startsWith("padded")) expect(x[4]).toBeCloseTo(Math.SQRT1_2, 14);
      }
      expect(new Set(train.y)).toEqual(new Set([0, 1, 2]));
      expect(load(name, { target: "labels(3)", split: 0.2, seed: 3 }).train.X).not.toEqual(train.X);
      expect(load(name, { target: "labels(3)", split: 0.2, seed: 2 })).toMatchObject({ train: { X: train.X } });
    }
  });

  test("circle(N) with --split has points of all angles in both parts, each once", () => {
    const { train, test: held } = load("circle(12)", { split: 0.25, seed: 1 });
    const anglesOf = (X: ArrayLike<number>): number[] =>
      Array.from({ length: X.length / 3 }, (_, i) => {
        const turns = Math.atan2(X[3 * i + 1]!, X[3 * i]!) / (2 * Math.PI);
        return Math.round(16 * (turns < -1e-9 ? turns + 1 : turns));
      });
    expect(held?.n).toBe(4);
    const [own, other] = [anglesOf(train.X), anglesOf(held!.X)];
    expect([...own, ...other].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, k) => k));
    expect(Math.max(...other) - Math.min(...other)).toBeGreaterThan(4);
  });

  test("made-up samples that are not described in full are refused", () => {
    for (const [data, changes] of [
      ["circle(0)", {}],
      ["circle(4, 4)", {}],
      ["sphere(4)", {}],
      ["padded-sphere(4, 1)", {}],
      ["sphere(4, 2.5)", {}],
      ["circle(4)", { target: "price" }],
      ["circle(4)", { target: "labels(1)" }],
      ["circle(4)", { test: "x.csv" }],
      ["circle(4)", { labelNoise: 0.5 }],
    ] as const) {
      expect(mistake(() => load(data, changes)).code).toMatch(/^(made-up|label-noise)/);
    }
  });
});

describe("loadTraining of images", () => {
  const { images, labels } = idx(30, 4, 5);
  const path = file("train-images-idx3-ubyte", images);
  file("train-labels-idx1-ubyte", labels);

  test("idx images find their labels by name and are standardized over the training part", () => {
    const { shape, train, test: held, inputs, target } = load(path, { split: 0.2 });
    expect([shape, train.n, held?.n]).toEqual([[4, 5, 1], 24, 6]);
    expect(target).toMatchObject({ name: "label", classes: ["0", "1", "2"], scale: null });
    const [mean, deviation] = moments(train.X);
    expect(mean).toBeCloseTo(0, 12);
    expect(deviation).toBeCloseTo(1, 12);
    if (inputs.kind !== "images") throw new Error(inputs.kind);
    // Image i is 7 i + p: its first pixel says which one it is, and so its label.
    for (let i = 0; i < train.n; i++) {
      const first = Math.round(train.X[20 * i] * inputs.scale[0]! + inputs.mean[0]!);
      expect(train.y[i]).toBe((first / 7) % 3);
    }
  });

  test("pixels become shares of 255 without standardization; --samples takes some; --test takes a file", () => {
    const { train, test: held } = load(path, { standardize: "none", samples: 7, test: path });
    expect([train.n, held?.n]).toEqual([7, 30]);
    expect(held?.X[1]).toBeCloseTo(1 / 255, 15);
    expect(load(path, { samples: 7, test: path, seed: 1 }).fingerprint).not.toBe(
      load(path, { samples: 7, test: path }).fingerprint,
    );
  });

  test("CIFAR records and npy images are read, channels by themselves", () => {
    const record = (label: number): number[] => [
      label,
      ...Array.from({ length: 3072 }, (_, k) => (k < 1024 ? 100 : k < 2048 ? (k + label) % 7 : 255)),
    ];
    const cifar = file("batch.bin", Uint8Array.from([0, 1, 2, 0, 1, 2].flatMap(record)));
    const { shape, inputs, target, train } = load(cifar, { split: 0 });
    expect([shape, train.n]).toEqual([[32, 32, 3], 6]);
    expect(target.classes).toEqual(["airplane", "automobile", "bird"]);
    expect(inputs).toMatchObject({
      kind: "images",
      mean: [100, expect.any(Number), 255],
      scale: [1, expect.any(Number), 1],
    });
    const pixels = file("x.npy", writeNpy({ shape: [6, 2, 2], data: Float64Array.from({ length: 24 }, (_, k) => k) }));
    const y = file("y.npy", writeNpy({ shape: [6], data: Float64Array.of(0.5, 1, 2, 3, 4, 5) }));
    const numbers = load(pixels, { target: y, split: 0 });
    expect(numbers.shape).toEqual([2, 2, 1]);
    expect(numbers.target.scale?.mean).toBeCloseTo(15.5 / 6, 12);
  });

  test("damaged and mismatched images are refused with their place", () => {
    const cut = file("cut-images-idx3-ubyte", images.subarray(0, 100));
    expect(mistake(() => load(cut)).code).toBe("damaged-idx");
    const alone = file("alone.idx3", images);
    expect(mistake(() => load(alone)).message).toContain("no labels");
    const few = file("few-labels.idx", idx(5, 1, 1).labels);
    expect(mistake(() => load(path, { target: few })).message).toContain("30 images");
    const other = file("other-images-idx3-ubyte", idx(5, 4, 4).images);
    file("other-labels-idx1-ubyte", idx(5, 4, 4).labels);
    expect(mistake(() => load(path, { test: other })).code).toBe("image-shapes");
    const odd = file("odd.npy", writeNpy({ shape: [2, 2, 2], data: new Float64Array(8).fill(Number.NaN) }));
    expect(mistake(() => load(odd, { target: few })).message).toContain("image 1");
    expect(mistake(() => load(file("bad.bin", new Uint8Array(3073).fill(11)))).code).toBeDefined();
  });
});

describe("loadTraining of tables", () => {
  const csv = file(
    "t.csv",
    `a,b,c,y\n${Array.from({ length: 20 }, (_, i) => `${i},${i % 2},7,${3 * i + 1}`).join("\n")}\n`,
  );

  test("numbers to predict are standardized over the training rows, constant columns dropped", () => {
    const { train, target, shape, notes } = load(csv, { target: "y" });
    expect([train.n, shape]).toEqual([16, [2]]);
    const [mean, deviation] = moments(train.y);
    expect(target.scale?.mean).toBeCloseTo(mean, 12);
    expect(target.scale?.deviation).toBeCloseTo(deviation, 12);
    expect(notes.join()).toContain("constant on the training rows");
    expect(load(csv, { target: "y", standardize: "none" }).target.scale).toBeNull();
  });

  test("a file of test rows is encoded as the training rows", () => {
    const held = file("held.csv", "y,b,a,c\n1,0,0,9\n,1,3,9\n4,1,1,9\n");
    const { train, test: rows } = load(csv, { target: "y", test: held });
    expect([train.n, rows?.n, ...(rows?.y ?? [])]).toEqual([20, 2, 1, 4]);
    expect(rows?.X[0]).toBeCloseTo(train.X[0], 14);
    expect(rows?.X[2]).toBeCloseTo(train.X[2], 14);
  });

  test("tables without a target, of one class, of one row or of one column are refused", () => {
    expect(mistake(() => load(csv)).code).toBe("target-missing");
    expect(mistake(() => load(csv, { target: "c" })).code).toBe("constant-target");
    expect(mistake(() => load(file("one.csv", "a,y\n1,2\n"), { target: "y" })).code).toBe("too-few-rows");
    expect(mistake(() => load(file("lone.csv", "y\n1.5\n2.5\n4.5\n"), { target: "y" })).code).toBe("no-features");
    expect(mistake(() => load(csv, { target: "z" })).code).toBe("column-not-found");
    expect(mistake(() => load(csv, { target: "y", labelNoise: 0.1 })).code).toBe("label-noise");
  });

  test("label noise changes about its share, times the chance of another class, of the training labels alone", () => {
    const table = file("l.csv", `a,y\n${Array.from({ length: 3000 }, (_, i) => `${i},${"uvw"[i % 3]}`).join("\n")}\n`);
    const plain = load(table, { target: "y" });
    const noisy = load(table, { target: "y", labelNoise: 0.3 });
    const changed = plain.train.y.filter((label, i) => label !== noisy.train.y[i]).length;
    expect(changed / plain.train.n).toBeGreaterThan(0.17);
    expect(changed / plain.train.n).toBeLessThan(0.23);
    expect(noisy.notes.join()).toContain(`label noise changed ${changed} of 2400`);
    expect(noisy.test?.y).toEqual(plain.test?.y);
    expect(noisy.fingerprint).not.toBe(plain.fingerprint);
  });
});

describe("trainSettingsSchema", () => {
  test.each([
    [{ adam: true, momentum: 0.9 }, "adam"],
    [{ nesterov: true }, "nesterov"],
    [{ adam: true, rate: "stable" }, "rate"],
    [{ linearized: true, taylor: 2 }, "taylor"],
    [{ symmetric: true, linearized: true }, "symmetric"],
    [{ test: "t.csv", split: 0.2 }, "split"],
    [{ init: "he", parametrization: "ntk" }, "init"],
    [{ drops: "1;2" }, "drops"],
    [{ batch: 0 }, "batch"],
    [{ labelNoise: 2 }, "labelNoise"],
  ])("trainSettingsSchema refuses %j", (changes, key) => {
    const parsed = trainSettingsSchema.safeParse({ data: "t.csv", arch: "dense(1)", ...changes });
    expect(parsed.error?.issues[0]?.path[0]).toBe(key);
  });
});
