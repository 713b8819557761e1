import type { RealArray } from "../../compute/types.ts";
import type { ActivationLayer, Shape } from "../architecture/index.ts";
import { expansionOf } from "./expansions.ts";
import type { Operation, Series } from "./operation.ts";
import { addProduct, setProduct } from "./planes.ts";

/** Entries that are expanded together: planes of so many numbers stay in the cache. */
const TILE = 2048;

/** The operation of an activation on inputs of a shape. */
export function activationOperation(layer: ActivationLayer, input: Shape): Operation {
  const size = input.reduce((product: number, length) => product * length, 1);
  const expand = expansionOf(layer);
  const isRelu = layer.name === "relu";
  /** Planes of Taylor coefficients, then the powers of the series without its first coefficient. */
  const planesOf = <A extends RealArray>(scratch: A, count: number): A[] =>
    Array.from({ length: count }, (_, j) => scratch.subarray(j * TILE, (j + 1) * TILE) as A);

  return {
    name: layer.name,
    inputs: [size],
    size,
    rows: 0,
    parameters: [],
    saved: 0,
    state: 0,
    scratch: (_, orders) => (3 * orders + 1) * TILE,

    forward({ kernels, n, scratch }, _, [x], y) {
      const total = n * size;
      if (isRelu && y.length === 1) {
        kernels.relu(total, x![0]!, y[0]!);
        return;
      }
      const orders = y.length;
      const planes = planesOf(scratch, 2 * orders);
      for (let from = 0; from < total; from += TILE) {
        const count = Math.min(TILE, total - from);
        const part = tile(x!, from, count);
        expand(kernels, count, part[0]!, planes.slice(0, orders), null);
        compose(count, planes.slice(0, orders), part, tile(y, from, count), planes.slice(orders));
      }
    },

    backward({ kernels, n, scratch }, _, { x, y, dy, dx, accumulate }) {
      const into = dx[0];
      if (into === null || into === undefined) return;
      const total = n * size;
      if (isRelu && into.length === 1 && accumulate[0] !== true) {
        kernels.reluMask(total, x[0]![0]!, dy[0]!, into[0]!);
        return;
      }
      const orders = into.length;
      const planes = planesOf(scratch, 3 * orders + 1);
      const taylor = planes.slice(0, orders + 1);
      const slopes = planes.slice(1, orders + 1);
      const slope = planes.slice(orders + 1, 2 * orders + 1);
      const powers = planes.slice(2 * orders + 1);
      for (let from = 0; from < total; from += TILE) {
        const count = Math.min(TILE, total - from);
        const part = tile(x[0]!, from, count);
        expand(kernels, count, part[0]!, taylor, y[0]!.subarray(from, from + count) as (typeof taylor)[number]);
        // The coefficients of sigma': (j + 1) times those of sigma one further on.
        slopes.forEach((plane, j) => {
          for (let i = 0; j > 0 && i < count; i++) plane[i] *= j + 1;
        });
        if (orders > 1) compose(count, slopes, part, slope, powers);
        multiply(
          count,
          orders > 1 ? slope : slopes,
          tile(dy, from, count),
          tile(into, from, count),
          accumulate[0] === true,
        );
      }
    },
  };
}

function tile<A extends RealArray>(series: Series<A>, from: number, count: number): A[] {
  return series.map((coefficient) => coefficient.subarray(from, from + count) as A);
}

/** out(t) <- sum_j planes[j] (x(t) - x(0))^j, truncated: an activation with these Taylor coefficients at x(0). */
function compose<A extends RealArray>(
  count: number,
  planes: readonly A[],
  x: Series<A>,
  out: Series<A>,
  powers: readonly A[],
): void {
  const orders = out.length;
  out[0]!.set(planes[0]!.subarray(0, count));
  for (let k = 1; k < orders; k++) setProduct(count, planes[1]!, x[k]!, out[k]!);
  for (let k = 1; k < orders - 1; k++) powers[k]!.set(x[k]!);
  for (let j = 2; j < orders; j++) {
    // powers <- powers times (x - x0), whose j lowest coefficients vanish; from above, so that lower ones are still the old.
    for (let k = orders - 1; k >= j; k--) {
      const power = powers[k]!;
      setProduct(count, powers[j - 1]!, x[k - j + 1]!, power);
      for (let l = j; l < k; l++) addProduct(count, powers[l]!, x[k - l]!, power);
      addProduct(count, planes[j]!, power, out[k]!);
    }
  }
}

/** out(t) <- (or += when `adds`) a(t) b(t), truncated. */
function multiply<A extends RealArray>(count: number, a: Series<A>, b: Series<A>, out: Series<A>, adds: boolean): void {
  out.forEach((plane, k) => {
    if (adds) addProduct(count, a[0]!, b[k]!, plane);
    else setProduct(count, a[0]!, b[k]!, plane);
    for (let j = 1; j <= k; j++) addProduct(count, a[j]!, b[k - j]!, plane);
  });
}
