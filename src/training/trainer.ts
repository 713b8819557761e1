import { randomStream } from "../base/random.ts";
import type { RealArray, RealKernels } from "../compute/types.ts";
import type { Model } from "../network/deep/index.ts";
import type { BatchLoss, TrainingLoss } from "./losses.ts";
import { makeUpdate, rateAt, type Schedule, type Update, type UpdateRule } from "./updates.ts";

/** Samples to train on: n x inputSize, row-major, and the loss of their outputs. */
export interface TrainingData {
  readonly n: number;
  readonly inputs: RealArray;
  readonly loss: TrainingLoss;
}

/** How a model is trained. The objective is the `sum` or the `mean` over samples of the loss; a batch's gradient likewise. */
export interface TrainingSettings {
  readonly reduction: "sum" | "mean";
  /** Samples a step; at least n: the whole data, in its order (gradient descent). */
  readonly batch: number;
  readonly rule: UpdateRule;
  readonly schedule: Schedule;
  /** Standard deviation of Gaussian noise on every entry of every gradient; 0: none. */
  readonly noise: number;
  /** Of the parameters at the start, the order of samples and the noise. */
  readonly seed: number;
}

/** What a step did: loss and right answers of its batch before the update, by the reduction of the settings. */
export interface StepResult extends BatchLoss {
  readonly step: number;
  readonly rate: number;
  readonly samples: number;
}

/** All that a training needs to go on as if it had never stopped. */
export interface TrainingCheckpoint {
  readonly step: number;
  readonly theta: RealArray;
  readonly state: RealArray;
  readonly memory: readonly RealArray[];
}

/** The order in which an epoch goes through n samples, batch by batch. */
export function sampleOrder(seed: number, epoch: number, n: number): Uint32Array {
  return randomStream(seed, `order of epoch ${epoch}`).permutation(n);
}

/**
 * Gradient descent and its relatives on a model, one step at a time. The samples and the noise of a step depend on the seed
 * and the step's number alone, so that a training restored from a checkpoint makes the very same steps.
 */
export class Trainer<A extends RealArray> {
  readonly model: Model<A>;
  readonly data: TrainingData;
  readonly settings: TrainingSettings;
  readonly theta: A;
  readonly kernels: RealKernels<A>;
  #step = 0;
  #changes = 0;
  readonly #update: Update<A>;
  /** Null where the step is made inside the gradient product. */
  readonly #gradient: A | null;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array(0);
  readonly #rows: Uint32Array;

  /**
   * Batches that the model has no room for are cut into parts, whose gradients add up; with batch normalization they would
   * not, for the parts have other statistics.
   *
   * @throws RangeError for data of another shape than the model's, settings out of range, and batches with statistics that do
   * not fit.
   */
  constructor(
    model: Model<A>,
    data: TrainingData,
    settings: TrainingSettings,
    kernels: RealKernels<A>,
    allocate: (length: number) => A,
  ) {
    if (data.n < 1) throw new RangeError("there are no samples to train on");
    if (data.inputs.length !== data.n * model.inputSize) {
      throw new RangeError(`${data.inputs.length} inputs for ${data.n} samples of ${model.inputSize}`);
    }
    if (!Number.isInteger(settings.batch) || settings.batch < 1) {
      throw new RangeError(`batch must be a positive integer, got ${settings.batch}`);
    }
    if (model.state.length > 0 && Math.min(settings.batch, data.n) > model.samples) {
      throw new RangeError(
        `a model with statistics of batches has room for ${model.samples} samples, a batch has ${Math.min(settings.batch, data.n)}`,
      );
    }
    if (!(settings.noise >= 0)) throw new RangeError(`noise must not be negative, got ${settings.noise}`);
    this.model = model;
    this.data = data;
    this.settings = settings;
    this.kernels = kernels;
    this.theta = allocate(model.parameters);
    model.initialize(settings.seed, this.theta);
    const { rule, noise } = settings;
    this.#update = makeUpdate(rule, kernels, model.parameters, model.trained, allocate);
    const isPlain = rule.kind === "sgd" && rule.momentum === 0 && rule.weightDecay === 0 && noise === 0;
    const isOneChunk = Math.min(settings.batch, data.n) <= model.samples;
    this.#gradient = isPlain && isOneChunk ? null : allocate(model.parameters);
    this.#rows = new Uint32Array(model.samples);
  }

  /** Steps made. */
  get steps(): number {
    return this.#step;
  }

  /** How often steps and checkpoints have changed the parameters. */
  get changes(): number {
    return this.#changes;
  }

