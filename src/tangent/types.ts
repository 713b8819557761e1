import type { Matrix } from "../base/matrix.ts";
import type { Compute } from "../compute/types.ts";
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

/** Kernel values between two sets of inputs, N1 x N2 row-major, for an output of one number (an identity over outputs). */
export interface KernelBlock {
  readonly nngp: Float64Array | null;
  readonly ntk: Float64Array | null;
}

/** What makes kernel values of one architecture: vectors, images pixel by pixel, or images with all pairs of pixels. */
export interface KernelEngine {
  readonly method: "vectors" | "pixels" | "pixel-pairs";
  /** Bytes of working memory for a block of N1 x N2 entries, results included. */
  bytes(rows: number, cols: number): number;
  /** Floating-point operations an entry, about. */
  readonly operations: number;
  /**
   * The kernels between the rows of X1 (N1 x size, images row by row with channels last) and those of X2; X2 null: those
   * of X1 with themselves, exactly symmetric, equal inputs treated as diagonal.
   */
  block(compute: Compute, X1: Matrix, X2: Matrix | null): KernelBlock;
}

/** Makes the engine of a problem. @throws ConfigError naming a layer whose kernel does not exist, and what to use instead. */
export type MakeEngine = (problem: KernelProblem) => KernelEngine;
