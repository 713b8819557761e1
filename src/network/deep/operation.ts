import type { RealArray, RealKernels } from "../../compute/types.ts";

/**
 * A truncated power series in one variable t, coefficient by coefficient: x(t) = x[0] + x[1] t + x[2] t^2 + ...
 * With one coefficient it is a plain array; with two, a value and its directional derivative.
 */
export type Series<A extends RealArray> = readonly A[];

/** Parameters of an operation: `count` weights drawn from N(0, std^2) at the start, or all equal to `mean` when std is 0. */
export interface ParameterBlock {
  readonly name: "weight" | "bias" | "gain" | "shift";
  readonly shape: readonly number[];
  readonly std: number;
  readonly mean: number;
}

/** What an operation works with on a batch: kernels of one precision and memory of the tape. */
export interface Frame<A extends RealArray> {
  readonly kernels: RealKernels<A>;
  /** Samples of the batch. */
  readonly n: number;
  /** At least {@link Operation.scratch}(n) numbers, their contents unspecified. */
  readonly scratch: A;
  /** n {@link Operation.saved} numbers that `forward` may write and `backward` reads; they stay between passes. */
  readonly saved: A;
  /**
   * Coefficients that are there already from a pass at the same theta[0], inputs and cotangent: of y in `forward`, of dx in
   * `backward`. Those are not to be added to, and need not be written.
   */
  readonly known: number;
  /** {@link Operation.state} numbers of the network that are not trained (running statistics). */
  readonly state: A;
  /** True while training: batch statistics are used, and running ones updated. */
  readonly training: boolean;
  /** At least n {@link Operation.rows} ones. */
  readonly ones: A;
}

/**
 * One step of a network, for batches of any size and both precisions, on truncated power series: with K + 1 coefficients
 * everything is exact up to t^K. K = 0 is evaluation and the gradient; K = 1 gives directional derivatives (Jacobian-vector
 * products) forward and Hessian-vector products backward; K = 2 second-order forward products.
 *
 * Arrays hold one sample after another, each row-major with channels last. `theta` has one coefficient (fixed
 * parameters) or two (a line theta[0] + t theta[1]); inputs have as many coefficients as outputs.
 */
export interface Operation {
  readonly name: string;
  /** Numbers a sample of each input, and of the output. */
  readonly inputs: readonly number[];
  readonly size: number;
  /** Rows a sample that parameters are shared over, the pixels of the output; 0 without parameters. */
  readonly rows: number;
  readonly parameters: readonly ParameterBlock[];
  /** Numbers a sample that `forward` leaves for `backward` with series of `orders` coefficients. */
  saved(orders: number): number;
  readonly state: number;
  /** Numbers of working memory for n samples and series of `orders` coefficients. */
  scratch(n: number, orders: number): number;
  /** y(t) <- operation(theta(t), x(t)). */
  forward<A extends RealArray>(frame: Frame<A>, theta: Series<A>, x: readonly Series<A>[], y: Series<A>): void;
  /**
   * The transposed derivative at theta(t), x(t) applied to the cotangent dy(t): written to dx[k] (null: not wanted; added
   * where accumulate[k]), and `scale` times it added to `gradient` (null: not wanted). dx comes first, so that `gradient`
   * may be theta[0] itself (a fused step of gradient descent). y is what `forward` gave.
   */
  backward<A extends RealArray>(frame: Frame<A>, theta: Series<A>, pass: BackwardPass<A>): void;
}

/** What goes into and out of {@link Operation.backward}. */
export interface BackwardPass<A extends RealArray> {
  readonly x: readonly Series<A>[];
  readonly y: Series<A>;
  readonly dy: Series<A>;
  readonly dx: readonly (Series<A> | null)[];
  readonly accumulate: readonly boolean[];
  /** Coefficients that are null are not wanted. */
  readonly gradient: readonly (A | null)[] | null;
  readonly scale: number;
}

/** Number of entries of a block. */
export function blockSize(block: ParameterBlock): number {
  return block.shape.reduce((product, size) => product * size, 1);
}

/** Number of parameters of an operation. */
export function operationParameters(operation: Operation): number {
  return operation.parameters.reduce((sum, block) => sum + blockSize(block), 0);
}
