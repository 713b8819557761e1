import { counted } from "../data/columns.ts";
import type { FitJson } from "./fit-types.ts";
import { gapText, plainNumber, roundDown, roundUp } from "./rounding.ts";

type Problem = FitJson["problem"];
type Result = FitJson["result"];

/** The parts of a fit that its verdict speaks of. */
export interface VerdictInput {
  readonly problem: Problem;
  readonly result: Result;
  readonly perClass?: FitJson["perClass"];
  /** Whether every inequality was verified with proven bounds of rounding errors. */
  readonly rigorous?: boolean;
  /** The network came from a file: training looked for better ones, and said when it found one. */
  readonly given?: boolean;
  /** The relative gap that was asked for. */
  readonly tolerance: number;
}

/** Method of the bound that needs no proof: losses and penalties are not negative. */
export const NONNEGATIVE = "nonnegative";

/** A relative gap up to which an optimum is called certified; above it, an objective is only bounded. */
export const CLOSED = 1e-3;

/**
 * What a fit has shown.
 *
 * - `certified`: no network of the scope is better by more than a thousandth.
 * - `bounded`: there is a lower bound, further away.
 * - `unbounded`: there is none but zero.
 * - `interrupted`: the run was stopped; the label says whether there is a bound.
 */
export interface Verdict {
  readonly standing: "certified" | "bounded" | "unbounded" | "interrupted";
  /** A few words, e.g. "Bounded within 7.8 %". */
  readonly label: string;
  /** What the label means, as the second half of a sentence `label: statement`. */
  readonly statement: string;
  /** Further plain sentences. */
  readonly details: readonly string[];
}

/** {@link judge} in plain sentences, the headline first. */
export function verdict(input: VerdictInput): string[] {
  const { label, statement, details } = judge(input);
  return [`${label}: ${statement}`, ...details];
}

/**
 * The verdict of a fit. No number says more than was shown: lower bounds are rounded down, objectives and gaps up. What
 * it is called depends on the gap alone, not on what was asked for.
 */
export function judge(input: VerdictInput): Verdict {
  const { problem, result, tolerance } = input;
  const { gap, status, method, neurons, listed, scope } = result;
  const details: string[] = [];
  if (neurons === 0) details.push(zeroNetwork(problem));
  if (method !== NONNEGATIVE && gap > CLOSED && input.given !== true) {
    details.push("The lowest possible objective lies between these two numbers; where, was not decided.");
  }
  if (scope === "listed-patterns") {
    details.push(
      problem.program === "gated"
        ? "This is the gated program over these gates; it bounds neither other gates nor ReLU networks."
        : "Nothing is claimed about networks with other activation patterns.",
    );
  }
  const own = listed !== null && listed.patterns > 0 ? ownPatterns(listed, input) : null;
  if (own !== null) details.push(own);
  const missed = listed !== null && listed.patterns > 0 ? listed.gap > tolerance : gap > tolerance;
  if (status === "stalled" && missed) {
    details.push(`The solver made no more progress before it reached the tolerance ${plainNumber(tolerance)}.`);
  } else if (gap > tolerance && gap <= CLOSED) {
    details.push(`The tolerance ${plainNumber(tolerance)} was not reached.`);
  }
  const worst = worstPart(input);
  if (worst !== null) details.push(worst);
  details.push(problemLine(problem, input.rigorous === true));
  return { ...headline(input), details };
}

function headline({ problem, result, tolerance }: VerdictInput): Omit<Verdict, "details"> {
  const { status, method, objective, gap, lowerBound } = result;
  const objectiveText = roundUp(objective);
  const [ones, have] = isSeparate(problem) ? ["that of these", "these have"] : ["this one's", "this one has"];
  const interrupted = status === "interrupted";
  if (method === NONNEGATIVE) {
    const why = interrupted
      ? "there is no lower bound yet"
      : `${status === "stalled" ? "the solver made no more progress" : "the time was used up"} before a lower bound was found`;
    const unknown = "how much better another network could be is not known";
    const statement = `the training objective ${interrupted ? "so far " : ""}is ${objectiveText}; ${why}, so ${unknown}.`;
    if (interrupted) return { standing: "interrupted", label: "Interrupted, not bounded", statement };
    return { standing: "unbounded", label: "Not bounded", statement };
  }
  const nobody = subject(problem, result);
  const between = `${nobody} has a training objective below ${roundDown(lowerBound)}; ${have} ${objectiveText}.`;
  const within = `within ${gapText(gap)}`;
  if (interrupted) return { standing: "interrupted", label: `Interrupted, bounded ${within}`, statement: between };
  if (gap > CLOSED) return { standing: "bounded", label: `Bounded ${within}`, statement: between };
  const everywhere = problem.program === "relu" && result.scope === "all-patterns";
  const optimal = gap <= tolerance;
  const share = optimal ? `${closeness(gap)} (relative)` : gapText(gap);
  return {
    standing: "certified",
    label: optimal ? `Certified ${everywhere ? "globally optimal" : "optimal"}` : `Certified ${within}`,
    statement: `${nobody} has a training objective more than ${share} below ${ones}, ${objectiveText}.`,
  };
}

