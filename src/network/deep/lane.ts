import { serveHelper } from "../../compute/helpers.ts";
import type { Compute, RealArray, RealKernels, Scope } from "../../compute/types.ts";
import type { Architecture, Shape } from "../architecture/index.ts";
import { networkGraph } from "./graph.ts";
import { Tape } from "./tape.ts";

/** A tape that a lane is to keep, and the memory that it shares with the asker: whole batches, own gradient. */
export interface LaneOpening {
  readonly architecture: Architecture;
  readonly inputShape: Shape;
  readonly precision: "f32" | "f64";
  readonly samples: number;
  readonly orders: number;
  /** For each node whether its parameters are trained. */
  readonly trained: readonly boolean[];
  readonly theta: readonly RealArray[];
  readonly input: RealArray;
  readonly output: readonly RealArray[];
  readonly outputAdjoint: readonly RealArray[];
  readonly gradient: readonly RealArray[];
}

export type LaneRequest =
  | { readonly kind: "open"; readonly id: number; readonly opening: LaneOpening }
  | {
      readonly kind: "forward" | "backward";
      readonly id: number;
      /** Its samples: from .. from + n of the batch. */
      readonly from: number;
      readonly n: number;
      /** Coefficients of theta, and of all else. */
      readonly coefficients: number;
      readonly orders: number;
      /** Coefficients that the last pass has left. */
      readonly known: number;
    };

type Pass = (request: Exclude<LaneRequest, { kind: "open" }>) => void;

function open<A extends RealArray>(
  kernels: RealKernels<A>,
  allocate: (length: number) => A,
  { architecture, inputShape, samples, orders, trained, ...shared }: LaneOpening,
): Pass {
  const graph = networkGraph(architecture, inputShape);
  const isTrained = new Set(graph.nodes.filter((_, k) => trained[k] === true));
  const tape = new Tape<A>({ graph, kernels, allocate, samples, orders, trained: (node) => isTrained.has(node) });
  const series = (): A[] => Array.from({ length: orders }, () => allocate(graph.parameters));
  const [theta, gradient] = [series(), series()];
  const inputSize = graph.sizes[0]!;
  const outputSize = graph.sizes[graph.outputValue]!;
  return ({ kind, from, n, coefficients, orders: used, known }) => {
    const at = theta.slice(0, coefficients);
    const part = (array: RealArray): RealArray => array.subarray(from * outputSize, (from + n) * outputSize);
    if (kind === "forward") {
      for (let k = known; k < coefficients; k++) at[k]!.set(shared.theta[k]!);
      if (known === 0) tape.input[0]!.set(shared.input.subarray(from * inputSize, (from + n) * inputSize));
      tape.forward(n, at, used, known);
      for (let k = known; k < used; k++) part(shared.output[k]!).set(tape.output[k]!.subarray(0, n * outputSize));
      return;
    }
    const into = gradient.slice(0, used);
    for (const own of into) own.fill(0);
    for (let k = known; k < used; k++) tape.outputAdjoint[k]!.set(part(shared.outputAdjoint[k]!));
    tape.backward(n, at, into, 1, used, known);
    into.forEach((own, k) => {
      shared.gradient[k]!.set(own);
    });
  };
}

/** Entry of a thread of `NetworkLanes`; its tapes live as long as it does. */
await serveHelper((compute: Compute, scope: Scope) => {
  const tapes = new Map<number, Pass>();
  const opened = (opening: LaneOpening): Pass =>
    opening.precision === "f32"
      ? open(compute.f32, (length) => scope.f32(length), opening)
      : open(compute, (length) => scope.f64(length), opening);
  return (message) => {
    const request = message as LaneRequest;
    if (request.kind === "open") tapes.set(request.id, opened(request.opening));
    else tapes.get(request.id)?.(request);
    return null;
  };
});
