import type { FitEvent } from "../experiments/fit-types.ts";
import { formatGap, formatNumber, formatSeconds, plural } from "./format.ts";
import type { Terminal } from "./terminal.ts";
import { TimeLeft } from "./time-left.ts";

export type FitProgress = Extract<FitEvent, { kind: "progress" }>;

const STAGE_WORDS = {
  validate: "validating",
  search: "certifying",
  path: "tracing",
  train: "solving",
  bound: "bounding",
  kernel: "kernel",
  ridge: "ridge",
} as const;
const LINE_EVERY_SECONDS = 10;
const REDRAW_EVERY_SECONDS = 0.1;
const WIDEST_BAR = 20;
const NARROWEST_BAR = 6;
/** Kept free at the end of the line for the `^C` that a terminal echoes: wrapped, it would not be erased. */
const ECHO_COLUMNS = 2;

/** A bar of `width` characters, its done part distinguishable without colour. */
export function drawBar(fraction: number, width: number): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return "━".repeat(done) + "─".repeat(width - done);
}

/** The measured parts of a progress line, most important first. */
export function progressParts(progress: FitProgress, left: string): string[] {
  const { objective, bound, gap, neurons, seconds } = progress;
  return [
    ...(objective === null ? [] : [`objective ${formatNumber(objective, "up")}`]),
    ...(bound === null ? [] : [`bound ${formatNumber(bound, "down")}`]),
    `${formatSeconds(seconds)}${left}`,
    ...(neurons === 0 ? [] : [plural(neurons, "neuron")]),
    ...(gap === null ? [] : [`gap ${formatGap(gap)}`]),
  ];
}

/** `title bar parts`, at most `columns` long: the bar shrinks first, then the least important parts go. */
export function progressLine(title: string, fraction: number, parts: readonly string[], columns: number): string {
  const kept = [...parts];
  for (;;) {
    const text = kept.join("  ");
    const room = columns - 1 - `  ${title}    ${text}`.length;
    if (room >= NARROWEST_BAR || kept.length === 0) {
      return `  ${title}  ${drawBar(fraction, Math.max(0, Math.min(WIDEST_BAR, room)))}  ${text}`.slice(0, columns - 1);
    }
    kept.pop();
  }
}

/** Shows the progress of a fit: a bar on a terminal, a line every ten seconds elsewhere. */
export class ProgressView {
  readonly #terminal: Terminal;
  readonly #timeLeft: TimeLeft;
  #stage = "";
  /** The bar never runs backwards within a stage, though the estimate behind it may. */
  #share = 0;
  #shownAt: number;

  /** Takes the relative gap at which the solve stops and its time in seconds, for the time left. */
  constructor(terminal: Terminal, tolerance: number, budget: number) {
    this.#terminal = terminal;
    this.#timeLeft = new TimeLeft(tolerance, budget);
    this.#shownAt = terminal.canRedraw ? Number.NEGATIVE_INFINITY : 0;
  }

  show(progress: FitProgress): void {
    const { stage, label, gap, fraction, seconds } = progress;
    const key = `${stage} ${label}`;
    const isNew = key !== this.#stage;
    if (isNew) {
      this.#timeLeft.restart();
      this.#share = 0;
      this.#stage = key;
    }
    this.#timeLeft.add(seconds, gap);
    const title = label === "" ? STAGE_WORDS[stage] : `${STAGE_WORDS[stage]} ${label}`;
    if (!this.#terminal.canRedraw) {
      if (seconds - this.#shownAt < LINE_EVERY_SECONDS) return;
      this.#shownAt = seconds;
      this.#terminal.err(`  ${title}  ${progressParts(progress, this.#leftWords()).join("  ")}`);
      return;
    }
    if (!isNew && seconds - this.#shownAt < REDRAW_EVERY_SECONDS) return;
    this.#shownAt = seconds;
    const left = this.#timeLeft.estimate() ?? this.#timeLeft.budgetLeft;
    this.#share = Math.max(this.#share, fraction ?? seconds / Math.max(seconds + left, Number.MIN_VALUE));
    const line = progressLine(
      title,
      this.#share,
      progressParts(progress, this.#leftWords()),
      this.#terminal.errColumns - ECHO_COLUMNS,
    );
    this.#terminal.transient(line);
  }

  #leftWords(): string {
    const estimate = this.#timeLeft.estimate();
    return estimate === null ? "" : `, ${formatSeconds(estimate)} left`;
  }
}
