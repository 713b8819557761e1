import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type FitSettings, fitSettingsSchema } from "../../src/experiments/config.ts";

/** What the target of a small table is. */
export type Kind = "number" | "two" | "three";

const TARGETS: Record<Kind, (a: number, b: number) => string> = {
  number: (a, b) => (Math.abs(a) - 0.5 * Math.max(0, b) + 3).toFixed(4),
  two: (a, b) => (Math.abs(a) + 0.3 * b > 0.7 ? "yes" : "no"),
  three: (a, b) => (a > 0.6 ? "right" : a < -0.6 ? "left" : b > 0 ? "middle" : "left"),
};

/** Settings of a fit of a small table (two or more normal features `a`, `b`, ...), removed after the test. */
export function smallFit(
  kind: Kind,
  more: Partial<FitSettings> & { rows?: number; columns?: number } = {},
): FitSettings {
  const { rows = 40, columns = 2, ...settings } = more;
  const folder = mkdtempSync(join(tmpdir(), "overparam-fit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const random = randomStream(0, `small ${kind}`);
  const names = Array.from({ length: columns }, (_, k) => String.fromCharCode(97 + k));
  const lines = Array.from({ length: rows }, () => {
    const x = names.map(() => random.normal());
    return [...x.map((value) => value.toFixed(4)), TARGETS[kind](x[0]!, x[1]!)].join(",");
  });
  const data = join(folder, "table.csv");
  writeFileSync(data, `${[...names, "target"].join(",")}\n${lines.join("\n")}\n`);
  return fitSettingsSchema.parse({ data, target: "target", threads: 1, time: 30, ...settings });
}
