/**
 * MNIST with one hidden layer that its ten outputs share: trains with softmax and the group penalty, prints progress,
 * objective, labelled bounds, test accuracy, time and memory. See bench/README.md.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Matrix, matrix } from "../src/base/matrix.ts";
import { createCompute } from "../src/compute/index.ts";
import { solveVector, vectorBetaMax } from "../src/convex/vector/index.ts";
import { readIdx } from "../src/data/idx.ts";
import { forward } from "../src/network/index.ts";
import { gunzip, now, readBytes } from "../src/platform/index.ts";

const DATA = resolve(process.env["OVERPARAM_DATA"] ?? resolve(import.meta.dirname, "../../shared/data"), "images");

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "60000" },
    beta: { type: "string", default: "1e-4" },
    width: { type: "string", default: "200" },
    epochs: { type: "string", default: "40" },
    seconds: { type: "string", default: "900" },
    seed: { type: "string", default: "0" },
  },
});

function read(name: string): Float64Array[] {
  const file = resolve(DATA, `mnist-${name}-ubyte.gz`);
  if (!existsSync(file)) throw new RangeError(`${file} is missing: set OVERPARAM_DATA`);
  return readIdx(gunzip(readBytes(file), file), file);
}

/** The first `count` images, pixels in [0, 1], and their labels. */
function images(part: "train" | "t10k", count: number): { X: Matrix; labels: Float64Array } {
  const pixels = read(`${part}-images-idx3`);
  const labels = read(`${part}-labels-idx1`)[0]!.slice(0, count);
  const X = matrix(labels.length, pixels.length);
  pixels.forEach((column, k) => {
    for (let i = 0; i < X.rows; i++) X.data[i * X.cols + k] = column[i] / 255;
  });
  return { X, labels };
}

const compute = await createCompute();
const train = images("train", Number(flags.rows));
const problem = {
  X: train.X,
  targets: { loss: "softmax", labels: train.labels, classes: 10 },
  scaling: "mean",
  bias: "column",
} as const;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
let peak = 0;
const memory = (): string => {
  peak = Math.max(peak, process.resourceUsage().maxRSS / 2 ** 20);
  return `${peak.toFixed(2)} GiB`;
};
say(
  `${train.X.rows} x ${train.X.cols}, beta ${flags.beta}, ${compute.info.blas ?? compute.info.simd}, ${memory()} with the data`,
);

const beta = Number(flags.beta);
const run = solveVector(
  { ...problem, beta },
  {
    compute,
    now,
    seed: Number(flags.seed),
    width: Number(flags.width),
    epochs: Number(flags.epochs),
    seconds: Number(flags.seconds),
  },
);
let step = run.next();
for (; step.done !== true; step = run.next()) {
  const { phase, iteration, objective, bound, neurons, seconds } = step.value;
  say(
    `${seconds.toFixed(1).padStart(7)} s  ${phase} ${iteration}  objective ${objective.toFixed(6)}  bound ${bound ?? "-"}  ${neurons} neurons  ${memory()}`,
  );
}
const solution = step.value;
const accuracy = (X: Matrix, labels: Float64Array): number => {
  const F = forward(solution.network, X);
  let right = 0;
  for (let i = 0; i < X.rows; i++) {
    const f = F.data.subarray(i * 10, (i + 1) * 10);
    if (f.indexOf(Math.max(...f)) === labels[i]) right += 1;
  }
  return right / X.rows;
};
const test = images("t10k", 10000);
say(`objective          ${solution.objective}`);
say(`bound, all patterns ${solution.lowerBound} (${solution.method}), gap ${solution.gap.toPrecision(3)}`);
if (solution.listed !== null) {
  const { patterns, lowerBound, gap } = solution.listed;
  say(`bound, ${patterns} listed patterns only ${lowerBound}, gap ${gap.toPrecision(3)}`);
}
say(`M_local / beta - 1 ${solution.violation.toPrecision(3)}`);
say(`neurons            ${solution.neurons}`);
say(`test accuracy      ${(100 * accuracy(test.X, test.labels)).toFixed(2)} %`);
say(`seconds            ${solution.seconds.toFixed(1)} (CPU ${(process.cpuUsage().user / 1e6).toFixed(0)} in all)`);
say(`peak memory        ${memory()}`);
if (train.X.rows <= 5000) say(`beta / beta_max    ${(beta / vectorBetaMax(problem, { compute, now })).toPrecision(3)}`);
await compute.close();
