import { ConfigError } from "../base/errors.ts";
import type { DualKind } from "../compute/duals.ts";
import type { ActivationLayer } from "../network/architecture/index.ts";

/**
 * The dual of an activation phi: for (x, y) ~ N(0, [[s, k], [k, t]]), the value E phi(x) phi(y) and its derivative in k,
 * which is E phi'(x) phi'(y) (Price's theorem).
 */
export interface DualActivation {
  /** Writes value and slope at (s, k, t) to out[0], out[1]. |k| <= sqrt(s t). */
  at(s: number, k: number, t: number, out: Float64Array): void;
  /** The same on the diagonal, k = s = t, without the cancellation there. */
  diagonal(s: number, out: Float64Array): void;
  /** As the kernels of `compute` take it. */
  readonly step: DualStep;
}

/** A step of {@link DUAL_STEPS}. */
export interface DualStep {
  readonly kind: DualKind;
  /** A, B, C. */
  readonly parameters: readonly [A: number, B: number, C: number];
  /** What an input of variance v is described by. */
  numbers(v: number): readonly number[];
  /** Of a polynomial: its numbers m = 0, 1, ... in powers of v, lowest first. */
  readonly coefficients: readonly number[];
}

type Parameters = Readonly<Record<string, number>>;

const TAU = 2 * Math.PI;
/** Scale that makes (erf(x / SIGMOID) + 1) / 2 follow the logistic function. */
const SIGMOID = 2.4020563531719796;

/**
 * The dual of an activation layer. Closed forms as in the documentation of neural-tangents and Cho & Saul (2009); each is
 * checked against quadrature in the tests.
 *
 * @throws ConfigError for activations without a closed form.
 */
export function dualActivation({ name, parameters }: ActivationLayer): DualActivation {
  const p = parameters as Parameters;
  switch (name) {
    case "relu":
      return piecewiseLinear(0, 1);
    case "leaky-relu":
      return piecewiseLinear(p.alpha ?? 0, 1);
    case "abrelu":
      return piecewiseLinear(p.a ?? 0, p.b ?? 1);
    case "abs":
      return piecewiseLinear(-1, 1);
    case "identity":
      return piecewiseLinear(1, 1);
    case "erf":
      return errorFunction(p.a ?? 1, p.b ?? 1, p.c ?? 0);
    case "sigmoid-like":
      return errorFunction(0.5, 1 / SIGMOID, 0.5);
    case "gelu":
      return gelu();
    case "sin":
      return sinusoid(p.a ?? 1, p.b ?? 1, -Math.cos(2 * (p.c ?? 0)));
    case "cos":
      return sinusoid(p.a ?? 1, p.b ?? 1, Math.cos(2 * (p.c ?? 0)));
    case "rbf":
      // cos(2 pi / 4) is zero exactly.
      return sinusoid(Math.SQRT2, Math.sqrt(2 * (p.gamma ?? 1)), 0);
    case "exp":
      return exponential(p.a ?? 1, p.b ?? 1);
    case "gaussian":
      return gaussian(p.a ?? 1, p.b ?? -1);
    case "sign":
      return sign();
    case "polynomial":
      return polynomial(parameters.coef as readonly number[]);
    case "monomial":
      return polynomial([...new Array<number>(p.degree ?? 1).fill(0), 1]);
    case "hermite":
      return polynomial(hermiteCoefficients(p.degree ?? 1));
    case "rectified-monomial":
      return rectifiedMonomial(p.degree ?? 1);
    case "tanh":
    case "softplus":
      throw new ConfigError(`the kernel of ${name} has no closed form`, {
        code: "kernel-activation",
        hint: name === "tanh" ? "erf is nearly tanh: use erf(1, 0.886)" : "use relu or gelu",
      });
  }
}

/** From value and slope as functions of (s, k, t). */
function smooth(at: DualActivation["at"], step: DualStep): DualActivation {
  return { at, diagonal: (s, out) => at(s, s, s, out), step };
}

/** 1 / sqrt(v), 0 at 0. */
const inverseRoot = (v: number): number => (v > 0 ? 1 / Math.sqrt(v) : 0);
const ROOTS: DualStep["numbers"] = (v) => [Math.sqrt(v), inverseRoot(v)];

function stepOf(
  kind: DualKind,
  [A = 0, B = 0, C = 0]: readonly number[],
  numbers: DualStep["numbers"] = ROOTS,
): DualStep {
  return { kind, parameters: [A, B, C], numbers, coefficients: [] };
}

/** sqrt(s t - k^2), zero where rounding makes it negative; exact enough near k = sqrt(s t) for the angle by atan2. */
function perpendicular(s: number, k: number, t: number): number {
  const scale = Math.sqrt(s) * Math.sqrt(t);
  // Two roots: the product may overflow.
  return Math.sqrt(Math.max(0, scale - k)) * Math.sqrt(Math.max(0, scale + k));
}

