/** Unit roundoff. */
const ROUNDOFF = Number.EPSILON / 2;
const ITERATIONS = 120;

/** The middle of a bracket that has 0 as an end or on one side: by magnitude, so that roots next to a pole are found. */
function middle(low: number, high: number): number {
  const near = Math.min(Math.abs(low), Math.abs(high));
  const far = Math.max(Math.abs(low), Math.abs(high));
  const size = near === 0 ? far / 1024 : far > 4 * near ? Math.sqrt(near) * Math.sqrt(far) : 0.5 * (near + far);
  return high > 0 ? size : -size;
}

/** The root of c x^2 - a x + b inside (low, high); NaN if there is none. */
function quadraticRoot(c: number, a: number, b: number, low: number, high: number): number {
  const root = Math.sqrt(Math.max(0, a * a - 4 * b * c));
  const q = 0.5 * (a < 0 ? a - root : a + root);
  const first = b / q;
  if (first > low && first < high) return first;
  const second = q / c;
  return second > low && second < high ? second : Number.NaN;
}

/**
 * Root number `i` of f(lambda) = 1 + sum_j z_j^2 / (d_j - lambda), which lies between d_i and d_{i+1} (the last one, beyond
 * d_{n-1}). `d` (n entries) ascends strictly, no z_j is 0. Fills `delta` with d_j - lambda, each to high relative accuracy,
 * and returns lambda.
 *
 * Rational interpolation with fixed weights, inside a bracket. Source: Li, Solving secular equations stably and
 * efficiently, LAPACK working note 89, 1993.
 */
export function secularRoot(i: number, n: number, d: Float64Array, z: Float64Array, delta: Float64Array): number {
  if (n === 1) {
    const shift = z[0]! * z[0]!;
    delta[0] = -shift;
    return d[0]! + shift;
  }
  const last = i === n - 1;
  const left = last ? n - 2 : i;
  const right = left + 1;
  const gap = d[right]! - d[left]!;
  const leftWeight = z[left]! * z[left]!;
  const rightWeight = z[right]! * z[right]!;

  // 1. Which pole is nearer: the sign of f in the middle. lambda = d_origin + tau with tau in (low, high).
  let reach = gap;
  if (last) {
    reach = 0;
    for (let j = 0; j < n; j++) reach += z[j]! * z[j]!;
  }
  const half = 0.5 * reach;
  const from = last ? d[right]! : d[left]!;
  let rest = 1;
  for (let j = 0; j < n; j++) if (j !== left && j !== right) rest += (z[j]! * z[j]!) / (d[j]! - from - half);
  const fromLeft = !last && rest - leftWeight / half + rightWeight / (gap - half) >= 0;
  const origin = fromLeft ? left : right;
  const base = d[origin]!;
  let low = last || fromLeft ? 0 : half - gap;
  let high = last ? reach : fromLeft ? half : 0;

  // 2. First guess: the two neighbouring poles exactly, the others as a constant.
  const weights = leftWeight + rightWeight;
  let tau = fromLeft
    ? quadraticRoot(rest, rest * gap + weights, leftWeight * gap, low, high)
    : quadraticRoot(rest, weights - rest * gap, -rightWeight * gap, low, high);
  if (Number.isNaN(tau)) tau = middle(low, high);

  // 3. Iterate.
  let fixedWeights = !last;
  let previous = Number.POSITIVE_INFINITY;
  for (let iteration = 0; ; iteration++) {
    let psi = 0;
    let dpsi = 0;
    let phi = 0;
    let dphi = 0;
    let error = 0;
    for (let j = 0; j <= left; j++) {
      const distance = d[j]! - base - tau;
      const ratio = z[j]! / distance;
      delta[j] = distance;
      psi += z[j]! * ratio;
      dpsi += ratio * ratio;
      error += Math.abs(psi);
    }
    for (let j = n - 1; j >= right; j--) {
      const distance = d[j]! - base - tau;
      const ratio = z[j]! / distance;
      delta[j] = distance;
      phi += z[j]! * ratio;
      dphi += ratio * ratio;
      error += Math.abs(phi);
    }
    const f = 1 + psi + phi;
    const slope = dpsi + dphi;
    const bound = 8 * (Math.abs(psi) + Math.abs(phi)) + error + 1 + Math.abs(tau) * slope;
    if (Math.abs(f) <= ROUNDOFF * bound) break;
    if (f < 0) low = Math.max(low, tau);
    else high = Math.min(high, tau);
    if (high - low <= Number.EPSILON * Math.abs(tau) || iteration === ITERATIONS) break;

    const toLeft = delta[left]!;
    const toRight = delta[right]!;
    let c: number;
    if (!fixedWeights) c = f - toLeft * dpsi - toRight * dphi;
    else if (fromLeft) c = f - toRight * slope - (toLeft - toRight) * (z[left]! / toLeft) ** 2;
    else c = f - toLeft * slope - (toRight - toLeft) * (z[right]! / toRight) ** 2;
    const a = (toLeft + toRight) * f - toLeft * toRight * slope;
    const step = quadraticRoot(c, a, toLeft * toRight * f, low - tau, high - tau);
    const next = tau + step;
    tau = next > low && next < high ? next : middle(low, high);
    // The other interpolant where this one is slow.
    if (!last && Math.abs(f) > 0.1 * Math.abs(previous)) fixedWeights = !fixedWeights;
    previous = f;
  }
  return base + tau;
}
