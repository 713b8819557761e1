import type { RealArray } from "../../compute/types.ts";
import type { NetworkGraph } from "../../network/deep/index.ts";
import type { Precision, Trained } from "../types.ts";

/**
 * How the kernel J J' of a finite network is made (Novak, Sohl-Dickstein & Schoenholz, "Fast finite width neural tangent
 * kernel", ICML 2022). `jacobian`: Jacobians, and their products; `products`: column by column, a transposed derivative and
 * a directional one; `structured`: from inputs and cotangents of each layer, without Jacobians where those cost more.
 */
export const EMPIRICAL_METHODS = ["structured", "jacobian", "products"] as const;
export type EmpiricalMethod = (typeof EMPIRICAL_METHODS)[number];

/**
 * What is kept of a layer. `jacobian`: derivatives by its parameters; `vectors`: its input and cotangent vectors, whose
 * products are multiplied entry by entry; `patches`: the same for each pixel, summed over pairs of pixels.
 */
export type Contraction = "jacobian" | "vectors" | "patches";

/** A finite network with its numbers. */
export interface FiniteNetwork {
  readonly graph: NetworkGraph;
  /** graph.parameters numbers, in any memory and either precision. */
  readonly theta: RealArray;
  /** graph.state numbers (running statistics of batch normalization); absent: those of a fresh network. */
  readonly state?: RealArray;
}

export interface EmpiricalOptions {
  /** Which weights are trained; `hidden` and `last` as for infinite networks, with gains and shifts of normalizations in between. */
  readonly trained?: Trained;
  /**
   * `average` (default): the mean over outputs of an N1 x N2 kernel, whose limit is the analytic one. `full`: N1 c x N2 c for
   * c outputs, those of a sample side by side.
   */
  readonly outputs?: "average" | "full";
  /** Precision of passes and products; sums over layers, and over long stretches of parameters, are in f64. Default f64. */
  readonly precision?: Precision;
  /** Default `auto`: the one with the fewest floating-point operations of those that fit into the memory. */
  readonly method?: EmpiricalMethod | "auto";
  /** Bytes of kernel memory for the work; default: half of what the machinery may take, the result apart. */
  readonly limitBytes?: number;
  /** The network while it is trained, with statistics of batches: refused where those exist. */
  readonly training?: boolean;
}

/** How a kernel will be made, before any of the work. */
export interface EmpiricalPlan {
  readonly method: EmpiricalMethod;
  /** How each trained layer is contracted; empty for `products`. */
  readonly layers: readonly { readonly place: string; readonly name: string; readonly by: Contraction }[];
  /** Samples of a block of rows or columns, and of those that go through the network together. */
  readonly block: number;
  readonly batch: number;
  /** One layer after another, with passes through the network for each. */
  readonly layerByLayer: boolean;
  /** Floating-point operations of this and of the other methods, about; null: does not fit into the memory. */
  readonly operations: Readonly<Record<EmpiricalMethod, number | null>>;
  /** Bytes of kernel memory that the work takes, about. */
  readonly bytes: number;
}

/** An empirical tangent kernel, rows x cols row-major. */
export interface EmpiricalKernel {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float64Array;
  readonly plan: EmpiricalPlan;
}
