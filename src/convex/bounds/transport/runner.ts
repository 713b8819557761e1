import type { Compute } from "../../../compute/types.ts";
import type { Lanes } from "../lanes.ts";
import type { NodeAnswer, NodeRequest } from "./node-shard.ts";
import { type NodeOutcome, NodeSolver, type NodeTask, type Progress } from "./node-solver.ts";
import type { ScaledSide } from "./scaled-side.ts";

/** Solves the nodes that a search hands out, a few at a time. */
export interface NodeRunner {
  /** Takes tasks when none are left. */
  start(tasks: readonly NodeTask[]): void;
  /** Works until all tasks are done (true) or `stop`; `report` gets what is known of unfinished ones. */
  work(stop: () => boolean, report: (progress: Progress) => void): boolean;
  /** Of all tasks, in their order, once they are done. */
  readonly outcomes: readonly NodeOutcome[];
}

/** On the caller's thread, one after the other. */
export class LocalRunner implements NodeRunner {
  outcomes: NodeOutcome[] = [];
  readonly #compute: Compute;
  readonly #solver: NodeSolver;
  #tasks: readonly NodeTask[] = [];
  #current: Generator<Progress, NodeOutcome> | null = null;

  constructor(compute: Compute, side: ScaledSide, seed: number) {
    this.#compute = compute;
    this.#solver = new NodeSolver(compute, side, seed);
  }

  start(tasks: readonly NodeTask[]): void {
    this.#tasks = tasks;
    this.outcomes = [];
  }

  work(stop: () => boolean, report: (progress: Progress) => void): boolean {
    this.#compute.scope((scope) => {
      this.#solver.bind(scope);
      while (this.outcomes.length < this.#tasks.length && !stop()) {
        this.#current ??= this.#solver.solve(this.#tasks[this.outcomes.length] as NodeTask);
        const { done, value } = this.#current.next();
        if (done === true) {
          this.outcomes.push(value);
          this.#current = null;
        } else report(value);
      }
      this.#solver.release();
    });
    return this.outcomes.length === this.#tasks.length;
  }
}

/** Every side has a number of its own in the threads. */
let sides = 0;

/** On the threads of {@link Lanes}; on the caller's when they are gone. */
export class LaneRunner implements NodeRunner {
  readonly #lanes: Lanes;
  readonly #side: ScaledSide;
  readonly #seed: number;
  readonly #id: number;
  readonly #local: NodeRunner;
  /** The threads are gone. */
  #alone = false;
  #tasks: readonly NodeTask[] = [];
  #outcomes: (NodeOutcome | undefined)[] = [];
  /** Tasks that nobody has begun, and what each lane is at. */
  #waiting: number[] = [];
  readonly #suspended = new Map<number, number>();
  /** Lanes that have been told the side. */
  readonly #known = new Set<number>();

  constructor(lanes: Lanes, side: ScaledSide, seed: number, local: NodeRunner) {
    this.#lanes = lanes;
    this.#side = side;
    this.#seed = seed;
    this.#local = local;
    sides += 1;
    this.#id = sides;
  }

  get outcomes(): readonly NodeOutcome[] {
    return this.#alone ? this.#local.outcomes : (this.#outcomes as NodeOutcome[]);
  }

  start(tasks: readonly NodeTask[]): void {
    this.#tasks = tasks;
    this.#outcomes = new Array(tasks.length);
    this.#waiting = [...tasks.keys()];
    this.#suspended.clear();
    if (this.#alone) this.#local.start(tasks);
  }

  work(stop: () => boolean, report: (progress: Progress) => void): boolean {
    const lanes = this.#lanes;
    const busy = new Map<number, number>();
    const take = (lane: number, answer: unknown): void => {
      const at = busy.get(lane);
      if (at === undefined) return;
      busy.delete(lane);
      const found = answer as NodeAnswer | null;
      if (found === null) {
        this.#known.delete(lane);
        this.#waiting.unshift(at);
      } else if (found.done) this.#outcomes[at] = found.outcome;
      else {
        this.#suspended.set(lane, at);
        report(found.progress);
      }
    };
    const done = (): boolean => this.#waiting.length + this.#suspended.size + busy.size === 0;
    while (!done()) {
      if (this.#alone) return this.#local.work(stop, report);
      if (lanes.count === 0) {
        this.#alone = true;
        this.#local.start(this.#tasks);
        continue;
      }
      if (stop()) {
        lanes.settle(new Set(busy.keys()), take);
        // What a lost thread was at is to be done again.
        this.#waiting.unshift(...busy.values());
        busy.clear();
        return done();
      }
      for (let lane = 0; lane < lanes.count; lane++) if (!busy.has(lane)) this.#hand(lane, busy);
      const found = lanes.receive();
      if (found !== null) take(found.lane, found.answer);
    }
    return true;
  }

  /** Gives a lane its suspended task, or the next one. */
  #hand(lane: number, busy: Map<number, number>): void {
    const id = this.#id;
    const suspended = this.#suspended.get(lane);
    const at = suspended ?? this.#waiting.shift();
    if (at === undefined) return;
    const side = this.#known.has(lane) ? null : { side: this.#side, seed: this.#seed };
    const request: NodeRequest =
      suspended === undefined ? { kind: "solve", id, task: this.#tasks[at] as NodeTask, side } : { kind: "resume", id };
    this.#suspended.delete(lane);
    this.#known.add(lane);
    this.#lanes.post(lane, { to: "nodes", request });
    busy.set(lane, at);
  }
}
