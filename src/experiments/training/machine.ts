import { ConfigError } from "../../base/errors.ts";
import type { Compute, RealArray, RealKernels, Scope } from "../../compute/types.ts";
import type { DeepForm } from "../../formats/index.ts";
import {
  initialize,
  type Model,
  type NetworkGraph,
  type NetworkLanes,
  networkModel,
  symmetricModel,
  trainedRanges,
} from "../../network/deep/index.ts";
import { forwardOperations } from "../../tangent/empirical/costs.ts";
import { taylorModel } from "../../tangent/index.ts";
import { gaussNewtonNorm, sampleOrder, subsetOf, type TrainingSettings } from "../../training/index.ts";
import type { PosedTraining } from "./pose.ts";

/** Kernels, and threads for networks that are worth them. */
export interface Threads {
  readonly compute: Compute;
  readonly lanes: NetworkLanes;
}

/** Arithmetic of one precision in a scope. */
export interface Machine<A extends RealArray> extends Threads {
  readonly scope: Scope;
  readonly kernels: RealKernels<A>;
  readonly allocate: (length: number) => A;
}

/** Bytes that the values of the samples which go through the network together may take, and the most of them. */
const TAPE_BYTES = 2 ** 28;
const MOST_SAMPLES = 4096;

/** Bytes of the values of a sample on a tape. */
function sampleBytes({ sizes, nodes }: NetworkGraph, orders: number, bytes: number): number {
  const values = sizes.reduce((sum, size) => sum + 2 * size, 0);
  const scratch = nodes.reduce((most, { operation }) => Math.max(most, operation.scratch(1, orders)), 0);
  return bytes * orders * (values + scratch);
}

/** Samples that go through the network together: all of a batch, where that fits. */
function samplesTogether(graph: NetworkGraph, orders: number, batch: number, bytes: number): number {
  const affordable = Math.floor(TAPE_BYTES / sampleBytes(graph, orders, bytes));
  return Math.max(1, Math.min(batch, affordable, MOST_SAMPLES));
}

/** Share of the memory that the values of a batch may take which cannot be cut into parts. */
const WHOLE_SHARE = 0.7;

/**
 * The same for a model that is trained: networks with batch normalization get the batch as a whole, for its parts have other
 * statistics.
 *
 * @throws ConfigError when there is no memory for that.
 */
function samplesTrained(compute: Compute, graph: NetworkGraph, orders: number, batch: number, bytes: number): number {
  if (graph.state === 0) return samplesTogether(graph, orders, batch, bytes);
  const fits = Math.floor((WHOLE_SHARE * compute.memoryLimit) / sampleBytes(graph, orders, bytes));
  if (batch <= fits) return batch;
  throw new ConfigError(
    `batch normalization takes statistics over all of a batch, and there is memory for ${fits} samples, not ${batch}`,
    {
      code: "batch-memory",
      hint: `use --batch ${2 ** Math.floor(Math.log2(Math.max(1, fits)))} or less, or layernorm`,
    },
  );
}

/** The model that is trained, and the parameters around which a Taylor model is (null otherwise). */
export function makeModel<A extends RealArray>(
  { compute, kernels, allocate, lanes }: Machine<A>,
  { graph, form, isTrained }: PosedTraining,
  batch: number,
  seed: number,
): { readonly model: Model<A>; readonly center: A | null } {
  const orders = form.kind === "taylor" ? form.degree + 1 : form.kind === "symmetric" ? 2 : 1;
  const samples = samplesTrained(compute, graph, orders, batch, allocate(0).BYTES_PER_ELEMENT);
  const options = { kernels, allocate, samples, trained: isTrained };
  if (form.kind === "network") {
    const precision = allocate(0) instanceof Float32Array ? "f32" : "f64";
    const tape = lanes.tape<A>({ graph, precision, samples, trained: isTrained });
    return { model: networkModel(graph, tape === null ? options : { ...options, tape }), center: null };
  }
  if (form.kind === "symmetric") return { model: symmetricModel(graph, options), center: null };
  const center = allocate(graph.parameters);
  initialize(graph, seed, center);
  return { model: taylorModel(graph, center, form.degree, options), center };
}

