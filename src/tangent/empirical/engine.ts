import type { Matrix } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import type { Compute, RealArray } from "../../compute/types.ts";
import { initialize, type NetworkGraph, networkGraph, type Tape } from "../../network/deep/index.ts";
import type { KernelEngine, KernelProblem, Precision } from "../types.ts";
import { checkKernel, checkNetwork } from "./checks.ts";
import { forwardOperations } from "./costs.ts";
import { doubleArithmetic, load, tapeOf } from "./factors.ts";
import { empiricalNtk, mirror, planEmpirical } from "./kernel.ts";
import { affineOf, trainedNodes } from "./nodes.ts";
import type { EmpiricalOptions, EmpiricalPlan, FiniteNetwork } from "./types.ts";

/** Random networks whose kernels are averaged. */
export interface EmpiricalEngineOptions {
  /** Default 1. */
  readonly networks?: number;
  /** Names the networks: the same seed gives the same ones, whatever their number. Default 0. */
  readonly seed?: number;
  /** Of results, passes and products; means are in f64. Default f64. */
  readonly precision?: Precision;
  /** Bytes of kernel memory for the work on a block. */
  readonly limitBytes?: number;
}

/** Edge of the block whose operations are taken for those of an entry. */
const USUAL_EDGE = 256;
/** Operations that take as long as drawing a parameter. */
const DRAW_OPERATIONS = 200;
const DEFAULT_LIMIT = 2 ** 30;
/** Samples that go through a network together for their outputs. */
const OUTPUT_BATCH = 64;

/**
 * The kernels of finite networks of an architecture's own widths at random parameters, averaged over networks and outputs:
 * `ntk` is the mean of {@link empiricalNtk}; `nngp` that of the covariance of the outputs over the weights of the last layer,
 * given the features before it (where the last layer has no weights, of f(x) f(x')). Both tend to the analytic ones of
 * {@link makeEngine} with the widths. Batch normalization is that of a fresh network in evaluation mode, the identity nearly.
 *
 * @throws ConfigError for layers that do not fit, or when nothing is trained. Blocks throw RangeError for a wrong number of
 * features, DataError for inputs that are not finite, ConfigError where a kernel is infinite.
 */
export function empiricalEngine(
  problem: KernelProblem,
  options?: EmpiricalEngineOptions & { readonly precision?: "f64" },
): KernelEngine;
export function empiricalEngine(problem: KernelProblem, options: EmpiricalEngineOptions): KernelEngine<RealArray>;
export function empiricalEngine(problem: KernelProblem, options: EmpiricalEngineOptions = {}): KernelEngine<RealArray> {
  const { architecture, input, trained, kernels } = problem;
  const { networks = 1, seed = 0, precision = "f64", limitBytes = DEFAULT_LIMIT } = options;
  if (!Number.isInteger(networks) || networks < 1) throw new RangeError(`${networks} networks`);
  const graph = networkGraph(architecture, input);
  const ofNtk: EmpiricalOptions = { trained, precision, limitBytes };
  if (kernels.includes("ntk")) trainedNodes(graph, trained, false);
  const features = outputFeatures(graph);
  const seeds = randomStream(seed, "networks");
  const drawn = Array.from({ length: networks }, () => seeds.bits());
  const plan = (rows: number, cols: number): EmpiricalPlan => planEmpirical(graph, rows, cols, ofNtk);
  const work = (rows: number, cols: number): number => {
    let operations = 0;
    if (kernels.includes("ntk")) {
      const { method, operations: ofMethods } = plan(rows, cols);
      operations += ofMethods[method]!;
    }
    if (kernels.includes("nngp")) {
      operations += (rows + cols) * forwardOperations(graph) + 2 * rows * cols * features.size;
    }
    return networks * (DRAW_OPERATIONS * graph.parameters + operations);
  };

  return {
    precision,
    method: "finite",
    operations: work(USUAL_EDGE, USUAL_EDGE) / USUAL_EDGE ** 2,
    work,
    bytes(rows, cols) {
      const entries = rows * cols;
      const ofNtk = kernels.includes("ntk") ? plan(rows, cols).bytes : 0;
      const scratch = Math.max(...graph.nodes.map(({ operation }) => operation.scratch(OUTPUT_BATCH, 1)));
      const tape = OUTPUT_BATCH * graph.sizes.reduce((sum, size) => sum + size, 0) + scratch;
      const ofNngp = kernels.includes("nngp") ? entries + (rows + cols) * features.size + graph.parameters + tape : 0;
      return 8 * (kernels.length * entries + graph.parameters) + Math.max(ofNtk, 8 * ofNngp);
    },
    block(compute, X1, X2) {
      const cols = (X2 ?? X1).rows;
      const theta = new Float64Array(graph.parameters);
      checkNetwork({ graph, theta }, X2 === null ? [X1] : [X1, X2]);
      const [nngp, ntk] = (["nngp", "ntk"] as const).map((name) =>
        kernels.includes(name) ? new Float64Array(X1.rows * cols) : null,
      ) as [Float64Array | null, Float64Array | null];
      for (const one of drawn) {
        initialize(graph, one, theta);
        if (ntk !== null) add(ntk, empiricalNtk(compute, { graph, theta }, X1, X2, ofNtk).values, 1 / networks);
        if (nngp !== null) add(nngp, outputCovariance(compute, { graph, theta }, features, X1, X2), 1 / networks);
      }
      if (nngp !== null) checkKernel(nngp, cols);
      const rounded = (values: Float64Array | null): RealArray | null =>
        values === null || precision === "f64" ? values : Float32Array.from(values);
      return { nngp: rounded(nngp), ntk: rounded(ntk) };
    },
  };
}

