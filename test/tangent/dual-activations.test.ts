import { describe, expect, it } from "vitest";
import {
  ACTIVATIONS,
  type ActivationLayer,
  type ActivationName,
  parseArchitecture,
} from "../../src/network/architecture/index.ts";
import { dualActivation } from "../../src/tangent/dual-activations.ts";

/** erf by its series and continued fraction: enough for quadrature. */
function erf(x: number): number {
  const t = Math.abs(x);
  if (t > 6) return Math.sign(x);
  let sum = 0;
  let term = t;
  for (let n = 0; n < 200; n++) {
    sum += term / (2 * n + 1);
    term *= (-t * t) / (n + 1);
  }
  // The alternating series loses digits beyond 3: integrate there.
  if (t <= 3) return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  let tail = 0;
  for (let n = 60; n >= 1; n--) tail = n / 2 / (t + tail);
  return Math.sign(x) * (1 - Math.exp(-t * t) / (Math.sqrt(Math.PI) * (t + tail)));
}

const normalCdf = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

type Function1 = (x: number) => number;

/** phi and phi' of an activation, written down a second time. */
function plain({ name, parameters }: ActivationLayer): [Function1, Function1] {
  const { a = 1, b = 1, c = 0, alpha = 0, gamma = 1, degree = 1 } = parameters as Record<string, number>;
  const lines = (low: number, high: number): [Function1, Function1] => [
    (x) => (x > 0 ? high * x : low * x),
    (x) => (x > 0 ? high : low),
  ];
  const error = (A: number, B: number, C: number): [Function1, Function1] => [
    (x) => A * erf(B * x) + C,
    (x) => ((2 * A * B) / Math.sqrt(Math.PI)) * Math.exp(-B * B * x * x),
  ];
  const power = (coef: readonly number[]): [Function1, Function1] => [
    (x) => coef.reduce((sum, value, i) => sum + value * x ** i, 0),
    (x) => coef.reduce((sum, value, i) => (i === 0 ? sum : sum + i * value * x ** (i - 1)), 0),
  ];
  switch (name) {
    case "relu":
      return lines(0, 1);
    case "leaky-relu":
      return lines(alpha, 1);
    case "abrelu":
      return lines(a, b);
    case "abs":
      return lines(-1, 1);
    case "identity":
      return lines(1, 1);
    case "erf":
      return error(a, b, c);
    case "sigmoid-like":
      return error(0.5, 1 / 2.4020563531719796, 0.5);
    case "gelu":
      return [(x) => x * normalCdf(x), (x) => normalCdf(x) + x * density(x)];
    case "sin":
      return [(x) => a * Math.sin(b * x + c), (x) => a * b * Math.cos(b * x + c)];
    case "cos":
      return [(x) => a * Math.cos(b * x + c), (x) => -a * b * Math.sin(b * x + c)];
    case "rbf": {
      const w = Math.sqrt(2 * gamma);
      return [(x) => Math.SQRT2 * Math.sin(w * x + Math.PI / 4), (x) => Math.SQRT2 * w * Math.cos(w * x + Math.PI / 4)];
    }
    case "exp":
      return [(x) => a * Math.exp(b * x), (x) => a * b * Math.exp(b * x)];
    case "gaussian":
      return [(x) => a * Math.exp(b * x * x), (x) => 2 * a * b * x * Math.exp(b * x * x)];
    case "sign":
      return [Math.sign, () => 0];
    case "polynomial":
      return power(parameters.coef as readonly number[]);
    case "monomial":
      return power([...new Array<number>(degree).fill(0), 1]);
    case "hermite":
      return {
        1: power([0, 1]),
        2: power([-1 / Math.SQRT2, 0, 1 / Math.SQRT2]),
        3: power([0, -3 / Math.sqrt(6), 0, 1 / Math.sqrt(6)]),
      }[degree] as [Function1, Function1];
    case "rectified-monomial":
      return [(x) => Math.max(0, x) ** degree, (x) => (x > 0 ? degree * x ** (degree - 1) : 0)];
    default:
      throw new Error(name);
  }
}

/**
 * E f(x) f(y) by the trapezoidal rule in polar coordinates: smooth integrands on rays, so kinks on the axes fall between
 * the angles that are integrated one sector at a time.
 */
