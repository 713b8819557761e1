/**
 * Convolutional tangent kernels on CIFAR-10, as in Arora et al. (2019), table 1: kernel regression without a ridge on targets -0.1 and 0.9,
 * pixels standardized channel by channel. `npx tsx bench/cntk.ts TRAIN.bin TEST.bin...` (binary version, gzip or not); options:
 * `--rows N` (2000) of the training file, `--tests N` at most (all), whose images behind the first N rows of the training file come last,
 * `--depths 3,4,6` (weighted layers), `--pooling` for global average pooling with the first and the last layer fixed, `--threads N`.
 */
import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { type Matrix, matrix } from "../src/base/matrix.ts";
import { createCompute } from "../src/compute/index.ts";
import { type CifarImages, readCifar } from "../src/data/cifar.ts";
import { parseArchitecture, type Shape } from "../src/network/architecture/index.ts";
import { gram, kernelRegression, makeEngine, regressionOutputs } from "../src/tangent/index.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "2000" },
    tests: { type: "string", default: "100000" },
    depths: { type: "string", default: "3,4,6" },
    pooling: { type: "boolean", default: false },
    threads: { type: "string" },
  },
});
const SHAPE: Shape = [32, 32, 3];
const SIZE = 32 * 32 * 3;
const CLASSES = 10;

function read(file: string): CifarImages {
  const raw = readFileSync(file);
  return readCifar(raw[0] === 0x1f ? gunzipSync(raw) : raw, file);
}

interface Samples {
  readonly X: Matrix;
  readonly labels: number[];
}

function samples({ images, labels }: CifarImages, from: number, to: number): Samples {
  const data = Float64Array.from(images.subarray(from * SIZE, to * SIZE), (value) => value / 255);
  return { X: matrix(to - from, SIZE, data), labels: Array.from(labels.subarray(from, to)) };
}

function joined(parts: readonly Samples[], most: number): Samples {
  const labels = parts.flatMap((part) => part.labels).slice(0, most);
  const data = new Float64Array(labels.length * SIZE);
  let at = 0;
  for (const { X } of parts) {
    const part = X.data.subarray(0, data.length - at);
    data.set(part, at);
    at += part.length;
  }
  return { X: matrix(labels.length, SIZE, data), labels };
}

/** Channel by channel, by the mean and the standard deviation of the training images. */
function standardize(train: Matrix, others: readonly Matrix[]): void {
  for (let c = 0; c < 3; c++) {
    let [sum, squares, count] = [0, 0, 0];
    for (let k = c; k < train.data.length; k += 3, count++) sum += train.data[k]!;
    const mean = sum / count;
    for (let k = c; k < train.data.length; k += 3) squares += (train.data[k]! - mean) ** 2;
    const deviation = Math.sqrt(squares / count);
    for (const { data } of others) for (let k = c; k < data.length; k += 3) data[k] = (data[k]! - mean) / deviation;
  }
}

const [trainFile, ...testFiles] = positionals;
if (trainFile === undefined) throw new Error("name the file of the training images");
const all = read(trainFile);
const rows = Math.min(all.n, Number(flags.rows));
const train = samples(all, 0, rows);
const tests = joined(
  [
    ...testFiles.map((file) => {
      const images = read(file);
      return samples(images, 0, images.n);
    }),
    samples(all, rows, all.n),
  ],
  Number(flags.tests),
);
standardize(train.X, [tests.X, train.X]);
const Y = matrix(rows, CLASSES);
train.labels.forEach((label, i) => {
  for (let q = 0; q < CLASSES; q++) Y.data[i * CLASSES + q] = q === label ? 0.9 : -0.1;
});

const compute = await createCompute(flags.threads === undefined ? {} : { threads: Number(flags.threads) });
const { name, blas, threads } = compute.info;
process.stdout.write(
  `${name} (${blas ?? "no BLAS"}), ${threads} threads; load ${loadavg()[0]!.toFixed(1)}; ${rows} images, ${tests.labels.length} tests\n`,
);
for (const depth of flags.depths.split(",").map(Number)) {
  const end = flags.pooling ? "gap" : "flatten";
  const engine = makeEngine({
    architecture: parseArchitecture(`${"conv(64, 3) relu ".repeat(depth - 1)}${end} dense(10)`),
    input: SHAPE,
    trained: flags.pooling ? "hidden" : "all",
    kernels: ["ntk"],
  });
  const before = process.cpuUsage();
  const begun = performance.now();
  const K = matrix(rows, rows, gram(compute, engine, train.X, null).ntk!);
  const regression = kernelRegression(compute, K, Y, { ridge: 0, intercept: false });
  const model = { engine, kernel: "ntk", inputs: train.X, ...regression } as const;
  const outputs = regressionOutputs(compute, model, tests.X);
  const correct = tests.labels.filter((label, i) => {
    const row = outputs.data.subarray(i * CLASSES, (i + 1) * CLASSES);
    return row.indexOf(Math.max(...row)) === label;
  }).length;
  const share = correct / tests.labels.length;
  const { user, system } = process.cpuUsage(before);
  const error = Math.sqrt((share * (1 - share)) / tests.labels.length);
  const eigenvalues = regression.eigenvalues;
  const condition = eigenvalues === null ? "-" : (eigenvalues.at(-1)! / eigenvalues[0]!).toPrecision(3);
  process.stdout.write(
    `CNTK-${flags.pooling ? "GAP" : "V"} depth ${depth}: accuracy ${(100 * share).toFixed(2)} % +- ${(100 * error).toFixed(2)}, condition ${condition}, cpu ${((user + system) / 1e6).toFixed(0)} s, wall ${((performance.now() - begun) / 1000).toFixed(0)} s\n`,
  );
}
await compute.close();
