import type { LossName } from "../types.ts";
import { logisticLoss } from "./logistic.ts";
import type { Loss } from "./loss.ts";
import { squaredLoss } from "./squared.ts";

export { dualBound, type Loss } from "./loss.ts";

/** The loss of that name. */
export function lossByName(name: LossName): Loss {
  return name === "squared" ? squaredLoss : logisticLoss;
}
