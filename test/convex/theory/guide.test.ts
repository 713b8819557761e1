import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { matrix } from "../../../src/base/matrix.ts";
import { createCompute } from "../../../src/compute/index.ts";
import * as convex from "../../../src/convex/index.ts";
import * as theory from "../../../src/convex/theory/index.ts";

const guide = readFileSync(new URL("../../../docs/convex-duality.md", import.meta.url), "utf8");
const library: Readonly<Record<string, unknown>> = { ...convex, ...theory, createCompute, matrix };
const examples = guide
  .split("\n## ")
  .flatMap((section) =>
    [...section.matchAll(/```js\n([\s\S]*?)```/g)].map(
      ([, code]) => [section.slice(0, section.indexOf("\n")), code] as const,
    ),
  );

type Body = (lib: typeof library, log: (...values: unknown[]) => void) => Promise<void>;

describe("docs/convex-duality.md", () => {
  test("the guide has its examples", () => {
    expect(examples.length).toBeGreaterThanOrEqual(7);
  });

  test.each(examples)("example prints what it says: %s", async (_title, code) => {
    const expected = [...code.matchAll(/\/\/ -> (.*)/g)].map(([, line]) => line);
    const body = code
      .replace(/import (\{[^}]*\}) from "overparam";/g, "const $1 = lib;")
      .replaceAll("console.log", "log");
    const printed: string[] = [];
    const run = new Function("lib", "log", `return (async () => {${body}})()`) as Body;
    await run(library, (...values) => printed.push(values.map(String).join(" ")));
    expect(printed).toEqual(expected);
  });
});
