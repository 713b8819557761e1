import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadDataset, readTable } from "../../src/data/index.ts";
import { userError } from "../data/helpers.ts";

const ROWS = 1_000_000;
const folder = mkdtempSync(join(tmpdir(), "overparam-long-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A table of numbers (columns a, b, c, y) with one cell of column b changed. */
function table(changedRow: number, cell: string): string {
  const file = join(folder, "table.csv");
  const out = openSync(file, "w");
  writeSync(out, "a,b,c,y\n");
  for (let start = 0; start < ROWS; start += 10_000) {
    const lines = Array.from({ length: 10_000 }, (_, k) => {
      const row = start + k + 1;
      return `${row % 1000},${row === changedRow ? cell : (row * 7) % 90},${row / 8},${(row % 13) / 4}\n`;
    });
    writeSync(out, lines.join(""));
  }
  closeSync(out);
  return file;
}

test("readTable names line and column of a cell that is not a number in row 900,000 of a million", () => {
  const file = table(900_000, "12_5");
  const error = userError(() => readTable(file));
  expect([error.name, error.code]).toEqual(["DataError", "not-a-number"]);
  // Row 900,000 begins with 0 (a comma behind it), below the line of names.
  expect(error.place).toEqual({ file, line: 900_001, column: 3 });
  expect(error.message).toBe('column "b" has a cell that is not a number: "12_5"');
  expect(error.hint).toContain("999999 other cells");
});

test("readTable names the line of a ragged row 900,000 of a million", () => {
  const file = table(900_000, "1,2");
  expect(userError(() => readTable(file))).toMatchObject({ code: "ragged-row", place: { file, line: 900_001 } });
});

test("loadDataset names the missing cell in row 900,000 of a million, or drops its row", () => {
  const file = table(900_000, "");
  expect(userError(() => loadDataset({ file, target: "y", missing: "error" }))).toMatchObject({
    code: "missing-cell",
    place: { file, line: 900_001, column: 3 },
  });
  const { train, notes } = loadDataset({ file, target: "y", missing: "drop", split: "none" });
  expect(train.y).toHaveLength(ROWS - 1);
  expect(notes).toContain("1 row with a missing cell dropped: b (1)");
});
