/**
 * The steps of pair and image programs that are activations or normalizations, as numbered in assembly/duals.ts. Each makes
 * of the covariance k of two Gaussians that of their images, and multiplies theta by a slope; with parameters A, B, C, and
 * numbers p, P of the first Gaussian and q, Q of the second, which come from its variance v (1/sqrt(v) is 0 at 0):
 *
 * - piecewise, sqrt(v) 1/sqrt(v): c = k P Q, slope = A - B acos c; k <- slope k + B p q sqrt(1 - c^2).
 * - erf, - 1/sqrt(1 + B v): u = B k P Q; k <- A asin u + C; slope = A B P Q / sqrt(max(1 - u^2, P^2 + Q^2 - P^2 Q^2)).
 * - normalize, - 1/sqrt(v): k <- k P Q; slope = P Q. In images v is the mean over all pixels when A = 1.
 * - gelu, sqrt(v) 1/sqrt(1 + v): no parameters.
 * - exponential, v -: with e(x) = exp(C (p + q) + 2 |C| x): k <- A e(k) + B e(-k); slope = 2 |C| (A e(k) - B e(-k)).
 * - gaussian, 1 - C v -: D = p q - C^2 k^2; k <- A / sqrt(D); slope = C^2 k A / D^(3/2).
 * - sign, - 1/sqrt(v): k <- (2 / pi) asin(k P Q); slope = 0.
 * - rectified, sqrt(v) 1/sqrt(v): max(x, 0)^A, A = 1, 2, ...
 * - polynomial, of degree A: with A + 1 numbers p_m, q_m: k <- sum_m p_m q_m k^m; slope is the derivative.
 *
 * Correlations nearer to 1 or -1 than 2^-50 count as that: as near as rounding brings equal and opposite inputs.
 */
export const DUAL_STEPS = {
  piecewise: 32,
  erf: 33,
  normalize: 34,
  gelu: 35,
  exponential: 36,
  gaussian: 37,
  sign: 38,
  rectified: 39,
  polynomial: 40,
} as const;

export type DualKind = keyof typeof DUAL_STEPS;

/** Numbers that a step has for each Gaussian. */
export function dualNumbers(kind: DualKind, degree: number): number {
  return kind === "polynomial" ? degree + 1 : 2;
}
