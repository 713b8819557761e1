import type { Measurement } from "../monitor.ts";
import { CHEAP, type MonitorKind } from "./kind.ts";
import { plain } from "./theory.ts";

/** Loss and accuracy over all samples, and the rate of the loss since the last look. */
export const lossMonitor: MonitorKind = {
  name: "loss",
  about: "loss, accuracy and logarithmic rate of the loss a step, over all samples",
  share: CHEAP,
  make({ trainer }) {
    let last: { readonly step: number; readonly loss: number } | null = null;
    return {
      work: { ownPasses: trainer.data.n, fixed: 1e7 },
      cost: "one forward pass over all samples",
      observe(step) {
        const { loss, correct } = trainer.evaluate();
        const rows: Measurement[] = [plain("loss", loss)];
        if (!Number.isNaN(correct)) rows.push(plain("accuracy", correct / trainer.data.n));
        if (last !== null && last.step < step) {
          rows.push(plain("loss-rate", Math.log(loss / last.loss) / (step - last.step)));
        }
        last = { step, loss };
        return rows;
      },
    };
  },
};
