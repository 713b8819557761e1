import type { RandomStream } from "../../../base/random.ts";
import { ascend, gain } from "../../patterns/local-search.ts";
import type { SideProblem, Witness } from "../search.ts";
import { RANK } from "./relaxation.ts";

const STEPS = 12;
/** Draws from the distribution that the factor stands for, besides its mean. */
const DRAWS = 3;

/** The best point found from the directions of a factor U (d x RANK): fixed-point steps, then ascent from the best. */
export function witnessFrom(problem: SideProblem, U: Float64Array, random: RandomStream, best: Witness): Witness {
  const { Z, n, r, v } = problem;
  const search = { Z, n, p: r, v };
  let found: Witness = { u: best.u, value: Number.NEGATIVE_INFINITY };
  for (let draw = 0; draw <= DRAWS; draw++) {
    const mix = Float64Array.from({ length: RANK }, (_, c) => (draw === 0 ? Number(c === 0) : random.normal()));
    let u = new Float64Array(r);
    for (let k = 0; k < r; k++) for (let c = 0; c < RANK; c++) u[k] += U[k * RANK + c] * mix[c];
    for (let step = 0; step < STEPS && normalize(u); step++) {
      const g = new Float64Array(r);
      let value = 0;
      for (let i = 0; i < n; i++) {
        let z = 0;
        for (let k = 0; k < r; k++) z += Z[i * r + k] * u[k];
        if (!(z > 0)) continue;
        value += v[i] * z;
        for (let k = 0; k < r; k++) g[k] += v[i] * Z[i * r + k];
      }
      if (value > found.value) found = { u, value };
      u = g;
    }
  }
  if (!(found.value > 0)) return best;
  const refined = ascend(search, found);
  const value = gain(search, refined.u);
  return value > best.value ? { u: refined.u, value } : best;
}

/** Scales u to length 1 in place; false when it is zero or not finite. */
function normalize(u: Float64Array): boolean {
  let largest = 0;
  for (const t of u) largest = Math.max(largest, Math.abs(t));
  if (!(largest > 0) || !Number.isFinite(largest)) return false;
  let sum = 0;
  for (let k = 0; k < u.length; k++) sum += (u[k] / largest) ** 2;
  const norm = largest * Math.sqrt(sum);
  for (let k = 0; k < u.length; k++) u[k] /= norm;
  return true;
}
