import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Certificate, certificateSchema } from "../../src/certificate/index.ts";
import { loadDataset } from "../../src/data/index.ts";
import type { FitSettings } from "../../src/experiments/config.ts";
import { runFit } from "../../src/experiments/pipeline.ts";
import { now } from "../../src/platform/clock.ts";
import { smallFit } from "../experiments/tables.ts";

async function certify(settings: FitSettings): Promise<{ certificate: Certificate; raw: string }> {
  const outcome = await runFit(settings, {
    emit: () => {},
    cancelled: () => false,
    now,
    started: now(),
    resume: null,
    given: null,
  });
  const raw = new TextDecoder().decode(outcome.files.find(({ name }) => name === "certificate.json")!.bytes);
  return { certificate: certificateSchema.parse(JSON.parse(raw)), raw };
}

describe("certificateSchema", () => {
  test("certificateSchema gives back a certificate unchanged, and refuses damaged ones", async () => {
    const { certificate, raw } = await certify(smallFit("three", { outputNorm: "l1", betaRatio: 0.2 }));
    expect(`${JSON.stringify(certificate)}\n`).toBe(raw);
    expect(certificate.arithmetic).toBe("rigorous");
    expect(certificate.claim).toContain("verified with proven bounds of all rounding errors");
    expect(certificate.claim).toContain(`below ${certificate.total.lower}.`);
    const refused = (change: object): boolean => !certificateSchema.safeParse({ ...certificate, ...change }).success;
    expect(refused({})).toBe(false);
    expect(refused({ formatVersion: 1 })).toBe(true);
    expect(refused({ outputs: [] })).toBe(true);
    expect(refused({ arithmetic: "exact" })).toBe(true);
    expect(refused({ proof: { file: "../elsewhere.bin", sha256: "0".repeat(64), bytes: 1 } })).toBe(true);
    expect(refused({ network: { ...certificate.network, U: { ...certificate.network.U, rows: 1e6 } } })).toBe(true);
    expect(refused({ total: { ...certificate.total, lower: Number.NEGATIVE_INFINITY } })).toBe(true);
  });

  // An independent check in a dozen lines: nothing but the certificate, the data and the two dual formulas.
  test.each([
    ["number", "squared", "mean"],
    ["two", "logistic", "sum"],
    ["three", "squared", "mean"],
  ] as const)(
    "a certificate of %s can be checked from its own numbers: %s loss, scaling %s",
    async (kind, loss, scaling) => {
      const settings = smallFit(kind, { loss, outputNorm: "l1", scaling, betaRatio: 0.1, split: 0 });
      const { certificate } = await certify(settings);
      const { train } = loadDataset({ file: settings.data, target: "target", split: "none" });
      const n = train.X.rows;
      const rows = Array.from({ length: n }, (_, i) => [...train.X.data.subarray(2 * i, 2 * i + 2), 1]);
      const beta = certificate.problem.beta * (scaling === "mean" ? n : 1);
      const random = randomStream(0, "directions");
      certificate.outputs.forEach((output, q) => {
        const { v, maxBound } = output.dual!;
        const y = [...train.y].map((label) => {
          if (kind === "number") return label;
          return kind === "two" ? 2 * label - 1 : Number(label === q);
        });
        // 1. No unit direction exceeds the claimed maximum.
        for (let trial = 0; trial < 2000; trial++) {
          const u = [random.normal(), random.normal(), random.normal()];
          const size = Math.hypot(...u);
          const value = rows.reduce(
            (sum, x, i) => sum + v[i]! * Math.max(0, x[0]! * u[0]! + x[1]! * u[1]! + x[2]! * u[2]!),
            0,
          );
          expect(Math.abs(value) / size).toBeLessThanOrEqual(maxBound * (1 + 1e-12));
        }
        // 2. The best multiple of v on a fine grid gives the claimed bound.
        const entropy = (p: number): number => (p <= 0 || p >= 1 ? 0 : -p * Math.log(p) - (1 - p) * Math.log(1 - p));
        const dual = (alpha: number): number =>
          v.reduce(
            (sum, vi, i) =>
              sum + (loss === "squared" ? alpha * vi * y[i]! - (alpha * vi) ** 2 / 2 : entropy(alpha * vi * y[i]!)),
            0,
          );
        const cap = loss === "squared" ? beta / maxBound : Math.min(beta / maxBound, 1 / Math.max(...v.map(Math.abs)));
        const best = Math.max(...Array.from({ length: 2001 }, (_, k) => dual((cap * k) / 2000)));
        const claimed = output.lower * (scaling === "mean" ? n : 1);
        expect(claimed).toBeLessThanOrEqual(best * (1 + 1e-6));
        expect(dual(output.dual!.alpha)).toBeCloseTo(claimed, 9);
        expect(output.upper).toBeGreaterThanOrEqual(output.lower);
      });
      const sum = certificate.outputs.reduce((total, { lower }) => total + lower, 0);
      expect(certificate.total.lower).toBeCloseTo(sum, 14);
    },
  );
});
