import type { TwoLayerNetwork } from "../network/two-layer.ts";
import { patternOf } from "./patterns/pattern.ts";
import { type Iterate, iterateOf } from "./programs/column-generation.ts";
import { type ProgramContext, penalizedNorm, rowsTimes, type Unit, unitKey } from "./programs/context.ts";
import type { ConvexProblem } from "./types.ts";

/** The units of a network to start from; those of equal sign and pattern are added up. */
export function startUnits(
  context: ProgramContext,
  problem: ConvexProblem,
  start: TwoLayerNetwork | undefined,
): Unit[] {
  if (start === undefined || problem.program === "gated") return [];
  const { E, n, p, core } = context;
  const units = new Map<string, Unit>();
  for (const { a, b, sign } of core.fromNetwork(start).neurons) {
    const whole = core.freeBias ? Float64Array.of(...a, b) : a;
    if (!(penalizedNorm(context, whole) > 0)) continue;
    const pattern = patternOf(rowsTimes(E, n, p, whole));
    const key = unitKey(sign, pattern);
    const known = units.get(key);
    units.set(key, {
      key,
      pattern,
      sign,
      a: known === undefined ? whole : known.a.map((t, k) => t + whole[k]),
      gate: null,
    });
  }
  return [...units.values()];
}

/** The output bias of a network to start from. */
export function startOffset({ core }: ProgramContext, start: TwoLayerNetwork | undefined): number {
  return start === undefined ? 0 : core.fromNetwork(start).c0;
}

/** Size of a unit that is added to a network, as a part of the mean of the others. */
const NEW_UNIT = 1e-3;

/** An iterate with one more small unit along the direction u (core coordinates; b its free bias). */
export function withUnit(
  context: ProgramContext,
  { units, c0 }: Iterate,
  { u, b, sign }: { readonly u: Float64Array; readonly b: number; readonly sign: 1 | -1 },
): Iterate {
  const { E, n, p, core } = context;
  const direction = core.freeBias ? Float64Array.of(...u, b) : u;
  const pattern = patternOf(rowsTimes(E, n, p, direction));
  const key = unitKey(sign, pattern);
  if (units.some((unit) => unit.key === key)) return iterateOf(context, units, c0);
  const mean = units.reduce((sum, unit) => sum + penalizedNorm(context, unit.a), 0) / Math.max(1, units.length);
  const size = (NEW_UNIT * (mean || 1)) / penalizedNorm(context, direction);
  return iterateOf(context, [...units, { key, pattern, sign, a: direction.map((t) => t * size), gate: null }], c0);
}
