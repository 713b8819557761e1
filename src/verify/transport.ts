import { above, down, EPS, ETA, normAbove } from "./arithmetic.ts";
import { LinearForm } from "./linear-form.ts";
import { QuadraticForm } from "./quadratic-form.ts";
import type { ProofReader } from "./reader.ts";
import type { Region } from "./region.ts";

const ABSENT = 0;
const DENSE = 1;
const SPARSE = 2;

/**
 * Reads a transport leaf and checks that it shows G(u) <= T on the region. For the listed rows Pu (v > 0) and Nu (v = -q < 0), with
 * (z)_+ = (z + |z|) / 2 and any Pi, t,
 *
 *   v_i |z_i'u| <= |r_i'u| + sum_j |Pi_ij| |z_j'u|,   r_i = v_i z_i - sum_j Pi_ij z_j,
 *   -|t_j| |z_j'u| <= -t_j z_j'u,   and   -w_j |z_j'u| <= -w_j (z_j'u)^2 / |z_j|,   w_j = q_j - sum_i |Pi_ij| - |t_j| >= 0
 *
 * on the unit ball; should rounding have made w_j < 0, then -w_j |z_j'u| <= -w_j |z_j|. With |r'u| <= (r'u)^2 / (2 s) + s / 2 all is
 * a quadratic, which must not exceed T. All other rows have their linear bounds.
 */
export function checkTransport(reader: ProofReader, region: Region): void {
  const { n, r, Z, norms, v, T } = region.side;
  const mu = reader.nonnegative("mu");
  const isListed = new Uint8Array(n);
  const readRows = (sign: 1 | -1): Uint32Array => {
    const rows = new Uint32Array(reader.count(n, 12));
    for (let k = 0; k < rows.length; k++) {
      const row = reader.index(n, "row");
      if (isListed[row] === 1 || !(sign * v[row] > 0))
        reader.fail(`row ${row} twice, or with a weight of the wrong sign`);
      isListed[row] = 1;
      rows[k] = row;
    }
    return rows;
  };
  const positive = readRows(1);
  const s = reader.f64s(positive.length);
  if (s.some((value) => !(value > 0))) reader.fail("an s that is not positive");
  const negative = readRows(-1);
  const t = reader.f64s(negative.length);

  const linear = new LinearForm(region.side);
  const quadratic = new QuadraticForm(r);
  const used = t.map(Math.abs);
  const uses = new Uint32Array(negative.length);
  const residual = new Float64Array(r);
  const kind = reader.u8();
  if (kind !== ABSENT && kind !== DENSE && kind !== SPARSE) reader.fail(`an unknown kind ${kind} of Pi`);
  positive.forEach((row, i) => {
    residual.set(Z.subarray(row * r, (row + 1) * r));
    for (let k = 0; k < r; k++) residual[k] *= v[row];
    let mass = v[row] * norms[row];
    const count = kind === ABSENT ? 0 : kind === DENSE ? negative.length : reader.count(negative.length, 8);
    for (let entry = 0; entry < count; entry++) {
      const j = kind === DENSE ? entry : reader.index(negative.length, "column of Pi");
      const share = reader.f32();
      if (share === 0) continue;
      const at = negative[j] * r;
      for (let k = 0; k < r; k++) residual[k] -= share * Z[at + k];
      mass += Math.abs(share) * norms[negative[j]];
      used[j] += Math.abs(share);
      uses[j] += 1;
    }
    // Half of how far |r_i'u| can be from its value for the rounded r_i: see LinearForm.
    linear.lift(((count + 8) / 2) * (EPS * mass + ETA * r));
    linear.add(v[row] / 2, row);
    linear.lift(s[i] / 4);
    quadratic.add(0.25 / s[i], residual, normAbove(residual, 0, r));
  });
  negative.forEach((row, j) => {
    const unused = down(-v[row] - above(used[j], uses[j] + 8));
    linear.add((v[row] - t[j]) / 2, row);
    if (unused < 0) linear.lift((-unused / 2) * norms[row]);
    else quadratic.add(-unused / (2 * norms[row]), Z.subarray(row * r, (row + 1) * r), norms[row]);
  });
  for (let i = 0; i < n; i++) if (isListed[i] === 0) region.addRow(linear, i, region.defaultTheta(i));
  region.readMultipliers(reader, linear);
  linear.settle();
  linear.lift(quadratic.error());
  if (!quadratic.isBelow(linear.c, mu, down(T - linear.offset))) {
    reader.fail("a transport leaf whose matrix is not positive semidefinite");
  }
}
