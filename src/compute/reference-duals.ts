import type { DualKind } from "./duals.ts";

/** What a step makes of a covariance, and its slope. */
interface Dual {
  readonly k: number;
  readonly slope: number;
}

/** 1 - |c| below which |c| is 1. */
const NEAR = 2 ** -50;

/** k P Q, not through the product P Q, which may overflow. */
function correlation(k: number, P: number, Q: number): number {
  const c = k * P * Q;
  return Math.abs(c) > 1 - NEAR ? Math.sign(c) : c;
}

const clamp = (x: number): number => Math.min(1, Math.max(-1, x));
const complement = (x: number): number => Math.sqrt((1 - x) * (1 + x));
const angle = (c: number): number => Math.atan2(complement(c), c);
const arcSine = (c: number): number => Math.atan2(c, complement(c));

/** One step of {@link DUAL_STEPS} on a covariance, by its formula; `p` and `q` are the numbers of the two Gaussians. */
export function dualReference(
  kind: DualKind,
  [A = 0, B = 0, C = 0]: readonly number[],
  k: number,
  p: readonly number[],
  q: readonly number[],
): Dual {
  const [p0 = 0, p1 = 0] = p;
  const [q0 = 0, q1 = 0] = q;
  switch (kind) {
    case "piecewise": {
      const c = correlation(k, p1, q1);
      const slope = A - B * angle(c);
      return { k: slope * k + B * p0 * q0 * complement(c), slope };
    }
    case "erf": {
      const u = clamp(B * k * p1 * q1);
      // |k| <= sqrt(v v') means at least so much; rounding loses it where the variances are large.
      const least = p1 ** 2 + q1 ** 2 - (p1 * q1) ** 2;
      return { k: A * arcSine(u) + C, slope: (A * B * p1 * q1) / Math.sqrt(Math.max((1 - u) * (1 + u), least)) };
    }
    case "normalize":
      // With the mean variance of all pixels a value may be more than 1.
      return { k: A === 1 ? k * p1 * q1 : correlation(k, p1, q1), slope: p1 * q1 };
    case "gelu":
      return gelu(p0 * q0, Math.min(p0 * q0, Math.max(-p0 * q0, k)), p0 * p0 + q0 * q0, p1, q1);
    case "exponential": {
      const twice = 2 * Math.sign(C) * k;
      const near = A * Math.exp(C * (p0 + q0 + twice));
      const far = B === 0 ? 0 : B * Math.exp(C * (p0 + q0 - twice));
      return { k: near + far, slope: 2 * Math.abs(C) * (near - far) };
    }
    case "gaussian": {
      const determinant = p0 * q0 - (C * k) ** 2;
      const value = A / Math.sqrt(determinant);
      return { k: value, slope: (C * C * k * value) / determinant };
    }
    case "sign":
      return { k: (2 / Math.PI) * arcSine(correlation(k, p1, q1)), slope: 0 };
    case "rectified":
      return rectified(A, p0 * q0, correlation(k, p1, q1));
    case "polynomial": {
      let [value, slope] = [0, 0];
      for (let m = 0; m <= A; m++) {
        value += p[m]! * q[m]! * k ** m;
        if (m > 0) slope += m * p[m]! * q[m]! * k ** (m - 1);
      }
      return { k: value, slope };
    }
  }
}

/** x Phi(x), with the product of the roots of the variances, their sum, and the inverses of the roots of 1 + variance. */
function gelu(roots: number, k: number, sum: number, P: number, Q: number): Dual {
  const D = 1 + sum + (roots - k) * (roots + k);
  const e = 1 / (2 * Math.PI * Math.sqrt(D));
  const H = 0.25 + arcSine(k * P * Q) / (2 * Math.PI);
  const weight = P * P + Q * Q - 1;
  const rest = roots * roots + k * k * weight;
  return { k: k * H + e * rest, slope: H + k * e + 2 * k * weight * e + (e * k * rest) / D };
}

/** max(x, 0)^degree. */
function rectified(degree: number, scale: number, c: number): Dual {
  let before = Math.PI - angle(c);
  let last = complement(c) + c * before;
  for (let m = 2; m <= degree; m++) {
    [before, last] = [last, (2 * m - 1) * c * last + (m - 1) ** 2 * complement(c) ** 2 * before];
  }
  const turn = 2 * Math.PI;
  return { k: (scale ** degree * last) / turn, slope: (degree ** 2 * scale ** (degree - 1) * before) / turn };
}
