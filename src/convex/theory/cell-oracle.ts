import { type Matrix, matrix } from "../../base/matrix.ts";
import { isActive, type Pattern } from "../patterns/pattern.ts";
import { arrangementCells } from "./arrangement.ts";
import { projectOnCone } from "./nonnegative.ts";

/** Maximizers of +-sum_i v_i (z_i'u)_+ over the unit ball, cell by cell. */
export interface CellAnswer {
  /** Unit vectors whose value exceeds the level, best of each cell and sign. */
  readonly directions: readonly Float64Array[];
  /** The largest absolute value over all u: an upper bound whatever the accuracy of the projections. */
  readonly maximum: number;
}

/**
 * The exact oracle by enumerated cells: in the cell of pattern D with cone K the maximum of v'D Z u is the norm of the
 * projection of Z'D v on K. Cells whose ||Z'D v|| is below both the level and what was found are skipped.
 *
 * @throws RangeError when there are more than `limit` cells.
 */
export function cellOracle(Z: Matrix, limit: number): (v: Float64Array, level: number) => CellAnswer {
  const { rows: n, cols: r } = Z;
  const cones: { pattern: Pattern; G: Matrix }[] = arrangementCells(Z, limit).map(({ pattern }) => {
    const G = matrix(n, r, Z.data.slice());
    for (let i = 0; i < n; i++) {
      if (!isActive(pattern, i)) for (let k = 0; k < r; k++) G.data[i * r + k] = -G.data[i * r + k];
    }
    return { pattern, G };
  });
  return (v, level) => {
    const directions: Float64Array[] = [];
    let maximum = 0;
    for (const { pattern, G } of cones) {
      const q = new Float64Array(r);
      for (let i = 0; i < n; i++) {
        if (isActive(pattern, i)) for (let k = 0; k < r; k++) q[k] += v[i] * Z.data[i * r + k];
      }
      const reach = Math.hypot(...q);
      if (reach <= Math.min(level, maximum)) continue;
      for (const sign of [1, -1]) {
        const u = projectOnCone(
          G,
          q.map((t) => sign * t),
        );
        const length = Math.hypot(...u);
        maximum = Math.max(maximum, length);
        if (length > level) directions.push(u.map((t) => t / length));
      }
    }
    return { directions, maximum };
  };
}
