import type { ProofWriter } from "../../certificate/index.ts";
import type { BoundSearch, SideProblem } from "./search.ts";

/** Whether some row that is not zero has a positive weight: else G <= 0 everywhere. */
export function canBePositive({ n, r, Z, v }: SideProblem): boolean {
  for (let i = 0; i < n; i++) {
    if (v[i] > 0 && Z.subarray(i * r, (i + 1) * r).some((z) => z !== 0)) return true;
  }
  return false;
}

/** The search where nothing is to be found: G <= 0, shown by one leaf, a `close` without multipliers in which every theta is 0. */
export function nothingSearch({ r }: SideProblem): BoundSearch {
  return {
    method: "caps",
    bound: 0,
    witness: { u: new Float64Array(r), value: 0 },
    finished: true,
    nodes: 0,
    advance: () => {},
    writeProof(out: ProofWriter) {
      out.u8(0);
      out.u8(4);
      out.u32(0);
      out.u32(0);
      return true;
    },
  };
}
