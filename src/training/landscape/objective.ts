import type { Compute, Scope } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import { type BatchTape, type NetworkGraph, type ParameterRange, Tape } from "../../network/deep/index.ts";
import type { TrainingData, TrainingSettings } from "../trainer.ts";

/** A function of `size` parameters with its derivatives; the landscape that is looked at. */
export interface Objective {
  readonly size: number;
  /** Zeros that may be given to the other functions. */
  allocate(length: number): Float64Array;
  /** Value, and the share of samples that are classified right (NaN without classes). */
  value(theta: Float64Array): { readonly loss: number; readonly accuracy: number };
  /** out <- the gradient. */
  gradient(theta: Float64Array, out: Float64Array): void;
  /** out <- the Hessian times x. */
  hessian(theta: Float64Array, x: Float64Array, out: Float64Array): void;
}

/** What the objective of a network is made from. */
export interface LandscapeSetup {
  readonly graph: NetworkGraph;
  readonly compute: Compute;
  /** Holds what it works with. */
  readonly scope: Scope;
  readonly data: TrainingData;
  readonly reduction: TrainingSettings["reduction"];
  /** Samples that go through the network together. */
  readonly samples: number;
  /** Parameters that may move; derivatives by others are zero. Default: all. */
  readonly trained?: readonly ParameterRange[];
  /** Running statistics of batch normalization; `renewed`: from the data, at each value anew (derivatives hold them fixed). */
  readonly state?: RealArray | "renewed";
  /** What passes are made with, two coefficients and room for `samples`; default: a {@link Tape} of its own. */
  readonly tape?: BatchTape<Float64Array>;
  /** Told of the work after each value, gradient or product with the Hessian, in {@link OBJECTIVE_WORK}. */
  readonly progress?: (work: number) => void;
}

/** Work of what an objective does, in forward passes over the data. */
export const OBJECTIVE_WORK = { value: 1, gradient: 3, hessian: 8 } as const;

/** The training objective of a network on fixed data, in double precision, outside training. */
export function landscapeObjective(setup: LandscapeSetup): Objective {
  const { graph, compute, scope, data, reduction, state } = setup;
  const trained = setup.trained ?? [{ from: 0, count: graph.parameters }];
  const samples = Math.min(setup.samples, data.n);
  const allocate = (length: number): Float64Array => scope.f64(length);
  const isMoved = ({ parameters }: { readonly parameters: ParameterRange }): boolean =>
    trained.some(({ from, count }) => parameters.from >= from && parameters.from < from + count);
  const tape = setup.tape ?? new Tape({ graph, kernels: compute, allocate, samples, orders: 2, trained: isMoved });
  const done = (what: keyof typeof OBJECTIVE_WORK): void => setup.progress?.(OBJECTIVE_WORK[what]);
  if (state !== undefined && state !== "renewed") tape.state.set(state);
  const factor = reduction === "mean" ? 1 / data.n : 1;
  const inputs = graph.sizes[0]!;
  const [first, direction] = [allocate(graph.parameters), allocate(graph.parameters)];

  const forBatches = (body: (n: number, rows: Uint32Array) => void): void => {
    for (let from = 0; from < data.n; from += samples) {
      const n = Math.min(samples, data.n - from);
      tape.input[0]!.set(data.inputs.subarray(from * inputs, (from + n) * inputs));
      body(
        n,
        Uint32Array.from({ length: n }, (_, i) => from + i),
      );
    }
  };
  const renew = (theta: Float64Array): void => {
    if (state !== "renewed" || graph.state === 0) return;
    tape.state.fill(0);
    tape.training = true;
    forBatches((n) => tape.forward(n, [theta], 1));
    tape.training = false;
  };
  return {
    size: graph.parameters,
    allocate,
    value(theta) {
      renew(theta);
      let [loss, correct] = [0, 0];
      forBatches((n, rows) => {
        tape.forward(n, [theta], 1);
        const batch = data.loss.evaluate(rows, tape.output[0]!, null, factor);
        loss += factor * batch.loss;
        correct += batch.correct;
      });
      done("value");
      return { loss, accuracy: correct / data.n };
    },
    gradient(theta, out) {
      out.fill(0);
      forBatches((n, rows) => {
        tape.forward(n, [theta], 1);
        data.loss.evaluate(rows, tape.output[0]!, tape.outputAdjoint[0]!, factor);
        tape.backward(n, [theta], [out], 1, 1);
      });
      done("gradient");
    },
    hessian(theta, x, out) {
      direction.fill(0);
      for (const { from, count } of trained) direction.set(x.subarray(from, from + count), from);
      out.fill(0);
      forBatches((n, rows) => {
        tape.forward(n, [theta, direction]);
        data.loss.evaluate(rows, tape.output[0]!, tape.outputAdjoint[0]!, factor);
        data.loss.curvature(rows, tape.output[0]!, tape.output[1]!, tape.outputAdjoint[1]!, factor);
        tape.backward(n, [theta, direction], [first, out]);
      });
      done("hessian");
    },
  };
}