function expectation(f: Function1, s: number, k: number, t: number): number {
  const c = Math.sqrt(s);
  const l = k / c;
  const e = Math.sqrt(t - l * l);
  const kinks = [
    0,
    Math.PI / 2,
    Math.PI,
    (3 * Math.PI) / 2,
    Math.PI + Math.atan2(-l, e),
    Math.atan2(-l, e),
    2 * Math.PI,
  ]
    .map((angle) => (angle < 0 ? angle + 2 * Math.PI : angle))
    .sort((p, q) => p - q);
  const [nodes, weights] = gaussLegendre(40);
  let sum = 0;
  for (let q = 0; q + 1 < kinks.length; q++) {
    const [from, to] = [kinks[q] as number, kinks[q + 1] as number];
    if (to - from < 1e-14) continue;
    nodes.forEach((node, i) => {
      const angle = (from + to) / 2 + ((to - from) / 2) * node;
      let ray = 0;
      for (const [low, high] of [
        [0, 2.5],
        [2.5, 5],
        [5, 12],
      ] as const) {
        nodes.forEach((inner, j) => {
          const r = (low + high) / 2 + ((high - low) / 2) * inner;
          const x = c * r * Math.cos(angle);
          const y = r * (l * Math.cos(angle) + e * Math.sin(angle));
          ray += ((high - low) / 2) * (weights[j] as number) * r * Math.exp((-r * r) / 2) * f(x) * f(y);
        });
      }
      sum += ((to - from) / 2) * (weights[i] as number) * ray;
    });
  }
  return sum / (2 * Math.PI);
}

function gaussLegendre(n: number): [number[], number[]] {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 50; step++) {
      let [p, q] = [1, 0];
      for (let k = 1; k <= n; k++) [p, q] = [((2 * k - 1) * x * p - (k - 1) * q) / k, p];
      slope = (n * (x * p - q)) / (x * x - 1);
      const change = p / slope;
      x -= change;
      if (Math.abs(change) < 1e-16) break;
    }
    nodes.push(x);
    weights.push(2 / ((1 - x * x) * slope * slope));
  }
  return [nodes, weights];
}

const CASES = [
  ...(Object.keys(ACTIVATIONS) as ActivationName[]).filter(
    (name) => name !== "tanh" && name !== "softplus" && name !== "hermite",
  ),
  "abrelu(-0.3, 1.4)",
  "erf(1.5, 0.7, 0.2)",
  "sin(1.2, 0.8, 0.3)",
  "cos(1, 1, 0.3)",
  "exp(1, 0.5)",
  "gaussian(2, -0.6)",
  "polynomial(0.1, 0.5, 0.3, 0.2)",
  "hermite(1)",
  "hermite(2)",
  "hermite(3)",
  "monomial(3)",
  "rectified-monomial(1)",
  "rectified-monomial(3)",
  "rectified-monomial(4)",
];

describe("dualActivation", () => {
  const points: readonly (readonly [number, number, number])[] = [
    [1, 0.3, 1],
    [1, -0.7, 1],
    [0.5, 0.2, 1.3],
    [2, 0, 0.4],
  ];
  it.each(CASES)("agrees with quadrature: %s", (text) => {
    const layer = parseArchitecture(text)[0] as ActivationLayer;
    const dual = dualActivation(layer);
    const [phi, slope] = plain(layer);
    const out = new Float64Array(2);
    for (const [s, k, t] of points) {
      dual.at(s, k, t, out);
      const [value, derivative] = [expectation(phi, s, k, t), expectation(slope, s, k, t)];
      expect(Math.abs(out[0] - value)).toBeLessThan(1e-9 * (1 + Math.abs(value)));
      expect(Math.abs(out[1] - derivative)).toBeLessThan(1e-9 * (1 + Math.abs(derivative)));
    }
  });

  it.each(CASES)("meets its diagonal continuously and is even under exchange: %s", (text) => {
    const dual = dualActivation(parseArchitecture(text)[0] as ActivationLayer);
    const [on, near, swapped] = [new Float64Array(2), new Float64Array(2), new Float64Array(2)];
    for (const s of [0.2, 1, 1.7]) {
      dual.diagonal(s, on);
      dual.at(s, s, s, near);
      expect(Math.abs(on[0] - near[0])).toBeLessThan(1e-12 * (1 + Math.abs(on[0])));
      dual.at(s, s * (1 - 1e-13), s, near);
      expect(Math.abs(on[0] - near[0])).toBeLessThan(1e-6 * (1 + Math.abs(on[0])));
      expect(Math.abs(on[1] - near[1])).toBeLessThan(1e-5 * (1 + Math.abs(on[1])));
      dual.at(s, 0.1, 1.1, near);
      dual.at(1.1, 0.1, s, swapped);
      for (const q of [0, 1])
        expect(Math.abs((near[q] as number) - (swapped[q] as number))).toBeLessThan(
          1e-14 * (1 + Math.abs(near[q] as number)),
        );
    }
  });

  it("never gives NaN at zero inputs", () => {
    const out = new Float64Array(2);
    for (const text of CASES) {
      const dual = dualActivation(parseArchitecture(text)[0] as ActivationLayer);
      for (const [s, t] of [
        [0, 0],
        [0, 1],
        [1, 0],
      ] as const) {
        dual.at(s, 0, t, out);
        expect(out.every(Number.isFinite)).toBe(true);
      }
      dual.diagonal(0, out);
      expect(out.every(Number.isFinite)).toBe(true);
    }
  });

  it("refuses activations without a closed form", () => {
    expect(() => dualActivation(parseArchitecture("tanh")[0] as ActivationLayer)).toThrow("no closed form");
  });
});
