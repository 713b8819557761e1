import type { Objective } from "./objective.ts";

/** Values over a plane through a point: entry `j * x.length + i` is at x[i] along the first axis and y[j] along the second. */
export interface PlaneSlice {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly loss: readonly number[];
}

/** `count` numbers from -radius to radius, an odd number of them so that 0 is one. */
export function sliceSteps(radius: number, count: number): number[] {
  if (!Number.isInteger(count) || count < 3 || count % 2 === 0) {
    throw new RangeError(`a slice needs an odd number of points, at least 3, got ${count}`);
  }
  const half = (count - 1) / 2;
  return Array.from({ length: count }, (_, k) => (radius * (k - half)) / half);
}

/** The loss at center + x a + y b. */
export function planeSlice(
  objective: Objective,
  center: Float64Array,
  a: Float64Array,
  b: Float64Array,
  x: readonly number[],
  y: readonly number[],
): PlaneSlice {
  const point = objective.allocate(objective.size);
  const loss = y.flatMap((v) =>
    x.map((u) => {
      for (let k = 0; k < point.length; k++) point[k] = center[k] + u * a[k] + v * b[k];
      return objective.value(point).loss;
    }),
  );
  return { x, y, loss };
}

/** The way from one network to another along a straight line. */
export interface LineSlice {
  /** From 0 (the first network) to 1. */
  readonly alpha: readonly number[];
  readonly loss: readonly number[];
  /** Shares of samples that are classified right; NaN without classes. */
  readonly accuracy: readonly number[];
  /** Largest loss on the way above the mean of both ends; the same for the share of wrong answers. */
  readonly lossBarrier: number;
  readonly errorBarrier: number;
  /** Whether the error barrier is below 2 %: linearly mode connected in the sense of Frankle et al., arXiv:1912.05671. */
  readonly isConnected: boolean | null;
}

/** Points of a line, as many as the definition of the error barrier asks for at least. */
export const LINE_POINTS = 31;

/** Loss and accuracy along the line between two networks, and the barrier between them. */
export function lineSlice(
  objective: Objective,
  from: Float64Array,
  to: Float64Array,
  points: number = LINE_POINTS,
): LineSlice {
  if (!Number.isInteger(points) || points < 2) throw new RangeError(`a line needs at least 2 points, got ${points}`);
  const point = objective.allocate(objective.size);
  const alpha = Array.from({ length: points }, (_, k) => k / (points - 1));
  const values = alpha.map((a) => {
    for (let k = 0; k < point.length; k++) point[k] = (1 - a) * from[k] + a * to[k];
    return objective.value(point);
  });
  const barrier = (of: (value: { loss: number; accuracy: number }) => number): number =>
    Math.max(...values.map(of)) - (of(values[0]!) + of(values.at(-1)!)) / 2;
  const errorBarrier = barrier(({ accuracy }) => 1 - accuracy);
  return {
    alpha,
    loss: values.map(({ loss }) => loss),
    accuracy: values.map(({ accuracy }) => accuracy),
    lossBarrier: barrier(({ loss }) => loss),
    errorBarrier,
    isConnected: Number.isNaN(errorBarrier) ? null : errorBarrier < 0.02,
  };
}
