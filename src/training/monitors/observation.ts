import type { Compute, RealArray, Scope } from "../../compute/types.ts";
import { type GraphNode, type NetworkGraph, type Series, Tape } from "../../network/deep/index.ts";
import type { Trainer } from "../trainer.ts";
import { type TheoryForm, type TheoryScale, theoryForm } from "./forms.ts";
import { type DataSeparation, dataSeparation, type PatchSeparation, patchSeparation } from "./theory.ts";
import { type LayerDistance, layerDistances, type WeightLayer, weightLayers } from "./weights.ts";

/** What monitors are made for. */
export interface MonitorSetup<A extends RealArray> {
  /** Of a network as it is (no Taylor model, no difference of two). */
  readonly trainer: Trainer<A>;
  readonly graph: NetworkGraph;
  readonly compute: Compute;
  /** Holds what monitors keep, for as long as they live. */
  readonly scope: Scope;
  /** Parameters that distances are measured from; default: what the model starts from with the trainer's seed. */
  readonly initial?: RealArray;
  /** Most samples that costly quantities are measured on, evenly spaced in the data; default 64. */
  readonly probe?: number;
}

/** How far the momentum of the update moves the threshold of stability, which is {@link stability} / rate. */
function stabilityOf<A extends RealArray>({ settings: { rule } }: Trainer<A>): number | null {
  if (rule.kind !== "sgd") return null;
  const beta = rule.momentum;
  return rule.nesterov ? (2 + 2 * beta) / (1 + 2 * beta) : 2 + 2 * beta;
}

/**
 * A network under training as monitors see it: its parameters in double precision, copied when something looks, and some
 * of the samples. What is expensive and shared is kept until the parameters change.
 */
export class Observation<A extends RealArray> {
  readonly trainer: Trainer<A>;
  readonly graph: NetworkGraph;
  readonly compute: Compute;
  readonly scope: Scope;
  /** Numbers of the probed samples in the data, and their inputs. */
  readonly rows: Uint32Array;
  readonly inputs: Float64Array;
  readonly n: number;
  readonly outputs: number;
  /** Trained affine layers, in order. */
  readonly layers: readonly WeightLayer[];
  /** The network of the theorems that this is; those that speak of fully connected ones alone have its sizes in `theory`. */
  readonly form: TheoryForm | null;
  readonly theory: TheoryScale | null;
  /** Twice (for plain gradient descent) over the step size: the sharpness that steps can stand; null for Adam. */
  readonly stability: number | null;
  readonly theta: Float64Array;
  readonly initial: Float64Array;
  readonly #tapes = new Map<number, Tape<Float64Array>>();
  #isFresh = false;
  #seen = -1;
  #distances: readonly LayerDistance[] | null = null;

  /** @throws RangeError when the trainer's model has other parameters than the graph. */
  constructor(setup: MonitorSetup<A>) {
    const { trainer, graph, compute, scope, probe = 64 } = setup;
    const { model, data, settings } = trainer;
    if (model.parameters !== graph.parameters || model.inputSize !== graph.sizes[0]) {
      throw new RangeError(
        `monitors of a network of ${graph.parameters} parameters cannot watch a model of ${model.parameters}`,
      );
    }
    if (!Number.isInteger(probe) || probe < 1) throw new RangeError(`probe must be a positive integer, got ${probe}`);
    this.trainer = trainer;
    this.graph = graph;
    this.compute = compute;
    this.scope = scope;
    this.n = Math.min(probe, data.n);
    this.outputs = model.outputs;
    this.rows = Uint32Array.from({ length: this.n }, (_, k) => Math.floor((k * data.n) / this.n));
    const size = model.inputSize;
    this.inputs = new Float64Array(this.n * size);
    this.rows.forEach((row, k) => {
      this.inputs.set(data.inputs.subarray(row * size, (row + 1) * size), k * size);
    });
    this.layers = weightLayers(graph, model.trained);
    this.form = theoryForm(graph, model.trained);
    this.theory = this.form?.kind === "dense" ? this.form : null;
    this.stability = stabilityOf(trainer);
    this.theta = scope.f64(graph.parameters);
    this.initial = scope.f64(graph.parameters);
    if (setup.initial === undefined) {
      compute.scope((own) => {
        const isSingle = trainer.theta instanceof Float32Array;
        const start = (isSingle ? own.f32(graph.parameters) : own.f64(graph.parameters)) as A;
        model.initialize(settings.seed, start);
        this.initial.set(start);
      });
    } else if (setup.initial.length === graph.parameters) this.initial.set(setup.initial);
    else throw new RangeError(`${setup.initial.length} initial parameters for a network of ${graph.parameters}`);
  }

