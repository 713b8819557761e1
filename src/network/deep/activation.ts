import type { RealArray } from "../../compute/types.ts";
import type { ActivationLayer, Shape } from "../architecture/index.ts";
import { expansionOf } from "./expansions.ts";
import type { Operation, Series } from "./operation.ts";
import { addProduct, addScaledProduct, scalePlane, setProduct } from "./planes.ts";

/** Entries that are expanded together: planes of so many numbers stay in the cache. */
const TILE = 2048;

/** The operation of an activation on inputs of a shape. */
export function activationOperation(layer: ActivationLayer, input: Shape): Operation {
  const size = input.reduce((product: number, length) => product * length, 1);
  const expand = expansionOf(layer);
  const isRelu = layer.name === "relu";
  const planesOf = <A extends RealArray>(scratch: A, count: number): A[] =>
    Array.from({ length: count }, (_, j) => scratch.subarray(j * TILE, (j + 1) * TILE) as A);
  /** The coefficients of sigma' at x(0) that the forward pass leaves, where there is room for them. */
  const slopesOf = <A extends RealArray>(saved: A, orders: number, total: number): A[] =>
    Array.from({ length: orders }, (_, j) => saved.subarray(j * total, (j + 1) * total) as A);

  return {
    name: layer.name,
    inputs: [size],
    size,
    rows: 0,
    parameters: [],
    // Plain values and gradients make do without: a second expansion costs less than the memory.
    saved: (orders) => (orders > 1 ? orders * size : 0),
    state: 0,
    scratch: (_, orders) => 2 * orders * TILE,

    forward({ kernels, n, scratch, saved, known }, _, [x], y) {
      const total = n * size;
      const orders = y.length;
      if (isRelu && saved.length === 0) {
        kernels.relu(total, x![0]!, y[0]!);
        return;
      }
      const slopes = slopesOf(saved, saved.length === 0 ? 0 : orders, total);
      const powers = planesOf(scratch, orders);
      for (let from = 0; from < total; from += TILE) {
        const count = Math.min(TILE, total - from);
        const [part, out, own] = [tile(x!, from, count), tile(y, from, count), tile(slopes, from, count)];
        if (known === 0) {
          expand(kernels, count, part[0]!, [out[0]!, ...own], null);
          // The coefficients of sigma': (j + 1) times those of sigma one further on.
          for (let j = 1; j < own.length; j++) scalePlane(count, j + 1, 0, own[j]!);
        }
        for (let k = Math.max(1, known); k < orders; k++) setProduct(count, own[0]!, part[k]!, out[k]!);
        addPowers(count, part, powers, (j, k, power) => {
          if (k >= known) addScaledProduct(count, 1 / j, own[j - 1]!, power, out[k]!);
        });
      }
    },

    backward({ kernels, n, scratch, saved, known }, _, { x, y, dy, dx, accumulate }) {
      const into = dx[0];
      if (into === null || into === undefined) return;
      const total = n * size;
      const orders = into.length;
      const adds = accumulate[0] === true;
      if (isRelu && orders === 1 && !adds) {
        if (known === 0) kernels.reluMask(total, x[0]![0]!, dy[0]!, into[0]!);
        return;
      }
      const slopes = slopesOf(saved, saved.length === 0 ? 0 : orders, total);
      const planes = planesOf(scratch, 2 * orders);
      for (let from = 0; from < total; from += TILE) {
        const count = Math.min(TILE, total - from);
        const part = tile(x[0]!, from, count);
        const own = tile(slopes, from, count);
        if (own.length === 0) {
          own.push(planes[1]!);
          const value = y[0]!.subarray(from, from + count) as (typeof part)[number];
          expand(kernels, count, part[0]!, planes.slice(0, 2), value);
        }
        // sigma'(x(t)): its first coefficient is there.
        const slope = [own[0]!, ...planes.slice(1, orders)];
        for (let k = 1; k < orders; k++) setProduct(count, own[1]!, part[k]!, slope[k]!);
        addPowers(count, part, planes.slice(orders), (j, k, power) => {
          addProduct(count, own[j]!, power, slope[k]!);
        });
        const [cotangent, out] = [tile(dy, from, count), tile(into, from, count)];
        for (let k = known; k < orders; k++) {
          if (adds) addProduct(count, slope[0]!, cotangent[k]!, out[k]!);
          else setProduct(count, slope[0]!, cotangent[k]!, out[k]!);
          for (let j = 1; j <= k; j++) addProduct(count, slope[j]!, cotangent[k - j]!, out[k]!);
        }
      }
    },
  };
}

function tile<A extends RealArray>(series: Series<A>, from: number, count: number): A[] {
  return series.map((coefficient) => coefficient.subarray(from, from + count) as A);
}

/**
 * Calls `each` with coefficient k of (x(t) - x(0))^j for j = 2, 3, ... and all k from j on that x has; powers is
 * as long as x.
 */
function addPowers<A extends RealArray>(
  count: number,
  x: Series<A>,
  powers: readonly A[],
  each: (j: number, k: number, power: A) => void,
): void {
  const orders = x.length;
  for (let k = 1; k < orders - 1; k++) powers[k]!.set(x[k]!);
  for (let j = 2; j < orders; j++) {
    // powers <- powers times (x - x0), whose j lowest coefficients vanish; from above, so that lower ones are still the old.
    for (let k = orders - 1; k >= j; k--) {
      const power = powers[k]!;
      setProduct(count, powers[j - 1]!, x[k - j + 1]!, power);
      for (let l = j; l < k; l++) addProduct(count, powers[l]!, x[k - l]!, power);
      each(j, k, power);
    }
  }
}
