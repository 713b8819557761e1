/**
 * The second-order cone {(s0, s1): s0 >= ||s1||} with the Nesterov-Todd scaling W of a pair (s, z): W z = W^{-1} s.
 * Vectors are arrays whose entry 0 is s0. Formulas: Vandenberghe, "The CVXOPT linear and quadratic cone program
 * solvers" (2010), section 4.
 */
export interface NesterovTodd {
  /** W = eta * [w0, w1'; w1, I + w1 w1' / (1 + w0)], with w0^2 - ||w1||^2 = 1. */
  readonly w: Float64Array;
  eta: number;
  /** lambda = W z = W^{-1} s. */
  readonly lambda: Float64Array;
}

export function nesterovTodd(length: number): NesterovTodd {
  return { w: new Float64Array(length), eta: 1, lambda: new Float64Array(length) };
}

/** sqrt(s0^2 - ||s1||^2), computed as a product so that points near the boundary keep their digits. */
function coneNorm(s: Float64Array): number {
  let tail = 0;
  for (let k = 1; k < s.length; k++) tail += s[k] * s[k];
  tail = Math.sqrt(tail);
  return Math.sqrt(Math.max((s[0] - tail) * (s[0] + tail), 1e-300));
}

/** Recomputes the scaling for the interior points s and z. */
export function updateScaling(scaling: NesterovTodd, s: Float64Array, z: Float64Array): void {
  const { w, lambda } = scaling;
  const sNorm = coneNorm(s);
  const zNorm = coneNorm(z);
  let dot = 0;
  for (let k = 0; k < s.length; k++) dot += (s[k] / sNorm) * (z[k] / zNorm);
  const gamma = Math.sqrt((1 + dot) / 2);
  w[0] = (s[0] / sNorm + z[0] / zNorm) / (2 * gamma);
  let tail = 0;
  for (let k = 1; k < s.length; k++) {
    w[k] = (s[k] / sNorm - z[k] / zNorm) / (2 * gamma);
    tail += w[k] * w[k];
  }
  w[0] = Math.sqrt(1 + tail);
  scaling.eta = Math.sqrt(sNorm / zNorm);
  applyScaling(scaling, z, lambda);
}

/** out <- W x. */
export function applyScaling({ w, eta }: NesterovTodd, x: Float64Array, out: Float64Array): void {
  let inner = 0;
  for (let k = 1; k < x.length; k++) inner += w[k] * x[k];
  const x0 = x[0];
  const factor = x0 + inner / (1 + w[0]);
  for (let k = 1; k < x.length; k++) out[k] = eta * (x[k] + factor * w[k]);
  out[0] = eta * (w[0] * x0 + inner);
}

/** out <- W^{-1} x. */
export function applyInverseScaling({ w, eta }: NesterovTodd, x: Float64Array, out: Float64Array): void {
  let inner = 0;
  for (let k = 1; k < x.length; k++) inner += w[k] * x[k];
  const x0 = x[0];
  const factor = inner / (1 + w[0]) - x0;
  for (let k = 1; k < x.length; k++) out[k] = (x[k] + factor * w[k]) / eta;
  out[0] = (w[0] * x0 - inner) / eta;
}

/** out <- the x with lambda o x = r, o the Jordan product (u'v, u0 v1 + v0 u1). */
export function jordanDivide(lambda: Float64Array, r: Float64Array, out: Float64Array): void {
  let tail = 0;
  let inner = 0;
  for (let k = 1; k < r.length; k++) {
    tail += lambda[k] * lambda[k];
    inner += lambda[k] * r[k];
  }
  tail = Math.sqrt(tail);
  const determinant = Math.max((lambda[0] - tail) * (lambda[0] + tail), 1e-300);
  const x0 = (lambda[0] * r[0] - inner) / determinant;
  for (let k = 1; k < r.length; k++) out[k] = (r[k] - x0 * lambda[k]) / lambda[0];
  out[0] = x0;
}

/** The largest step t in [0, 1] with s + t ds in the cone. */
export function coneStep(s: Float64Array, ds: Float64Array): number {
  // ||s1 + t ds1||^2 = (s0 + t ds0)^2, with s interior: the smallest positive root.
  let a = ds[0] * ds[0];
  let b = s[0] * ds[0];
  for (let k = 1; k < s.length; k++) {
    a -= ds[k] * ds[k];
    b -= s[k] * ds[k];
  }
  const norm = coneNorm(s);
  const c = norm * norm;
  // a t^2 + 2 b t + c >= 0 on [0, t], c > 0.
  if (a >= 0 && b >= 0) return 1;
  const discriminant = b * b - a * c;
  if (discriminant < 0) return 1;
  const root = b < 0 ? c / (-b + Math.sqrt(discriminant)) : (-b - Math.sqrt(discriminant)) / a;
  return root > 0 ? Math.min(1, root) : 1;
}
