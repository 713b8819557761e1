/**
 * What is known about the smallest training objective p*(beta) at every beta, from networks and lower bounds at a few.
 *
 * The objective of a fixed network is linear in beta: loss + beta * penalty. Its minimum over all networks, p*, is
 * therefore concave; it does not fall as beta grows, and is not negative. So the lines of the networks are upper
 * bounds, and the concave hull of the lower bounds is a lower bound, at every beta and not only where a problem was solved.
 */
export interface Band {
  /** A bound from above of p*(beta): the smallest objective there of the networks. */
  upper(beta: number): number;
  /** A bound from below of p*(beta), not negative. */
  lower(beta: number): number;
  /** Rising values of beta between which both bounds are straight. */
  readonly breaks: readonly number[];
}

/** A network's objective at any beta: `loss + beta * penalty`. */
export interface ObjectiveLine {
  readonly loss: number;
  readonly penalty: number;
}

/** A lower bound of p* at one beta > 0. */
export interface BoundAt {
  readonly beta: number;
  readonly lowerBound: number;
}

/**
 * The band of one problem from its networks and lower bounds (none of them: 0 is one).
 *
 * @throws RangeError without a network: there is no upper bound then.
 */
export function bandOf(lines: readonly ObjectiveLine[], bounds: readonly BoundAt[]): Band {
  if (lines.length === 0) throw new RangeError("a band needs at least one network");
  const hull = concaveHull(bounds);
  const upper = (beta: number): number => Math.min(...lines.map((line) => line.loss + beta * line.penalty));
  const lower = (beta: number): number => Math.min(heightOf(hull, beta), upper(beta));
  const breaks = [...hull.map(({ beta }) => beta), ...crossings(lines)].filter((beta) => beta > 0);
  return { upper, lower, breaks: rising(breaks) };
}

/** The band of the sum of independent problems (one network an output). */
export function sumBands(bands: readonly Band[]): Band {
  const sum = (value: (band: Band) => number): number => bands.reduce((total, band) => total + value(band), 0);
  return {
    upper: (beta) => sum((band) => band.upper(beta)),
    lower: (beta) => sum((band) => band.lower(beta)),
    breaks: rising(bands.flatMap(({ breaks }) => breaks)),
  };
}

/** The largest (upper - lower) / upper over the betas of an interval, and where it is; 0 where the upper bound is 0. */
export function widestGap(band: Band, from: number, to: number): { readonly beta: number; readonly gap: number } {
  // Between breaks the ratio of the two is monotone.
  const candidates = [from, ...band.breaks.filter((beta) => beta > from && beta < to), to];
  let widest = { beta: from, gap: 0 };
  for (const beta of candidates) {
    const upper = band.upper(beta);
    const gap = upper > 0 ? (upper - band.lower(beta)) / upper : 0;
    if (gap > widest.gap) widest = { beta, gap };
  }
  return widest;
}

/** Vertices of the least concave, non-decreasing function above (0, 0) and the bounds; constant after the last. */
function concaveHull(bounds: readonly BoundAt[]): BoundAt[] {
  const hull: BoundAt[] = [{ beta: 0, lowerBound: 0 }];
  for (const point of bounds.toSorted((a, b) => a.beta - b.beta || b.lowerBound - a.lowerBound)) {
    // Also drops what is not a number.
    if (!(point.lowerBound > hull.at(-1)!.lowerBound)) continue;
    while (hull.length > 1 && !isAbove(hull.at(-1)!, hull.at(-2)!, point)) hull.pop();
    if (point.beta > hull.at(-1)!.beta) hull.push(point);
  }
  return hull;
}

/** Whether a point lies above the chord of its neighbours. */
function isAbove(point: BoundAt, left: BoundAt, right: BoundAt): boolean {
  const share = (point.beta - left.beta) / (right.beta - left.beta);
  return point.lowerBound > left.lowerBound + share * (right.lowerBound - left.lowerBound);
}

function heightOf(hull: readonly BoundAt[], beta: number): number {
  const next = hull.findIndex((vertex) => vertex.beta >= beta);
  if (next === -1) return hull.at(-1)!.lowerBound;
  if (next === 0) return hull[0]!.lowerBound;
  const [left, right] = [hull[next - 1]!, hull[next]!];
  const share = (beta - left.beta) / (right.beta - left.beta);
  return left.lowerBound + share * (right.lowerBound - left.lowerBound);
}

/** Where the lowest line changes: the vertices of the minimum of the lines, for beta > 0. */
function crossings(lines: readonly ObjectiveLine[]): number[] {
  const found: number[] = [];
  let current = lines.reduce((a, b) => (b.loss < a.loss || (b.loss === a.loss && b.penalty < a.penalty) ? b : a));
  for (;;) {
    let next: { readonly beta: number; readonly line: ObjectiveLine } | null = null;
    for (const line of lines) {
      if (line.penalty >= current.penalty) continue;
      const beta = (line.loss - current.loss) / (current.penalty - line.penalty);
      if (next === null || beta < next.beta || (beta === next.beta && line.penalty < next.line.penalty)) {
        next = { beta, line };
      }
    }
    if (next === null) return found;
    found.push(next.beta);
    current = next.line;
  }
}

function rising(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