/** A closed gap in one digit; in floating-point arithmetic none is smaller than the spacing of doubles. */
function closeness(gap: number): string {
  return roundUp(Math.max(gap, Number.EPSILON), 1);
}

function zeroNetwork({ bias, beta, betaMax }: Problem): string {
  const what = bias === "output" ? "The network is a constant" : "The network is zero";
  if (beta < betaMax) return `${what}.`;
  return `${what}: beta is not below beta_max = ${roundUp(betaMax)}, from where on no neuron is worth its penalty.`;
}

/** How good the network is among those that use the patterns it was trained over, where that says more than the bound. */
function ownPatterns(
  listed: NonNullable<Result["listed"]>,
  { problem, result: { gap, method }, tolerance }: VerdictInput,
): string | null {
  const [its, itIs, aNetwork] = isSeparate(problem) ? ["their", "they are", "networks"] : ["its", "it is", "a network"];
  const patterns = counted(listed.patterns, "activation pattern");
  const over =
    problem.outputNorm === "group"
      ? `Over ${patterns}, its own and random ones, it is`
      : `Over ${its} own ${patterns} ${itIs}`;
  // The bound over all patterns holds over some of them too: what is known of these alone is said where it is more.
  if (listed.gap > tolerance && listed.gap >= gap) return null;
  if (listed.gap > tolerance) return `${over} within ${gapText(listed.gap)} of the best.`;
  const optimal = `${over} optimal to ${closeness(listed.gap)}`;
  if (gap <= CLOSED || method === NONNEGATIVE) return `${optimal}.`;
  return `${optimal}: only ${aNetwork} with other patterns could be better, by at most ${gapText(gap)}.`;
}

/** The subject of the bound, e.g. "no two-layer ReLU network of any width". */
export function subject(problem: Problem, { scope, patterns }: Result): string {
  const { program, outputs, bias } = problem;
  const separate = isSeparate(problem);
  const biasFree = bias === "none" ? "bias-free " : "";
  const kind = program === "gated" ? "gated two-layer" : "two-layer ReLU";
  const listed =
    program === "gated" ? counted(patterns, "fixed gate") : `the ${counted(patterns, "activation pattern")} listed`;
  const over = scope === "all-patterns" ? " of any width" : ` over ${listed}${separate ? " in all" : ""}`;
  return separate
    ? `no set of ${outputs} separate ${biasFree}${kind} networks${over}, one a ${partNoun(problem)},`
    : `no ${biasFree}${kind} network${over}`;
}

/** Scope of a bound in a few words, for tables and the report. */
export function scopeText(problem: Problem, result: Result): string {
  return subject(problem, result)
    .replace(/^no set of/, "every set of")
    .replace(/^no /, "every ")
    .replace(/,$/, "");
}

/** Whether every output has a network of its own. */
function isSeparate({ outputs, outputNorm }: Problem): boolean {
  return outputs > 1 && outputNorm !== "group";
}

/** What each of several networks is for. */
export function partNoun({ targets }: Problem): "class" | "target" {
  return targets === undefined ? "class" : "target";
}

function worstPart({ problem, perClass }: VerdictInput): string | null {
  const worst = perClass?.reduce((a, b) => (b.gap > a.gap ? b : a));
  if (worst === undefined) return null;
  const noun = partNoun(problem);
  const sums = `The numbers are sums over the ${noun === "class" ? "classes" : "targets"}`;
  if (worst.method === NONNEGATIVE) return `${sums}; for ${noun} ${worst.class} no lower bound was found.`;
  return `${sums}; the widest gap is that of ${noun} ${worst.class}, ${gapText(worst.gap)}.`;
}

/** The bias forms in words. */
export const BIAS_TEXT = {
  none: "without biases",
  column: "with hidden biases penalized like weights",
  output: "with free, unpenalized biases",
} as const;

/** The objective in words, with the loss, the penalty, the biases and the arithmetic. */
export function problemLine(problem: Problem, rigorous = false): string {
  const { loss, scaling, beta, bias, program, rows, features } = problem;
  const average = scaling === "mean" ? "mean" : "summed";
  const outputs = problem.outputNorm === "group" ? "|W|^2" : "|w|^2";
  const penalty = program === "gated" ? "sum |u_j|" : `(|U|^2 + ${outputs})/2`;
  return `Objective: ${average} ${loss} loss + beta ${penalty}, beta = ${formatBeta(beta)}, ${BIAS_TEXT[bias]}; ${counted(rows, "row")}, ${counted(features, "feature")}. ${rigorous ? RIGOROUS : FLOATING}`;
}

const RIGOROUS =
  "Proved: every inequality was checked with bounds of all rounding errors (overparam verify repeats it).";
const FLOATING = "Floating-point arithmetic, not a rigorous proof.";

/** Beta to 4 significant digits. */
export function formatBeta(beta: number): string {
  return String(Number(beta.toPrecision(4)));
}
