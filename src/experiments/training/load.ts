import { ConfigError, DataError } from "../../base/errors.ts";
import type { Matrix } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import { loadDataset, loadRows } from "../../data/index.ts";
import { splitRows } from "../../data/split.ts";
import { isVectorFile, readVector } from "../../data/table.ts";
import { checkClassSizes, readTarget } from "../../data/target.ts";
import type { Column, Target } from "../../data/types.ts";
import type { DeepTarget } from "../../formats/index.ts";
import { sha256 } from "../../platform/index.ts";
import { knownTargets } from "../predict.ts";
import { type LabelledImages, readLabelledImages } from "./images.ts";
import { isMadeUp, makeSamples } from "./made-up.ts";
import { type LabelledSamples, type MakeArray, type TrainingInputs, takeSamples } from "./samples.ts";
import type { TrainSettings } from "./settings.ts";

/** Share of the samples of a file that is held out when nothing is said. */
const SPLIT = 0.2;

/**
 * Reads the samples of a training, and changes labels where that was asked for.
 *
 * @throws UserError when they cannot be used, with the place of what is wrong.
 */
export function loadTraining(settings: TrainSettings, make: MakeArray): TrainingInputs {
  const loaded = load(settings, make);
  const fewer = chooseSamples(loaded, settings, make);
  const noisy = addLabelNoise(fewer, settings);
  const { samples, labelNoise, seed } = settings;
  const text = JSON.stringify([loaded.fingerprint, samples ?? null, labelNoise, seed]);
  return { ...noisy, fingerprint: sha256(new TextEncoder().encode(text)) };
}

function load(settings: TrainSettings, make: MakeArray): TrainingInputs {
  const { data, target, seed, split, test, testTarget } = settings;
  if (isMadeUp(data)) {
    if (test !== undefined) {
      throw new ConfigError("made-up samples are not tested on a file", {
        code: "made-up-data",
        hint: "give --split to hold out some",
      });
    }
    return makeSamples(data, target, split ?? 0, seed, make);
  }
  const images = readLabelledImages(data, target);
  if (images === null) return loadTable(settings, make);
  const held = test === undefined ? null : readLabelledImages(test, testTarget);
  if (test !== undefined && held === null) {
    throw new DataError(`${test} has no images`, { code: "image-shapes", place: { file: test } });
  }
  return loadImages(images, held, settings, make);
}

/** The mean and the population standard deviation of numbers; 1 for equal ones. */
function momentsOf(values: ArrayLike<number>, from = 0, stride = 1): { mean: number; deviation: number } {
  let mean = 0;
  let square = 0;
  let count = 0;
  // Welford's recursion: one pass, no cancellation.
  for (let k = from; k < values.length; k += stride) {
    count += 1;
    const step = values[k]! - mean;
    mean += step / count;
    square += step * (values[k]! - mean);
  }
  const deviation = Math.sqrt(square / count);
  return { mean, deviation: deviation > 0 ? deviation : 1 };
}

function deepTarget({ name, task, classes }: Target, y: Float64Array, { standardize }: TrainSettings): DeepTarget {
  const scale = task === "classification" ? null : standardize === "columns" ? momentsOf(y) : null;
  return { name, task, classes, scale };
}

function loadTable(settings: TrainSettings, make: MakeArray): TrainingInputs {
  const { data, target, task, missing, standardize, seed, split = SPLIT, test, testTarget } = settings;
  if (target === undefined) {
    throw new ConfigError("no target: which column is to be predicted?", {
      code: "target-missing",
      hint: "name it with --target COLUMN",
    });
  }
  const isHeld = test === undefined && split > 0;
  const dataset = loadDataset({ file: data, target, task, missing, standardize, seed, split: isHeld ? split : "none" });
  const samplesOf = (X: Matrix, y: Float64Array): LabelledSamples => {
    const copy = make(X.data.length);
    copy.set(X.data);
    return { n: X.rows, X: copy, y };
  };
  const { train, preprocessing, notes, fingerprint } = dataset;
  if (dataset.target.columns !== undefined) {
    throw new ConfigError("one column is predicted, not several", {
      code: "target-columns",
      hint: "train one network for each, or use overparam fit",
    });
  }
  const held = dataset.test === null ? null : samplesOf(dataset.test.X, dataset.test.y);
  const other = test === undefined ? null : testRows(test, testTarget ?? target);
  return {
    shape: [train.X.cols],
    train: samplesOf(train.X, train.y),
    test: other ?? held,
    inputs: { kind: "table", preprocessing },
    target: deepTarget(dataset.target, train.y, settings),
    notes,
    fingerprint: fingerprint.matrix,
  };

  /** The rows of another table whose target is known. */
  function testRows(file: string, wanted: string): LabelledSamples {
    const { table, X } = loadRows(preprocessing, file);
    const fromFile = isVectorFile(wanted) && table.columns.every(({ name }) => name !== wanted);
    const column = fromFile ? readVector(wanted) : table.columns.find(({ name }) => name === dataset.target.name);
    if (column === undefined) {
      throw new DataError(`${file} has no column "${dataset.target.name}"`, {
        code: "column-not-found",
        hint: "held-out samples need their targets, as the training samples have them",
        place: { file },
      });
    }
    return labelled(samplesOf(X, testTargets(column, dataset.target, table.rows, file)), make, file);
  }
}

/** Targets of held-out samples, NaN where they are not known. */
function testTargets(column: Column, target: Target, n: number, file: string): Float64Array {
  const y = knownTargets(column, target);
  if (y.length !== n) {
    throw new DataError(`${file} has ${n} samples, its targets are ${y.length}`, {
      code: "target-length",
      hint: "give one target for each sample, in the same order",
      place: { file },
    });
  }
  return y;
}

