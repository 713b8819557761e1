import type { Compute } from "../compute/types.ts";
import { type Climb, CONES_ALONE, CONES_RANK, Ladder, MOST_PAIRS } from "./bounds/ladder.ts";
import type { Lanes } from "./bounds/lanes.ts";
import { droppedPart } from "./bounds/maximum.ts";
import { outputProof } from "./bounds/output-proof.ts";
import { JointDual, type JointPoint } from "./bounds/transport/index.ts";
import { withExactSum } from "./exact-sum.ts";
import { dualBound } from "./losses/index.ts";
import { relativeGap } from "./objective.ts";
import type { Iterate } from "./programs/column-generation.ts";
import type { ProgramContext } from "./programs/context.ts";
import { VIOLATED } from "./programs/pricing.ts";

/** A lower bound of the objective (core scaling) with what is behind it. */
export interface LowerBound {
  readonly value: number;
  /** Dual point, n entries, sum scaling. */
  readonly v: Float64Array;
  /** Upper bound of M(v) over the core matrix. */
  readonly maximum: number;
  readonly method: string;
  /** Writes the proof of `maximum`; null where there is none. */
  readonly proof: (() => Uint8Array<ArrayBuffer> | null) | null;
}

export interface CertifyOptions {
  readonly tolerance: number;
  readonly seed: number;
  readonly now: () => number;
  readonly stop: () => boolean;
  /** Whether to end at a witness: a direction that training missed and could use. */
  readonly repair: () => boolean;
  /** Threads that searches may use. */
  readonly lanes: Lanes | null;
  /** Seconds until `stop`; Infinity without a limit. */
  readonly left: () => number;
}

/** How a certification ended. */
export interface Certification {
  readonly bound: LowerBound | null;
  /** A direction that violates the dual constraint: the network can be improved. */
  readonly witness: Climb["witness"];
}

/** Seconds that caps have before other methods. */
const HEAD_START = 0.25;
/** The dual point of the network is given up when the gap has not fallen to this part of itself ... */
const HALVED = 0.6;
/** ... in so many seconds, or this share of the time so far, whichever is longer. */
const PATIENCE_SECONDS = 4;
const PATIENCE_SHARE = 0.4;
/** ... and at once when it is still larger than this after the first nodes of the transport bound. */
const HOPELESS = 0.06;
const FIRST_NODES = 5;
/** A gain below this part of the gap does not count: after a stretch without one the work ends. */
const SETTLED = 0.03;
const STRETCH_SECONDS = 6;
const STRETCH_SHARE = 0.4;
/** Without a limit of time steps are halved after so many rounds. */
const SLOW_ROUNDS = 50;
/** The share of the tolerance that is aimed at: a search stops right at its target. */
const AIM = 0.5;
/** A maximum this near above a witness is as good as the witness. */
const MARGIN = 1e-10;

/**
 * Bounds the training objective from below at the dual point of an iterate, for all activation patterns; yields the best
 * bound so far after every slice of work. Ends at the tolerance, at a witness (`repair`), when no method gains any more, or
 * when `stop` says so.
 */
export function* certifyIterate(
  compute: Compute,
  context: ProgramContext,
  iterate: Iterate,
  options: CertifyOptions,
): Generator<LowerBound | null, Certification> {
  const { now, stop, seed } = options;
  const { core, loss } = context;
  const { objective } = iterate;
  const v = core.freeBias ? withExactSum(iterate.v) : iterate.v;
  const ladder = new Ladder(compute, core, v, { seed, now, stop, lanes: options.lanes, headStart: HEAD_START });
  let target = maximumFor(context, iterate, AIM * options.tolerance);
  let bound: LowerBound | null = null;
  const began = now();
  let since = { seconds: began, gap: Number.POSITIVE_INFINITY };
  /** What a dual point of its own has given. */
  let joint: LowerBound | null = null;
  for (;;) {
    ladder.advance(target);
    const { maximum, method, witness, finished, near, transportNodes } = ladder.state(target);
    const value = dualBound(loss, v, core.y, core.beta, maximum);
    if (bound === null || value > bound.value) bound = { value, v, maximum, method, proof: () => ladder.proof() };
    yield bound;
    const gap = relativeGap(objective, bound.value);
    if (gap <= options.tolerance || stop()) return { bound: better(bound, joint), witness: null };
    if (witness !== null) {
      if (joint === null && options.repair() && witness.value > core.beta * VIOLATED) return { bound, witness };
      target = witness.value * (1 + MARGIN);
    } else if (finished) return { bound: better(bound, joint), witness: null };
    if (near) continue;
    const hopeless = joint === null && core.Z.cols > CONES_RANK && gap > HOPELESS && transportNodes >= FIRST_NODES;
    if (gap < HALVED * since.gap) since = { seconds: now(), gap };
    else if (now() - since.seconds > Math.max(PATIENCE_SECONDS, PATIENCE_SHARE * (now() - began))) break;
    if (!hopeless || !jointDualFits(context)) continue;
    joint = yield* certifyJointly(compute, context, iterate, bound, options);
    if (relativeGap(objective, joint.value) <= options.tolerance || stop()) return { bound: joint, witness: null };
    // Time is left: perhaps it was not hopeless.
    since = { seconds: now(), gap };
  }
  joint ??= jointDualFits(context) ? yield* certifyJointly(compute, context, iterate, bound, options) : null;
  return { bound: better(bound, joint), witness: null };
}

