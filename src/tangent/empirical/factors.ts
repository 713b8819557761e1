import type { Matrix } from "../../base/matrix.ts";
import type { Compute, RealArray, RealKernels, Scope } from "../../compute/types.ts";
import { type AffineOperation, type GraphNode, type NetworkGraph, Tape } from "../../network/deep/index.ts";
import type { Contraction, FiniteNetwork } from "./types.ts";

/** One precision: its kernels and arrays. */
export interface Arithmetic<A extends RealArray> {
  readonly kernels: RealKernels<A>;
  readonly bytes: number;
  array(scope: Scope, length: number): A;
}

export const doubleArithmetic = (compute: Compute): Arithmetic<Float64Array> => ({
  kernels: compute,
  bytes: 8,
  array: (scope, length) => scope.f64(length),
});

export const singleArithmetic = (compute: Compute): Arithmetic<Float32Array> => ({
  kernels: compute.f32,
  bytes: 4,
  array: (scope, length) => scope.f32(length),
});

/** A trained layer and how it is contracted. */
export interface LayerPart {
  readonly node: GraphNode;
  /** Null for normalizations, which have Jacobians only. */
  readonly affine: AffineOperation | null;
  readonly by: Contraction;
}

/**
 * What the kernel needs to know of a layer on some samples, for c outputs: `rows` are their Jacobians, samples c x
 * parameters, or the cotangents of what the layer makes, samples c x (pixels width); these together with `inputs`, samples
 * pixels x fanIn.
 */
export interface Factor<A extends RealArray> {
  readonly part: LayerPart;
  readonly rows: A;
  /** Numbers of a row. */
  readonly width: number;
  readonly inputs: A | null;
}

/** A network in the memory of the kernels. */
export interface Loaded<A extends RealArray> {
  readonly compute: Compute;
  readonly arithmetic: Arithmetic<A>;
  readonly graph: NetworkGraph;
  readonly theta: A;
  readonly state: RealArray | null;
}

/** Copies the numbers of a network to the memory of the kernels. */
export function load<A extends RealArray>(
  compute: Compute,
  arithmetic: Arithmetic<A>,
  scope: Scope,
  { graph, theta, state }: FiniteNetwork,
): Loaded<A> {
  const copy = arithmetic.array(scope, graph.parameters);
  copy.set(theta);
  return { compute, arithmetic, graph, theta: copy, state: state ?? null };
}

/** A tape of a loaded network for a number of samples. */
export function tapeOf<A extends RealArray>(
  { arithmetic, graph, state }: Loaded<A>,
  scope: Scope,
  samples: number,
  options: { readonly orders?: number; readonly nodes: readonly GraphNode[] },
): Tape<A> {
  const { orders = 1, nodes } = options;
  const tape = new Tape({
    graph,
    kernels: arithmetic.kernels,
    allocate: (length) => arithmetic.array(scope, length),
    samples,
    orders,
    backward: nodes.length === 0 ? "none" : "parameters",
    trained: (node) => nodes.includes(node),
  });
  if (state !== null) tape.state.set(state);
  return tape;
}

/** Numbers a sample and output of {@link Factor.rows}, and numbers a sample of its inputs. */
export function factorSizes({ node, affine, by }: LayerPart): { readonly row: number; readonly inputs: number } {
  if (by === "jacobian" || affine === null) return { row: node.parameters.count, inputs: 0 };
  return { row: affine.size, inputs: affine.rows * affine.fanIn };
}

/** The factors of samples from .. from + count of X, whose arrays are made in `scope`; `batch` samples at a time. */
export function factorsOf<A extends RealArray>(
  loaded: Loaded<A>,
  scope: Scope,
  parts: readonly LayerPart[],
  X: Matrix,
  range: { readonly from: number; readonly count: number },
  batch: number,
): readonly Factor<A>[] {
  const { compute, arithmetic, graph, theta } = loaded;
  const outputs = graph.sizes[graph.outputValue]!;
  const factors = parts.map((part): Factor<A> => {
    const { row, inputs } = factorSizes(part);
    return {
      part,
      rows: arithmetic.array(scope, range.count * outputs * row),
      width: row,
      inputs: part.by === "jacobian" ? null : arithmetic.array(scope, range.count * inputs),
    };
  });
  compute.scope((inner) => {
    const samples = Math.min(batch, range.count);
    const tape = tapeOf(loaded, inner, samples, { nodes: parts.map(({ node }) => node) });
    const writers = factors.map((factor) => writerOf(loaded, inner, tape, factor));
    for (let first = 0; first < range.count; first += samples) {
      const n = Math.min(samples, range.count - first);
      const start = range.from + first;
      tape.input[0]!.set(X.data.subarray(start * X.cols, (start + n) * X.cols));
      tape.forward(n, [theta]);
      for (const { inputs } of writers) inputs(first, n);
      const adjoint = tape.outputAdjoint[0]!;
      for (let o = 0; o < outputs; o++) {
        adjoint.fill(0, 0, n * outputs);
        for (let i = 0; i < n; i++) adjoint[i * outputs + o] = 1;
        tape.backward(n, [theta], null);
        for (const { output } of writers) output(first, n, o);
      }
    }
  });
  return factors;
}

