import type { LossName } from "../types.ts";
import { hingeLoss } from "./hinge.ts";
import { huberLoss } from "./huber.ts";
import { logisticLoss } from "./logistic.ts";
import type { Loss } from "./loss.ts";
import { squaredLoss } from "./squared.ts";

export { bestConstant } from "./best-constant.ts";
export { type DualBox, dualBound, type Loss } from "./loss.ts";

/** What determines a loss: the part of a problem that names it. */
export interface LossChoice {
  readonly loss: LossName;
  /** Sample weights >= 0; default: all 1. */
  readonly weights?: Float64Array;
  /** Threshold of the Huber loss; default 1. */
  readonly huber?: number;
}

/** The loss of a problem. */
export function lossOf({ loss, weights, huber = 1 }: LossChoice): Loss {
  const omega = weights ?? null;
  if (loss === "squared") return squaredLoss(omega);
  if (loss === "logistic") return logisticLoss(omega);
  return loss === "hinge" ? hingeLoss(omega) : huberLoss(huber, omega);
}

/** The loss of that name, unweighted. */
export function lossByName(name: LossName): Loss {
  return lossOf({ loss: name });
}
