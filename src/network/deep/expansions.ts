import type { RealArray, RealKernels } from "../../compute/types.ts";
import type { ActivationLayer } from "../architecture/index.ts";
import { addProduct, scalePlane, setProduct } from "./planes.ts";

/**
 * Taylor coefficients of an activation: planes[j][i] <- sigma^(j)(x_i) / j! for all planes and i < count; `known`, when it is
 * not null, holds sigma(x_i) from before. Piecewise
 * functions have the derivative of the right piece inside it, and that of the left at the kink itself (relu'(0) = 0);
 * sign has derivative 0.
 */
export type Expansion = <A extends RealArray>(
  kernels: RealKernels<A>,
  count: number,
  x: A,
  planes: readonly A[],
  known: A | null,
) => void;

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);
/** Scale of sigmoid-like: (erf(x / this) + 1) / 2 is near the logistic function. */
const SIGMOID_WIDTH = 2.4020563531719796;

/** The Taylor coefficients of the activation of a layer. */
export function expansionOf(layer: ActivationLayer): Expansion {
  const number = (name: string): number => layer.parameters[name] as number;
  switch (layer.name) {
    case "identity":
      return pieces((_, x) => [x, 1], 0);
    case "relu":
      return pieces((isRight, x) => (isRight ? [x, 1] : [0, 0]), 0);
    case "leaky-relu":
      return twoSlopes(number("alpha"), 1);
    case "abrelu":
      return twoSlopes(number("a"), number("b"));
    case "abs":
      return twoSlopes(-1, 1);
    case "sign":
      return pieces((_, x) => [Math.sign(x), 0], 0);
    case "monomial":
      return polynomial(power(number("degree")));
    case "rectified-monomial":
      return rectified(number("degree"));
    case "polynomial":
      return polynomial(layer.parameters.coef as readonly number[]);
    case "hermite":
      return polynomial(hermite(number("degree")));
    case "erf":
      return scaledErf(number("a"), number("b"), number("c"));
    case "sigmoid-like":
      return scaledErf(0.5, 1 / SIGMOID_WIDTH, 0.5);
    case "gelu":
      return gelu;
    case "sin":
      return sine(number("a"), number("b"), number("c"));
    case "cos":
      return sine(number("a"), number("b"), number("c") + Math.PI / 2);
    case "rbf":
      return sine(Math.SQRT2, Math.sqrt(2 * number("gamma")), Math.PI / 4);
    case "exp":
      return exponential(number("a"), number("b"));
    case "gaussian":
      return gaussian(number("a"), number("b"));
    case "tanh":
      return tanh;
    case "softplus":
      return softplus;
  }
}

/** Value and slope of a piecewise linear function; nothing beyond. */
function pieces(of: (isRight: boolean, x: number) => readonly [number, number], kink: number): Expansion {
  return (_, count, x, planes) => {
    const [value, slope] = planes;
    for (let i = 0; i < count; i++) {
      const [v, s] = of(x[i] > kink, x[i]);
      value![i] = v;
      if (slope !== undefined) slope[i] = s;
    }
    for (const plane of planes.slice(2)) plane.fill(0, 0, count);
  };
}

const twoSlopes = (left: number, right: number): Expansion =>
  pieces((isRight, x) => (isRight ? [right * x, right] : [left * x, left]), 0);

const power = (degree: number): number[] => [...new Array<number>(degree).fill(0), 1];

/** Coefficients of the Hermite polynomial He_degree / sqrt(degree!). */
function hermite(degree: number): number[] {
  let [before, now]: [number[], number[]] = [[0], [1]];
  for (let k = 0; k < degree; k++) {
    // He_{k+1} = x He_k - k He_{k-1}
    const next = [0, ...now].map((c, j) => c - k * (before[j] ?? 0));
    [before, now] = [now, next];
  }
  let factorial = 1;
  for (let k = 2; k <= degree; k++) factorial *= k;
  return now.map((c) => c / Math.sqrt(factorial));
}

/** By repeated synthetic division: the j-th remainder is the j-th coefficient at x. */
function polynomial(coefficients: readonly number[]): Expansion {
  return (_, count, x, planes) => {
    const rest = new Float64Array(coefficients.length);
    for (let i = 0; i < count; i++) {
      rest.set(coefficients);
      for (let j = 0; j < planes.length; j++) {
        for (let k = rest.length - 2; k >= j; k--) rest[k] += x[i] * rest[k + 1];
        planes[j]![i] = j < rest.length ? rest[j] : 0;
      }
    }
  };
}

