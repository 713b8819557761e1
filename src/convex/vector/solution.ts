import type { SolveStatus } from "../types.ts";

export function relativeGap(objective: number, lowerBound: number): number {
  return (objective - lowerBound) / Math.max(Math.abs(objective), Number.MIN_VALUE);
}

export function vectorStatus(closed: boolean, cancelled: boolean, finished: boolean): SolveStatus {
  if (closed) return "optimal";
  if (cancelled) return "interrupted";
  return finished ? "bounded" : "stalled";
}
