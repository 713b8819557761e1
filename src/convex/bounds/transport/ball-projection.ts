const MAX_PASSES = 60;

/**
 * Projects each row of B (rows x cols, row-major, in place) on the l1 ball of radius q_j: soft thresholding at the
 * theta_j with sum_i max(|B_ij| - theta_j, 0) = q_j (0 inside the ball), found by Newton's method, which is finite and
 * starts from the theta of the last call. What the threshold removes may be left as a rounding error instead of zero.
 * Entry j of `gain` becomes sum_i p_i (2 b_i - p_i), with p the projection of b.
 */
export function projectRows(
  B: Float64Array,
  rows: number,
  cols: number,
  q: Float64Array,
  theta: Float64Array,
  gain: Float64Array,
): void {
  for (let j = 0; j < rows; j++) {
    const from = j * cols;
    const to = from + cols;
    const radius = q[j];
    let level = theta[j];
    let before = -1;
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      // Without branches, which the entries would make unpredictable: a + |a| = 2 max(a, 0).
      let sum = 0;
      let count = 0;
      for (let i = from; i < to; i++) {
        const above = Math.abs(B[i]) - level;
        sum += above + Math.abs(above);
        count += Number(above > 0) | 0;
      }
      sum /= 2;
      if (level === 0 && sum <= radius) break;
      const next = count > 0 ? level + (sum - radius) / count : 0;
      if (!(next > 0)) {
        if (level === 0) break;
        level = 0;
        continue;
      }
      const settled = count === before || Math.abs(sum - radius) <= 1e-14 * radius;
      level = next;
      // From the left the number above the level only falls: the same number twice means that it is right.
      if (settled) break;
      before = sum >= radius ? count : -1;
    }
    theta[j] = level;
    let total = 0;
    for (let i = from; i < to; i++) {
      const b = B[i];
      const p = b - 0.5 * (Math.abs(b + level) - Math.abs(b - level));
      total += p * (2 * b - p);
      B[i] = p;
    }
    gain[j] = total;
  }
}
