import type { RealArray } from "../../compute/types.ts";
import type { LayerNormLayer, Shape } from "../architecture/index.ts";
import type { Operation, Series } from "./operation.ts";

/** Added to variances: as in neural-tangents for layers, as in PyTorch for batches. */
const LAYER_EPSILON = 1e-12;
const BATCH_EPSILON = 1e-5;
/** Share of a new batch in the running statistics, at least. */
const BATCH_SHARE = 0.1;

/** Each sample's features (of a pixel, or of all of them) to mean 0 and variance 1. */
export function layerNormOperation(layer: LayerNormLayer, input: Shape): Operation {
  const size = input.reduce((product: number, length) => product * length, 1);
  const count = layer.over === "all" ? size : input[input.length - 1]!;
  const groups = size / count;
  return {
    name: "layer-norm",
    inputs: [size],
    size,
    rows: 0,
    parameters: [],
    saved: () => 0,
    state: 0,
    scratch: (_, orders) => 2 * orders * count,

    forward({ n }, _, [x], y) {
      for (let group = 0; group < n * groups; group++) {
        normalize(count, tile(x!, group * count, count), tile(y, group * count, count), LAYER_EPSILON);
      }
    },

    backward({ n, scratch, known }, _, { x, dy, dx, accumulate }) {
      const into = dx[0];
      if (into === null || into === undefined) return;
      const [unit, out] = planesOf(scratch, into.length, count);
      for (let group = 0; group < n * groups; group++) {
        const r = normalize(count, tile(x[0]!, group * count, count), unit, LAYER_EPSILON);
        normalizeBackward(count, unit, r, tile(dy, group * count, count), out);
        write(out.slice(known), tile(into, group * count, count).slice(known), 0, 1, count, accumulate[0] === true);
      }
    },
  };
}

/**
 * Each feature to mean 0 and variance 1 over the batch (and pixels), times a gain plus a shift. State: batches seen, running
 * means, running variances; outside training these replace the batch's own (a fresh network: 0 and 1).
 */
export function batchNormOperation(input: Shape): Operation {
  const size = input.reduce((product: number, length) => product * length, 1);
  const features = input[input.length - 1]!;
  const pixels = size / features;

  return {
    name: "batch-norm",
    inputs: [size],
    size,
    rows: pixels,
    parameters: [
      { name: "gain", shape: [features], std: 0, mean: 1 },
      { name: "shift", shape: [features], std: 0, mean: 0 },
    ],
    saved: () => 0,
    state: 1 + 2 * features,
    scratch: (n, orders) => 2 * orders * n * pixels,

    forward(frame, theta, [x], y) {
      const { n, scratch, state, training } = frame;
      const count = n * pixels;
      if (count === 0) return;
      const orders = y.length;
      const [unit, out] = planesOf(scratch, orders, count);
      for (let feature = 0; feature < features; feature++) {
        read(x!, unit, feature, features, count);
        if (training) {
          const [mean, variance] = moments(unit[0]!, count);
          normalize(count, unit, unit, BATCH_EPSILON);
          track(state, features, feature, mean, variance);
        } else {
          standardize(count, unit, state, features, feature);
        }
        const [gain, shift] = [coefficients(theta, feature), coefficients(theta, features + feature)];
        multiply(count, unit, gain, out);
        shift.slice(0, orders).forEach((value, k) => {
          for (let i = 0; i < count; i++) out[k]![i] += value;
        });
        write(out, y, feature, features, count, false);
      }
      if (training) state[0] += 1;
    },

    backward(frame, theta, { x, dy, dx, accumulate, gradient, scale }) {
      const { n, scratch, state, training, known } = frame;
      const count = n * pixels;
      if (count === 0) return;
      const [into] = dx;
      const [unit, out] = planesOf(scratch, dy.length, count);
      for (let feature = 0; feature < features; feature++) {
        read(x[0]!, unit, feature, features, count);
        const r = training
          ? normalize(count, unit, unit, BATCH_EPSILON)
          : standardize(count, unit, state, features, feature);
        read(dy, out, feature, features, count);
        const gain = coefficients(theta, feature);
        const gains = inner(count, out, unit);
        const shifts = out.map((plane) => sum(plane, count));
        if (into !== null && into !== undefined) {
          multiply(count, out, gain, out);
          if (training) normalizeBackward(count, unit, r, out, out);
          else multiply(count, out, r, out);
          write(out.slice(known), into.slice(known), feature, features, count, accumulate[0] === true);
        }
        gradient?.forEach((part, k) => {
          if (part === null) return;
          part[feature] += scale * gains[k]!;
          part[features + feature] += scale * shifts[k]!;
        });
      }
    },
  };
}

/** The new running mean and variance: averages of all batches at first, of about the last ten later. */
function track(state: RealArray, features: number, feature: number, mean: number, variance: number): void {
  const share = Math.max(BATCH_SHARE, 1 / (state[0] + 1));
  const [m, v] = [1 + feature, 1 + features + feature];
  state[m] += share * (mean - state[m]);
  state[v] += share * (variance - state[v]);
}

