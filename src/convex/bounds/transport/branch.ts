import type { Leaf } from "./leaf.ts";
import { RANK, type SignedRow } from "./relaxation.ts";
import type { ScaledSide } from "./scaled-side.ts";

/** Rows whose kink costs less than this part of the bound are not worth a branch. */
const NEGLIGIBLE_LOSS = 1e-14;

/** The row to branch on below a leaf: the one whose kink the relaxation gets most wrong; -1 when none is worth it. */
export function branchingRow(side: ScaledSide, path: readonly SignedRow[], leaf: Leaf, bound: number): number {
  const { d, Z, v, N, norms } = side;
  const project = (i: number, out: Float64Array): number => {
    out.fill(0);
    for (let k = 0; k < d; k++) {
      const z = Z[i * d + k]!;
      for (let c = 0; c < RANK; c++) out[c] += z * leaf.U[k * RANK + c];
    }
    return Math.hypot(...out);
  };
  const y = new Float64Array(RANK);
  const np = leaf.pu.length;
  const taken = new Set(path.map(({ row }) => row));
  let best = NEGLIGIBLE_LOSS * bound;
  let branch = -1;
  const offer = (row: number, score: number): void => {
    if (score > best && !taken.has(row)) {
      best = score;
      branch = row;
    }
  };
  const xi = new Float64Array(np * RANK);
  for (let i = 0; i < np; i++) {
    const row = leaf.pu[i]!;
    const size = project(row, y);
    offer(row, v[row]! * (size - Math.abs(y[0])));
    // The sign that the transported row stands for is nearly that of the row.
    for (let c = 0; c < RANK; c++) xi[i * RANK + c] = size > 0 ? y[c] / size : 0;
  }
  for (let j = 0; j < N.length; j++) {
    const row = N[j]!;
    const size = project(row, y);
    let along = leaf.t[j] * y[0];
    for (let i = 0; i < np; i++) {
      const p = leaf.Pi[j * np + i];
      if (p !== 0) for (let c = 0; c < RANK; c++) along += p * xi[i * RANK + c] * y[c];
    }
    offer(row, -v[row]! * size - along);
  }
  // A factor of rank one may sit at a saddle point, with nothing to choose by: the heaviest row then.
  if (branch < 0) for (const row of leaf.pu) offer(row, bound + v[row]! * norms[row]!);
  return branch;
}
