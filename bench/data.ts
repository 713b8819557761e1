/**
 * Seconds and MB/s to read a CSV table of a million rows and 30 columns, with numbers of 4 decimals and of all the
 * digits of a double, beside the bar of 4 seconds; pandas reads the same file when OVERPARAM_PEERS names a Python that
 * has it (fast parser and exact one: ours is always exact). The columns are interleaved run by run; medians are shown.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { randomStream } from "../src/base/random.ts";
import { readTable } from "../src/data/index.ts";

const ROWS = 1_000_000;
const COLUMNS = 30;
const RUNS = 5;
const BAR_SECONDS = 4;
const ROWS_A_BLOCK = 10_000;

async function writeTable(file: string, print: (value: number) => string): Promise<void> {
  const stream = randomStream(0, "bench/data");
  const out = createWriteStream(file);
  out.write(`${Array.from({ length: COLUMNS }, (_, j) => `x${j}`).join(",")}\n`);
  for (let row = 0; row < ROWS; row += ROWS_A_BLOCK) {
    let block = "";
    for (let i = 0; i < ROWS_A_BLOCK; i++) {
      block += `${Array.from({ length: COLUMNS }, () => print(stream.normal())).join(",")}\n`;
    }
    if (!out.write(block)) await once(out, "drain");
  }
  out.end();
  await finished(out);
}

/** Reads a file and tells how many seconds that took. */
type Reader = (file: string) => Promise<number>;

const ours: Reader = async (file) => {
  const start = performance.now();
  const { rows, columns } = readTable(file);
  const seconds = (performance.now() - start) / 1000;
  if (rows !== ROWS || columns.length !== COLUMNS) throw new Error("the table was not read whole");
  return seconds;
};

const PANDAS = `
import sys, time
import pandas as pd
for line in sys.stdin:
    precision, file = line.rstrip("\\n").split(" ", 1)
    start = time.perf_counter()
    table = pd.read_csv(file, float_precision=None if precision == "fast" else precision)
    print(time.perf_counter() - start, flush=True)
    del table
`;

const python = process.env["OVERPARAM_PEERS"];
const peer = python === undefined ? null : spawn(python, ["-c", PANDAS], { stdio: ["pipe", "pipe", "inherit"] });
const readers = new Map<string, Reader>([["overparam", ours]]);
if (peer !== null) {
  const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
  const pandas =
    (precision: string): Reader =>
    async (file) => {
      peer.stdin.write(`${precision} ${file}\n`);
      const line = await lines.next();
      if (line.done) throw new Error("the Python of OVERPARAM_PEERS ended: does it have pandas?");
      return Number(line.value);
    };
  readers.set("pandas, fast", pandas("fast"));
  readers.set("pandas, exact", pandas("round_trip"));
}

const folder = mkdtempSync(join(tmpdir(), "overparam-bench-"));
try {
  const cell = (text: string): string => text.padStart(24);
  process.stdout.write(`${`${ROWS} x ${COLUMNS}, medians`.padEnd(26)}${[...readers.keys()].map(cell).join("")}\n`);
  for (const [name, print] of [
    ["4 decimals", (value: number) => value.toFixed(4)],
    ["full doubles", String],
  ] as const) {
    const file = join(folder, "table.csv");
    await writeTable(file, print);
    const megabytes = statSync(file).size / 1e6;
    const seconds = new Map([...readers.keys()].map((reader) => [reader, [] as number[]]));
    // The first round warms up and is left out.
    for (let run = 0; run <= RUNS; run++) {
      for (const [reader, read] of readers) {
        const time = await read(file);
        if (run > 0) seconds.get(reader)!.push(time);
      }
    }
    const medians = [...seconds.values()].map((times) => times.sort((a, b) => a - b)[RUNS >> 1]!);
    const shown = medians.map((time) => cell(`${time.toFixed(2)} s ${(megabytes / time).toFixed(0).padStart(5)} MB/s`));
    const verdict = medians[0]! < BAR_SECONDS ? "met" : "missed";
    process.stdout.write(`${`${name}, ${megabytes.toFixed(0)} MB`.padEnd(26)}${shown.join("")}`);
    process.stdout.write(`   bar ${BAR_SECONDS} s: ${verdict}\n`);
  }
} finally {
  peer?.stdin.end();
  rmSync(folder, { recursive: true });
}
