import type { Matrix } from "../../base/matrix.ts";
import type { Compute, RealArray } from "../../compute/types.ts";
import type { GraphNode, NetworkGraph } from "../../network/deep/index.ts";
import { checkKernel, checkNetwork } from "./checks.ts";
import { contract } from "./contract.ts";
import type { KernelSize } from "./costs.ts";
import { type Arithmetic, doubleArithmetic, type Factor, factorsOf, load, singleArithmetic } from "./factors.ts";
import { trainedNodes } from "./nodes.ts";
import { planOf, type Strategy, strategyOf } from "./plan.ts";
import { productColumns } from "./products.ts";
import {
  EMPIRICAL_METHODS,
  type EmpiricalKernel,
  type EmpiricalOptions,
  type EmpiricalPlan,
  type FiniteNetwork,
} from "./types.ts";

/** A plan with what it is carried out from. */
interface Decision {
  readonly nodes: readonly GraphNode[];
  readonly size: KernelSize;
  readonly strategy: Strategy;
  readonly plan: EmpiricalPlan;
}

function decide(graph: NetworkGraph, rows: number, cols: number | null, options: EmpiricalOptions): Decision {
  const { trained = "all", outputs = "average", precision = "f64", method = "auto", training = false } = options;
  const nodes = trainedNodes(graph, trained, training);
  const size: KernelSize = {
    rows,
    cols: cols ?? rows,
    symmetric: cols === null,
    outputs: graph.sizes[graph.outputValue]!,
    full: outputs === "full",
  };
  const { limitBytes = Number.POSITIVE_INFINITY } = options;
  const demand = { graph, nodes, size, bytes: precision === "f64" ? 8 : 4, limitBytes };
  const all = EMPIRICAL_METHODS.map((one) => strategyOf(demand, one));
  const [strategy] = all
    .filter((one) => one !== null && (method === "auto" || one.method === method))
    .sort((a, b) => a!.operations - b!.operations);
  if (strategy === undefined || strategy === null) {
    const how = method === "auto" ? "the kernel" : `the kernel by ${method}`;
    throw new RangeError(`${how} of a network of ${graph.parameters} parameters does not fit into ${limitBytes} bytes`);
  }
  return { nodes, size, strategy, plan: planOf(strategy, all) };
}

/**
 * How {@link empiricalNtk} would make the kernel of `rows` samples against `cols` (null: themselves).
 *
 * @throws ConfigError, RangeError as {@link empiricalNtk}.
 */
export function planEmpirical(
  graph: NetworkGraph,
  rows: number,
  cols: number | null,
  options: EmpiricalOptions = {},
): EmpiricalPlan {
  return decide(graph, rows, cols, options).plan;
}

/**
 * The tangent kernel of a finite network at its parameters, sum over trained parameters of df(x) df(x'), between the rows of
 * X1 and those of X2 (null: of X1 with themselves, exactly symmetric).
 *
 * @throws ConfigError when nothing is trained, a layer ties samples together, or the kernel is infinite; DataError for inputs
 * that are not finite; RangeError when inputs or parameters are not those of the network, or not even one sample fits into
 * the memory.
 */
export function empiricalNtk(
  compute: Compute,
  network: FiniteNetwork,
  X1: Matrix,
  X2: Matrix | null = null,
  options: EmpiricalOptions = {},
): EmpiricalKernel {
  checkNetwork(network, X2 === null ? [X1] : [X1, X2]);
  const free = compute.memoryLimit - compute.bytesInUse;
  const limitBytes = Math.min(free, options.limitBytes ?? free / 2);
  const decision = decide(network.graph, X1.rows, X2?.rows ?? null, { ...options, limitBytes });
  const { size, plan } = decision;
  const c = size.full ? size.outputs : 1;
  const [rows, cols] = [size.rows * c, size.cols * c];
  const values = new Float64Array(rows * cols);
  if (options.precision === "f32") fill(compute, singleArithmetic(compute), network, X1, X2, decision, values);
  else fill(compute, doubleArithmetic(compute), network, X1, X2, decision, values);
  if (!size.full) for (let k = 0; k < values.length; k++) values[k] /= size.outputs;
  if (size.symmetric) mirror(values, rows);
  checkKernel(values, cols);
  return { rows, cols, values, plan };
}

function fill<A extends RealArray>(
  compute: Compute,
  arithmetic: Arithmetic<A>,
  network: FiniteNetwork,
  X1: Matrix,
  X2: Matrix | null,
  { nodes, size, strategy }: Decision,
  out: Float64Array,
): void {
  if (out.length === 0) return;
  compute.scope((scope) => {
    const loaded = load(compute, arithmetic, scope, network);
    const { block, batch, groups, method } = strategy;
    if (method === "products") {
      productColumns(loaded, nodes, X1, X2 ?? X1, size, batch, out);
      return;
    }
    const { symmetric, full, outputs } = size;
    const c = full ? outputs : 1;
    const stride = size.cols * c;
    for (const parts of groups) {
      compute.scope((ofGroup) => {
        const factors = (X: Matrix, from: number, inScope: typeof scope): readonly Factor<A>[] =>
          factorsOf(loaded, inScope, parts, X, { from, count: Math.min(block, X.rows - from) }, batch);
        // The only block of columns is made once.
        const kept = !symmetric && size.cols <= block ? factors(X2!, 0, ofGroup) : null;
        for (let r = 0; r < size.rows; r += block) {
          compute.scope((ofRows) => {
            const left = factors(X1, r, ofRows);
            for (let q = 0; q < (symmetric ? r + 1 : size.cols); q += block) {
              const isDiagonal = symmetric && q === r;
              compute.scope((ofCols) => {
                const right = isDiagonal ? left : (kept ?? factors(X2 ?? X1, q, ofCols));
                const counts = { rows: Math.min(block, size.rows - r), cols: Math.min(block, size.cols - q) };
                const target = { out, stride, at: r * c * stride + q * c, outputs, full, isDiagonal };
                left.forEach((factor, k) => {
                  contract(compute, arithmetic, factor, right[k]!, counts, target);
                });
              });
            }
          });
        }
      });
    }
  });
}

/** Makes an n x n matrix symmetric from the entries below its diagonal. */
export function mirror(values: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) values[j * n + i] = values[i * n + j];
}