/** a min(x, 0) + b max(x, 0). */
function piecewiseLinear(a: number, b: number): DualActivation {
  const mean = (a * a + b * b) / 2;
  const factor = (a - b) ** 2 / TAU;
  return {
    at(s, k, t, out) {
      const across = perpendicular(s, k, t);
      const angle = across === 0 && k === 0 ? Math.PI / 2 : Math.atan2(across, k);
      out[1] = mean - factor * angle;
      out[0] = factor * across + out[1] * k;
    },
    diagonal(s, out) {
      out[0] = mean * s;
      out[1] = mean;
    },
    step: stepOf("piecewise", [mean, factor]),
  };
}

/** a erf(b x) + c. */
function errorFunction(a: number, b: number, c: number): DualActivation {
  const [factor, scale, shift] = [(2 * a * a) / Math.PI, 2 * b * b, c * c];
  const dual = smooth(
    (s, k, t, out) => {
      const kk = scale * k;
      // Not less than for k^2 = s t, where the difference is lost in rounding.
      const root = Math.max(perpendicular(1 + scale * s, kk, 1 + scale * t), Math.sqrt(1 + scale * (s + t)));
      out[0] = factor * Math.atan2(kk, root) + shift;
      out[1] = (factor * scale) / root;
    },
    stepOf("erf", [factor, scale, shift], (v) => [Math.sqrt(v), 1 / Math.sqrt(1 + scale * v)]),
  );
  return {
    ...dual,
    // (1 + scale s)^2 - (scale s)^2, without the cancellation.
    diagonal(s, out) {
      const root = Math.sqrt(1 + 2 * scale * s);
      out[0] = factor * Math.atan2(scale * s, root) + shift;
      out[1] = (factor * scale) / root;
    },
  };
}

/**
 * x Phi(x). With e = E phi(x) phi(y) = 1 / (2 pi sqrt(D)), D = (1 + s)(1 + t) - k^2, and H = E Phi(x) Phi(y), repeated
 * integration by parts gives E = k H + e (s t + k^2 q), q = 1/(1+s) + 1/(1+t) - 1.
 */
function gelu(): DualActivation {
  return smooth(
    (s, k, t, out) => {
      // (1 + s) (1 + t) - k^2, without the cancellation.
      const D = 1 + s + t + perpendicular(s, k, t) ** 2;
      const root = Math.sqrt(D);
      const e = 1 / (TAU * root);
      const H = 0.25 + Math.atan2(k, root) / TAU;
      const q = 1 / (1 + s) + 1 / (1 + t) - 1;
      const rest = s * t + k * k * q;
      out[0] = k * H + e * rest;
      out[1] = H + k * e + 2 * k * q * e + (e * k * rest) / D;
    },
    stepOf("gelu", [], (v) => [Math.sqrt(v), 1 / Math.sqrt(1 + v)]),
  );
}

/** a sin(b x + c) with sign = -cos(2c), a cos(b x + c) with sign = cos(2c). */
function sinusoid(a: number, b: number, sign: number): DualActivation {
  const half = (b * b) / 2;
  return smooth(
    (s, k, t, out) => {
      const near = Math.exp(-half * (s + t - 2 * k));
      const far = sign === 0 ? 0 : sign * Math.exp(-half * (s + t + 2 * k));
      out[0] = (a * a * (near + far)) / 2;
      out[1] = (a * a * b * b * (near - far)) / 2;
    },
    stepOf("exponential", [(a * a) / 2, (sign * a * a) / 2, -half], (v) => [v, inverseRoot(v)]),
  );
}

/** a exp(b x). */
function exponential(a: number, b: number): DualActivation {
  return smooth(
    (s, k, t, out) => {
      out[0] = a * a * Math.exp((b * b * (s + t + 2 * k)) / 2);
      out[1] = b * b * out[0];
    },
    stepOf("exponential", [a * a, 0, (b * b) / 2], (v) => [v, inverseRoot(v)]),
  );
}

/** a exp(b x^2): infinite where 1 - 2 b s <= 0. */
function gaussian(a: number, b: number): DualActivation {
  return smooth(
    (s, k, t, out) => {
      const determinant = (1 - 2 * b * s) * (1 - 2 * b * t) - 4 * b * b * k * k;
      const finite = determinant > 0 && 1 - 2 * b * s > 0;
      out[0] = finite ? (a * a) / Math.sqrt(determinant) : Number.POSITIVE_INFINITY;
      out[1] = (4 * b * b * k * out[0]) / determinant;
    },
    stepOf("gaussian", [a * a, 0, 2 * b], (v) => [Math.max(0, 1 - 2 * b * v), inverseRoot(v)]),
  );
}

/** The slope is that of the derivative where there is one: zero. */
function sign(): DualActivation {
  return {
    at(s, k, t, out) {
      const across = perpendicular(s, k, t);
      out[0] = across === 0 && k === 0 ? 0 : 1 - (2 / Math.PI) * Math.atan2(across, k);
      out[1] = 0;
    },
    diagonal(s, out) {
      out[0] = s > 0 ? 1 : 0;
      out[1] = 0;
    },
    step: stepOf("sign", []),
  };
}

