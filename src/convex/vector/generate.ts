import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import {
  cosine,
  hiddenNorm,
  norm,
  type VectorCore,
  type VectorIterate,
  type VectorUnit,
  vectorIterate,
} from "./core.ts";
import { solveLocally } from "./local-solve.ts";
import { searchVectorDirections, type VectorDirection } from "./oracle.ts";

export interface GenerateOptions {
  /** Relative width of the smoothed ReLU at the end. */
  readonly accuracy: number;
  readonly stop: () => boolean;
  /** Rounds without a violated constraint that end it; the second searches harder. */
  readonly confirmations: number;
  /** A direction counts as violated above beta times this. */
  readonly slack: number;
  /** Directions that the searches also start from. */
  readonly hints: readonly Float64Array[];
}

/** What {@link generateNeurons} knows after a round. */
export interface Round {
  readonly iterate: VectorIterate;
  /** Largest ||V'(E u)_+|| that the search found. */
  readonly attained: number;
}

const MAX_ROUNDS = 200;
/** New neurons a round, and how much their directions must differ. */
const BATCH = 12;
const DIFFERENT = 0.98;
/** A round that lowers the objective by less than this, relatively, found nothing new. */
const PROGRESS = 1e-13;
const ROUNDING = 1e-14;
/** Relative width of the smoothed ReLU: where a solve begins, where the first ones end, and then in relation to the violation. */
const NARROW = 1e-6;
const WIDTHS = [1e-3, NARROW];
const COARSE = 1e-4;
const PACE = 1e-3;
/** Violations that more neurons do not help against count as rounding up to here. */
const NEARLY = 1 + 1e-6;
/** Units whose hidden and output directions agree this well may be one. */
const ALIKE = 1 - 1e-5;
/** Units with a penalty below this part of the largest may be none. */
const TINY = 1e-5;
const SEARCH_SIZE = 4e6;
const CONFIRM_SIZE = 2e7;
const FEWEST_STARTS = 8;
/** Ascent with bounded least squares is for up to this many entries of the data. */
const ASCENT_SIZE = 3e5;

/**
 * Column generation over neurons: search for directions that violate ||V'(E u)_+|| <= beta, add them at the best step, find
 * a local minimum over all weights, repeat. Objectives never rise by more than rounding.
 *
 * @returns whether the search, rather than `stop`, ended it.
 */
export function* generateNeurons(
  compute: Compute,
  context: VectorCore,
  start: VectorIterate,
  random: RandomStream,
  options: GenerateOptions,
): Generator<Round, { converged: boolean; last: Round }> {
  const { n, p, beta } = context;
  let round: Round = { iterate: start, attained: 0 };
  let quiet = 0;
  /** Solves around these units, to a smoothing of width `to`; whether that helped. */
  const settle = (units: readonly VectorUnit[], c0: Float64Array, to: number): boolean => {
    const before = round.iterate.objective;
    // A wide smoothing lets neurons travel across kinks, sometimes uphill in the end; a narrow one stays where it is.
    for (const from of WIDTHS) {
      const found = solveLocally(compute, context, units, c0, { from: Math.max(from, to), to, stop: options.stop });
      const next = vectorIterate(context, found.units, found.c0);
      // Of points that rounding cannot tell apart the later one has the smaller gradient.
      if (next.objective <= round.iterate.objective * (1 + ROUNDING)) round = { ...round, iterate: next };
      if (next.objective < before * (1 - PROGRESS)) break;
    }
    // Units that would be one or none get there slowly, and spoil the Newton steps of all: try without them.
    const joined = simplify(context, round.iterate.units);
    if (joined.length < round.iterate.units.length) {
      const found = solveLocally(compute, context, joined, round.iterate.c0, {
        from: Math.max(NARROW, to),
        to,
        stop: options.stop,
      });
      const next = vectorIterate(context, found.units, found.c0);
      if (next.objective <= round.iterate.objective * (1 + PROGRESS)) round = { ...round, iterate: next };
    }
    return round.iterate.objective < before * (1 - PROGRESS);
  };
  let width = COARSE;
  if (start.units.length > 0 || context.freeBias) settle(start.units, start.c0, width);
  yield round;
  for (let turn = 0; turn < MAX_ROUNDS && !options.stop(); turn++) {
    const { iterate } = round;
    const [most, size] = quiet > 0 ? [512, CONFIRM_SIZE] : [128, SEARCH_SIZE];
    const effort = {
      starts: Math.max(FEWEST_STARTS, Math.min(most, Math.floor(size / (n * p || 1)))),
      refine: n * p <= ASCENT_SIZE ? (quiet > 0 ? 24 : 12) + iterate.units.length : 0,
    };
    const own = [...iterate.units.map(({ u }) => u), ...options.hints];
    const directions = searchVectorDirections(compute, context, iterate.V, random, effort, own);
    round = { iterate, attained: directions[0]?.value ?? 0 };
    const added = pick(directions, beta * options.slack);
    // The smoothing keeps pace with the violation, so that early rounds are cheap and the last ones exact.
    const finest = width <= options.accuracy;
    width = Math.max(options.accuracy, Math.min(width, PACE * Math.max(round.attained / beta - 1, 0)));
    if (added.length === 0) {
      if (!finest) settle(iterate.units, iterate.c0, options.accuracy);
      else quiet += 1;
      if (quiet >= options.confirmations) return { converged: true, last: round };
      continue;
    }
    const better = settle([...iterate.units, ...firstStep(context, iterate, added)], iterate.c0, width);
    if (better) quiet = 0;
    else if (!finest) width = options.accuracy;
    else quiet += 1;
    if (quiet >= options.confirmations) return { converged: round.attained <= beta * NEARLY, last: round };
    yield round;
  }
  return { converged: false, last: round };
}

