import { ConfigError, DataError } from "../../base/errors.ts";
import type { Matrix } from "../../base/matrix.ts";
import type { FiniteNetwork } from "./types.ts";

/**
 * Checks that inputs and numbers are those of a network.
 *
 * @throws RangeError for wrong counts, DataError for inputs that are not finite.
 */
export function checkNetwork({ graph, theta, state }: FiniteNetwork, inputs: readonly Matrix[]): void {
  if (theta.length !== graph.parameters) {
    throw new RangeError(`${theta.length} parameters for a network of ${graph.parameters}`);
  }
  if (state !== undefined && state.length !== graph.state) {
    throw new RangeError(`${state.length} running statistics for a network of ${graph.state}`);
  }
  for (const { cols, data } of inputs) {
    if (cols !== graph.sizes[0]) throw new RangeError(`inputs of ${cols} numbers for a network on ${graph.sizes[0]}`);
    const odd = data.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) {
      throw new DataError(`input ${Math.floor(odd / cols) + 1} has an entry that is not a finite number`, {
        code: "kernel-input",
        hint: "remove missing values",
      });
    }
  }
}

/** @throws ConfigError when an entry of a kernel is not finite. */
export function checkKernel(values: Float64Array, cols: number): void {
  const odd = values.findIndex((value) => !Number.isFinite(value));
  if (odd < 0) return;
  const [i, j] = [Math.floor(odd / cols), odd % cols];
  throw new ConfigError(`the kernel of rows ${i + 1} and ${j + 1} is infinite`, {
    code: "kernel-infinite",
    hint: "standardize the inputs, or make W_std smaller",
  });
}
