import type { Operation } from "./operation.ts";

/** The sum of two values of `size` numbers a sample: where a residual layer joins its two paths. */
export function addOperation(size: number): Operation {
  return {
    name: "add",
    inputs: [size, size],
    size,
    rows: 0,
    parameters: [],
    saved: () => 0,
    state: 0,
    scratch: () => 0,

    forward({ kernels, n, known }, _, [a, b], y) {
      y.forEach((out, k) => {
        if (k >= known) kernels.add(n * size, a![k]!, b![k]!, out);
      });
    },

    backward({ kernels, n, known }, _, { dy, dx, accumulate }) {
      dx.forEach((into, input) => {
        into?.forEach((out, k) => {
          if (k < known) return;
          if (accumulate[input] === true) kernels.add(n * size, out, dy[k]!, out);
          else out.set(dy[k]!.subarray(0, n * size));
        });
      });
    },
  };
}
