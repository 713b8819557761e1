/** The program accepts every command line that the documentation shows. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { commands } from "../../src/cli/registry.ts";
import { settle } from "../../src/cli/settings.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGES = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith(".md"),
);

/** Command lines in indented and fenced code, without comments and with continued lines joined. */
function linesOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), "utf8").replace(/\\\n\s*/g, "");
  const lines = [...text.matchAll(/^ *(?:npm ci && )?(?:npx )?(overparam [a-z].*)$/gm)].map(([, line]) => line!);
  return lines.map((line) => line.replace(/\s+#.*$/, "")).filter((line) => !line.includes("·"));
}

/** The words of a command line as a shell splits them. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
}

const shown = PAGES.flatMap((page) => linesOf(page).map((line) => ({ page, line })));

test("the documentation shows commands", () => {
  expect(shown.length).toBeGreaterThan(30);
});

test.each(shown)("$page: $line", async ({ line }) => {
  const words = wordsOf(line).slice(1);
  const entry = commands.find(({ name }) => name.split(" ").every((word, k) => words[k] === word));
  if (entry === undefined) {
    expect(["help", "runs"]).toContain(words[0]);
    return;
  }
  const rest = words.slice(entry.name.split(" ").length).filter((word) => word !== ">");
  const command = await entry.load();
  expect(() => settle(command, rest, {}, new Map())).not.toThrow();
});