/** n!! for n >= -1. */
function doubleFactorial(n: number): number {
  return n <= 1 ? 1 : n * doubleFactorial(n - 2);
}

function binomial(n: number, k: number): number {
  let out = 1;
  for (let i = 0; i < k; i++) out = (out * (n - i)) / (i + 1);
  return out;
}

/** Monomials c s^a t^b k^m of E phi(x) phi(y) for phi = sum coef_i x^i, by pairing (Isserlis). */
function polynomial(coef: readonly number[]): DualActivation {
  interface Term {
    readonly c: number;
    readonly a: number;
    readonly b: number;
    readonly m: number;
  }
  const terms: Term[] = [];
  coef.forEach((ci, i) => {
    coef.forEach((cj, j) => {
      if (ci === 0 || cj === 0 || (i + j) % 2 !== 0) return;
      let factorial = 1;
      for (let m = 0; m <= Math.min(i, j); m++) {
        if (m > 0) factorial *= m;
        if ((i - m) % 2 !== 0) continue;
        const pairings = doubleFactorial(i - m - 1) * doubleFactorial(j - m - 1);
        const c = ci * cj * binomial(i, m) * binomial(j, m) * factorial * pairings;
        terms.push({ c, a: (i - m) / 2, b: (j - m) / 2, m });
      }
    });
  });
  return smooth((s, k, t, out) => {
    out[0] = 0;
    out[1] = 0;
    for (const { c, a, b, m } of terms) {
      const scale = c * s ** a * t ** b;
      out[0] += scale * k ** m;
      if (m > 0) out[1] += scale * m * k ** (m - 1);
    }
  }, polynomialStep(coef));
}

/**
 * E phi(x) phi(y) = sum_m k^m / m! E phi^(m)(x) E phi^(m)(y) (Price's theorem), with the expectations as polynomials in the variance:
 * E phi^(m)(x) = sum_j coef_{m + 2j} (m + 2j)! / (2j)! (2j - 1)!! v^j.
 */
function polynomialStep(coef: readonly number[]): DualStep {
  const degree = Math.max(0, coef.length - 1);
  const byOrder = Array.from({ length: degree + 1 }, (_, m) =>
    Array.from({ length: Math.floor((degree - m) / 2) + 1 }, (_, j) => {
      let scale = (coef[m + 2 * j] ?? 0) * doubleFactorial(2 * j - 1);
      // (m + 2j)! / (2j)! / sqrt(m!).
      for (let i = 1; i <= m; i++) scale *= (2 * j + i) / Math.sqrt(i);
      return scale;
    }),
  );
  return {
    kind: "polynomial",
    parameters: [degree, 0, 0],
    numbers: (v) => byOrder.map((powers) => powers.reduceRight((sum, c) => sum * v + c, 0)),
    coefficients: byOrder.flat(),
  };
}

/** Coefficients of He_n / sqrt(n!), lowest first. */
function hermiteCoefficients(n: number): readonly number[] {
  let before: number[] = [1];
  let last: number[] = n === 0 ? [1] : [0, 1];
  for (let k = 1; k < n; k++) {
    const next = [0, ...last];
    before.forEach((c, i) => {
      next[i] = (next[i] ?? 0) - k * c;
    });
    [before, last] = [last, next];
  }
  let factorial = 1;
  for (let k = 2; k <= n; k++) factorial *= k;
  return last.map((c) => c / Math.sqrt(factorial));
}

/**
 * max(x, 0)^p: (s t)^(p/2) J_p(angle) / (2 pi), with the recursion J_p = (2p - 1) cos J_{p-1} + (p - 1)^2 sin^2 J_{p-2},
 * J_0 = pi - angle, J_1 = sin + cos (pi - angle) (of Cho & Saul's arc-cosine kernels).
 */
function rectifiedMonomial(p: number): DualActivation {
  return {
    at(s, k, t, out) {
      const scale = Math.sqrt(s) * Math.sqrt(t);
      const across = perpendicular(s, k, t);
      const cos = scale === 0 ? 0 : k / scale;
      const sin = scale === 0 ? 1 : across / scale;
      const rest = Math.PI - (scale === 0 ? Math.PI / 2 : Math.atan2(across, k));
      let before = rest;
      let last = sin + cos * rest;
      for (let n = 2; n <= p; n++)
        [before, last] = [last, (2 * n - 1) * cos * last + (n - 1) ** 2 * sin * sin * before];
      out[0] = (scale ** p * last) / TAU;
      out[1] = (p * p * scale ** (p - 1) * before) / TAU;
    },
    diagonal(s, out) {
      out[0] = (doubleFactorial(2 * p - 1) * s ** p) / 2;
      out[1] = (p * p * doubleFactorial(2 * p - 3) * s ** (p - 1)) / 2;
    },
    step: stepOf("rectified", [p]),
  };
}
