import type { RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";
import { CHEAP, type MonitorKind } from "./kind.ts";
import type { Observation } from "./observation.ts";
import { beside, plain, STATEMENTS, stated } from "./theory.ts";

/**
 * Steps of plain gradient descent so far, in units of log(1 / eps) / delta^2 where eps is what the loss was multiplied with:
 * the theorems bound them by a polynomial of n and L.
 */
function stepsRow<A extends RealArray>(
  { form, delta, trainer }: Observation<A>,
  steps: number,
  eps: number,
): Measurement[] {
  if (form === null || !(eps < 1) || !Number.isFinite(delta)) return [];
  const scaled = (steps * delta ** 2) / Math.log(1 / eps);
  const { n } = trainer.data;
  const name = "steps-scaled";
  if (form.kind === "dense") return [beside(name, scaled, n ** 6 * form.depth ** 2, STATEMENTS.steps)];
  return [stated(name, scaled, form.kind === "patches" ? STATEMENTS.stepsPatches : STATEMENTS.stepsResidual)];
}

/** Loss and accuracy over all samples, the rate of the loss since the last look, and steps as the theorems count them. */
export const lossMonitor: MonitorKind = {
  name: "loss",
  about: "loss, accuracy and logarithmic rate of the loss a step, over all samples",
  share: CHEAP,
  make(observation) {
    const { trainer } = observation;
    const { rule, noise, batch } = trainer.settings;
    const isPlain = rule.kind === "sgd" && rule.momentum === 0 && rule.weightDecay === 0 && noise === 0;
    const isStated = isPlain && batch >= trainer.data.n && trainer.data.loss.name === "squared";
    const nothing = { step: Number.NaN, loss: Number.NaN, first: Number.NaN };
    let last = nothing;
    return {
      work: { ownPasses: trainer.data.n, fixed: 20_000 },
      cost: "one forward pass over all samples",
      observe(step) {
        const { loss, correct } = trainer.evaluate();
        const rows: Measurement[] = [plain("loss", loss)];
        if (!Number.isNaN(correct)) rows.push(plain("accuracy", correct / trainer.data.n));
        if (last.step < step) rows.push(plain("loss-rate", Math.log(loss / last.loss) / (step - last.step)));
        const first = step === 0 ? loss : last.first;
        if (isStated && step > 0) rows.push(...stepsRow(observation, step, loss / first));
        last = { step, loss, first };
        return rows;
      },
      save: () => [Float64Array.of(last.step, last.loss, last.first)],
      restore([saved]) {
        last = saved?.length === 3 ? { step: saved[0]!, loss: saved[1]!, first: saved[2]! } : nothing;
      },
    };
  },
};
