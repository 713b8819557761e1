import { randomStream } from "../../base/random.ts";
import { hutchTrace, lanczos, type SymmetricOperator, spectralDensity } from "../../compute/index.ts";
import type { RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";
import { rateAt } from "../updates.ts";
import { COSTLY, type MonitorKind, type MonitorWork } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";

/** Products for an extreme eigenvalue at most, and residuals that are enough, relative to the largest in size. */
const STEPS = 40;
const TOLERANCE = { largest: 1e-3, smallest: 1e-7 };
const TRACE_PRODUCTS = 30;
const DENSITY = { probes: 3, steps: 30 };
/** Eigenvalues so much smaller than the largest are not told from zero by so few steps, on either side of it. */
const FLAT = 1e-3;

/** The work of so many products with the curvature of n samples, and of keeping their images orthogonal. */
function products(count: number, n: number): Partial<MonitorWork> {
  return { passes: count * 6 * n, touches: count * 8, fixed: count * 160_000 };
}

/** A curvature of the objective, as estimated from the probed samples, on the trained parameters one range after the other. */
function probedCurvature<A extends RealArray>(
  observation: Observation<A>,
  kind: "hessian" | "gauss-newton",
): SymmetricOperator {
  const { graph, scope, rows, n, theta, factor, trainer } = observation;
  const { trained } = trainer.model;
  const { loss } = trainer.data;
  observation.tape(2);
  const [direction, first, second] = [0, 0, 0].map(() => scope.f64(graph.parameters)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return {
    size: trained.reduce((sum, { count }) => sum + count, 0),
    apply(x, out) {
      let at = 0;
      for (const { from, count } of trained) {
        direction.set(x.subarray(at, at + count), from);
        at += count;
      }
      const tape = observation.forwardAt([theta, direction], 2);
      const [values, slopes] = [tape.output[0]!, tape.output[1]!];
      const product = kind === "hessian" ? second : first;
      product.fill(0);
      if (kind === "hessian") {
        loss.evaluate(rows, values, tape.outputAdjoint[0]!, factor);
        loss.curvature(rows, values, slopes, tape.outputAdjoint[1]!, factor);
        tape.backward(n, [theta, direction], [first, second]);
      } else {
        loss.curvature(rows, values, slopes, tape.outputAdjoint[0]!, factor);
        tape.backward(n, [theta, direction], [first], 1, 1);
      }
      at = 0;
      for (const { from, count } of trained) {
        out.set(product.subarray(from, from + count), at);
        at += count;
      }
    },
  };
}

/** The largest and the smallest curvature of the loss. */
export const sharpnessMonitor: MonitorKind = {
  name: "sharpness",
  about: "extreme eigenvalues of the Hessian and the Gauss-Newton matrix, beside the edge of stability",
  share: COSTLY,
  make(observation) {
    const { compute, trainer, n, stability } = observation;
    const hessian = probedCurvature(observation, "hessian");
    const gaussNewton = probedCurvature(observation, "gauss-newton");
    const extreme = (operator: SymmetricOperator, end: "largest" | "smallest"): number =>
      lanczos(compute, operator, 1, randomStream(0, `curvature ${end}`), {
        end,
        tolerance: TOLERANCE[end],
        maxSteps: Math.min(operator.size, STEPS),
      }).values[0];
    return {
      work: products(3 * STEPS, n),
      cost: `at most ${3 * STEPS} products with the curvature of ${n} samples`,
      observe(step) {
        observation.refresh();
        const { rule, schedule } = trainer.settings;
        const bound = stability === null ? null : stability / rateAt(schedule, step + 1);
        const isPlain = rule.kind === "sgd" && rule.momentum === 0;
        const statement = isPlain ? STATEMENTS.sharpness : STATEMENTS.sharpnessMomentum;
        return [
          beside("sharpness", extreme(hessian, "largest"), bound, statement),
          // From above: it lies close to many others, and is rarely found in so few steps.
          plain("hessian-smallest", extreme(hessian, "smallest")),
          plain("gauss-newton-largest", extreme(gaussNewton, "largest")),
        ];
      },
    };
  },
};

/** The trace of the Hessian. */
export const traceMonitor: MonitorKind = {
  name: "trace",
  about: "trace of the Hessian and the Gauss-Newton matrix by Hutch++",
  share: COSTLY,
  make(observation) {
    const { compute, n } = observation;
    const operators = (["hessian", "gauss-newton"] as const).map((kind) => probedCurvature(observation, kind));
    return {
      work: products(2 * TRACE_PRODUCTS, n),
      cost: `${2 * TRACE_PRODUCTS} products with the curvature of ${n} samples`,
      observe() {
        observation.refresh();
        return operators.flatMap((operator, k): Measurement[] => {
          const name = ["hessian", "gauss-newton"][k]!;
          const { trace, standardError } = hutchTrace(compute, operator, TRACE_PRODUCTS, randomStream(0, "trace"));
          return [plain(`${name}-trace`, trace), plain(`${name}-trace-error`, standardError)];
        });
      },
    };
  },
};

/** Quantiles of the spectrum of the Hessian. */
export const spectrumMonitor: MonitorKind = {
  name: "spectrum",
  about: "distribution of the Hessian's eigenvalues by stochastic Lanczos quadrature: quantiles and negative share",
  share: COSTLY,
  make(observation) {
    const { compute, n } = observation;
    const operator = probedCurvature(observation, "hessian");
    return {
      work: products(DENSITY.probes * DENSITY.steps, n),
      cost: `${DENSITY.probes * DENSITY.steps} products with the curvature of ${n} samples`,
      observe() {
        observation.refresh();
        const { values, weights } = spectralDensity(compute, operator, DENSITY, randomStream(0, "spectrum"));
        const quantile = (level: number): number => {
          let sum = 0;
          const at = weights.findIndex((weight) => {
            sum += weight;
            return sum >= level;
          });
          return values[at < 0 ? values.length - 1 : at];
        };
        const size = Math.max(Math.abs(values[0]), Math.abs(values[values.length - 1]));
        let negative = 0;
        values.forEach((value, k) => {
          if (value < -FLAT * size) negative += weights[k];
        });
        return [
          ...[0.01, 0.25, 0.5, 0.75, 0.99].map((level) => plain(`hessian-quantile-${level}`, quantile(level))),
          plain("hessian-negative-share", negative),
        ];
      },
    };
  },
};