function better(a: LowerBound, b: LowerBound | null): LowerBound {
  return b !== null && b.value > a.value ? b : a;
}

/**
 * Where the dual point of the network does not close the gap: a dual point that is chosen for the relaxations, together with
 * a branch and bound, until the time is over or little is gained.
 */
function* certifyJointly(
  compute: Compute,
  context: ProgramContext,
  { objective, v }: Pick<Iterate, "objective" | "v">,
  first: LowerBound,
  options: CertifyOptions,
): Generator<LowerBound, LowerBound> {
  const { core, loss } = context;
  const { now, stop, seed, tolerance, lanes, left } = options;
  const began = now();
  const seconds = left();
  let rounds = 0;
  const spent = (): number => (Number.isFinite(seconds) ? (now() - began) / seconds : rounds / (rounds + SLOW_ROUNDS));
  const { data: Z, rows: n, cols: r } = core.Z;
  const joint = new JointDual(compute, { loss, y: core.y, beta: core.beta, Z, n, r, v }, seed, lanes, spent);
  const bounded = ({ v, maximum: bound }: JointPoint): LowerBound => {
    const maximum = bound + droppedPart(core.residual, v);
    return { value: dualBound(loss, v, core.y, core.beta, maximum), v, maximum, method: "transport", proof: null };
  };
  let best = first;
  let since = { seconds: began, value: first.value };
  for (let open = true; open && !stop() && relativeGap(objective, best.value) > tolerance; ) {
    open = joint.round(stop);
    rounds += 1;
    if (joint.best === null) continue;
    const found = bounded(joint.best);
    if (found.value > best.value) best = found;
    yield best;
    if (found.value - since.value > SETTLED * (objective - found.value)) since = { seconds: now(), value: found.value };
    else if (now() - since.seconds > Math.max(STRETCH_SECONDS, STRETCH_SHARE * (now() - began))) break;
  }
  // What the threads know is brought here: they may end before the proof is written.
  const result = best === first ? null : joint.result();
  if (joint.lost && lanes !== null && !stop()) {
    // The threads have ended: on with one, from the best dual point.
    const from = { objective, v: joint.best?.v ?? v };
    return better(best, yield* certifyJointly(compute, context, from, first, { ...options, lanes: null }));
  }
  if (result === null) return first;
  return { ...best, proof: () => outputProof(core, result.v, result.searches) };
}

/** Whether the joint dual point can be sought: no free biases, more than a plane or space, and a transport relaxation that fits. */
function jointDualFits({ core }: ProgramContext): boolean {
  const half = core.Z.rows / 2;
  return !core.freeBias && core.Z.cols > CONES_ALONE && half * half <= MOST_PAIRS;
}

/** The M(v) at which the gap is the tolerance; beta, or a hair more, when no M(v) would do. */
function maximumFor({ core, loss }: ProgramContext, { v, objective }: Iterate, tolerance: number): number {
  const goal = objective - tolerance * Math.abs(objective);
  const reached = (maximum: number): boolean => dualBound(loss, v, core.y, core.beta, maximum) >= goal;
  let low = core.beta * (1 + MARGIN);
  if (!reached(low)) return low;
  let high = 2 * low;
  while (reached(high) && high < 1e6 * low) high *= 2;
  for (let k = 0; k < 60; k++) {
    const middle = (low + high) / 2;
    if (reached(middle)) low = middle;
    else high = middle;
  }
  return low;
}
