import type { ProofWriter } from "../../../certificate/index.ts";
import { lbfgsSteps } from "./lbfgs-steps.ts";
import { RANK, type Relaxation, type SignedRow } from "./relaxation.ts";
import type { ScaledSide } from "./scaled-side.ts";
import { trustRegion } from "./trust-region.ts";

/** Floors of the slopes s, as parts of the largest: below one, |r'u| is majorized too steeply for the rounding of Q. */
const FLOORS = [1e-2, 1e-4, 1e-6, 1e-8];
const FIXED_TOLERANCE = 1e-12;

/** Multipliers below this part of their capacity are rounding errors of zero. */
const NEGLIGIBLE = 1e-11;

/** A transport leaf (docs/certificates.md) in scaled units, and the bound that follows from exactly these numbers. */
export interface Leaf {
  readonly bound: number;
  readonly mu: number;
  /** Undetermined rows of P that take part; all of N does. */
  readonly pu: Int32Array;
  readonly s: Float64Array;
  readonly t: Float64Array;
  /** |N| x |pu|, in the precision in which it is stored in a proof. */
  readonly Pi: Float32Array;
  readonly lam: Float64Array;
  /** d x RANK: the factor, |U|_F = 1. */
  readonly U: Float64Array;
}

/**
 * Rounds multipliers (nn x (np + 1), last column t, in place) to single precision (t stays double) so that
 * sum_i |Pi_ij| + |t_j| <= q_j holds in any order of summation.
 */
export function roundMultipliers(Pi: Float64Array, nn: number, np: number, q: Float64Array): void {
  const margin = 1 - 4 * (np + 4) * 2 ** -53;
  for (let j = 0; j < nn; j++) {
    const at = j * (np + 1);
    const capacity = q[j] * margin;
    const negligible = NEGLIGIBLE * q[j];
    let sum = 0;
    for (let i = at; i < at + np; i++) {
      Pi[i] = Math.abs(Pi[i]) < negligible ? 0 : Math.fround(Pi[i]);
      sum += Math.abs(Pi[i]);
    }
    // What rounding added comes off the entry that feels it least.
    for (let tries = 0; sum > capacity && tries < 8; tries++) {
      let largest = at;
      for (let i = at; i < at + np; i++) if (Math.abs(Pi[i]) > Math.abs(Pi[largest])) largest = i;
      const old = Math.abs(Pi[largest]);
      let next = Math.fround(Math.max(old - (sum - capacity), 0));
      if (next >= old || sum - old + next > capacity) next = Math.fround(next * (1 - 2 ** -23));
      Pi[largest] = Math.sign(Pi[largest]) * next;
      sum = 0;
      for (let i = at; i < at + np; i++) sum += Math.abs(Pi[i]);
    }
    if (sum > capacity) {
      Pi.fill(0, at, at + np);
      sum = 0;
    }
    const t = Pi[at + np];
    Pi[at + np] = Math.sign(t) * Math.min(Math.abs(t), capacity - sum);
  }
}

/**
 * Prepares `fixed` for the multipliers in `relaxation.Pi`: R, the linear part and the secant part of Q of the rows of N.
 */
export function fixMultipliers(relaxation: Relaxation): void {
  const { compute, side, d, np, nn, XP, XN, Pi, R, Q, scratch } = relaxation;
  const cols = np + 1;
  for (let i = 0; i < np; i++) {
    const weight = side.v[relaxation.pu[i]!]!;
    for (let k = i * d; k < (i + 1) * d; k++) R[k] = weight * XP[k];
  }
  compute.gemm(true, false, np, d, nn, -1, Pi, cols, XN, d, 1, R, d);
  const linear = relaxation.base.slice();
  let unused = false;
  for (let j = 0; j < nn; j++) {
    let left = relaxation.q[j];
    for (let i = j * cols; i < (j + 1) * cols; i++) left -= Math.abs(Pi[i]);
    const t = Pi[j * cols + np];
    const weight = (-0.5 * Math.max(left, 0)) / side.norms[side.N[j]!]!;
    if (left > 1e-9 * relaxation.q[j]) unused = true;
    for (let k = j * d; k < (j + 1) * d; k++) {
      linear[k - j * d] -= 0.5 * t * XN[k];
      scratch[k] = weight * XN[k];
    }
  }
  relaxation.linear = linear;
  if (unused) compute.gemm(true, false, d, d, nn, 1, scratch, d, XN, d, 0, Q, d);
  else Q.fill(0);
}

/**
 * A valid bound from the multipliers in `relaxation.Pi` (rounded already): the slopes s come from the best factor for
 * them, found by at most `iterations` steps from the current U. Yields now and then.
 */