/** unit <- (unit - running mean) r in place; returns r = 1 / sqrt(running variance). */
function standardize<A extends RealArray>(
  count: number,
  unit: readonly A[],
  state: A,
  features: number,
  feature: number,
): number[] {
  const isFresh = state[0] === 0;
  const mean = isFresh ? 0 : state[1 + feature];
  const r = 1 / Math.sqrt((isFresh ? 1 : state[1 + features + feature]) + BATCH_EPSILON);
  unit.forEach((plane, k) => {
    for (let i = 0; i < count; i++) plane[i] = (plane[i] - (k === 0 ? mean : 0)) * r;
  });
  return [r];
}

/** Coefficients of one parameter. */
const coefficients = (theta: Series<RealArray>, at: number): number[] => theta.map((array) => array[at]);

function tile<A extends RealArray>(series: Series<A>, from: number, count: number): A[] {
  return series.map((coefficient) => coefficient.subarray(from, from + count) as A);
}

/** Two series of `orders` planes of `count` numbers. */
function planesOf<A extends RealArray>(scratch: A, orders: number, count: number): [A[], A[]] {
  const plane = (k: number): A => scratch.subarray(k * count, (k + 1) * count) as A;
  return [
    Array.from({ length: orders }, (_, k) => plane(k)),
    Array.from({ length: orders }, (_, k) => plane(orders + k)),
  ];
}

function read<A extends RealArray>(from: Series<A>, to: Series<A>, first: number, stride: number, count: number): void {
  to.forEach((plane, k) => {
    const source = from[k]!;
    for (let i = 0; i < count; i++) plane[i] = source[first + i * stride];
  });
}

function write<A extends RealArray>(
  from: Series<A>,
  to: Series<A>,
  first: number,
  stride: number,
  count: number,
  adds: boolean,
): void {
  to.forEach((target, k) => {
    const plane = from[k]!;
    for (let i = 0; i < count; i++) {
      const at = first + i * stride;
      target[at] = adds ? target[at] + plane[i] : plane[i];
    }
  });
}

function sum(plane: RealArray, count: number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += plane[i];
  return total;
}

function moments(plane: RealArray, count: number): [mean: number, variance: number] {
  const mean = sum(plane, count) / count;
  let square = 0;
  for (let i = 0; i < count; i++) square += (plane[i] - mean) ** 2;
  return [mean, square / count];
}

/** sum_i a_i(t) b_i(t), coefficient by coefficient. */
function inner(count: number, a: Series<RealArray>, b: Series<RealArray>): number[] {
  return a.map((_, k) => {
    let total = 0;
    for (let j = 0; j <= k; j++) {
      const [p, q] = [a[j]!, b[k - j]!];
      for (let i = 0; i < count; i++) total += p[i] * q[i];
    }
    return total;
  });
}

/** out(t) <- x(t) factor(t), truncated; out may be x. */
function multiply(count: number, x: Series<RealArray>, factor: readonly number[], out: Series<RealArray>): void {
  for (let k = out.length - 1; k >= 0; k--) {
    const target = out[k]!;
    for (let i = 0; i < count; i++) {
      let total = 0;
      for (let j = Math.max(0, k - factor.length + 1); j <= k; j++) total += x[j]![i] * factor[k - j]!;
      target[i] = total;
    }
  }
}

/** y(t) <- (x - mean x) r(t) with r = (variance + epsilon)^(-1/2), which is returned; y may be x. */
function normalize(count: number, x: Series<RealArray>, y: Series<RealArray>, epsilon: number): number[] {
  x.forEach((plane, k) => {
    const mean = sum(plane, count) / count;
    for (let i = 0; i < count; i++) y[k]![i] = plane[i] - mean;
  });
  const variance = inner(count, y, y).map((total, k) => total / count + (k === 0 ? epsilon : 0));
  const r = inverseRoot(variance);
  multiply(count, y, r, y);
  return r;
}

/** v(t)^(-1/2): from 2 v r' = -v' r. */
function inverseRoot(v: readonly number[]): number[] {
  const r = [1 / Math.sqrt(v[0]!)];
  for (let k = 1; k < v.length; k++) {
    let total = 0;
    for (let j = 1; j <= k; j++) total += (j / 2 - k) * v[j]! * r[k - j]!;
    r.push(total / (k * v[0]!));
  }
  return r;
}

/** out <- r (dy - mean dy - unit mean(dy unit)), the transposed derivative of {@link normalize}; out may be dy. */
function normalizeBackward(
  count: number,
  unit: Series<RealArray>,
  r: readonly number[],
  dy: Series<RealArray>,
  out: Series<RealArray>,
): void {
  const along = inner(count, dy, unit).map((total) => total / count);
  for (let k = out.length - 1; k >= 0; k--) {
    const mean = sum(dy[k]!, count) / count;
    const target = out[k]!;
    for (let i = 0; i < count; i++) {
      let total = dy[k]![i] - mean;
      for (let j = 0; j <= k; j++) total -= unit[j]![i] * along[k - j]!;
      target[i] = total;
    }
  }
  multiply(count, out, r, out);
}
