import { ConfigError } from "../base/errors.ts";
import { randomStream } from "../base/random.ts";
import { dualBound } from "./losses/index.ts";
import { relativeGap } from "./objective.ts";
import { enumerateCells } from "./patterns/enumerate.ts";
import { patternKey, patternOf } from "./patterns/pattern.ts";
import type { Iterate } from "./programs/column-generation.ts";
import { type ProgramContext, rowsTimes, type Unit } from "./programs/context.ts";
import { type ListedPattern, priceListed } from "./programs/pricing.ts";
import type { ConvexProblem, Solution } from "./types.ts";

/** Gates of a gated program for which none were given. */
const DEFAULT_GATES = 500;

/** The patterns that the program is restricted to; null when it ranges over all and finds them itself. */
export function listPatterns(problem: ConvexProblem, context: ProgramContext, seed: number): ListedPattern[] | null {
  const { patterns: source, program } = problem;
  const { E, n, p, core } = context;
  if (source.kind === "generated" && program === "relu") return null;
  const list = new Map<string, ListedPattern>();
  const add = (u: Float64Array | null, gate: Float64Array): void => {
    // A gated network opens its gates itself: its arithmetic decides. Otherwise only the cell matters.
    const pattern = patternOf(u === null || program === "gated" ? gateValues(problem, gate) : rowsTimes(E, n, p, u));
    if (pattern.every((word) => word === 0)) return; // closed on all rows: contributes nothing
    const key = patternKey(pattern);
    if (!list.has(key)) list.set(key, { pattern, gate });
  };
  if (source.kind === "all") {
    if (p > 3) {
      throw new ConfigError(`--patterns all needs rank at most 3, these data have ${p}`, {
        code: "patterns",
        hint: "leave --patterns out, or give a number of patterns to sample",
      });
    }
    for (const { u } of enumerateCells(E, n, p)) add(u, core.toInput(u.subarray(0, core.Z.cols)));
  } else if (source.kind === "gates") {
    const columns = problem.X.cols + (problem.bias === "column" ? 1 : 0);
    if (source.G.cols !== columns) {
      throw new ConfigError(
        `the gate vectors have ${source.G.cols} entries, the data ${columns} columns (bias column included)`,
        {
          code: "gates",
        },
      );
    }
    for (let g = 0; g < source.G.rows; g++) {
      add(null, source.G.data.slice(g * source.G.cols, (g + 1) * source.G.cols));
    }
  } else {
    const count = source.kind === "sampled" ? source.count : DEFAULT_GATES;
    const random = randomStream(seed, "gates");
    for (let g = 0; g < count; g++) {
      const u = Float64Array.from({ length: p }, () => random.normal());
      add(u, core.toInput(u.subarray(0, core.Z.cols)));
    }
  }
  return [...list.values()];
}

/** g . x_i + h of every row, added up in the order of the network's own forward pass. */
function gateValues({ X, bias }: ConvexProblem, gate: Float64Array): Float64Array {
  return Float64Array.from({ length: X.rows }, (_, i) => {
    let z = bias === "column" ? gate[X.cols] : 0;
    for (let k = 0; k < X.cols; k++) z += gate[k] * X.data[i * X.cols + k];
    return z;
  });
}

/** The largest |v'(E u)_+| over the listed patterns; null when `stop` came first. */
export function listedMaximum(
  context: ProgramContext,
  listed: readonly ListedPattern[],
  v: Float64Array,
  stop: () => boolean,
): { value: number; method: string } | null {
  const priced = priceListed(context, listed, v, stop);
  return priced === null ? null : { value: priced.maximum, method: "listed" };
}

/** The bound over the patterns that were ever in the working set. */
export function boundOverSeen(
  context: ProgramContext,
  seen: readonly Unit[],
  iterate: Iterate,
  stop: () => boolean,
): Solution["listed"] {
  const distinct = new Map(seen.map((unit) => [patternKey(unit.pattern), { pattern: unit.pattern, gate: unit.gate }]));
  const priced = priceListed(context, [...distinct.values()], iterate.v, stop);
  if (priced === null) return null;
  const { core, loss } = context;
  const value = dualBound(loss, iterate.v, core.y, core.beta, priced.maximum);
  return { patterns: distinct.size, lowerBound: value * core.unscale, gap: relativeGap(iterate.objective, value) };
}
