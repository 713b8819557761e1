import type { Matrix } from "../../base/matrix.ts";
import { randomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { initialize, type NetworkGraph, networkGraph } from "../../network/deep/index.ts";
import type { KernelEngine, KernelProblem, Precision } from "../types.ts";
import { checkKernel, checkNetwork } from "./checks.ts";
import { forwardOperations } from "./costs.ts";
import { doubleArithmetic, load, tapeOf } from "./factors.ts";
import { empiricalNtk, mirror, planEmpirical } from "./kernel.ts";
import { trainedNodes } from "./nodes.ts";
import type { EmpiricalOptions, EmpiricalPlan, FiniteNetwork } from "./types.ts";

/** Random networks whose kernels are averaged. */
export interface EmpiricalEngineOptions {
  /** Default 1. */
  readonly networks?: number;
  /** Names the networks: the same seed gives the same ones, whatever their number. Default 0. */
  readonly seed?: number;
  /** Of passes and products; results are in f64. */
  readonly precision?: Precision;
  /** Bytes of kernel memory for the work on a block. */
  readonly limitBytes?: number;
}

/** Edge of the block whose operations are taken for those of an entry. */
const USUAL_EDGE = 256;
const DEFAULT_LIMIT = 2 ** 30;
/** Samples that go through a network together for their outputs. */
const OUTPUT_BATCH = 64;

/**
 * The kernels of finite networks of an architecture's own widths at random parameters, averaged over networks and outputs:
 * `ntk` is the mean of {@link empiricalNtk}, `nngp` the mean of f(x) f(x'). Both tend to the analytic ones of
 * {@link makeEngine} with the widths. Batch normalization is that of a fresh network in evaluation mode, the identity nearly.
 *
 * @throws ConfigError for layers that do not fit, or when nothing is trained. Blocks throw RangeError for a wrong number of
 * features, DataError for inputs that are not finite, ConfigError where a kernel is infinite.
 */
export function empiricalEngine(problem: KernelProblem, options: EmpiricalEngineOptions = {}): KernelEngine {
  const { architecture, input, trained, kernels } = problem;
  const { networks = 1, seed = 0, precision = "f64", limitBytes = DEFAULT_LIMIT } = options;
  if (!Number.isInteger(networks) || networks < 1) throw new RangeError(`${networks} networks`);
  const graph = networkGraph(architecture, input);
  const ofNtk: EmpiricalOptions = { trained, precision, limitBytes };
  if (kernels.includes("ntk")) trainedNodes(graph, trained, false);
  const seeds = randomStream(seed, "networks");
  const drawn = Array.from({ length: networks }, () => seeds.bits());
  const plan = (rows: number, cols: number): EmpiricalPlan => planEmpirical(graph, rows, cols, ofNtk);

  return {
    method: "finite",
    operations:
      networks * (kernels.includes("ntk") ? ntkOperations(plan(USUAL_EDGE, USUAL_EDGE)) : outputOperations(graph)),
    bytes(rows, cols) {
      const outputs = (rows + cols) * graph.sizes[graph.outputValue]!;
      const work = kernels.includes("ntk") ? plan(rows, cols).bytes : 0;
      return 8 * (kernels.length * rows * cols + graph.parameters + outputs) + work;
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
        if (nngp !== null) add(nngp, outputProducts(compute, { graph, theta }, X1, X2), 1 / networks);
      }
      if (nngp !== null) checkKernel(nngp, cols);
      return { nngp, ntk };
    },
  };
}

function add(into: Float64Array, values: Float64Array, factor: number): void {
  for (let k = 0; k < into.length; k++) into[k] += factor * values[k];
}

/** Operations an entry of a kernel whose plan is for the usual edge. */
function ntkOperations({ method, operations }: EmpiricalPlan): number {
  return operations[method]! / USUAL_EDGE ** 2;
}

function outputOperations(graph: NetworkGraph): number {
  return (2 * forwardOperations(graph)) / USUAL_EDGE + 2 * graph.sizes[graph.outputValue]!;
}

/** The mean over outputs of f(x) f(x'), rows x cols. */
function outputProducts(compute: Compute, network: FiniteNetwork, X1: Matrix, X2: Matrix | null): Float64Array {
  const outputs = network.graph.sizes[network.graph.outputValue]!;
  return compute.scope((scope) => {
    const loaded = load(compute, doubleArithmetic(compute), scope, network);
    const tape = tapeOf(loaded, scope, OUTPUT_BATCH, { nodes: [] });
    const outputsOf = (X: Matrix): Float64Array => {
      const out = scope.f64(X.rows * outputs);
      for (let from = 0; from < X.rows; from += OUTPUT_BATCH) {
        const n = Math.min(OUTPUT_BATCH, X.rows - from);
        tape.input[0]!.set(X.data.subarray(from * X.cols, (from + n) * X.cols));
        tape.forward(n, [loaded.theta]);
        out.set(tape.output[0]!.subarray(0, n * outputs), from * outputs);
      }
      return out;
    };
    const left = outputsOf(X1);
    const right = X2 === null ? left : outputsOf(X2);
    const [rows, cols] = [X1.rows, (X2 ?? X1).rows];
    const product = scope.f64(rows * cols);
    compute.gemm(false, true, rows, cols, outputs, 1 / outputs, left, outputs, right, outputs, 0, product, cols);
    const values = product.slice();
    if (X2 === null) mirror(values, rows);
    return values;
  });
}
