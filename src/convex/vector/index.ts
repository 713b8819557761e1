/** Networks with several outputs and a shared hidden layer: training, local optimality and bounds over all patterns. */
export { solveOutputsApart } from "./separable.ts";
export { solveVector, vectorBetaMax, vectorObjective } from "./solve.ts";
export type * from "./types.ts";
