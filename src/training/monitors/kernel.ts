import { symmetricEigenvalues } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import { trainedRanges } from "../../network/deep/index.ts";
import { empiricalNtk } from "../../tangent/empirical/kernel.ts";
import { trainedNodes } from "../../tangent/empirical/nodes.ts";
import type { Trained } from "../../tangent/index.ts";
import type { Measurement } from "../monitor.ts";
import { rateAt } from "../updates.ts";
import { COSTLY, type MonitorKind, SPECTRAL_TOUCHES } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";

/** Most rows of the kernel: samples times outputs. */
const ROWS = 256;

/** 1 - cosine of two matrices as vectors. */
export function kernelDistance(a: Float64Array, b: Float64Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    dot += a[k] * b[k];
    aa += a[k] * a[k];
    bb += b[k] * b[k];
  }
  return 1 - dot / Math.sqrt(aa * bb);
}

/** The name of the mask that the trainer's model has; null for others. */
export function trainedName<A extends RealArray>({ graph, trainer }: Observation<A>): Trained | null {
  const wanted = JSON.stringify(trainer.model.trained);
  for (const name of ["all", "hidden", "last"] as const) {
    let nodes: ReturnType<typeof trainedNodes>;
    try {
      nodes = trainedNodes(graph, name, false);
    } catch {
      continue;
    }
    if (JSON.stringify(trainedRanges(graph, (node) => nodes.includes(node))) === wanted) return name;
  }
  return null;
}

/** The full tangent kernel (samples times outputs) of the first n probed samples at some parameters. */
export function fullKernel<A extends RealArray>(
  observation: Observation<A>,
  theta: Float64Array,
  n: number,
  trained: Trained,
): Float64Array {
  const { compute, graph, inputs, trainer } = observation;
  const cols = graph.sizes[0]!;
  const X = { rows: n, cols, data: inputs.subarray(0, n * cols) };
  const network = { graph, theta, state: trainer.model.state };
  return empiricalNtk(compute, network, X, null, { trained, outputs: "full" }).values;
}

/** y'Ky / (||K|| ||y||^2). */
function alignment(kernel: Float64Array, y: Float64Array): number {
  const size = y.length;
  let [form, norm, square] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    norm += y[i] * y[i];
    for (let j = 0; j < size; j++) {
      form += y[i] * y[j] * kernel[i * size + j];
      square += kernel[i * size + j] ** 2;
    }
  }
  return form / (Math.sqrt(square) * norm);
}

/** The tangent kernel of the network as it is, beside that of the start. */
export const kernelMonitor: MonitorKind = {
  name: "kernel",
  about:
    "the empirical tangent kernel: eigenvalues, drift, distance, velocity, alignment; rate and gradient bounds by it",
  share: COSTLY,
  make(observation) {
    observation.tape(1);
    const { trainer, outputs, theory, compute } = observation;
    const { data, settings } = trainer;
    const trained = trainedName(observation);
    const n = Math.min(observation.n, Math.max(1, Math.floor(ROWS / outputs)));
    const size = n * outputs;
    const isAll = n === data.n;
    const isPlain = settings.rule.kind === "sgd" && settings.rule.momentum === 0 && settings.rule.weightDecay === 0;
    const isSquared = data.loss.name === "squared";
    const start = trained === null ? null : fullKernel(observation, observation.initial, n, trained);
    // The derivative of the loss where the network says zero points from the labels.
    const labels = new Float64Array(size);
    data.loss.evaluate(observation.rows.subarray(0, n), new Float64Array(size), labels, -1);
    let last: {
      readonly step: number;
      readonly kernel: Float64Array;
      readonly loss: number;
      readonly ends: readonly [number, number];
    } | null = null;

    const largestChange = (kernel: Float64Array): number => {
      let worst = 0;
      for (let i = 0; i < size; i++) {
        for (let j = 0; j <= i; j++) {
          const change = Math.abs(kernel[i * size + j] - start![i * size + j]);
          const scale = Math.sqrt(start![i * size + i] * start![j * size + j]);
          if (i % outputs === j % outputs && scale > 0) worst = Math.max(worst, change / scale);
        }
      }
      return worst;
    };
    return {
      // The eigenvalues, the products of Jacobians, and the rest.
      work: {
        passes: 6 * n * outputs,
        touches: 2 + SPECTRAL_TOUCHES,
        fixed: 0.5 * size ** 3 + 1e6,
      },
      cost: `the kernel of ${n} samples and ${outputs} outputs`,
      observe(step) {
        if (trained === null || start === null) return [];
        observation.refresh();
        const kernel = fullKernel(observation, observation.theta, n, trained);
        const [least, largest] = compute.scope((scope) => {
          const values = scope.f64(size);
          symmetricEigenvalues(compute, size, scope.copy(kernel), size, values);
          return [values[0], values[size - 1]] as const;
        });
        const loss = observation.loss(observation.forward().output[0]!);
        const omega = observation.radius;
        const drift = kernel.map((value, k) => value - start[k]);
        const norm = (array: Float64Array): number => Math.hypot(...array);
        const ntkBound = theory === null || omega === 0 ? null : Math.cbrt(omega) * theory.depth ** 3;
        const rows: Measurement[] = [
          plain("kernel-eigenvalue-least", least),
          plain("kernel-eigenvalue-largest", largest),
          plain("kernel-drift", norm(drift) / norm(start)),
          plain("kernel-distance", kernelDistance(kernel, start)),
          beside("kernel-change-largest", largestChange(kernel), ntkBound, STATEMENTS.ntkKernel),
          plain("kernel-label-alignment", alignment(kernel, labels)),
        ];
        if (isSquared && isAll) {
          const gradient = new Float64Array(size);
          observation.loss(observation.forward().output[0]!, gradient);
          let square = 0;
          for (let i = 0; i < size; i++) {
            for (let j = 0; j < size; j++) square += gradient[i] * gradient[j] * kernel[i * size + j];
          }
          rows.push(beside("gradient-by-kernel", square, 2 * largest * loss, STATEMENTS.kernelGradient));
        }
        if (last !== null && last.step < step) {
          rows.push(plain("kernel-velocity", kernelDistance(kernel, last.kernel) / (step - last.step)));
          if (isSquared && isAll && isPlain) {
            const rate = rateAt(settings.schedule, Math.max(1, step)) / (settings.reduction === "mean" ? data.n : 1);
            // The kernels of both looks: it has moved in between.
            const slowest = Math.max(...[least, largest, ...last.ends].map((value) => Math.abs(1 - rate * value)));
            const measured = Math.log(loss / last.loss) / (step - last.step);
            rows.push(beside("loss-rate-by-kernel", measured, 2 * Math.log(slowest), STATEMENTS.rate));
          }
        }
        last = { step, kernel, loss, ends: [least, largest] };
        return rows;
      },
      save: () => (last === null ? [] : [Float64Array.of(last.step, last.loss, ...last.ends), last.kernel]),
      restore([numbers, kernel]) {
        const isOurs = numbers?.length === 4 && kernel?.length === size * size;
        if (!isOurs) return;
        const [step, loss, least, largest] = numbers as Float64Array;
        last = { step: step!, loss: loss!, ends: [least!, largest!], kernel: Float64Array.from(kernel) };
      },
    };
  },
};
