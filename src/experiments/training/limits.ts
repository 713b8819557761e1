import { ConfigError, DataError } from "../../base/errors.ts";
import type { Compute } from "../../compute/index.ts";
import type { PosedTraining } from "./pose.ts";
import type { TrainingInputs } from "./samples.ts";
import type { TrainSettings } from "./settings.ts";

/** @throws DataError for a number that the precision cannot hold. */
export function checkRange({ train, test }: TrainingInputs, { data, precision }: TrainSettings): void {
  for (const { X, n } of test === null ? [train] : [train, test]) {
    const odd = X.findIndex((value) => !Number.isFinite(value));
    if (odd < 0) continue;
    throw new DataError(`a number of sample ${Math.floor(odd / (X.length / n)) + 1} is too large for ${precision}`, {
      code: "not-finite",
      hint: "use --precision f64, or --standardize columns",
      place: { file: data },
    });
  }
}

/** Arrays as long as the parameters, in the precision of the training and in f64, that rules and step sizes take. */
const ARRAYS = { sgd: 3, adam: 4, curvature: 14 } as const;

/** @throws ConfigError for a network that there is no memory for. */
export function checkMemory(settings: TrainSettings, { graph, form }: PosedTraining, compute: Compute): void {
  const copies = form.kind === "symmetric" ? 2 : form.kind === "taylor" ? form.degree + 1 : 1;
  const bytes = settings.precision === "f32" ? 4 : 8;
  const arrays = bytes * copies * (settings.adam ? ARRAYS.adam : ARRAYS.sgd);
  const isMeasured = !settings.adam && typeof settings.rate !== "number";
  const needed = graph.parameters * (arrays + (isMeasured ? 8 * ARRAYS.curvature : 0));
  if (needed <= compute.memoryLimit) return;
  const gibibytes = (count: number): string => `${(count / 2 ** 30).toPrecision(3)} GiB`;
  throw new ConfigError(
    `training ${graph.parameters} parameters takes ${gibibytes(needed)}, there are ${gibibytes(compute.memoryLimit)}`,
    {
      code: "training-memory",
      hint: isMeasured ? "give --rate a number, or make the network smaller" : "make the network smaller",
    },
  );
}