function add(into: Float64Array, values: Float64Array, factor: number): void {
  for (let k = 0; k < into.length; k++) into[k] += factor * values[k];
}

/** Vectors with k(x, x') = factor v(x).v(x') + constant. */
interface Features {
  readonly size: number;
  readonly factor: number;
  readonly constant: number;
  /** The vectors of n samples that went through a tape, at the place `at` of `out`. */
  write(compute: Compute, tape: Tape<Float64Array>, n: number, out: Float64Array, at: number): void;
}

/**
 * What the covariance of outputs, or their mean product, is made of. Behind a last weighted layer it is that over the draw of
 * its weights at fixed features, far nearer to the limit than the products of a few outputs.
 */
function outputFeatures(graph: NetworkGraph): Features {
  const outputs = graph.sizes[graph.outputValue]!;
  const last = graph.nodes.find(({ output }) => output === graph.outputValue);
  const affine = last === undefined ? null : affineOf(last);
  if (last === undefined || affine === null) {
    return {
      size: outputs,
      factor: 1 / outputs,
      constant: 0,
      write: (_, { output }, n, out, at) => out.set(output[0]!.subarray(0, n * outputs), at),
    };
  }
  const { rows, fanIn, scale, biasScale, parameters } = affine;
  const [weight, bias] = parameters;
  const size = rows * fanIn;
  return {
    size,
    factor: (scale * weight!.std) ** 2 / rows,
    constant: bias === undefined ? 0 : (biasScale * bias.std) ** 2,
    write(compute, { values }, n, out, at) {
      const target = out.subarray(at, at + n * size);
      const found = affine.patches(compute, n, values[last.inputs[0]!]![0]!, target);
      if (found !== target) target.set(found.subarray(0, n * size));
    },
  };
}

/** The covariance of the outputs of a network, rows x cols; see {@link outputFeatures}. */
function outputCovariance(
  compute: Compute,
  network: FiniteNetwork,
  { size, factor, constant, write }: Features,
  X1: Matrix,
  X2: Matrix | null,
): Float64Array {
  return compute.scope((scope) => {
    const loaded = load(compute, doubleArithmetic(compute), scope, network);
    const tape = tapeOf(loaded, scope, OUTPUT_BATCH, { nodes: [] });
    const featuresOf = (X: Matrix): Float64Array => {
      const out = scope.f64(X.rows * size);
      for (let from = 0; from < X.rows; from += OUTPUT_BATCH) {
        const n = Math.min(OUTPUT_BATCH, X.rows - from);
        tape.input[0]!.set(X.data.subarray(from * X.cols, (from + n) * X.cols));
        tape.forward(n, [loaded.theta]);
        write(compute, tape, n, out, from * size);
      }
      return out;
    };
    const left = featuresOf(X1);
    const right = X2 === null ? left : featuresOf(X2);
    const [rows, cols] = [X1.rows, (X2 ?? X1).rows];
    const product = scope.f64(rows * cols).fill(constant);
    compute.gemm(false, true, rows, cols, size, factor, left, size, right, size, 1, product, cols);
    const values = product.slice();
    if (X2 === null) mirror(values, rows);
    return values;
  });
}
