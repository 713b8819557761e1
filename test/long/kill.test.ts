import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { readRun } from "../../src/experiments/run-store.ts";
import { overparam, temporaryFolder } from "../cli/program.ts";
import { killFits, SMALL } from "../cli/small-fits.ts";

test("overparam fit killed at sixty random moments and forty times while it saves leaves whole runs or none", {
  timeout: 1_800_000,
}, async () => {
  const cwd = temporaryFolder();
  const killed = await killFits(cwd, randomStream(2, "moments"), { anywhere: 60, saving: 40 });
  // A busy machine may end a fit before its moment comes; most must have been killed for the test to mean anything.
  expect(killed.anywhere).toBeGreaterThan(30);
  expect(killed.saving).toBeGreaterThan(0);

  // What the dead left behind hinders nobody.
  const { code, stdout } = await overparam([...SMALL, "--json"], { cwd });
  expect(code).toBe(0);
  readRun(fitJsonSchema.parse(JSON.parse(stdout)).run?.path ?? "", true);
  const listed = await overparam(["runs", "ls", "--json"], { cwd });
  expect(listed.code).toBe(0);
  const shown = readdirSync(join(cwd, "runs")).filter((name) => !name.startsWith("."));
  expect(JSON.parse(listed.stdout).runs).toHaveLength(shown.length);
});