export function* makeLeaf(relaxation: Relaxation, iterations: number): Generator<void, Leaf> {
  const { d, np } = relaxation;
  fixMultipliers(relaxation);
  if (iterations > 0) {
    const x = relaxation.U.slice(0, d * RANK);
    const rounds = relaxation.path.length > 0 ? 3 : 1;
    for (let round = 0; round < rounds; round++) {
      for (const _ of lbfgsSteps(relaxation.fixed, x, {
        iterations: iterations / rounds,
        memory: 12,
        tolerance: FIXED_TOLERANCE,
      })) {
        yield;
      }
      relaxation.fixed(x, new Float64Array(d * RANK));
      relaxation.updateMultipliers();
    }
  }
  const s = new Float64Array(np);
  relaxation.signs(new Float64Array(np * RANK), s);
  let largest = 0;
  for (const t of s) largest = Math.max(largest, t);
  let best: Slopes | null = null;
  for (const floor of largest > 0 ? FLOORS : [1]) {
    const found = boundAt(
      relaxation,
      s.map((t) => Math.sqrt(t * t + (floor * largest) ** 2) || 1),
    );
    yield;
    if (best !== null && !(found.bound < best.bound)) break;
    best = found;
  }
  return assemble(relaxation, best as Slopes);
}

interface Slopes {
  readonly s: Float64Array;
  readonly mu: number;
  readonly bound: number;
}

/** The bound at given slopes. */
function boundAt(relaxation: Relaxation, slopes: Float64Array): Slopes {
  const { compute, side, d, np, R, Q, scratch, path, lam } = relaxation;
  let constant = 0;
  for (let i = 0; i < np; i++) {
    constant += slopes[i] / 4;
    const weight = 0.25 / slopes[i];
    for (let k = i * d; k < (i + 1) * d; k++) scratch[k] = weight * R[k];
  }
  const g = relaxation.linear.slice();
  for (let f = 0; f < path.length; f++) {
    if (lam[f] > 0) for (let k = 0; k < d; k++) g[k] += lam[f] * relaxation.unitRow(f, k);
  }
  const region = compute.scope((scope) => {
    const whole = scope.copy(Q);
    const values = scope.f64(d);
    compute.gemm(true, false, d, d, np, 1, scratch, d, R, d, 1, whole, d);
    for (let k = 0; k < d; k++) {
      for (let c = 0; c < k; c++) {
        const mean = (whole[k * d + c] + whole[c * d + k]) / 2;
        whole[k * d + c] = mean;
        whole[c * d + k] = mean;
      }
    }
    compute.symmetricEigen(d, whole, d, values);
    const projected = new Float64Array(d);
    for (let k = 0; k < d; k++) for (let c = 0; c < d; c++) projected[c] += whole[k * d + c] * g[k];
    const shift = 4 * d * 2 ** -53 * Math.max(Math.abs(values[0]), Math.abs(values[d - 1]));
    return trustRegion(values, projected, shift);
  });
  const value = constant + region.value;
  return { s: slopes, mu: region.mu, bound: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value + side.allowance };
}

function assemble(relaxation: Relaxation, { s, mu, bound }: Slopes): Leaf {
  const { d, np, nn, lam } = relaxation;
  const Pi = new Float32Array(nn * np);
  const t = new Float64Array(nn);
  for (let j = 0; j < nn; j++) {
    const at = j * (np + 1);
    for (let i = 0; i < np; i++) Pi[j * np + i] = relaxation.Pi[at + i];
    t[j] = relaxation.Pi[at + np];
  }
  return { bound, mu, s, pu: relaxation.pu, t, Pi, lam: lam.slice(), U: relaxation.U.slice(0, d * RANK) };
}

/** Writes a leaf in original units. */
export function writeLeaf(out: ProofWriter, side: ScaledSide, path: readonly SignedRow[], leaf: Leaf): void {
  const { zUnit, vUnit, N } = side;
  const np = leaf.pu.length;
  const nn = N.length;
  out.u8(1);
  out.f64(leaf.mu * zUnit * vUnit);
  out.u32(np);
  for (const i of leaf.pu) out.u32(i);
  out.f64s(leaf.s.map((s) => s * zUnit * vUnit));
  out.u32(nn);
  for (const j of N) out.u32(j);
  out.f64s(leaf.t.map((t) => t * vUnit));
  let entries = 0;
  for (const p of leaf.Pi) if (p !== 0) entries += 1;
  const dense = 4 * np * nn <= 8 * entries + 4 * np;
  out.u8(entries === 0 ? 0 : dense ? 1 : 2);
  for (let i = 0; i < np && entries > 0; i++) {
    const row = Float32Array.from({ length: nn }, (_, j) => leaf.Pi[j * np + i] * vUnit);
    if (dense) out.f32s(row);
    else {
      out.u32(row.reduce((count, p) => count + (p === 0 ? 0 : 1), 0));
      row.forEach((p, j) => {
        if (p === 0) return;
        out.u32(j);
        out.f32s([p]);
      });
    }
  }
  const used = path.map((_, f) => f).filter((f) => leaf.lam[f] > 0 && side.norms[path[f]!.row] > 0);
  out.u32(used.length);
  for (const f of used) {
    out.u32(path[f]!.row);
    out.f64((leaf.lam[f] / side.norms[path[f]!.row]) * vUnit);
  }
}
