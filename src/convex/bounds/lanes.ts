import { type Helpers, startHelpers } from "../../compute/helpers.ts";
import type { Compute } from "../../compute/types.ts";
import type { LaneRequest } from "./lane.ts";

/** How long to wait for threads that have just been started, and how often to look whether to stop. */
const READY_SECONDS = 5;
const POLL_MS = 4;
/** A thread that does not answer an interrupt for so long is given up. */
const LOST_SECONDS = 60;

/**
 * Threads that searches share, each with its own kernels and memory (see `lane.ts` for what they answer). They are started
 * when they are first asked for and ended by {@link close}; where there are none, searches work on their own thread.
 */
export class Lanes {
  readonly #compute: Compute;
  readonly #now: () => number;
  readonly #entry: URL;
  #helpers: Helpers | null | undefined;
  #ready = 0;

  /** @param entry what the threads run */
  constructor(compute: Compute, now: () => number, entry = new URL("./lane.ts", import.meta.url)) {
    this.#compute = compute;
    this.#now = now;
    this.#entry = entry;
  }

  /** How many threads there are; 0 when there are none, or they do not start. Waits for them. */
  get count(): number {
    this.start();
    const helpers = this.#helpers;
    if (!helpers) return 0;
    const until = this.#now() + READY_SECONDS;
    while (this.#ready < helpers.count && this.#now() < until) {
      const answer = helpers.receive(POLL_MS)?.answer;
      if (answer === true) this.#ready += 1;
      else if (answer instanceof Error) break;
    }
    if (this.#ready === helpers.count) return helpers.count;
    this.close();
    return 0;
  }

  /** Starts the threads without waiting for them. */
  start(): void {
    if (this.#helpers === undefined) this.#helpers = startHelpers(this.#compute, this.#entry);
  }

  post(lane: number, request: LaneRequest): void {
    this.#helpers?.post(lane, request);
  }

  /** The next answer, when one comes soon. A thread that has failed or ended (its memory is full, say) ends the use of all. */
  receive(): { readonly lane: number; readonly answer: unknown } | null {
    const found = this.#helpers?.receive(POLL_MS) ?? null;
    if (found === null) return null;
    if (found.answer instanceof Error) this.close();
    return { lane: found.worker, answer: found.answer instanceof Error ? null : found.answer };
  }

  /** Waits for the answers of busy lanes, which are asked to end early; false when one is lost. */
  settle(busy: ReadonlySet<number>, take: (lane: number, answer: unknown) => void): boolean {
    const waiting = new Set(busy);
    for (const lane of waiting) this.#helpers?.interrupt(lane, true);
    const until = this.#now() + LOST_SECONDS;
    while (waiting.size > 0 && this.#helpers && this.#now() < until) {
      const found = this.receive();
      if (found === null) continue;
      waiting.delete(found.lane);
      take(found.lane, found.answer);
    }
    for (const lane of busy) this.#helpers?.interrupt(lane, false);
    if (waiting.size > 0) this.close();
    return waiting.size === 0;
  }

  /** Sends each lane a request (null: none) and waits for all answers; null when `stop` said so before they were there. */
  call(requests: readonly (LaneRequest | null)[], stop: () => boolean): unknown[] | null {
    const answers: unknown[] = new Array(requests.length).fill(null);
    const busy = new Set<number>();
    for (const [lane, request] of requests.entries()) {
      if (request === null) continue;
      this.post(lane, request);
      busy.add(lane);
    }
    while (busy.size > 0) {
      if (!this.#helpers) return null;
      const found = this.receive();
      if (found !== null) {
        answers[found.lane] = found.answer;
        busy.delete(found.lane);
      } else if (stop()) {
        this.settle(busy, (lane, answer) => {
          answers[lane] = answer;
        });
        return null;
      }
    }
    return answers;
  }

  /** Ends the threads: the searches that used them get no more answers. */
  close(): void {
    this.#helpers?.close();
    this.#helpers = null;
  }
}
