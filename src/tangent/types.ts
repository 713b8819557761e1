import type { Matrix } from "../base/matrix.ts";
import type { Compute, RealArray } from "../compute/types.ts";
import type { Architecture, Shape } from "../network/architecture/index.ts";

/** `nngp`: covariance of the outputs at random weights; `ntk`: inner products of parameter gradients. */
export type KernelName = "nngp" | "ntk";

/**
 * Which weights are trained. `all`; `hidden`: all but those of the first and the last weighted layer; `last`: those of the
 * last weighted layer (the conjugate kernel).
 */
export type Trained = "all" | "hidden" | "last";

/** An infinitely wide network, up to its inputs. */
export interface KernelProblem {
  readonly architecture: Architecture;
  readonly input: Shape;
  readonly trained: Trained;
  readonly kernels: readonly KernelName[];
}

export type Precision = "f32" | "f64";

/** How kernel values are made. */
export interface EngineOptions {
  /** Of the results; default `f64`. */
  readonly precision?: Precision;
  /**
   * Of the products of vectors, for `f32` results: `f32` (default), which knows correlations to some 1e-7, or `f64`. All
   * other arithmetic is in f64 in any case.
   */
  readonly accumulation?: Precision;
}

/** Kernel values between two sets of inputs, N1 x N2 row-major, for an output of one number (an identity over outputs). */
export interface KernelBlock<A extends RealArray = Float64Array> {
  readonly nngp: A | null;
  readonly ntk: A | null;
}

/**
 * What makes kernel values of one architecture: vectors, images pixel by pixel, images with all pairs of pixels, or finite
 * networks at random weights.
 */
export interface KernelEngine<A extends RealArray = Float64Array> {
  /** Of the results; absent: f64. */
  readonly precision?: Precision;
  readonly method: "vectors" | "pixels" | "pixel-pairs" | "finite";
  /** Bytes of working memory for a block of N1 x N2 entries, results included. */
  bytes(rows: number, cols: number): number;
  /** Floating-point operations an entry, about. */
  readonly operations: number;
  /** Operations of a whole block, where they are not those of its entries. */
  work?(rows: number, cols: number): number;
  /**
   * The kernels between the rows of X1 (N1 x size, images row by row with channels last) and those of X2; X2 null: those
   * of X1 with themselves, exactly symmetric, equal inputs treated as diagonal.
   */
  block(compute: Compute, X1: Matrix, X2: Matrix | null): KernelBlock<A>;
}

/** Makes the engine of a problem. @throws ConfigError naming a layer whose kernel does not exist, and what to use instead. */
export interface MakeEngine {
  (problem: KernelProblem, options?: EngineOptions & { readonly precision?: "f64" }): KernelEngine;
  (problem: KernelProblem, options: EngineOptions & { readonly precision: "f32" }): KernelEngine<Float32Array>;
  (problem: KernelProblem, options: EngineOptions): KernelEngine<RealArray>;
}

/** Bytes of a number. */
export function bytesOf(precision: Precision | undefined): number {
  return precision === "f32" ? 4 : 8;
}
