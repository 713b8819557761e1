/** The multiplier mu and the value min_{mu} mu + g'(mu I - Q)^{-1} g / 4 that it gives. */
export interface TrustRegion {
  readonly mu: number;
  readonly value: number;
}

/**
 * max over ||u|| <= 1 of g'u + u'Qu, as its Lagrange dual: min over mu > max(lambda_max(Q), 0) of
 * mu + sum g_k^2 / (4 (mu - lambda_k)), from the eigenvalues (ascending) and g in the basis of the eigenvectors.
 * `shift` is what rounding may have taken from the eigenvalues. Any mu in the range gives a valid bound.
 */
export function trustRegion(eigenvalues: Float64Array, g: Float64Array, shift: number): TrustRegion {
  const r = eigenvalues.length;
  const floor = Math.max(eigenvalues[r - 1] + shift, 0);
  let norm = 0;
  for (let k = 0; k < r; k++) norm += g[k] * g[k];
  norm = Math.sqrt(norm);
  const size = Math.max(floor, norm);
  if (!(size > 0)) return { mu: 0, value: 0 };
  // Not nearer to the largest eigenvalue than this, so that a checker can factor mu I - Q.
  // The derivative 1 - sum g_k^2 / (4 (mu - lambda_k)^2) rises with mu: bisection on log(mu - floor), then the value.
  let low = Math.log(size) - 25;
  let high = Math.log(size) + 1;
  for (let step = 0; step < 56; step++) {
    const middle = (low + high) / 2;
    const mu = floor + Math.exp(middle);
    let slope = 1;
    for (let k = 0; k < r; k++) {
      const part = g[k] / (2 * (mu - eigenvalues[k] - shift));
      slope -= part * part;
    }
    if (slope > 0) high = middle;
    else low = middle;
  }
  const mu = floor + Math.exp(high);
  let value = mu;
  for (let k = 0; k < r; k++) if (g[k] !== 0) value += (g[k] / 4) * (g[k] / (mu - eigenvalues[k] - shift));
  return { mu, value };
}
