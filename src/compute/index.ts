/**
 * compute: memory shared by threads, and the dense kernels in f64 and f32 that run on it, on three backends with one
 * interface: `wasm` (ours, from assembly/), `blas` (the system's BLAS where it is faster, ours elsewhere) and `js`
 * (naive loops, the reference of the tests). It knows nothing of networks, losses or data, and hands out no array that
 * outlives its scope.
 */
export { symmetricEigenvalues } from "./blocked-eigen.ts";
export {
  type ConjugateGradientsOptions,
  type ConjugateGradientsResult,
  type ConjugateGradientsStatus,
  conjugateGradients,
} from "./conjugate-gradients.ts";
export { createCompute } from "./create.ts";
export { type DoctorReport, doctorReport } from "./doctor.ts";
export { hutchTrace, type TraceEstimate } from "./hutch.ts";
export { type LanczosOptions, type LanczosResult, lanczos } from "./lanczos.ts";
export { matrixOperator, normalOperator, type SymmetricOperator } from "./operator.ts";
export { type OutsideMatrix, outsideMatrix } from "./outside.ts";
export { factorPivotedQr, factorQr, leastSquares, multiplyByQ, type QrFactors, qrRank, thinQ } from "./qr.ts";
export { type SpectralDensity, smoothedDensity, spectralDensity } from "./stochastic-lanczos.ts";
export { numericalRank, svd } from "./svd.ts";
export type {
  BackendInfo,
  BackendName,
  Compute,
  ComputeOptions,
  Kernels,
  LineLayout,
  RealKernels,
  Scope,
  WindowShape,
} from "./types.ts";
export { lineSizes, patternWords, windowSizes } from "./types.ts";
