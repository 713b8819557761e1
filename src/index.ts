/**
 * The public surface of the library: read a table, train a two-layer ReLU network to a bounded distance from its global
 * optimum, and save it in formats that other tools open; kernels of wide networks; deep networks under gradient descent,
 * measured.
 */
export * from "./base/errors.ts";
export { type Matrix, matrix, row, takeRows } from "./base/matrix.ts";
export { type RandomStream, randomStream } from "./base/random.ts";
export * from "./compute/index.ts";
export * from "./convex/index.ts";
export * from "./convex/theory/index.ts";
export * from "./data/index.ts";
export * from "./experiments/index.ts";
export * from "./formats/index.ts";
export * from "./network/architecture/index.ts";
export * from "./network/deep/index.ts";
export * from "./network/index.ts";
export * from "./tangent/index.ts";
export * from "./training/index.ts";
export { type Verification, type VerifyData, verifyCertificate } from "./verify/index.ts";
