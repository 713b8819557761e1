import type { Compute } from "../../../compute/types.ts";
import { type NodeOutcome, NodeSolver, type NodeTask, type Progress } from "./node-solver.ts";
import type { ScaledSide } from "./scaled-side.ts";

/** What a shard is asked to do; `id` names a side. */
export type NodeRequest =
  | {
      readonly kind: "solve";
      readonly id: number;
      readonly task: NodeTask;
      /** What the number stands for; null when it has been said before. */
      readonly side: { readonly side: ScaledSide; readonly seed: number } | null;
    }
  | { readonly kind: "resume"; readonly id: number };

/** How far a node is. */
export type NodeAnswer =
  | { readonly done: true; readonly outcome: NodeOutcome }
  | { readonly done: false; readonly progress: Progress };

interface Work {
  readonly solver: NodeSolver;
  current: Generator<Progress, NodeOutcome> | null;
}

/** Sides whose arrays are kept. */
const KEPT = 4;

/** Solves nodes of a few sides, of each one at a time. */
export class NodeShard {
  readonly #compute: Compute;
  /** By the time of their last use. */
  readonly #sides = new Map<number, Work>();

  constructor(compute: Compute) {
    this.#compute = compute;
  }

  /** Answers a request: how far the node is, or null when the side is not known (any more). */
  answer(request: NodeRequest, interrupted: () => boolean): NodeAnswer | null {
    const { id } = request;
    const work = this.#work(request);
    if (work === undefined) return null;
    this.#sides.delete(id);
    this.#sides.set(id, work);
    for (const old of this.#sides.keys()) if (this.#sides.size > KEPT) this.#sides.delete(old);
    if (request.kind === "solve") work.current = work.solver.solve(request.task);
    const current = work.current;
    if (current === null) return null;
    return this.#compute.scope((scope): NodeAnswer => {
      work.solver.bind(scope);
      let step = current.next();
      while (step.done !== true && !interrupted()) step = current.next();
      work.solver.release();
      if (step.done !== true) return { done: false, progress: { leaf: step.value.leaf, witness: step.value.witness } };
      work.current = null;
      return { done: true, outcome: step.value };
    });
  }

  #work(request: NodeRequest): Work | undefined {
    if (request.kind === "resume" || request.side === null) return this.#sides.get(request.id);
    const { side, seed } = request.side;
    return { solver: new NodeSolver(this.#compute, side, seed), current: null };
  }
}
