import { describe, expect, test } from "vitest";
import { type Certificate, inlineProof, joinProofs, ProofWriter, proofEntry } from "../../src/certificate/index.ts";

describe("ProofWriter", () => {
  test("ProofWriter keeps every number while its buffer grows, whatever is written at the seam", () => {
    for (let offset = 0; offset < 16; offset++) {
      const out = new ProofWriter();
      for (let k = 0; k < offset; k++) out.u8(k);
      for (let k = 0; k < 2000; k++) {
        out.u8(k & 255);
        out.u32(k);
        out.f64(k / 3);
      }
      const view = new DataView(out.bytes().buffer);
      expect(out.length).toBe(offset + 2000 * 13);
      for (let k = 0; k < 2000; k++) {
        const at = offset + 13 * k;
        expect([view.getUint8(at), view.getUint32(at + 1, true), view.getFloat64(at + 5, true)]).toEqual([
          k & 255,
          k,
          k / 3,
        ]);
      }
    }
  });

  test("ProofWriter appends other writers and plain bytes", () => {
    const other = new ProofWriter();
    other.f32s([0.5, 2]);
    const out = new ProofWriter();
    out.append(other);
    out.raw(Uint8Array.of(7));
    expect([...out.bytes()]).toEqual([0, 0, 0, 63, 0, 0, 0, 64, 7]);
  });
});

describe("proofEntry", () => {
  test("proofEntry puts small proofs into the certificate, from where inlineProof takes them, and names a file for others", () => {
    const inlined = (proof: Certificate["proof"]) => inlineProof({ proof } as Certificate);
    const small = joinProofs([Uint8Array.from({ length: 60_000 }, (_, k) => (k * 7) & 255), Uint8Array.of(1, 2)]);
    expect(new TextDecoder().decode(small.subarray(0, 8))).toBe("OPPROOF1");
    expect(small[8]).toBe(2);
    expect(small.length).toBe(60_014);
    expect(inlined(proofEntry(small, "x"))).toEqual(small);
    const large = new Uint8Array(65_537);
    expect(proofEntry(large, "x")).toEqual({ file: "proof.bin", sha256: "x", bytes: 65_537 });
    expect(inlined(proofEntry(large, "x"))).toBeNull();
    expect(inlined(null)).toBeNull();
  });
});
