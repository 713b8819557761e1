import type { FitJson } from "./fit-types.ts";
import { gapPercent, roundDown, roundUp } from "./rounding.ts";

type Problem = FitJson["problem"];
type Result = FitJson["result"];

/** The parts of a fit that its verdict speaks of. */
export interface VerdictInput {
  readonly problem: Problem;
  readonly result: Result;
  readonly perClass?: FitJson["perClass"];
  /** The relative gap that was asked for. */
  readonly tolerance: number;
}

/** Method of the bound that needs no proof: losses and penalties are not negative. */
export const NONNEGATIVE = "nonnegative";

/**
 * What a fit has shown, in plain sentences, the headline first. No number says more than was shown: lower bounds are
 * rounded down, objectives and gaps up.
 */
export function verdict(input: VerdictInput): string[] {
  const { problem, result } = input;
  const lines = [headline(input)];
  const { method, scope, listed, gap, status } = result;
  if (method !== NONNEGATIVE && status === "bounded" && gap > input.tolerance) {
    lines.push("The gap is not closed: whether a better one lies between the two numbers was not decided.");
  }
  if (scope === "listed-patterns") {
    lines.push(
      problem.program === "gated"
        ? "This is the gated program over these gates; it bounds neither other gates nor ReLU networks."
        : "Nothing is claimed about networks with other activation patterns.",
    );
  }
  if (listed !== null && listed.patterns > 0) {
    const which = count(listed.patterns, "activation pattern");
    lines.push(
      listed.gap <= input.tolerance
        ? `Over its own ${which} it is optimal to ${closeness(listed.gap)}.`
        : `Over its own ${which} it is within ${gapPercent(listed.gap)} of the best.`,
    );
  }
  const worst = worstClass(input.perClass);
  if (worst !== null) lines.push(worst);
  lines.push(problemLine(problem));
  return lines;
}

/** A closed gap in one digit; in floating-point arithmetic none is smaller than the spacing of doubles. */
function closeness(gap: number): string {
  return roundUp(Math.max(gap, Number.EPSILON), 1);
}

function headline({ problem, result, tolerance }: VerdictInput): string {
  const { status, method, objective, gap, neurons } = result;
  const objectiveText = roundUp(objective);
  const self = problem.outputs > 1 ? "these have" : "this one has";
  const floor = `${subject(problem, result)} has a training objective below ${roundDown(result.lowerBound)}`;
  if (status === "interrupted") {
    const known = method === NONNEGATIVE ? "no lower bound was found yet" : `${floor}, a gap of ${gapPercent(gap)}`;
    return `Interrupted: the training objective so far is ${objectiveText}; ${known}.`;
  }
  if (method === NONNEGATIVE) {
    const why = status === "stalled" ? "The solver stalled before" : "The time was used up before";
    return `Not certified: the training objective is ${objectiveText}. ${why} a lower bound was found, so how much better another network could be is not known.`;
  }
  if (status === "stalled") {
    return `Stalled: the solver stopped making progress; ${floor}; ${self} ${objectiveText}, within ${gapPercent(gap)}.`;
  }
  if (status === "optimal") {
    const best = problem.program === "gated" || result.scope === "listed-patterns" ? "optimal" : "globally optimal";
    if (neurons === 0) {
      const reason =
        problem.beta >= problem.betaMax ? `: beta is not below beta_max = ${roundUp(problem.betaMax)}` : "";
      const what = problem.bias === "output" ? "a constant network" : "the zero network";
      return `Certified ${best} to ${closeness(gap)}: ${what}${reason}; ${floor}, and ${self} ${objectiveText}.`;
    }
    return `Certified ${best} to ${closeness(gap)} (asked for: ${tolerance}): ${floor}; ${self} ${objectiveText}.`;
  }
  return `Certified within ${gapPercent(gap)}: ${floor}; ${self} ${objectiveText}.`;
}

/** The subject of the bound, e.g. "no two-layer ReLU network of any width". */
export function subject({ program, outputs, bias }: Problem, { scope, patterns }: Result): string {
  const biasFree = bias === "none" ? "bias-free " : "";
  const kind = program === "gated" ? "gated two-layer" : "two-layer ReLU";
  const listed =
    program === "gated" ? count(patterns, "fixed gate") : `the ${count(patterns, "activation pattern")} listed`;
  const over = scope === "all-patterns" ? " of any width" : ` over ${listed}${outputs > 1 ? " in all" : ""}`;
  return outputs > 1
    ? `no set of ${outputs} separate ${biasFree}${kind} networks${over}, one a class,`
    : `no ${biasFree}${kind} network${over}`;
}

/** Scope of a bound in a few words, for tables and the report. */
export function scopeText(problem: Problem, result: Result): string {
  return subject(problem, result)
    .replace(/^no set of/, "every set of")
    .replace(/^no /, "every ")
    .replace(/,$/, "");
}

function worstClass(perClass: FitJson["perClass"]): string | null {
  const worst = perClass?.reduce((a, b) => (b.gap > a.gap ? b : a));
  if (worst === undefined) return null;
  if (worst.method === NONNEGATIVE)
    return `The numbers are sums over the classes; for class ${worst.class} no lower bound was found.`;
  return `The numbers are sums over the classes; the widest gap is that of class ${worst.class}, ${gapPercent(worst.gap)}.`;
}

/** The bias forms in words. */
export const BIAS_TEXT = {
  none: "without biases",
  column: "with hidden biases penalized like weights",
  output: "with free, unpenalized biases",
} as const;

/** The objective in words, with the loss, the penalty, the biases and the arithmetic. */
export function problemLine(problem: Problem): string {
  const { loss, scaling, beta, bias, program, rows, features } = problem;
  const average = scaling === "mean" ? "mean" : "summed";
  const penalty = program === "gated" ? "sum |u_j|" : "(|U|^2 + |w|^2)/2";
  return `Objective: ${average} ${loss} loss + beta ${penalty}, beta = ${formatBeta(beta)}, ${BIAS_TEXT[bias]}; ${rows} rows, ${features} features. Floating-point arithmetic, not a rigorous proof.`;
}

/** Beta to 4 significant digits. */
export function formatBeta(beta: number): string {
  return String(Number(beta.toPrecision(4)));
}

function count(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? "" : "s"}`;
}
