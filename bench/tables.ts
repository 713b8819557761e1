/**
 * Runs the built program, `overparam fit TABLE --target LAST_COLUMN --json` without other settings, on every table of the
 * given files and folders, and prints a line a table and totals. See bench/README.md.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { fitJsonSchema } from "../src/experiments/fit-types.ts";

const MAIN = resolve(import.meta.dirname, "../dist/cli/main.js");
/** Two accuracies this near are a tie; two RMSEs are when they differ by this share. */
const TIE = 0.005;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    filter: { type: "string", default: "" },
    time: { type: "string", default: "60" },
    "max-rows": { type: "string", default: "5000" },
    out: { type: "string" },
    again: { type: "boolean", default: false },
  },
});
const time = Number(flags.time);
const maxRows = Number(flags["max-rows"]);
if (positionals.length === 0 || !(time > 0) || !(maxRows > 0)) {
  process.stderr.write(
    "usage: npm run bench:tables -- FOLDER... [--filter REGEXP] [--time SECONDS] [--max-rows N] [--out FILE.ndjson [--again]]\n",
  );
  process.exit(1);
}
if (!existsSync(MAIN)) throw new Error("dist/cli/main.js is missing: run `npm run build` first");

/** What one run of the program on one table left: its JSON, or what it said instead. */
const recordSchema = z.object({
  table: z.string(),
  /** `--time` of the run. */
  time: z.number(),
  /** Wall time of the whole program. */
  seconds: z.number(),
  code: z.int().nullable(),
  fit: fitJsonSchema.nullable(),
  /** What is wrong with the run; null when nothing is. */
  problem: z.string().nullable(),
  /** Notes and verdict, as people see them. */
  said: z.string(),
});
type Record = z.infer<typeof recordSchema>;
type Fit = z.infer<typeof fitJsonSchema>;

interface Table {
  /** Folder and file, e.g. `uci/iris.csv`. */
  readonly name: string;
  readonly path: string;
}

function tablesOf(place: string): Table[] {
  if (!statSync(place).isDirectory()) return [{ name: basename(place), path: place }];
  return readdirSync(place, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter((entry) => entry.isFile() && /\.csv(\.gz)?$/.test(entry.name))
    .map((entry) => ({ name: `${basename(resolve(place))}/${entry.name}`, path: join(place, entry.name) }));
}

/** Name of the last column, which is the target, and the number of rows. */
function glance(path: string): { target: string; rows: number } {
  const raw = readFileSync(path);
  const lines = (path.endsWith(".gz") ? gunzipSync(raw) : raw).toString("utf8").trimEnd().split(/\r?\n/);
  return { target: (lines[0] ?? "").split(",").at(-1)!.replaceAll('"', ""), rows: lines.length - 1 };
}

/** Runs the program on a table; whatever goes wrong there is part of the record. */
function run({ name, path }: Table, target: string): Record {
  const runs = mkdtempSync(join(tmpdir(), "overparam-tables-"));
  const start = performance.now();
  const args = ["fit", path, "--target", target, "--json", "--out", runs];
  if (time !== 60) args.push("--time", String(time));
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: (10 * time + 300) * 1000,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 28,
  });
  const seconds = (performance.now() - start) / 1000;
  rmSync(runs, { recursive: true, force: true });
  const base = { table: name, time, seconds, code: status, said: stderr };
  const parsed = fitJsonSchema.safeParse(jsonOf(stdout));
  if (parsed.success) return { ...base, fit: parsed.data, problem: impossible(parsed.data) };
  const last = `${stdout.slice(0, 400)} ${stderr.slice(-400)}`.replaceAll(/\s+/g, " ").trim();
  return { ...base, fit: null, problem: `${signal === null ? "" : `${signal}: `}${last}` };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What no run may say; null when all is well. */
function impossible({ run: saved, result, perClass, metrics }: Fit): string | null {
  if (saved === null) return "the run was not saved";
  for (const { objective, lowerBound, listed, status } of [result, ...(perClass ?? [])]) {
    const slack = 1e-9 * Math.abs(objective);
    if (lowerBound > objective + slack) return `bound ${lowerBound} above objective ${objective}`;
    if (lowerBound < -slack) return `bound ${lowerBound} below zero, which any loss satisfies`;
    if (listed !== null && listed.lowerBound > objective + slack) {
      return `bound ${listed.lowerBound} over its own patterns above objective ${objective}`;
    }
    if (status === "interrupted") return "interrupted without a signal";
  }
  return metrics.test === null ? "no test metrics" : null;
}

/** The metric of the summary on the test part: of the network, then of the baselines. */
function testMetrics({ metrics }: Fit): { key: string; network: number; baselines: Map<string, number> } | null {
  const key = "accuracy" in metrics.train ? "accuracy" : "rmse";
  const network = metrics.test?.[key];
  if (network === undefined) return null;
  const baselines = Object.entries(metrics.baselines).map(([name, { test }]) => [name, test?.[key] ?? NaN] as const);
  return { key, network, baselines: new Map(baselines) };
}

/** Positive when the network is better, 0 for a tie. */
function compare(key: string, network: number, baseline: number): number {
  const lead = key === "accuracy" ? network - baseline : (baseline - network) / baseline;
  return Math.abs(lead) <= TIE ? 0 : lead;
}

function taskOf({ metrics, perClass }: Fit): string {
  return "accuracy" in metrics.train ? `${perClass?.length ?? 2} classes` : "regression";
}

const percent = (share: number): string => `${(100 * share).toPrecision(share < 0.1 ? 2 : 3)}%`;
const figure = (value: number): string => value.toPrecision(4);
const metric = (key: string, value: number): string => (key === "accuracy" ? percent(value) : figure(value));

