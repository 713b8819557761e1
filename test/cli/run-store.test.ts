import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findRun, listRuns, prepareStore, publishRun, readRun, stemOf } from "../../src/experiments/run-store.ts";
import { temporaryFolder } from "./program.ts";
import { fit, newRun } from "./runs.ts";

describe("stemOf", () => {
  test.each([
    ["examples/Tic Tac.csv.gz", "tic-tac"],
    ["a_b.csv", "a-b"],
    ["/x/y/Données.csv", "données"],
    ["...", "data"],
    ["data", "data"],
  ])("stemOf(%s) is %s", (file, stem) => {
    expect(stemOf(file)).toBe(stem);
  });

  test("stemOf of any name is short and safe in a path", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (name) => {
        expect(stemOf(name)).toMatch(/^[\p{L}\p{N}-]{1,40}$/u);
      }),
    );
  });
});

describe("publishRun and readRun", () => {
  test("publishRun writes every file under the dated name, and readRun gives the record back", () => {
    const parent = join(temporaryFolder(), "deep", "runs");
    const run = publishRun(parent, newRun("7f3a9c00112233"));
    expect(run.id).toBe("7f3a9c");
    expect(readdirSync(parent)).toEqual(["2026-01-02-table-7f3a9c"]);
    expect([...readFileSync(join(run.path, "model.onnx"))]).toEqual([1, 2, 3]);
    expect(readFileSync(join(run.path, "figures", "a.svg"), "utf8")).toBe("<svg/>");
    const read = readRun(run.path, true);
    expect(read).toEqual(run);
    expect(read.record).toMatchObject({ stem: "table", verdict: ["Certified."], fit });
  });

  test("publishRun numbers a run that was repeated, also on another day", () => {
    const parent = temporaryFolder();
    publishRun(parent, newRun("abcdef"));
    expect(publishRun(parent, newRun("abcdef")).id).toBe("abcdef-2");
    expect(publishRun(parent, newRun("abcdef", { date: "2026-01-03" })).id).toBe("abcdef-3");
    expect(findRun(parent, "abcdef")).toBe(join(parent, "2026-01-02-table-abcdef"));
    expect(findRun(parent, "abcdef-3")).toBe(join(parent, "2026-01-03-table-abcdef-3"));
  });

  test("publishRun leaves nothing behind when a file cannot be written", () => {
    const parent = temporaryFolder();
    const files = [
      { name: "a", bytes: new Uint8Array(1) },
      { name: "a/b", bytes: new Uint8Array(1) },
    ];
    expect(() => publishRun(parent, newRun("abcdef", { files }))).toThrow();
    expect(readdirSync(parent)).toEqual([]);
  });

  test.each([
    ["a missing file", (folder: string) => rmSync(join(folder, "model.onnx")), "model.onnx is missing"],
    [
      "a cut file",
      (folder: string) => writeFileSync(join(folder, "model.onnx"), "x"),
      "model.onnx has 1 bytes instead of 3",
    ],
    ["a changed file", (folder: string) => writeFileSync(join(folder, "model.onnx"), "xyz"), "model.onnx was changed"],
    ["no record", (folder: string) => rmSync(join(folder, "run.json")), "it has no run.json"],
    ["a cut record", (folder: string) => writeFileSync(join(folder, "run.json"), "{"), "run.json is not JSON"],
    [
      "another record",
      (folder: string) => writeFileSync(join(folder, "run.json"), "{}"),
      "run.json has a wrong schema",
    ],
  ])("readRun refuses a folder with %s", (_, damage, reason) => {
    const run = publishRun(temporaryFolder(), newRun("abcdef"));
    damage(run.path);
    expect(() => readRun(run.path, true)).toThrow(reason);
  });
});

describe("listRuns and findRun", () => {
  test("listRuns skips damaged folders with the reason, foreign folders silently", () => {
    const parent = temporaryFolder();
    const late = publishRun(parent, newRun("bbbbbb", { created: "2026-01-02T05:00:00.000Z" }));
    const early = publishRun(parent, newRun("cccccc"));
    const bad = publishRun(parent, newRun("dddddd"));
    rmSync(join(bad.path, "run.json"));
    mkdirSync(join(parent, "notes"));
    writeFileSync(join(parent, "2026-01-02-table-eeeeee"), "a file");
    const { runs, damaged } = listRuns(parent);
    expect(runs.map(({ id }) => id)).toEqual([early.id, late.id]);
    expect(damaged.map(({ name }) => name)).toEqual(["2026-01-02-table-dddddd"]);
    expect(damaged[0]?.reason).toContain("it has no run.json");
  });

  test("listRuns of a missing folder is empty", () => {
    expect(listRuns(join(temporaryFolder(), "none"))).toEqual({ runs: [], damaged: [] });
  });

  test("findRun takes a path, a name, an id or the beginning of one id", () => {
    const parent = temporaryFolder();
    const { path } = publishRun(parent, newRun("abc123"));
    publishRun(parent, newRun("abd456"));
    for (const word of [path, "2026-01-02-table-abc123", "abc123", "abc"]) {
      expect(findRun(parent, word)).toBe(path);
    }
    expect(() => findRun(parent, "ab")).toThrow('"ab" could be 2 runs');
    expect(() => findRun(parent, "abc132")).toThrow(expect.objectContaining({ hint: 'did you mean "abc123"?' }));
    expect(() => findRun(parent, "")).toThrow();
  });
});

describe("prepareStore", () => {
  test("prepareStore removes leftovers of dead writers that are older than a day, and nothing else", () => {
    const parent = temporaryFolder();
    // A process that has ended: its number belongs to nobody.
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const folders = {
      oldDead: `.run-${dead}.0123456789ab.tmp`,
      newDead: `.run-${dead}.ba9876543210.tmp`,
      oldAlive: `.run-${process.pid}.0123456789ab.tmp`,
      foreign: ".cache",
    };
    const yesterday = Date.now() / 1000 - 90_000;
    for (const [key, name] of Object.entries(folders)) {
      mkdirSync(join(parent, name));
      writeFileSync(join(parent, name, "half"), "");
      if (key !== "newDead") utimesSync(join(parent, name), yesterday, yesterday);
    }
    prepareStore(parent);
    expect(readdirSync(parent).sort()).toEqual([folders.newDead, folders.oldAlive, folders.foreign].sort());
  });

  test("prepareStore makes the folder, and refuses a file in its place", () => {
    const parent = temporaryFolder();
    prepareStore(join(parent, "a", "b"));
    expect(existsSync(join(parent, "a", "b"))).toBe(true);
    writeFileSync(join(parent, "file"), "");
    expect(() => prepareStore(join(parent, "file"))).toThrow("exists already");
    expect(() => prepareStore(join(parent, "file", "runs"))).toThrow("is a file, not a folder");
  });
});
