import { ProofWriter } from "../../certificate/index.ts";
import type { CoreProblem } from "../reduction.ts";
import type { BoundSearch } from "./search.ts";

/** What rounding may add when a proof is checked: this part of (n + (r + 8)^2) sum |v_i| ||z_i||, r^2 for a Cholesky factor. */
const PROOF_SLACK = 2 ** -50;
/** What a proof states in the place of zero, so that rounding has room. */
const LEAST = 1e-150;

/** The head of an `output` of a proof file (docs/certificates.md): coordinates and number of pivots. */
export function writeHead(out: ProofWriter, core: CoreProblem, pivots: number): void {
  out.f64(core.scale);
  out.u32(core.Z.cols);
  out.u8(core.basis === null ? 0 : 1);
  if (core.basis !== null) out.f64s(core.basis.data);
  out.u32(pivots);
}

/** A bound with its proof. */
export type Proven = Pick<BoundSearch, "bound" | "writeProof">;

/**
 * The proof that g(v) and g(-v) are at most the larger bound of two searches, one a side; null when one of them is too large to be written.
 * With free biases for weights that are all zero only: then every pivot has the same part.
 */
export function outputProof(
  core: CoreProblem,
  v: Float64Array,
  searches: readonly [Proven, Proven],
): Uint8Array<ArrayBuffer> | null {
  const { rows: n, cols: r, data: Z } = core.Z;
  let mass = 0;
  for (let i = 0; i < n; i++) mass += Math.abs(v[i]) * Math.hypot(...Z.subarray(i * r, (i + 1) * r));
  const bound = Math.max(...searches.map((search) => search.bound));
  const out = new ProofWriter();
  writeHead(out, core, core.freeBias ? n : 0);
  for (let part = 0; part < (core.freeBias ? n : 1); part++) {
    out.f64(Math.max(bound + PROOF_SLACK * (n + (r + 8) ** 2) * mass, LEAST));
    for (const search of searches) if (!search.writeProof(out)) return null;
  }
  return out.bytes();
}

/** The proof for inputs that are all zero (equal, with free biases): every part shows G(u) <= 0 + rounding by an empty `close`. */
export function emptyProof({ scale, freeBias, Z }: CoreProblem): Uint8Array<ArrayBuffer> {
  const out = new ProofWriter();
  out.f64(scale);
  out.u32(0);
  out.u8(1);
  out.u32(freeBias ? Z.rows : 0);
  for (let part = 0; part < (freeBias ? Z.rows : 1); part++) {
    out.f64(LEAST);
    for (let tree = 0; tree < 2; tree++) {
      out.u8(0);
      out.u8(4);
      out.u32(0);
      out.u32(0);
    }
  }
  return out.bytes();
}