  /** Steps that see every sample once. */
  get stepsPerEpoch(): number {
    return Math.ceil(this.data.n / this.settings.batch);
  }

  /** Makes one step. */
  step(): StepResult {
    const { model, settings, theta } = this;
    const rows = this.#batchOf(this.#step);
    const factor = settings.reduction === "mean" ? 1 / rows.length : 1;
    const rate = rateAt(settings.schedule, this.#step + 1);
    model.training = true;
    const gradient = this.#gradient;
    let loss = 0;
    let correct = 0;
    if (gradient !== null) gradient.fill(0);
    for (let from = 0; from < rows.length; from += model.samples) {
      const part = this.#load(this.data, rows, from, Math.min(rows.length, from + model.samples));
      model.forward(part.length, theta);
      const batch = this.data.loss.evaluate(part, model.output, model.outputAdjoint, factor);
      loss += batch.loss;
      correct += batch.correct;
      if (gradient === null) model.backward(part.length, theta, theta, -rate);
      else model.backward(part.length, theta, gradient, 1);
    }
    this.#step += 1;
    this.#changes += 1;
    if (gradient !== null) {
      this.#addNoise(gradient);
      this.#update.apply(theta, gradient, rate, this.#step);
    }
    return { step: this.#step, rate, samples: rows.length, loss: factor * loss, correct };
  }

  /**
   * Loss and right answers over all samples (of `data`: the training samples, unless others are given), outside training;
   * with `gradient`: its gradient added to it.
   */
  evaluate(theta: A = this.theta, gradient: A | null = null, data: TrainingData = this.data): BatchLoss {
    const { model, settings } = this;
    const factor = settings.reduction === "mean" ? 1 / data.n : 1;
    const all = data === this.data ? this.#wholeOrder() : Uint32Array.from({ length: data.n }, (_, i) => i);
    model.training = false;
    let loss = 0;
    let correct = 0;
    for (let from = 0; from < data.n; from += model.samples) {
      const part = this.#load(data, all, from, Math.min(data.n, from + model.samples));
      model.forward(part.length, theta);
      const batch = data.loss.evaluate(part, model.output, gradient === null ? null : model.outputAdjoint, factor);
      loss += batch.loss;
      correct += batch.correct;
      if (gradient !== null) model.backward(part.length, theta, gradient, 1);
    }
    return { loss: factor * loss, correct };
  }

  checkpoint(): TrainingCheckpoint {
    return {
      step: this.#step,
      theta: this.theta.slice(),
      state: this.model.state.slice(),
      memory: this.#update.memory.map((array) => array.slice()),
    };
  }

  /** @throws RangeError when the checkpoint is of another model or another rule. */
  restore({ step, theta, state, memory }: TrainingCheckpoint): void {
    const own = [this.theta, this.model.state, ...this.#update.memory];
    const given = [theta, state, ...memory];
    if (own.length !== given.length || own.some((array, k) => array.length !== given[k]!.length)) {
      throw new RangeError("the checkpoint is of another network or another way of training");
    }
    own.forEach((array, k) => {
      array.set(given[k]!);
    });
    this.#step = step;
    this.#changes += 1;
  }

  /** Numbers of the samples of a step. */
  #batchOf(step: number): Uint32Array {
    const { n } = this.data;
    const { batch, seed } = this.settings;
    if (batch >= n) return this.#wholeOrder();
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (epoch !== this.#epoch) {
      this.#order = sampleOrder(seed, epoch, n);
      this.#epoch = epoch;
    }
    const from = (step % this.stepsPerEpoch) * batch;
    return this.#order.subarray(from, Math.min(n, from + batch));
  }

  #whole: Uint32Array | null = null;
  #wholeOrder(): Uint32Array {
    this.#whole ??= Uint32Array.from({ length: this.data.n }, (_, i) => i);
    return this.#whole;
  }

  /** Copies samples order[from .. to) into the model; returns their numbers. */
  #load({ inputs }: TrainingData, order: Uint32Array, from: number, to: number): Uint32Array {
    const { inputSize, input } = this.model;
    const rows = this.#rows.subarray(0, to - from);
    for (let k = from; k < to; k++) {
      const row = order[k]!;
      rows[k - from] = row;
      input.set(inputs.subarray(row * inputSize, (row + 1) * inputSize), (k - from) * inputSize);
    }
    return rows;
  }

  #addNoise(gradient: A): void {
    const { noise, seed } = this.settings;
    if (noise === 0) return;
    const { normal } = randomStream(seed, `noise of step ${this.#step}`);
    for (const { from, count } of this.model.trained) {
      for (let k = from; k < from + count; k++) gradient[k] += noise * normal();
    }
  }
}