  #separation: DataSeparation | null = null;
  /** Distances and norms of all inputs of the training. */
  get separation(): DataSeparation {
    const { data, model } = this.trainer;
    this.#separation ??= dataSeparation(this.compute, data.inputs, data.n, model.inputSize);
    return this.#separation;
  }

  #patches: PatchSeparation | null = null;
  /** The same of patches, which all inputs are made of; null for networks that see none. */
  get patches(): PatchSeparation | null {
    if (this.form?.kind !== "patches") return null;
    const { data, model } = this.trainer;
    const { patches } = this.form;
    this.#patches ??= patchSeparation(data.inputs, data.n, patches, model.inputSize / patches);
    return this.#patches;
  }

  /** The separation delta that the theorems about this network speak of. */
  get delta(): number {
    return (this.patches ?? this.separation).separation;
  }

  isTrained(node: GraphNode): boolean {
    return this.trainer.model.trained.some(
      ({ from, count }) => node.parameters.from >= from && node.parameters.from < from + count,
    );
  }

  /** Copies the parameters of the trainer, if they have changed. */
  refresh(): void {
    const { theta, changes } = this.trainer;
    if (this.#seen === changes) return;
    this.theta.set(theta);
    this.#seen = changes;
    this.#isFresh = false;
    this.#distances = null;
  }

  /** How far each of {@link layers} is from its start, at the parameters of the last {@link refresh}. */
  get distances(): readonly LayerDistance[] {
    const { compute, layers, theta, initial } = this;
    this.#distances ??= layerDistances(compute, layers, theta, initial);
    return this.#distances;
  }

  /** The largest spectral norm of them. */
  get radius(): number {
    return Math.max(0, ...this.distances.map(({ spectral }) => spectral));
  }

  /**
   * The tape of the probed samples, for series of `orders` coefficients; its inputs are loaded. Monitors ask for theirs
   * when they are made: a tape that is first asked for inside another scope would be released with it.
   */
  tape(orders: number): Tape<Float64Array> {
    let tape = this.#tapes.get(orders);
    if (tape === undefined) {
      tape = new Tape({
        graph: this.graph,
        kernels: this.compute,
        allocate: (length) => this.scope.f64(length),
        samples: this.n,
        orders,
        trained: (node) => this.isTrained(node),
      });
      tape.input[0]!.set(this.inputs);
      this.#tapes.set(orders, tape);
    }
    tape.state.set(this.trainer.model.state);
    return tape;
  }

  /** Values of the probed samples at the parameters now. */
  forward(): Tape<Float64Array> {
    const tape = this.tape(1);
    if (!this.#isFresh) tape.forward(this.n, [this.theta]);
    this.#isFresh = true;
    return tape;
  }

  /** Values at other parameters, or along a line of them. */
  forwardAt(theta: Series<Float64Array>, orders: number): Tape<Float64Array> {
    const tape = this.tape(orders);
    if (orders === 1) this.#isFresh = false;
    tape.forward(this.n, theta);
    return tape;
  }

  /** Sum of the losses of the probed samples at some outputs; its derivative to `adjoint`. */
  loss(outputs: Float64Array, adjoint: Float64Array | null = null): number {
    return this.trainer.data.loss.evaluate(this.rows, outputs, adjoint, 1).loss;
  }

  /** Factor from the sum over probed samples to the objective of the training. */
  get factor(): number {
    return this.trainer.settings.reduction === "mean" ? 1 / this.n : this.trainer.data.n / this.n;
  }

  /** Gradient of the sum of losses of the probed samples at the parameters now, to `out`; returns that sum. */
  gradient(out: Float64Array): number {
    const tape = this.forward();
    const loss = this.loss(tape.output[0]!, tape.outputAdjoint[0]!);
    out.fill(0);
    tape.backward(this.n, [this.theta], [out]);
    return loss;
  }

  /** ||x||^2 over the trained parameters. */
  squaredNorm(x: RealArray): number {
    let sum = 0;
    for (const { from, count } of this.trainer.model.trained) {
      for (let k = from; k < from + count; k++) sum += x[k] * x[k];
    }
    return sum;
  }
}
