/**
 * The convex laboratory: training two-layer ReLU networks as a convex program, and bounds of the training objective that
 * hold over all activation patterns (Ergen & Pilanci, arXiv:2002.11219; Pilanci & Ergen, arXiv:2002.10553). Knows
 * losses, patterns, programs, solvers and bounds. Knows nothing of files, tables, runs or the terminal.
 */
export { betaMax } from "./beta-max.ts";
export { type Loss, lossOf } from "./losses/index.ts";
export { networkObjective } from "./objective.ts";
export { solveConvex } from "./solve.ts";
export type * from "./types.ts";
export * from "./vector/index.ts";
