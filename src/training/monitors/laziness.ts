import { randomStream } from "../../base/random.ts";
import type { Measurement } from "../monitor.ts";
import { COSTLY, type MonitorKind } from "./kind.ts";
import { beside, plain, STATEMENTS } from "./theory.ts";

/** Rounds of the power iterations. */
const ROUNDS = 30;

/**
 * kappa = ||h - y|| ||D2h|| / ||Dh||^2 on the probed samples: derivatives by power iterations, so ||Dh|| and ||D2h|| are from
 * below. ||h - y|| is the norm of the loss's derivative, which is the residual for squared loss.
 */
export const lazinessMonitor: MonitorKind = {
  name: "laziness",
  about: "kappa = ||h - y|| ||D2h|| / ||Dh||^2: far below 1 where training stays near the linearized network",
  share: COSTLY,
  make(observation) {
    const { graph, n, scope, compute, theta, outputs, trainer } = observation;
    const size = n * outputs;
    const [direction, next, unused] = [0, 0, 0].map(() => scope.f64(graph.parameters)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const cotangent = scope.f64(size);
    for (const orders of [1, 2, 3]) observation.tape(orders);
    const piecewise = graph.nodes.some(({ operation }) =>
      ["relu", "leaky-relu", "abrelu", "abs"].includes(operation.name),
    );
    const unit = (x: Float64Array): number => {
      const norm = Math.sqrt(observation.squaredNorm(x));
      if (norm > 0) for (let k = 0; k < x.length; k++) x[k] /= norm;
      return norm;
    };
    const start = (name: string): void => {
      const { normal } = randomStream(0, name);
      direction.fill(0);
      for (const { from, count } of trainer.model.trained) {
        for (let k = from; k < from + count; k++) direction[k] = normal();
      }
      unit(direction);
    };
    /** Largest ||Dh v||^2 over unit v. */
    const first = (): number => {
      start("laziness");
      let largest = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const tape = observation.forwardAt([theta, direction], 2);
        next.fill(0);
        tape.outputAdjoint[0]!.set(tape.output[1]!);
        tape.backward(n, [theta, direction], [next], 1, 1);
        direction.set(next);
        largest = unit(direction);
      }
      return largest;
    };
    /**
     * Largest ||D2h[v, v]|| over unit v, by turns in the unit cotangent u = D2h[v, v] / ||.|| and v, which makes a step of
     * power iteration on the Hessian of <u, h>, shifted so that its largest eigenvalue is the largest in size.
     */
    const second = (): number => {
      start("laziness, second");
      let [largest, shift] = [0, 0];
      for (let round = 0; round < ROUNDS; round++) {
        const image = observation.forwardAt([theta, direction], 3).output[2]!;
        const norm = 2 * compute.norm2(size, image);
        largest = Math.max(largest, norm);
        if (!(norm > 0)) break;
        for (let k = 0; k < size; k++) cotangent[k] = (2 * image[k]) / norm;
        const tape = observation.forwardAt([theta, direction], 2);
        tape.outputAdjoint[0]!.set(cotangent);
        tape.outputAdjoint[1]!.fill(0);
        next.fill(0);
        tape.backward(n, [theta, direction], [unused, next]);
        shift = Math.max(shift, Math.sqrt(observation.squaredNorm(next)));
        for (let k = 0; k < next.length; k++) direction[k] = next[k] + shift * direction[k];
        unit(direction);
      }
      return largest;
    };
    return {
      work: { passes: ROUNDS * 16 * n, touches: ROUNDS * 16, fixed: ROUNDS * 320_000 },
      cost: `${2 * ROUNDS} products with first and second derivatives of ${n} samples`,
      observe(): Measurement[] {
        observation.refresh();
        const residual = new Float64Array(size);
        observation.loss(observation.forward().output[0]!, residual);
        const distance = Math.hypot(...residual);
        const [square, curvature] = [first(), second()];
        const rows = [
          beside("laziness-kappa", (distance * curvature) / square, 1, STATEMENTS.lazy),
          plain("laziness-first-derivative", Math.sqrt(square)),
          plain("laziness-second-derivative", curvature),
        ];
        // Kinks have no second derivative: what is left are the products of different layers.
        return piecewise ? rows.map((row) => ({ ...row, name: `${row.name}-between-kinks` })) : rows;
      },
    };
  },
};
