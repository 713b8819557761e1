interface Point {
  readonly seconds: number;
  readonly logGap: number;
}

const KEPT_POINTS = 200;

/**
 * Time left of a solve, from the slope of log(gap) over the later half of its history: first-order methods close the
 * gap about geometrically, so that a line through (seconds, log gap) meets the tolerance near the end.
 */
export class TimeLeft {
  readonly #logTolerance: number;
  readonly #budget: number;
  #points: Point[] = [];
  #seconds = 0;

  /** Takes the relative gap at which the solve stops and the seconds after which it stops in any case. */
  constructor(tolerance: number, budget: number) {
    this.#logTolerance = Math.log(tolerance);
    this.#budget = budget;
  }

  /** Adds one point of the history; points without a positive gap only move the clock. */
  add(seconds: number, gap: number | null): void {
    this.#seconds = seconds;
    if (gap === null || !(gap > 0) || !Number.isFinite(gap)) return;
    this.#points.push({ seconds, logGap: Math.log(gap) });
    // Thin out by two, so that a long history keeps its span.
    if (this.#points.length > KEPT_POINTS) this.#points = this.#points.filter((_, k) => k % 2 === 1);
  }

  /** Forgets the gaps (a new stage closes another gap), not the clock. */
  restart(): void {
    this.#points = [];
  }

  /** Seconds until the time is up. */
  get budgetLeft(): number {
    return Math.max(0, this.#budget - this.#seconds);
  }

  /** Estimated seconds left, never more than {@link budgetLeft}; null while there is no downward slope to follow. */
  estimate(): number | null {
    const last = this.#points.at(-1);
    const first = this.#points[0];
    if (last === undefined || first === undefined) return null;
    if (last.logGap <= this.#logTolerance) return 0;
    const middle = (first.seconds + last.seconds) / 2;
    const later = this.#points.filter((point) => point.seconds >= middle);
    if (later.length < 3) return null;
    const slope = fittedSlope(later);
    if (!(slope < 0)) return null;
    const left = (this.#logTolerance - last.logGap) / slope - (this.#seconds - last.seconds);
    return Math.min(Math.max(0, left), this.budgetLeft);
  }
}

/** Least-squares slope of log gap over seconds; NaN when all points share one time. */
function fittedSlope(points: readonly Point[]): number {
  let meanSeconds = 0;
  let meanLogGap = 0;
  for (const point of points) {
    meanSeconds += point.seconds / points.length;
    meanLogGap += point.logGap / points.length;
  }
  let covariance = 0;
  let variance = 0;
  for (const point of points) {
    covariance += (point.seconds - meanSeconds) * (point.logGap - meanLogGap);
    variance += (point.seconds - meanSeconds) ** 2;
  }
  return variance > 0 ? covariance / variance : Number.NaN;
}
