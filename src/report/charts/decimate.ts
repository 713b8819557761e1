/**
 * Indices of the points worth drawing on a line: within each of `bins` equal steps of `position` the first, the last,
 * the lowest and the highest, so that no spike is lost and no pixel is drawn twice.
 *
 * @param positions non-decreasing places along the line, in [0, 1].
 */
export function decimateLine(positions: readonly number[], values: readonly number[], bins: number): number[] {
  if (positions.length <= 4 * bins) return positions.map((_, index) => index);
  const kept: number[] = [];
  let start = 0;
  while (start < positions.length) {
    const bin = Math.floor((positions[start] as number) * bins);
    let end = start;
    let lowest = start;
    let highest = start;
    while (end < positions.length && Math.floor((positions[end] as number) * bins) === bin) {
      if ((values[end] as number) < (values[lowest] as number)) lowest = end;
      if ((values[end] as number) > (values[highest] as number)) highest = end;
      end++;
    }
    const extremes = [start, lowest, highest, end - 1].sort((a, b) => a - b);
    kept.push(...extremes.filter((index, place) => index !== extremes[place - 1]));
    start = end;
  }
  return kept;
}

/** A group of scatter points that fall into one cell of a grid, drawn as one dot. */
export interface Cluster {
  readonly x: number;
  readonly y: number;
  readonly count: number;
}

/**
 * Points gathered on a `cells` x `cells` grid over [low, high]^2, one cluster (at the mean) for each occupied cell:
 * lone points stay where they are, crowds become one dot that knows its size.
 */
export function clusterPoints(
  xs: readonly number[],
  ys: readonly number[],
  [low, high]: readonly [number, number],
  cells: number,
): Cluster[] {
  const sums = new Map<number, { x: number; y: number; count: number }>();
  const place = (value: number) => Math.min(cells - 1, Math.floor(((value - low) / (high - low)) * cells));
  xs.forEach((x, index) => {
    const y = ys[index] as number;
    const key = place(x) * cells + place(y);
    const sum = sums.get(key) ?? { x: 0, y: 0, count: 0 };
    // Running means, because sums of extreme values overflow.
    sum.count += 1;
    sum.x += (x - sum.x) / sum.count;
    sum.y += (y - sum.y) / sum.count;
    sums.set(key, sum);
  });
  return [...sums.values()];
}