/** The model of stored parameters, for evaluation: parameters as {@link DeepForm} names them. */
export function modelOf<A extends RealArray>(
  { kernels, allocate }: Pick<Machine<A>, "kernels" | "allocate">,
  graph: NetworkGraph,
  form: DeepForm,
  parameters: readonly RealArray[],
  samples: number,
): { readonly model: Model<A>; readonly theta: A } {
  const options = { kernels, allocate, samples };
  const copy = (...arrays: readonly RealArray[]): A => {
    const joined = allocate(arrays.reduce((sum, { length }) => sum + length, 0));
    arrays.reduce((at, array) => {
      joined.set(array, at);
      return at + array.length;
    }, 0);
    return joined;
  };
  if (form.kind === "network") return { model: networkModel(graph, options), theta: copy(...parameters) };
  if (form.kind === "symmetric") return { model: symmetricModel(graph, options), theta: copy(...parameters) };
  const [center, displacement] = parameters;
  return { model: taylorModel(graph, copy(center!), form.degree, options), theta: copy(displacement!) };
}

/** Outputs of a model on n samples, n x outputs. */
export function outputsOf<A extends RealArray>(model: Model<A>, theta: A, X: RealArray, n: number): Float64Array {
  const outputs = new Float64Array(n * model.outputs);
  model.training = false;
  for (let from = 0; from < n; from += model.samples) {
    const count = Math.min(model.samples, n - from);
    model.input.set(X.subarray(from * model.inputSize, (from + count) * model.inputSize));
    model.forward(count, theta);
    outputs.set(model.output.subarray(0, count * model.outputs), from * model.outputs);
  }
  return outputs;
}

/** Most samples that the curvature is measured on, and most batches. */
const MOST_CURVATURE_SAMPLES = 4096;
const MOST_BATCHES = 4;

/** Floating-point operations of {@link curvatureAtStart} with n samples, about. */
export function curvatureOperations(graph: NetworkGraph, n: number): number {
  // A product takes two forward and two backward passes, each with a product or two a layer.
  return PRODUCTS * 4 * Math.min(n, MOST_CURVATURE_SAMPLES) * forwardOperations(graph);
}

/** Products that an eigenvalue takes, about. */
const PRODUCTS = 30;

/**
 * The largest eigenvalue of the Gauss-Newton matrix at the parameters that a seed gives: over all samples (4,096 of them
 * evenly spaced, when there are more); with batches the largest of the first few, for a batch has a larger one than all.
 */
export function curvatureAtStart(
  { compute, lanes }: Threads,
  { graph, data, form, isTrained }: PosedTraining,
  { reduction, batch, seed }: Pick<TrainingSettings, "reduction" | "batch" | "seed">,
): number {
  const isWhole = batch >= data.n;
  const count = Math.min(data.n, MOST_CURVATURE_SAMPLES);
  const spaced = Uint32Array.from({ length: count }, (_, k) => Math.floor((k * data.n) / count));
  const order = isWhole ? spaced : sampleOrder(seed, 0, data.n);
  const parts = isWhole
    ? [spaced]
    : Array.from({ length: Math.min(MOST_BATCHES, Math.ceil(data.n / batch)) }, (_, step) =>
        order.subarray(step * batch, (step + 1) * batch),
      );
  const samples = samplesTogether(graph, 2, Math.max(...parts.map(({ length }) => length)), 8);
  const tape = lanes.tape<Float64Array>({ graph, precision: "f64", samples, orders: 2 });
  const curvatures = parts.map((rows) =>
    compute.scope((scope) => {
      const theta = scope.f64(graph.parameters);
      initialize(graph, seed, theta);
      const subset = subsetOf(data, rows);
      const zeros = new Float64Array(rows.length * graph.sizes[graph.outputValue]!);
      const { loss } = subset;
      // A symmetric model starts at zero, with the tangent kernel of one network.
      const atZero: typeof loss = {
        ...loss,
        curvature: (r, _, direction, out, f) => loss.curvature(r, zeros, direction, out, f),
      };
      const setup = {
        ...(tape === null ? {} : { tape }),
        graph,
        kernels: compute,
        allocate: (length: number) => scope.f64(length),
        data: form.kind === "symmetric" ? { ...subset, loss: atZero } : subset,
        reduction,
        samples,
      };
      const trained = trainedRanges(graph, isTrained);
      const scale = reduction === "sum" && isWhole ? data.n / rows.length : 1;
      return scale * gaussNewtonNorm(compute, setup, theta, trained, seed);
    }),
  );
  return Math.max(...curvatures);
}
