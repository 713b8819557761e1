/**
 * tangent: kernels of infinitely wide networks from architectures as data - the neural network Gaussian process (nngp) and
 * the neural tangent kernel (ntk) - and Gram matrices of them by tiles. It knows architectures and `compute`; it must not
 * know files, tables or losses.
 */
export { centered, type KernelSummary, summarizeKernel, summaryOf } from "./alignment.ts";
export * from "./convergence.ts";
export {
  decay,
  ensembleCovariance,
  type Posterior,
  type PriorCovariance,
  posterior,
  type Start,
  type TestStart,
  type Training,
  testOutputs,
  trainedOutputs,
} from "./dynamics.ts";
export { type EmpiricalEngineOptions, empiricalEngine } from "./empirical/engine.ts";
export { empiricalNtk, planEmpirical } from "./empirical/kernel.ts";
export * from "./empirical/types.ts";
export { makeEngine } from "./engine.ts";
export { type GramPlan, gram, gramTiles, placeTile, planGram, tileEntries } from "./gram.ts";
export { checkInputs, type InputChecks } from "./input-checks.ts";
export { type KernelEigen, kernelEigen } from "./kernel-eigen.ts";
export * from "./krylov-dynamics.ts";
export { checkLimit } from "./limit.ts";
export {
  byFactorization,
  factorizedRegression,
  type KernelRegression,
  kernelRegression,
  type RegressionOptions,
  type RidgePoint,
  SPECTRUM_ROWS,
} from "./regression.ts";
export * from "./regression-outputs.ts";
export { lanczosResidual, type ResidualBrackets } from "./residual-lanczos.ts";
export { matrixSpectrum, type SpectrumEnds, spectrumEnds } from "./spectrum.ts";
export { taylorModel } from "./taylor.ts";
export { type TiledKernel, type TileStore, tiledProduct, tiledRegression } from "./tiled-cholesky.ts";
export * from "./types.ts";
export { vectorEngine } from "./vectors.ts";
