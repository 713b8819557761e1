import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Certificate, proofEntry } from "../../src/certificate/index.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { makeTerminal } from "../../src/cli/terminal.ts";
import { loadDataset } from "../../src/data/index.ts";
import { verifyFile } from "../../src/experiments/verify.ts";
import { sha256 } from "../../src/platform/index.ts";
import { xorCase } from "./cases.ts";

const folder = mkdtempSync(join(tmpdir(), "overparam-verify-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, "xor.csv");
writeFileSync(data, "a,b,weight,y\n1,1,4,1\n-1,-1,5,1\n1,-1,3,-1\n-1,1,6,-1\n");

/** A certificate of XOR on the file above, in a folder of its own. */
function write(
  name: string,
  edit: (certificate: Certificate, proof: Uint8Array) => void = () => {},
  asFile = false,
): string {
  const weights = [4, 5, 3, 6];
  const { certificate, proof } = xorCase("squared", { weights, scaling: "mean" });
  const { fingerprint } = loadDataset({
    file: data,
    target: "y",
    task: "regression",
    split: "none",
    standardize: "none",
    weights: "weight",
  });
  const settings = { ...certificate.data.settings, task: "regression" as const, weights: "weight" };
  const full: Certificate = {
    ...certificate,
    data: { ...certificate.data, ...fingerprint, weights: fingerprint.weights!, settings },
    proof: asFile
      ? { file: "proof.bin", sha256: sha256(proof), bytes: proof.length }
      : proofEntry(proof, sha256(proof)),
  };
  const bytes = proof.slice();
  edit(full, bytes);
  const where = join(folder, name);
  mkdirSync(where);
  writeFileSync(join(where, "certificate.json"), JSON.stringify(full));
  if (asFile) writeFileSync(join(where, "proof.bin"), bytes);
  return where;
}

const verify = (certificate: string, file = data) =>
  verifyFile({ runs: folder, certificate, data: file }, () => {}).verification;

describe("verifyFile", () => {
  test("verifyFile accepts a certificate with its proof inside, as a folder or a file, and with its proof beside it", () => {
    const inside = write("inside");
    expect(verify(inside)).toMatchObject({ rigorous: true, failure: null });
    expect(verify(join(inside, "certificate.json"))).toMatchObject({ rigorous: true });
    expect(verify(write("beside", undefined, true))).toMatchObject({ rigorous: true });
  });

  test("verifyFile refuses other data, other weights, another proof file and other classes, naming the step", () => {
    const one = write("data");
    const other = join(folder, "other.csv");
    writeFileSync(other, "a,b,weight,y\n1,1,4,1\n-1,-1,5,1\n1,-1,3,-1\n-1,1.0000000000000002,6,-1\n");
    expect(verify(one, other).failure).toEqual({
      step: "data",
      reason: expect.stringContaining("not the one that was certified"),
    });
    writeFileSync(other, "a,b,weight,y\n1,1,4,1\n-1,-1,5,1\n1,-1,3,-1\n-1,1,7,-1\n");
    expect(verify(one, other).failure).toEqual({ step: "data", reason: expect.stringContaining("sample weights") });
    const spoiled = write("spoiled", (_, proof) => (proof[20]! ^= 1), true);
    expect(verify(spoiled).failure).toEqual({ step: "proof", reason: expect.stringContaining("sha256") });
    const classes = write("classes", (certificate) => {
      certificate.data.classes = ["no", "yes"];
    });
    expect(verify(classes).failure).toEqual({ step: "data", reason: "the classes have other names" });
    const matrix = write("matrix", (certificate) => {
      certificate.data.matrix = "0".repeat(64);
    });
    expect(verify(matrix).failure?.reason).toContain("another matrix from the same file");
    const proof = write("no proof", (certificate) => {
      certificate.proof = null;
    });
    expect(verify(proof).failure).toEqual({ step: "proof", reason: "there is no proof of the maxima" });
  });

  test("verifyFile says which file is missing or is not a certificate", () => {
    const missing = write("missing", undefined, true);
    rmSync(join(missing, "proof.bin"));
    expect(() => verify(missing)).toThrow('proof.bin" not found');
    expect(() => verify(join(folder, "nothing.json"))).toThrow("not found");
    expect(() => verify("nothing")).toThrow('no run "nothing"');
    const text = join(folder, "text.json");
    writeFileSync(text, "text");
    expect(() => verify(text)).toThrow("is not a certificate: it is not JSON");
    writeFileSync(text, JSON.stringify({ format: "overparam-certificate", formatVersion: 1 }));
    expect(() => verify(text)).toThrow("is not a certificate: formatVersion");
  });
});

describe("overparam verify", () => {
  async function call(certificate: string, json = false) {
    const out: string[] = [];
    const terminal = makeTerminal({ write: (text) => out.push(text) }, { write: () => {} }, {});
    const settings = { certificate, data, runs: folder, quiet: false, json };
    const code = await verifyCommand.run(settings, { terminal, version: "1" });
    return { code, out: out.join("") };
  }

  test("overparam verify of a true certificate says what was proved, and exits with 0", async () => {
    const { code, out } = await call(write("true"));
    expect(code).toBe(0);
    expect(out).toContain("Verified: no two-layer ReLU network of any width has a training objective below ");
    expect(out).toContain("Rigorous");
    expect(out).toContain("mean squared loss, beta 0.3, bias none; 4 rows, 2 features");
    const { out: json } = await call(join(folder, "true"), true);
    const answer = JSON.parse(json);
    expect(answer).toMatchObject({ schema: 1, command: "verify", rigorous: true, failure: null, claimed: "rigorous" });
    expect(answer.total.gap).toBeLessThan(1e-9);
  });

  test("overparam verify of a false certificate names the step that failed, and exits with 3", async () => {
    const spoiled = write("false", (certificate) => {
      certificate.outputs[0]!.dual!.alpha *= 1.01;
      certificate.arithmetic = "floating-point";
    });
    const { code, out } = await call(spoiled);
    expect(code).toBe(3);
    expect(out).toContain("NOT verified: output output 0: alpha = ");
    expect(out).toContain("claims no more than floating-point arithmetic");
    const { code: jsonCode, out: json } = await call(spoiled, true);
    expect(jsonCode).toBe(3);
    expect(JSON.parse(json)).toMatchObject({ rigorous: false, total: null, failure: { step: "output output 0" } });
  });
});