const WIDTHS = [42, 12, 12, 7, 9, 10, 10, 8, 9, 8, 9, 20, 20, 5];
const print = (cells: readonly string[]): void => {
  const [first = "", ...rest] = cells;
  const line = first.padEnd(WIDTHS[0]!) + rest.map((cell, k) => cell.padStart(WIDTHS[k + 1] ?? 0)).join("");
  process.stdout.write(`${line.trimEnd()}\n`);
};

function printRecord({ table, seconds, code, fit, problem }: Record): void {
  if (fit === null) {
    print([table, "-", "failed", seconds.toFixed(1), ...Array<string>(9).fill("-"), String(code)]);
  } else {
    const { objective, lowerBound, gap, listed, neurons } = fit.result;
    const test = testMetrics(fit);
    const shown = [...(test?.baselines ?? [])].map(([name, value]) => `${name} ${metric(test!.key, value)}`);
    print([
      table,
      `${fit.problem.rows} x ${fit.problem.features}`,
      taskOf(fit),
      seconds.toFixed(1),
      (fit.problem.beta / fit.problem.betaMax).toPrecision(2),
      figure(objective),
      figure(lowerBound),
      percent(gap),
      listed === null ? "-" : listed.gap.toExponential(0),
      String(neurons),
      test === null ? "-" : metric(test.key, test.network),
      shown[0] ?? "-",
      shown[1] ?? "-",
      String(code),
    ]);
  }
  if (problem !== null) process.stdout.write(`  ! ${problem}\n`);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function printTotals(records: readonly Record[]): void {
  const fits = records.flatMap(({ fit }) => (fit === null ? [] : [fit]));
  const write = (text: string): void => void process.stdout.write(`${text}\n`);
  write("");
  const failures = records.filter(({ code, fit, problem }) => code !== 0 || fit === null || problem !== null);
  write(`${records.length} tables, ${failures.length} failures${failures.map(({ table }) => ` ${table}`).join("")}`);
  if (fits.length === 0) return;
  const tally = new Map<string, { wins: number; ties: number; losses: number }>();
  for (const fit of fits) {
    const test = testMetrics(fit);
    for (const [name, value] of test?.baselines ?? []) {
      const kind = `${name} (${test!.key})`;
      const counts = tally.get(kind) ?? { wins: 0, ties: 0, losses: 0 };
      tally.set(kind, counts);
      const lead = compare(test!.key, test!.network, value);
      counts[lead > 0 ? "wins" : lead < 0 ? "losses" : "ties"] += 1;
    }
  }
  for (const [name, { wins, ties, losses }] of tally) {
    write(`against ${name}: ${wins} better, ${ties} equal, ${losses} worse`);
  }
  const gaps = fits.map(({ result }) => result.gap);
  const own = fits.flatMap(({ result }) => (result.listed === null ? [] : [result.listed.gap]));
  write(
    `gap: median ${percent(median(gaps))}, at most 1e-6 in ${gaps.filter((gap) => gap <= 1e-6).length}, ` +
      `at most 5% in ${gaps.filter((gap) => gap <= 0.05).length}, 100% in ${gaps.filter((gap) => gap >= 1).length}`,
  );
  if (own.length > 0) {
    const closed = own.filter((gap) => gap <= 1e-6).length;
    write(
      `gap over the own patterns: median ${median(own).toExponential(1)}, at most 1e-6 in ${closed} of ${own.length}`,
    );
  }
  const odd = (what: string, is: (fit: Fit, said: string) => boolean): void => {
    const names = records.filter(({ fit, said }) => fit !== null && is(fit, said)).map(({ table }) => table);
    if (names.length > 0) write(`${what}: ${names.length} (${names.join(", ")})`);
  };
  odd("no neurons", ({ result }) => result.neurons === 0);
  odd("stalled", ({ result }) => result.status === "stalled");
  odd("worse than the mean, on the training rows", ({ metrics }) => (metrics.train["r2"] ?? 0) < 0);
  odd("no time to validate beta", (_, said) => said.includes("no time to validate"));
  const late = records.filter(({ seconds, time }) => seconds > 1.25 * time + 5);
  const times = records.map(({ seconds }) => seconds);
  write(
    `seconds: median ${median(times).toFixed(1)}, most ${Math.max(...times).toFixed(1)}; late${
      late.length === 0 ? ": none" : late.map(({ table, seconds }) => ` ${table} ${seconds.toFixed(0)}`).join("")
    }`,
  );
}

const filter = new RegExp(flags.filter);
const tables = positionals.flatMap(tablesOf).filter(({ name }) => filter.test(name));
const done = new Map<string, Record>();
if (flags.out !== undefined && existsSync(flags.out)) {
  for (const line of readFileSync(flags.out, "utf8").split("\n")) {
    // The last line may be cut by a kill: that table runs again.
    const record = recordSchema.safeParse(jsonOf(line));
    const failed = record.data?.fit === null || record.data?.code !== 0;
    if (record.success && record.data.time === time && !(flags.again && failed))
      done.set(record.data.table, record.data);
  }
}
print([
  "table",
  "train n x d",
  "task",
  "s",
  "beta/max",
  "objective",
  "bound",
  "gap",
  "own gap",
  "neurons",
  "test",
  "baseline",
  "baseline",
  "exit",
]);
const records: Record[] = [];
for (const table of tables) {
  const { target, rows } = glance(table.path);
  if (rows > maxRows) continue;
  let record = done.get(table.name);
  if (record === undefined) {
    record = run(table, target);
    if (flags.out !== undefined) appendFileSync(flags.out, `${JSON.stringify(record)}\n`);
  }
  printRecord(record);
  records.push(record);
}
printTotals(records);
