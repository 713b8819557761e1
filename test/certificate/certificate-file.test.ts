import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { certificateSchema } from "../../src/certificate/index.ts";
import { loadDataset } from "../../src/data/index.ts";
import { type CertificateInput, makeCertificate, wholeProof } from "../../src/experiments/certificate-file.ts";
import { fitSettingsSchema } from "../../src/experiments/config.ts";
import { networkFromJson } from "../../src/experiments/network-json.ts";
import type { SolvedPart } from "../../src/experiments/solve.ts";
import { verifyFile } from "../../src/experiments/verify.ts";
import { xorCase } from "../verify/cases.ts";

const folder = mkdtempSync(join(tmpdir(), "overparam-certificate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, "xor.csv");
writeFileSync(data, "a,b,y\n1,1,1\n-1,-1,1\n1,-1,-1\n-1,1,-1\n");

/** What a fit of XOR would leave, with a proof of its dual point. */
function fitted(): { input: CertificateInput; section: Uint8Array } {
  const { certificate, proof } = xorCase("squared");
  const settings = fitSettingsSchema.parse({ data, target: "y", task: "regression", split: 0, standardize: "none" });
  const dataset = loadDataset({ file: data, target: "y", task: "regression", split: "none", standardize: "none" });
  const { problem, outputs, total } = certificate;
  const [claim] = outputs;
  const output: SolvedPart = {
    name: "y",
    network: networkFromJson(certificate.network),
    status: "optimal",
    objective: total.upper,
    lowerBound: total.lower,
    gap: 0,
    scope: "all-patterns",
    method: "test",
    patterns: 4,
    iterations: 1,
    seconds: 0,
    listed: null,
    dual: { v: Float64Array.from(claim!.dual!.v), maxBound: claim!.dual!.maxBound, y: dataset.train.y },
    proof: null,
  };
  const { loss, scaling, beta, bias, program } = problem;
  const posed = { loss, scaling, beta, bias, program };
  const result = { ...output, neurons: 4, lowerBound: total.lower };
  const input: CertificateInput = {
    settings,
    dataset,
    objective: { ...posed, outputNorm: null },
    coding: "number",
    network: output.network,
    outputs: [output],
    problem: { rows: 4, features: 2, outputs: 1, betaMax: 1, ...posed },
    result,
  };
  return { input, section: proof.slice(12) };
}

describe("makeCertificate", () => {
  const { input, section } = fitted();

  test("makeCertificate with a proof claims the numbers of the checker, which then verifies the file", () => {
    const certificate = makeCertificate({ ...input, proof: wholeProof(input.outputs, [section]) });
    expect(certificateSchema.parse(JSON.parse(JSON.stringify(certificate)))).toEqual(certificate);
    expect(certificate.arithmetic).toBe("rigorous");
    expect(certificate.claim).toContain(`below ${certificate.total.lower}.`);
    expect(certificate.claim).toContain("overparam verify");
    const { upper, lower } = certificate.total;
    expect((upper - lower) / upper).toBeLessThan(1e-9);
    const file = join(folder, "certificate.json");
    writeFileSync(file, JSON.stringify(certificate));
    const { verification } = verifyFile({ runs: folder, certificate: file, data }, () => {});
    expect(verification).toMatchObject({ rigorous: true, failure: null, total: { upper, lower } });
  });

  test("makeCertificate without a proof, or with one that the checker refuses, claims floating-point arithmetic only", () => {
    const bare = makeCertificate(input);
    expect(bare).toMatchObject({ arithmetic: "floating-point", proof: null });
    expect(bare.claim).toContain("not a rigorous proof");
    expect(bare.total.lower).toBe(input.result.lowerBound);
    expect(bare.outputs[0]!.dual!.alpha * bare.outputs[0]!.dual!.maxBound).toBeLessThanOrEqual(0.3);
    const broken = section.slice();
    // T: behind scale, rank, rotation and pivots.
    new DataView(broken.buffer).setFloat64(17, 0.1, true);
    const refused = makeCertificate({ ...input, proof: wholeProof(input.outputs, [broken]) });
    expect(refused.arithmetic).toBe("floating-point");
  });

  test("wholeProof is whole or nothing", () => {
    const [output] = input.outputs;
    expect(wholeProof([output!, output!], [section, null])).toBeNull();
    expect(wholeProof([output!, { ...output!, dual: null }], [section, null])?.[8]).toBe(1);
    expect(wholeProof([output!, output!], [section, section])?.length).toBe(12 + 2 * section.length);
    expect(wholeProof([{ ...output!, dual: null }], [null])).toBeNull();
  });
});