/** Takes what a factor is made of from a tape: after a forward pass, and after the backward pass of each output. */
interface Writer {
  inputs(first: number, n: number): void;
  output(first: number, n: number, o: number): void;
}

function writerOf<A extends RealArray>(loaded: Loaded<A>, scope: Scope, tape: Tape<A>, factor: Factor<A>): Writer {
  const { graph } = loaded;
  const { part, rows, width } = factor;
  const outputs = graph.sizes[graph.outputValue]!;
  const values = tape.values[part.node.inputs[0]!]![0]!;
  const cotangents = tape.adjoints[part.node.output]![0]!;
  const { size } = part.node.operation;
  const rowOf = (sample: number, o: number): A => {
    const at = (sample * outputs + o) * width;
    return rows.subarray(at, at + width) as A;
  };
  const cotangentOf = (i: number): A => cotangents.subarray(i * size, (i + 1) * size) as A;

  if (part.by !== "jacobian") {
    const { affine } = part;
    const { inputs } = factorSizes(part);
    return {
      inputs(first, n) {
        const target = factor.inputs!.subarray(first * inputs, (first + n) * inputs) as A;
        const found = affine!.patches(loaded.arithmetic.kernels, n, values, target);
        if (found !== target) target.set(found.subarray(0, n * inputs));
      },
      output(first, n, o) {
        for (let i = 0; i < n; i++) rowOf(first + i, o).set(cotangentOf(i));
      },
    };
  }
  const jacobian =
    part.affine === null
      ? slowJacobian(loaded, scope, tape, part)
      : affineJacobian(loaded, scope, tape, part.affine, values);
  return {
    inputs: (_, n) => jacobian.prepare(n),
    output(first, n, o) {
      for (let i = 0; i < n; i++) jacobian.write(i, cotangentOf(i), rowOf(first + i, o));
    },
  };
}

/** Writes derivatives by the parameters of a layer: those of a cotangent at sample i of the batch. */
interface JacobianWriter<A extends RealArray> {
  prepare(n: number): void;
  write(i: number, cotangent: A, out: A): void;
}

/** scale dy' R, and biasScale times the column sums of dy. */
function affineJacobian<A extends RealArray>(
  { arithmetic }: Loaded<A>,
  scope: Scope,
  tape: Tape<A>,
  affine: AffineOperation,
  values: A,
): JacobianWriter<A> {
  const { kernels } = arithmetic;
  const { rows, fanIn, width, scale, biasScale, hasBias } = affine;
  const gathered = arithmetic.array(scope, affine.scratch(tape.samples, 1) === 0 ? 0 : tape.samples * rows * fanIn);
  const ones = arithmetic.array(scope, hasBias ? rows : 0).fill(1) as A;
  let patches = values;
  return {
    prepare(n) {
      patches = affine.patches(kernels, n, values, gathered);
    },
    write(i, dy, out) {
      const R = patches.subarray(i * rows * fanIn, (i + 1) * rows * fanIn) as A;
      kernels.gemm(true, false, width, fanIn, rows, scale, dy, width, R, fanIn, 0, out, fanIn);
      const bias = out.subarray(width * fanIn) as A;
      if (hasBias) kernels.gemv(true, rows, width, biasScale, dy, width, ones, 0, bias);
    },
  };
}

/** The layer's own transposed derivative, one sample at a time. */
function slowJacobian<A extends RealArray>(
  { arithmetic, theta }: Loaded<A>,
  scope: Scope,
  tape: Tape<A>,
  { node }: LayerPart,
): JacobianWriter<A> {
  const { operation, parameters, state } = node;
  const frame = {
    kernels: arithmetic.kernels,
    n: 1,
    scratch: arithmetic.array(scope, operation.scratch(1, 1)),
    saved: arithmetic.array(scope, operation.saved(1)),
    state: tape.state.subarray(state.from, state.from + state.count) as A,
    known: 0,
    training: false,
    ones: arithmetic.array(scope, operation.rows).fill(1) as A,
  };
  const own = theta.subarray(parameters.from, parameters.from + parameters.count) as A;
  const one = (value: number, i: number): A => {
    const size = tape.graph.sizes[value]!;
    return tape.values[value]![0]!.subarray(i * size, (i + 1) * size) as A;
  };
  return {
    prepare: () => {},
    write(i, cotangent, out) {
      operation.backward(frame, [own], {
        x: node.inputs.map((value) => [one(value, i)]),
        y: [one(node.output, i)],
        dy: [cotangent],
        dx: node.inputs.map(() => null),
        accumulate: node.inputs.map(() => false),
        gradient: [out],
        scale: 1,
      });
    },
  };
}
