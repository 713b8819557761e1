import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkLayers } from "../../tools/check-layers.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "check-layers-"));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** Writes a tree of source files and returns its violations as `file:line: message`. */
function violations(files: Record<string, string>): string[] {
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return checkLayers(root).violations.map(({ file, line, message }) => `${file}:${line}: ${message}`);
}

describe("checkLayers", () => {
  it("checkLayers accepts what the table allows", () => {
    const files = {
      "base/a.ts": "export const a = Math.max(1, 2);",
      "report/b.ts":
        'import { a } from "../base/a.ts";\nimport * as Plot from "@observablehq/plot";\nexport const b = [a, Plot];',
      "report/charts/c.ts": 'export { b } from "../b.ts";',
      "platform/clock.ts":
        'import { readFileSync } from "node:fs";\nexport const now = () => [Date.now(), performance.now(), process.pid, readFileSync];',
      "cli/main.ts": 'import { parseArgs } from "node:util";\nprocess.exitCode = parseArgs({}).values ? 0 : 1;',
      "cli/commands/doctor.ts": 'export { x } from "../../compute/x.ts";',
      "compute/x.ts": "export const x = 1;",
      "index.ts": 'export { x } from "./compute/x.ts";\nexport { b } from "./report/b.ts";',
    };
    expect(violations(files)).toEqual([]);
    expect(checkLayers(root).files).toBe(8);
  });

  it.each([
    ["an import", 'import { x } from "../experiments/x.ts";'],
    ["a type-only import", 'import type { x } from "../experiments/x.ts";'],
    ["an import for its side effects", 'import "../experiments/x.ts";'],
    ["an export from", 'export { x } from "../experiments/x.ts";'],
    ["an export of everything", 'export * from "../experiments/x.ts";'],
    ["a dynamic import", 'export const x = () => import("../experiments/x.ts");'],
    ["an import type", 'export type X = typeof import("../experiments/x.ts");'],
    ["an import equals", 'import x = require("../experiments/x.ts");'],
  ])("checkLayers finds %s across layers", (_, text) => {
    expect(violations({ "report/a.ts": `// first line\n${text}\n` })).toEqual([
      "report/a.ts:2: report -> experiments is not allowed",
    ]);
  });

  it("checkLayers follows the way out of a nested folder", () => {
    expect(violations({ "convex/bounds/deep/a.ts": 'import "../../../data/x.ts";' })).toEqual([
      "convex/bounds/deep/a.ts:1: convex -> data is not allowed",
    ]);
  });

  it("checkLayers lets only the named file use an exception", () => {
    expect(violations({ "cli/commands/fit.ts": 'import "../../compute/x.ts";' })).toEqual([
      "cli/commands/fit.ts:1: cli -> compute is not allowed",
    ]);
  });

  it("checkLayers refuses imports of the front door and of files outside the sources", () => {
    expect(violations({ "cli/a.ts": 'import "../index.ts";\nimport "../../package.json";' })).toEqual([
      "cli/a.ts:1: cli -> index.ts: no layer may import the front door",
      "cli/a.ts:2: cli -> ../../package.json: leaves the source folder",
    ]);
  });

  it("checkLayers refuses Node's modules outside platform", () => {
    expect(
      violations({
        "data/a.ts": 'import { readFileSync } from "node:fs";',
        "cli/b.ts": 'import "node:os";\nimport "node:util";',
        "base/c.ts": 'import { parseArgs } from "node:util";',
      }),
    ).toEqual([
      "base/c.ts:1: base -> node:util: only platform may import Node's modules",
      "cli/b.ts:1: cli -> node:os: only platform may import Node's modules",
      "data/a.ts:1: data -> node:fs: only platform may import Node's modules",
    ]);
  });

  it("checkLayers refuses imports it cannot read, except in platform", () => {
    const text = "export const load = (name: string) => import(name);";
    expect(violations({ "data/a.ts": text, "platform/b.ts": text })).toEqual([
      "data/a.ts:1: an import that is not a plain string cannot be checked; only platform may",
    ]);
  });

  it.each([
    ["process", "export const a = process.argv;", "only platform and cli may"],
    ["process", "export const a = () => ({ process });", "only platform and cli may"],
    ["process", "export const a = globalThis.process;", "only platform and cli may"],
    ["process", 'export const a = (globalThis as any)["process"]?.env;', "only platform and cli may"],
    ["console", "console.log(1);", "no layer may"],
    ["Date", "export const a = new Date();", "only platform may"],
    ["Date", "export const a = (b: Date): number => b.getTime();", "only platform may"],
    ["performance", "export const a = performance.now();", "only platform may"],
    ["Math.random", "export const a = Math.random();", "no layer may"],
    ["Math.random", 'export const a = [1].map(Math["random"]);', "no layer may"],
  ])("checkLayers finds the global %s in: %s", (name, text, where) => {
    expect(violations({ "convex/a.ts": `\n${text}\n` })).toEqual([`convex/a.ts:2: convex uses ${name}: ${where}`]);
  });

  it("checkLayers refuses console even where people print", () => {
    expect(violations({ "cli/a.ts": "console.error(1);" })).toEqual(["cli/a.ts:1: cli uses console: no layer may"]);
  });

  it("checkLayers does not mistake own names for globals", () => {
    const text = `
      import { Date as Day, process } from "./b.ts";
      interface Run { readonly performance: number; Date: string }
      export function work(console: { log(x: unknown): void }, run: Run) {
        const { Date: day } = run;
        console.log([Day, process, day, run.performance, run.Date, { Date: 1 }]);
        const performance = 2;
        return performance + "process Date console".length; // process.exit, Date.now
      }`;
    expect(violations({ "base/a.ts": text })).toEqual([]);
  });

  it("checkLayers refuses unknown layers and files beside them", () => {
    expect(violations({ "utils/a.ts": "export {};", "helper.ts": "export {};" })).toEqual([
      "helper.ts:1: a file outside every layer; only index.ts may be",
      "utils/a.ts:1: unknown layer utils; add it to the table",
    ]);
  });

  it("checkLayers reads this project", () => {
    const { files } = checkLayers(fileURLToPath(new URL("../../src", import.meta.url)));
    expect(files).toBeGreaterThan(10);
  });
});