/** The samples whose target is known. */
function labelled(samples: LabelledSamples, make: MakeArray, file: string): LabelledSamples {
  const rows = Array.from(samples.y.keys()).filter((i) => !Number.isNaN(samples.y[i]));
  if (rows.length === 0) {
    throw new DataError(`${file} has no sample with a target that the training knows`, {
      code: "constant-target",
      hint: "are these the same classes?",
      place: { file },
    });
  }
  return rows.length === samples.n ? samples : takeSamples(samples, rows, make);
}

function loadImages(
  images: LabelledImages,
  held: LabelledImages | null,
  settings: TrainSettings,
  make: MakeArray,
): TrainingInputs {
  const { split = SPLIT, task, seed, standardize, data, test } = settings;
  const { target, y, notes } = readTarget(images.labels, task);
  const missing = y.findIndex(Number.isNaN);
  if (missing >= 0) {
    throw new DataError(`image ${missing + 1} has no label`, { code: "constant-target", place: images.labels.place });
  }
  if (held !== null && held.shape.join() !== images.shape.join()) {
    throw new DataError(`${test} has images of ${held.shape.join(" x ")}, ${data} of ${images.shape.join(" x ")}`, {
      code: "image-shapes",
      hint: "both must have the same shape",
      place: { file: test! },
    });
  }
  const all = Uint32Array.from({ length: images.n }, (_, i) => i);
  const parts =
    held !== null || split === 0 ? { train: all, test: null } : divide(target, y, all, images.labels, split, seed);
  const size = images.pixels.length / images.n;
  const channels = images.shape[images.shape.length - 1]!;
  const pixelsOf = (from: LabelledImages, rows: Uint32Array): Float64Array | Float32Array => {
    const X = make(rows.length * size);
    rows.forEach((row, k) => {
      X.set(from.pixels.subarray(row * size, (row + 1) * size), k * size);
    });
    return X;
  };
  const X = pixelsOf(images, parts.train);
  const isBytes = images.pixels instanceof Uint8Array;
  const moments = Array.from({ length: channels }, (_, c) =>
    standardize === "columns" ? momentsOf(X, c, channels) : { mean: 0, deviation: isBytes ? 255 : 1 },
  );
  const samplesOf = (pixels: Float64Array | Float32Array, targets: Float64Array): LabelledSamples => {
    for (let k = 0; k < pixels.length; k++) {
      const { mean, deviation } = moments[k % channels]!;
      pixels[k] = (pixels[k] - mean) / deviation;
    }
    return { n: targets.length, X: pixels, y: targets };
  };
  const part = (rows: Uint32Array): LabelledSamples =>
    samplesOf(
      pixelsOf(images, rows),
      Float64Array.from(rows, (i) => y[i]),
    );
  const train = samplesOf(
    X,
    Float64Array.from(parts.train, (i) => y[i]),
  );
  const other =
    held === null
      ? null
      : labelled(
          samplesOf(
            pixelsOf(
              held,
              Uint32Array.from({ length: held.n }, (_, i) => i),
            ),
            testTargets(held.labels, target, held.n, test!),
          ),
          make,
          test!,
        );
  return {
    shape: images.shape,
    train,
    test: other ?? (parts.test === null ? null : part(parts.test)),
    inputs: { kind: "images", mean: moments.map(({ mean }) => mean), scale: moments.map(({ deviation }) => deviation) },
    target: deepTarget(target, train.y, settings),
    notes,
    fingerprint: JSON.stringify([
      images.sha256,
      held?.sha256 ?? null,
      held === null ? split : 0,
      seed,
      standardize,
      task,
    ]),
  };
}

function divide(target: Target, y: Float64Array, rows: Uint32Array, column: Column, split: number, seed: number) {
  checkClassSizes(target, y, rows, column);
  if (rows.length < 2) {
    throw new DataError("a single image cannot be split", {
      code: "too-few-rows",
      hint: "use --split none",
      place: column.place,
    });
  }
  const groups = target.classes === null ? [rows] : target.classes.map((_, k) => rows.filter((i) => y[i] === k));
  return splitRows(
    groups.filter(({ length }) => length > 0),
    split,
    seed,
  );
}

/** So many of the training samples, at random, in their order. */
function chooseSamples(inputs: TrainingInputs, { samples, seed }: TrainSettings, make: MakeArray): TrainingInputs {
  const { train, notes } = inputs;
  if (samples === undefined || samples >= train.n) return inputs;
  const rows = randomStream(seed, "samples").permutation(train.n).subarray(0, samples).sort();
  const kept = takeSamples(train, rows, make);
  return { ...inputs, train: kept, notes: [...notes, `${samples} of ${train.n} training samples are used`] };
}

/** A share of the training labels replaced by labels drawn from all classes. */
function addLabelNoise(inputs: TrainingInputs, { labelNoise, seed }: TrainSettings): TrainingInputs {
  if (labelNoise === 0) return inputs;
  const { train, target, notes } = inputs;
  const { classes } = target;
  if (classes === null) {
    throw new ConfigError(`label noise needs classes, but "${target.name}" is a number`, {
      code: "label-noise",
      hint: "use --task classification if the numbers stand for classes",
    });
  }
  const random = randomStream(seed, "label noise");
  let changed = 0;
  const y = train.y.map((label) => {
    const drawn = random.uniform();
    const other = random.integer(classes.length);
    if (drawn >= labelNoise) return label;
    changed += Number(other !== label);
    return other;
  });
  const note = `label noise changed ${changed} of ${train.n} training labels`;
  return { ...inputs, train: { ...train, y }, notes: [...notes, note] };
}