/** The units without tiny ones, and with those of nearly equal directions, hidden and output, replaced by their sums. */
function simplify(context: VectorCore, units: readonly VectorUnit[]): VectorUnit[] {
  const size = ({ u, w }: VectorUnit): number => hiddenNorm(context, u) * norm(w);
  const largest = units.reduce((top, unit) => Math.max(top, size(unit)), 0);
  const out: VectorUnit[] = [];
  for (const unit of units) {
    if (size(unit) < TINY * largest) continue;
    const at = out.findIndex(({ u, w }) => cosine(u, unit.u) > ALIKE && cosine(w, unit.w) > ALIKE);
    if (at < 0) {
      out.push(unit);
      continue;
    }
    // (E u)_+ w' = (E a)_+ e' with a = ||w|| u, e = w / ||w||: add the a's, keep the e of the longer one.
    const pair = [out[at]!, unit] as const;
    const [first, second] = [norm(pair[0].w), norm(pair[1].w)];
    const a = pair[0].u.map((t, k) => first * t + second * pair[1].u[k]);
    const [w, length] = first >= second ? [pair[0].w, first] : [pair[1].w, second];
    out[at] = { u: a, w: w.map((t) => t / length) };
  }
  return out;
}

/** The best of the violated directions, no two alike. */
function pick(directions: readonly VectorDirection[], threshold: number): VectorDirection[] {
  const out: VectorDirection[] = [];
  for (const candidate of directions) {
    if (!(candidate.value > threshold) || out.length >= BATCH) break;
    if (out.every((other) => cosine(candidate.u, other.u) <= DIFFERENT)) out.push(candidate);
  }
  return out;
}

/** New units whose size minimizes an upper bound of the objective along their joint direction. */
function firstStep(context: VectorCore, iterate: VectorIterate, added: readonly VectorDirection[]): VectorUnit[] {
  const { beta, loss } = context;
  const gains = added.map(({ value }) => value - beta);
  const none = vectorIterate(
    context,
    added.map(({ u, w }, k) => ({ u, w: w.map((t) => t * gains[k]!) })),
    new Float64Array(context.c),
  );
  let square = 0;
  let slope = 0;
  for (const t of none.F) square += t * t;
  for (const gain of gains) slope += gain * gain;
  let step = square > 0 ? slope / (loss.curvature * square) : 0;
  const units = (size: number): VectorUnit[] =>
    added.map(({ u, w }, k) => ({ u, w: w.map((t) => t * gains[k]! * size) }));
  // Sample weights are not in the bound: halve until the objective falls.
  for (let halving = 0; halving < 60; halving++, step /= 2) {
    const next = vectorIterate(context, [...iterate.units, ...units(step)], iterate.c0);
    if (next.objective < iterate.objective) break;
  }
  return units(step);
}
