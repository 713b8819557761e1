import type { RealArray, RealKernels } from "../compute/types.ts";
import type { ParameterRange } from "../network/deep/index.ts";

/** How a gradient becomes a step. Weight decay adds weightDecay times the parameters to the gradient (Adam: decoupled). */
export type UpdateRule =
  | { readonly kind: "sgd"; readonly momentum: number; readonly nesterov: boolean; readonly weightDecay: number }
  | {
      readonly kind: "adam";
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    };

/** Plain gradient descent. */
export const PLAIN: UpdateRule = { kind: "sgd", momentum: 0, nesterov: false, weightDecay: 0 };

/** An update rule with its memory, which is part of a checkpoint. */
export interface Update<A extends RealArray> {
  /** Arrays as long as the parameters, zero at the start. */
  readonly memory: readonly A[];
  /** Moves theta by one step along the gradient, which may be overwritten; `step` counts from 1. */
  apply(theta: A, gradient: A, rate: number, step: number): void;
}

/**
 * The steps of a rule on the trained parameters; others are left alone.
 *
 * - sgd: v <- momentum v + g, theta <- theta - rate v (heavy ball), or theta - rate (g + momentum v) (Nesterov), as in
 *   PyTorch.
 * - adam: Kingma and Ba (arXiv:1412.6980), with decoupled weight decay (arXiv:1711.05101).
 *
 * @throws RangeError for settings outside their ranges.
 */
export function makeUpdate<A extends RealArray>(
  rule: UpdateRule,
  kernels: RealKernels<A>,
  parameters: number,
  trained: readonly ParameterRange[],
  allocate: (length: number) => A,
): Update<A> {
  if (!(rule.weightDecay >= 0)) throw new RangeError(`weight decay must not be negative, got ${rule.weightDecay}`);
  if (rule.kind === "adam") return adam(rule, parameters, trained, allocate);
  const { momentum, nesterov, weightDecay } = rule;
  inUnit("momentum", momentum);
  const velocity = momentum > 0 ? allocate(parameters) : null;
  return {
    memory: velocity === null ? [] : [velocity],
    apply(theta, gradient, rate) {
      for (const { from, count } of trained) {
        const part = (array: A): A => array.subarray(from, from + count) as A;
        const [w, g] = [part(theta), part(gradient)];
        if (weightDecay > 0) kernels.axpy(count, weightDecay, w, g);
        if (velocity === null) {
          kernels.axpy(count, -rate, g, w);
          continue;
        }
        const v = part(velocity);
        for (let k = 0; k < count; k++) {
          const next = momentum * v[k] + g[k];
          v[k] = next;
          w[k] -= rate * (nesterov ? g[k] + momentum * next : next);
        }
      }
    },
  };
}

function inUnit(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) throw new RangeError(`${name} must be in [0, 1), got ${value}`);
}

function adam<A extends RealArray>(
  { beta1, beta2, epsilon, weightDecay }: UpdateRule & { readonly kind: "adam" },
  parameters: number,
  trained: readonly ParameterRange[],
  allocate: (length: number) => A,
): Update<A> {
  inUnit("beta1", beta1);
  inUnit("beta2", beta2);
  if (!(epsilon > 0)) throw new RangeError(`epsilon must be positive, got ${epsilon}`);
  const [mean, square] = [allocate(parameters), allocate(parameters)];
  return {
    memory: [mean, square],
    apply(theta, gradient, rate, step) {
      const scale = rate / (1 - beta1 ** step);
      const correction = 1 / (1 - beta2 ** step);
      const shrink = 1 - rate * weightDecay;
      for (const { from, count } of trained) {
        for (let k = from; k < from + count; k++) {
          const g = gradient[k];
          const m = beta1 * mean[k] + (1 - beta1) * g;
          const v = beta2 * square[k] + (1 - beta2) * g * g;
          mean[k] = m;
          square[k] = v;
          theta[k] = shrink * theta[k] - (scale * m) / (Math.sqrt(v * correction) + epsilon);
        }
      }
    },
  };
}

/** Step sizes: `rate` at first, times `factor` from each of `drops` (numbers of steps) on. */
export interface Schedule {
  readonly rate: number;
  readonly factor: number;
  readonly drops: readonly number[];
}

/** The step size of step `step`, counted from 1. */
export function rateAt({ rate, factor, drops }: Schedule, step: number): number {
  return rate * factor ** drops.filter((drop) => step > drop).length;
}
