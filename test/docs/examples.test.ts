/**
 * Every JavaScript and TypeScript example of the documentation runs, and prints what its comments `// -> ...` say. Links lead to files and
 * headings that exist.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import * as library from "../../src/index.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  ...readdirSync(join(ROOT, "docs/decisions")).map((name) => `docs/decisions/${name}`),
];

const textOf = (page: string): string => readFileSync(join(ROOT, page), "utf8");
/** Without what stands in code. */
const proseOf = (page: string): string => textOf(page).replace(/```[\s\S]*?```/g, "");

/** Examples of a page, with the heading they stand under. */
function examplesOf(page: string): { title: string; code: string }[] {
  return textOf(page)
    .split(/^## /m)
    .flatMap((section) =>
      [...section.matchAll(/```(?:js|ts)\n([\s\S]*?)```/g)].map(([, code]) => ({
        title: `${page}: ${section.slice(0, section.indexOf("\n"))}`,
        code: code!,
      })),
    );
}

type Body = (library: unknown, log: (...values: unknown[]) => void) => Promise<void>;

/** Runs an example against the library and returns the lines that it prints. */
async function printedBy(code: string): Promise<string[]> {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };
  const { outputText } = ts.transpileModule(code, { compilerOptions: options });
  const body = outputText
    .replace(/import (\{[^}]*\}) from "overparam";/g, "const $1 = library;")
    .replaceAll("console.log", "log");
  const printed: string[] = [];
  const run = new Function("library", "log", `return (async () => {${body}})()`) as Body;
  await run(library, (...values) => printed.push(values.map(String).join(" ")));
  return printed;
}

const examples = PAGES.flatMap(examplesOf);

describe("examples of the documentation", () => {
  test("the guides have their examples", () => {
    const count = (page: string): number => examples.filter(({ title }) => title.startsWith(page)).length;
    expect(count("docs/convex-duality.md")).toBeGreaterThanOrEqual(7);
    expect(count("docs/library.md")).toBeGreaterThanOrEqual(5);
    expect(count("docs/tangent.md")).toBeGreaterThanOrEqual(1);
    expect(count("README.md")).toBeGreaterThanOrEqual(1);
  });

  test.each(examples)("$title prints what it says", async ({ code }) => {
    const expected = [...code.matchAll(/\/\/ -> (.*)/g)].map(([, line]) => line);
    expect(expected.length).toBeGreaterThan(0);
    expect(await printedBy(code)).toEqual(expected);
  });
});

/** The name that a heading gets as the target of a link. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");

test("docs/library.md names exports of the library", () => {
  const rows = textOf("docs/library.md")
    .match(/^\| .* \|$/gm)!
    .slice(2);
  const names = rows.flatMap((row) => [...row.split("|")[2]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  expect(names.length).toBeGreaterThan(40);
  for (const name of names) expect(library, name).toHaveProperty(name);
});

describe("links of the documentation", () => {
  test.each(PAGES)("links of %s lead somewhere", (page) => {
    for (const [, link] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link!)) continue;
      const [file = "", anchor] = link!.split("#");
      const target = file === "" ? page : relative(ROOT, resolve(ROOT, dirname(page), file));
      expect(existsSync(join(ROOT, target)), `${page} links to ${link}`).toBe(true);
      if (anchor === undefined) continue;
      const headings = [...textOf(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
      expect(headings, `${page} links to ${link}`).toContain(anchor);
    }
  });

  test("docs/README.md names every page", () => {
    const index = textOf("docs/README.md");
    const pages = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md") && name !== "README.md");
    for (const page of pages) expect(index).toMatch(new RegExp(`\\]\\(${page}[#)]`));
    expect(index).toContain("](decisions/)");
  });
});