function rectified(degree: number): Expansion {
  const expand = polynomial(power(degree));
  return (kernels, count, x, planes) => {
    expand(kernels, count, x, planes, null);
    for (const plane of planes)
      for (let i = 0; i < count; i++) if (!(x[i] > 0)) plane[i] = Number.isNaN(x[i]) ? x[i] : 0;
  };
}

/** a exp(b x^2): g' = 2 b x g. The planes from `first` on. */
function gaussianPlanes<A extends RealArray>(count: number, x: A, planes: readonly A[], a: number, b: number): void {
  planes.forEach((plane, j) => {
    for (let i = 0; i < count; i++) {
      if (j === 0) plane[i] = a * Math.exp(b * x[i] * x[i]);
      else plane[i] = (2 * b * (x[i] * planes[j - 1]![i] + (j > 1 ? planes[j - 2]![i] : 0))) / j;
    }
  });
}

const gaussian =
  (a: number, b: number): Expansion =>
  (_, count, x, planes) =>
    gaussianPlanes(count, x, planes, a, b);

/** The integral of the planes above 0: coefficient j of f is coefficient j - 1 of f' over j. */
function integrate<A extends RealArray>(count: number, planes: readonly A[]): void {
  for (let j = 2; j < planes.length; j++) for (let i = 0; i < count; i++) planes[j]![i] /= j;
}

/** a erf(b x) + c. */
function scaledErf(a: number, b: number, c: number): Expansion {
  return (kernels, count, x, planes, known) => {
    const value = planes[0]!;
    if (known === null) {
      for (let i = 0; i < count; i++) value[i] = b * x[i];
      kernels.erf(count, value, value);
      scalePlane(count, a, c, value);
    } else value.set(known);
    gaussianPlanes(count, x, planes.slice(1), a * b * TWO_OVER_ROOT_PI, -b * b);
    integrate(count, planes);
  };
}

const normalDistribution = scaledErf(0.5, Math.SQRT1_2, 0.5);

/** x Phi(x). */
const gelu: Expansion = (kernels, count, x, planes) => {
  normalDistribution(kernels, count, x, planes, null);
  for (let j = planes.length - 1; j >= 0; j--) {
    const [plane, below] = [planes[j]!, planes[j - 1]];
    for (let i = 0; i < count; i++) plane[i] = x[i] * plane[i] + (below === undefined ? 0 : below[i]);
  }
};

/** a sin(b x + c): each derivative turns the phase by a right angle. */
function sine(a: number, b: number, c: number): Expansion {
  return (_, count, x, planes) => {
    let factor = a;
    planes.forEach((plane, j) => {
      if (j > 0) factor *= b / j;
      for (let i = 0; i < count; i++) {
        const phase = b * x[i] + c;
        const value = j % 2 === 0 ? Math.sin(phase) : Math.cos(phase);
        plane[i] = j % 4 < 2 ? factor * value : -factor * value;
      }
    });
  };
}

function exponential(a: number, b: number): Expansion {
  return (_, count, x, planes) => {
    planes.forEach((plane, j) => {
      for (let i = 0; i < count; i++) plane[i] = j === 0 ? a * Math.exp(b * x[i]) : (b * planes[j - 1]![i]) / j;
    });
  };
}

/** y' = 1 - y^2. */
const tanh: Expansion = (kernels, count, x, planes, known) => {
  const [value] = planes;
  if (known === null) kernels.tanh(count, x, value!);
  else value!.set(known);
  for (let j = 0; j + 1 < planes.length; j++) {
    squareCoefficient(count, planes, j);
    scalePlane(count, -1 / (j + 1), j === 0 ? 1 : 0, planes[j + 1]!);
  }
};

/** Plane j + 1 <- coefficient j of y^2, for y in planes 0 .. j. */
function squareCoefficient<A extends RealArray>(count: number, planes: readonly A[], j: number): void {
  const out = planes[j + 1]!;
  setProduct(count, planes[0]!, planes[j]!, out);
  for (let k = 1; k <= j; k++) addProduct(count, planes[k]!, planes[j - k]!, out);
}

/** log(1 + exp(x)), whose derivative s has s' = s - s^2. */
const softplus: Expansion = (kernels, count, x, planes) => {
  kernels.softplus(count, x, planes[0]!);
  const [, slope] = planes;
  if (slope === undefined) return;
  for (let i = 0; i < count; i++) slope[i] = x[i] >= 0 ? 1 / (1 + Math.exp(-x[i])) : 1 - 1 / (1 + Math.exp(x[i]));
  const s = planes.slice(1);
  for (let j = 0; j + 1 < s.length; j++) {
    squareCoefficient(count, s, j);
    const [next, now] = [s[j + 1]!, s[j]!];
    for (let i = 0; i < count; i++) next[i] = (now[i] - next[i]) / (j + 1);
  }
  integrate(count, planes);
};
