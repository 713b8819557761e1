import { randomStream } from "../base/random.ts";
import { boundMaximum } from "./bounds/maximum.ts";
import { listPatterns } from "./listed.ts";
import { bestConstant } from "./losses/index.ts";
import { iterateOf } from "./programs/column-generation.ts";
import { programContext } from "./programs/context.ts";
import { localSearchPricer, priceListed } from "./programs/pricing.ts";
import { reduce } from "./reduction.ts";
import type { ConvexProblem, SolveOptions } from "./types.ts";

/**
 * beta_max = M(-grad loss at the best constant prediction): from there on the zero network is optimal. Exact up to rank
 * 3; otherwise the best of a local search (a lower estimate, good enough to place a grid), in the problem's scaling.
 */
export function betaMax(problem: Omit<ConvexProblem, "beta">, options: SolveOptions): number {
  const core = reduce({ ...problem, beta: 0 });
  const context = programContext(core, problem, problem.program === "gated");
  const { v } = iterateOf(context, [], core.freeBias ? bestConstant(context.loss, core.y) : 0);
  const listed = listPatterns({ ...problem, beta: 0 }, context, options.seed ?? 0);
  const never = (): boolean => false;
  const unit = core.unscale * core.scale;
  if (listed !== null) return (priceListed(context, listed, v, never)?.maximum ?? 0) * unit;
  if (core.Z.cols <= 3) return boundMaximum(options.compute, core, v, options.seed ?? 0, never).attained * unit;
  const pricer = localSearchPricer(options.compute, context, randomStream(options.seed ?? 0, "beta-max"), never);
  return (pricer.price(v, [], true)[0]?.gain ?? 0) * unit;
}
