/**
 * The theorems of convex duality as functions: closed forms (one-dimensional, rank-one, spike-free and whitened data), least-norm
 * interpolation, the cutting plane method, pooled (convolutional) networks, and the sets of optimal networks (Ergen & Pilanci,
 * arXiv:2002.11219, and what follows from it). Losses are summed over samples. Knows programs, solvers and bounds of
 * convex/; knows nothing of files, tables or runs. Guide: docs/convex-duality.md.
 */
export { arrangementCells, cellCount } from "./arrangement.ts";
export {
  type ConeDecomposition,
  type DecompositionNorm,
  decomposeOnCone,
  gatedToRelu,
} from "./cone-decomposition.ts";
export { type CuttingPlaneFit, type CuttingPlaneOptions, cuttingPlane } from "./cutting-plane.ts";
export { type ExtremePoint, extremePoint, type HullNeuron, hullNeuron, interpolateVertices } from "./extreme-points.ts";
export { type LassoProblem, type LassoSolution, lasso } from "./lasso.ts";
export {
  evaluateRamps,
  type LineData,
  lineData,
  lineMaximum,
  type Ramp,
  rampCorrelations,
  rampMatrix,
  rampNetwork,
} from "./line-data.ts";
export { fitLine, type LineFit } from "./line-fit.ts";
export { interpolateLine, type LineInterpolation } from "./line-interpolation.ts";
export { type LineShape, leastRamps, lineNorm, lineShape, sparsestKinks } from "./line-norm.ts";
export { type OptimalSet1d, type OptimalSetOptions, optimalSet1d, type WeightRange } from "./line-optimal-set.ts";
export { fitLineSvm, type LineSvm } from "./line-svm.ts";
export { fitLineVector, type LineVectorFit } from "./line-vector.ts";
export { fitPooled, interpolate, type PooledFit, type PooledOptions, type PooledProblem } from "./pooled.ts";
export { pruneNetwork } from "./prune.ts";
export {
  fitPatchReadout,
  type ImageShape,
  type PatchFilters,
  type PatchFit,
  type PatchOptions,
  patchFeatures,
  patchFilters,
  patchMatrices,
} from "./random-patches.ts";
export { fitRankOne, fitRankOneSvm, interpolateRankOne, type RankOne, rankOneFactors } from "./rank-one.ts";
export { type LinearProgram, type LinearSolution, solveLinearProgram } from "./simplex.ts";
export {
  type ExcessOptions,
  type SpikeFreeExcess,
  type SpikeFreeTest,
  spikeFreeExcess,
  testSpikeFree,
} from "./spike-free.ts";
export { fitSpikeFree, interpolateSpikeFree, type SpikeFreeFit } from "./spike-free-program.ts";
export {
  fitWhitened,
  fitWhitenedHinge,
  fitWhitenedOneHot,
  interpolateParts,
  oneHotOptimum,
  type WhitenedFit,
  whiten,
} from "./whitened.ts";
