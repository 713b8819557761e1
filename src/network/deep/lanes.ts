import { type Helpers, startHelpers } from "../../compute/helpers.ts";
import type { Compute, RealArray } from "../../compute/types.ts";
import type { Architecture } from "../architecture/index.ts";
import type { GraphNode, NetworkGraph } from "./graph.ts";
import type { LaneOpening, LaneRequest } from "./lane.ts";
import type { Tape } from "./tape.ts";

/** What passes over a network are made with: a {@link Tape}, or several of them on threads. */
export type BatchTape<A extends RealArray> = Pick<
  Tape<A>,
  "samples" | "input" | "output" | "outputAdjoint" | "state" | "training" | "forward" | "backward"
>;

/** What a tape on lanes is made for; as in {@link TapeOptions}. */
export interface LaneTapeOptions {
  readonly graph: NetworkGraph;
  readonly precision: "f32" | "f64";
  readonly samples: number;
  readonly orders?: number;
  readonly trained?: (node: GraphNode) => boolean;
}

/** Multiply-adds of a pass from which a round of messages does not count. */
const LEAST_WORK = 1 << 25;
/** Multiply-adds of a pass for each parameter, which is copied to every thread and back as a part of the gradient. */
const WORK_PER_PARAMETER = 400;
/** How long to wait for threads that have just been started, and for an answer at a time. */
const READY_MS = 10_000;
const POLL_MS = 1000;

/**
 * Threads that each take a part of a batch through a network, with kernels of one thread: all of a pass runs in parallel,
 * where threads inside of kernels leave copies, activations and pooling on one. They are started when they are first
 * worth it.
 */
export class NetworkLanes {
  readonly #compute: Compute;
  #helpers: Helpers | null | undefined;
  #opened = 0;

  constructor(compute: Compute) {
    this.#compute = compute;
  }

  /** A tape on these threads; null where one thread's is at least as fast, or batch statistics bind samples together. */
  tape<A extends RealArray>(options: LaneTapeOptions): BatchTape<A> | null {
    const { graph, samples, orders = 1 } = options;
    const { architecture } = graph;
    const work = orders * samples * workOf(graph);
    if (architecture === null || graph.state > 0) return null;
    if (work < LEAST_WORK || work < orders * WORK_PER_PARAMETER * graph.parameters) return null;
    if (this.#helpers === undefined) this.#helpers = this.#start();
    const helpers = this.#helpers;
    if (helpers === null) return null;
    try {
      return openTape<A>(helpers, this.#opened++, architecture, options);
    } catch {
      // No memory for it here or there: one tape needs less, or says so better.
      return null;
    }
  }

  #start(): Helpers | null {
    const helpers = startHelpers(this.#compute, new URL("./lane.ts", import.meta.url));
    if (helpers === null) return null;
    for (let ready = 0; ready < helpers.count; ready++) {
      const found = helpers.receive(READY_MS);
      if (found?.answer === true) continue;
      helpers.close();
      return null;
    }
    return helpers;
  }

  close(): void {
    this.#helpers?.close();
    this.#helpers = null;
  }
}

/** Multiply-adds of a forward pass on one sample. */
function workOf({ nodes }: NetworkGraph): number {
  return nodes.reduce((sum, { operation, parameters }) => sum + Math.max(1, operation.rows) * parameters.count, 0);
}

/** Sends every lane its request (null: none) and waits for the answers. */
function ask(helpers: Helpers, requests: readonly (LaneRequest | null)[]): void {
  let waiting = 0;
  requests.forEach((request, lane) => {
    if (request === null) return;
    helpers.post(lane, request);
    waiting += 1;
  });
  let failure: Error | null = null;
  while (waiting > 0) {
    const found = helpers.receive(POLL_MS);
    if (found === null) continue;
    waiting -= 1;
    if (found.answer instanceof Error) failure = found.answer;
  }
  if (failure !== null) throw failure;
}

function openTape<A extends RealArray>(
  helpers: Helpers,
  id: number,
  architecture: Architecture,
  { graph, precision, samples, orders = 1, trained = () => true }: LaneTapeOptions,
): BatchTape<A> {
  const { count: lanes } = helpers;
  const share = Math.ceil(samples / lanes);
  const isSingle = precision === "f32";
  const make = (length: number): A => {
    const buffer = new SharedArrayBuffer(length * (isSingle ? 4 : 8));
    return (isSingle ? new Float32Array(buffer) : new Float64Array(buffer)) as RealArray as A;
  };
  const series = (length: number): A[] => Array.from({ length: orders }, () => make(length));
  const theta = series(graph.parameters);
  const gradients = Array.from({ length: lanes }, () => series(graph.parameters));
  const outputSize = graph.sizes[graph.outputValue]!;
  const input = [make(samples * graph.sizes[0]!)];
  const [output, outputAdjoint] = [series(samples * outputSize), series(samples * outputSize)];
  ask(
    helpers,
    gradients.map((gradient): LaneRequest => {
      const opening: LaneOpening = {
        ...{ architecture, inputShape: graph.input, precision, samples: share, orders },
        trained: graph.nodes.map((node) => trained(node)),
        ...{ theta, input: input[0]!, output, outputAdjoint, gradient },
      };
      return { kind: "open", id, opening };
    }),
  );

  const pass = (kind: "forward" | "backward", n: number, coefficients: number, used: number, known: number): void => {
    if (!(n >= 0 && n <= samples)) throw new RangeError(`${n} samples on a tape for ${samples}`);
    ask(
      helpers,
      gradients.map((_, lane): LaneRequest | null => {
        const from = Math.min(n, lane * share);
        const count = Math.min(n, from + share) - from;
        return count === 0 ? null : { kind, id, from, n: count, coefficients, orders: used, known };
      }),
    );
  };
  return {
    samples,
    input,
    output,
    outputAdjoint,
    state: make(0),
    training: false,
    forward(n, at, used = orders, known = 0) {
      for (let k = known; k < at.length; k++) theta[k]!.set(at[k]!);
      pass("forward", n, at.length, used, known);
    },
    backward(n, at, into, scale = 1, used = orders, known = 0) {
      if (n === 0 || into === null) return;
      pass("backward", n, at.length, used, known);
      const busy = Math.ceil(n / share);
      into.forEach((target, k) => {
        if (target === null) return;
        for (let lane = 0; lane < busy; lane++) addScaled(scale, gradients[lane]![k]!, target);
      });
    },
  };
}

/** y <- y + scale x. */
function addScaled<A extends RealArray>(scale: number, x: A, y: A): void {
  for (let k = 0; k < y.length; k++) y[k] += scale * x[k];
}
