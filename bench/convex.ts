/**
 * Certified training on the problems of bench/convex-problems.ts, a row a problem: seconds of training plus certificate,
 * the relative gap over all activation patterns, what bounded it, the seconds of the independent check beside it, and the
 * peak memory; every row in a process of its own. See bench/README.md.
 *
 * Usage: npm run bench:convex -- [--filter REGEXP] [--runs N] [--aim] [--out FILE.ndjson]; the peers are in bench/gated.ts
 */
import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type Matrix, matrix } from "../src/base/matrix.ts";
import { joinProofs } from "../src/certificate/index.ts";
import { createCompute } from "../src/compute/index.ts";
import { betaMax, type LossName, type Solution, solveConvex } from "../src/convex/index.ts";
import { checkProof, Rejection } from "../src/verify/index.ts";
import { benchProblem } from "./convex-problems.ts";

/** What is asked of a row: a gap within so many seconds. */
interface Bar {
  readonly gap: number;
  readonly seconds: number;
}

interface Row {
  readonly data: string;
  readonly loss: LossName;
  /** Beta as a share of beta_max. */
  readonly ratio: number;
  /** Absent: reported without a bar. */
  readonly must?: Bar;
  readonly aim?: Bar;
}

const row = (data: string, loss: LossName, ratio: number, must?: Bar, aim?: Bar): Row => ({
  data,
  loss,
  ratio,
  ...(must === undefined ? {} : { must }),
  ...(aim === undefined ? {} : { aim }),
});
const bar = (gap: number, seconds: number): Bar => ({ gap, seconds });

const ROWS: readonly Row[] = [
  row("line-1000", "squared", 0.01, bar(1e-9, 3), bar(1e-10, 0.3)),
  row("line-60000", "squared", 0.01, undefined, bar(1e-9, 10)),
  row("plane-200", "squared", 0.01, bar(1e-8, 5), bar(1e-8, 1)),
  row("plane-5000", "squared", 0.01, undefined, bar(1e-8, 10)),
  row("iris", "squared", 0.1, bar(1e-8, 1)),
  row("iris", "squared", 0.01, bar(5e-4, 5), bar(1e-6, 20)),
  row("wine", "logistic", 0.1, bar(1e-8, 2), bar(1e-8, 2)),
  row("wine", "squared", 0.5, bar(1e-6, 3), bar(1e-8, 3)),
  row("wine", "squared", 0.1, bar(1e-4, 5), bar(1e-8, 5)),
  row("wine", "logistic", 0.01, bar(5e-4, 10), bar(1e-8, 10)),
  row("diabetes", "squared", 0.5, bar(1e-6, 6), bar(1e-8, 6)),
  row("diabetes", "squared", 0.1, bar(0.01, 20), bar(1e-3, 60)),
  row("bc", "squared", 0.5, bar(1e-8, 2), bar(1e-8, 2)),
  row("bc", "logistic", 0.5, bar(1e-6, 3), bar(1e-8, 3)),
  row("bc", "logistic", 0.1, bar(1e-6, 10), bar(1e-8, 3)),
  row("bc", "squared", 0.1, bar(1e-6, 10), bar(1e-8, 3)),
  row("bc", "squared", 0.01, bar(0.05, 20), bar(0.02, 60)),
  row("bc", "logistic", 0.01, bar(0.015, 20), bar(0.003, 60)),
  row("digits", "squared", 0.9, bar(1e-5, 40), bar(1e-6, 60)),
  row("digits", "squared", 0.5, bar(0.005, 40), bar(1e-3, 60)),
  row("digits", "squared", 0.1, bar(0.05, 40), bar(0.02, 60)),
  row("wide", "squared", 0.1, bar(0.012, 3), bar(0.003, 3)),
  // The betas that cross-validation with the one-standard-error rule picks.
  row("heart", "squared", 0.5, bar(2e-6, 30)),
  row("bc", "logistic", 0.05, bar(5e-6, 30)),
  row("diabetes", "squared", 0.1, bar(0.01, 30)),
  row("sonar", "squared", 0.05, bar(0.02, 30)),
  row("red-wine", "squared", 0.1, bar(0.034, 30), bar(0.01, 60)),
  row("ionosphere", "squared", 0.05, bar(0.037, 30), bar(0.01, 60)),
  row("boston", "squared", 0.005, undefined, bar(0.01, 60)),
  row("pima", "squared", 0.02, undefined, bar(0.01, 60)),
  row("german", "squared", 0.01, undefined, bar(0.01, 60)),
  row("banknote", "squared", 0.002, undefined, bar(0.01, 60)),
  row("wine", "squared", 0.01, undefined, bar(0.08, 60)),
  row("diabetes", "squared", 0.01, undefined, bar(0.3, 60)),
];

/** What the process of one row reports. */
interface Report {
  readonly n: number;
  readonly d: number;
  readonly beta: number;
  readonly objective: number;
  readonly neurons: number;
  readonly method: string;
  readonly status: string;
  readonly gap: number;
  readonly trainSeconds: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly proofBytes: number | null;
  /** Seconds of the independent check of the proof; null when there is none, or it was not accepted. */
  readonly verifySeconds: number | null;
  readonly peakMiB: number;
}

const { values: flags } = parseArgs({
  options: {
    filter: { type: "string", default: "" },
    runs: { type: "string", default: "1" },
    aim: { type: "boolean", default: false },
    out: { type: "string" },
    row: { type: "string" },
    tolerance: { type: "string" },
    seconds: { type: "string" },
  },
});

const name = ({ data, loss, ratio }: Row): string => `${data} ${loss} ${ratio}`;

if (flags.row !== undefined) await child(Number(flags.row), Number(flags.tolerance), Number(flags.seconds));
else parent();

/** Solves one row in this process and prints its report as JSON. */
async function child(index: number, tolerance: number, seconds: number): Promise<void> {
  const { data, loss, ratio } = ROWS[index]!;
  const problem = benchProblem(data, loss);
  const compute = await createCompute({ threads: 2 });
  const now = (): number => performance.now() / 1000;
  const beta = ratio * betaMax(problem, { compute, now, seed: 0 });
  const cpu = process.cpuUsage();
  const solving = solveConvex({ ...problem, beta }, { compute, now, seed: 0, tolerance, seconds });
  let trainSeconds = 0;
  let step = solving.next();
  for (; step.done !== true; step = solving.next()) {
    if (step.value.phase === "train") trainSeconds = step.value.seconds;
  }
  const solution: Solution = step.value;
  const used = process.cpuUsage(cpu);
  const report: Report = {
    n: problem.X.rows,
    d: problem.X.cols + 1,
    beta,
    objective: solution.objective,
    neurons: solution.neurons,
    method: solution.method,
    status: solution.status,
    gap: solution.gap,
    trainSeconds,
    seconds: solution.seconds,
    cpuSeconds: (used.user + used.system) / 1e6,
    proofBytes: solution.proof?.length ?? null,
    verifySeconds: verify(problem.X, solution, now),
    peakMiB: process.resourceUsage().maxRSS / 1024,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await compute.close();
}

/** Checks the proof of the maximum behind a bound (penalized bias column). */
function verify(X: Matrix, { proof, dual }: Solution, now: () => number): number | null {
  if (proof === null) return null;
  const inputs = matrix(X.rows, X.cols + 1);
  for (let i = 0; i < X.rows; i++) {
    inputs.data.set(X.data.subarray(i * X.cols, (i + 1) * X.cols), i * inputs.cols);
    inputs.data[i * inputs.cols + X.cols] = 1;
  }
  const began = now();
  try {
    const [maximum] = checkProof(joinProofs([proof]), { inputs, bias: "column" }, [dual.v]);
    return maximum !== null && maximum !== undefined && maximum <= dual.maxBound * (1 + 1e-9) ? now() - began : null;
  } catch (error) {
    if (error instanceof Rejection) return null;
    throw error;
  }
}

function parent(): void {
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  say(`load of the machine at the start: ${loadavg()[0]?.toFixed(1)}; bars: gap within seconds`);
  say(
    "problem                      n x d      objective        gap  neurons  train s  total s   cpu s  method      MiB verify s  bar",
  );
  ROWS.forEach((entry, index) => {
    if (!new RegExp(flags.filter).test(name(entry))) return;
    const asked = (flags.aim ? entry.aim : undefined) ?? entry.must ?? entry.aim ?? bar(1e-6, 60);
    const reports: Report[] = [];
    for (let run = 0; run < Number(flags.runs); run++) {
      const args = ["--row", String(index), "--tolerance", String(asked.gap), "--seconds", String(asked.seconds)];
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [...process.execArgv, import.meta.filename, ...args],
        {
          encoding: "utf8",
          maxBuffer: 1 << 26,
        },
      );
      if (status !== 0) {
        say(`${name(entry).padEnd(26)} failed: ${stderr.trim().split("\n").slice(-8).join(" | ")}`);
        return;
      }
      reports.push(JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Report);
    }
    reports.sort((a, b) => a.seconds - b.seconds);
    const report = reports[Math.floor(reports.length / 2)]!;
    const met = report.gap <= asked.gap && report.seconds <= asked.seconds * 1.02;
    say(
      [
        name(entry).padEnd(26),
        `${report.n} x ${report.d}`.padStart(9),
        report.objective.toPrecision(10).padStart(14),
        report.gap.toExponential(1).padStart(10),
        String(report.neurons).padStart(8),
        report.trainSeconds.toFixed(2).padStart(8),
        report.seconds.toFixed(2).padStart(8),
        report.cpuSeconds.toFixed(1).padStart(7),
        ` ${report.method.padEnd(11)}`,
        report.peakMiB.toFixed(0).padStart(4),
        (report.verifySeconds === null ? "no proof" : report.verifySeconds.toFixed(2)).padStart(8),
        ` ${asked.gap} in ${asked.seconds} s: ${entry.must === undefined ? "open, " : ""}${met ? "met" : "MISSED"}`,
      ].join(" "),
    );
    if (flags.out !== undefined) appendFileSync(flags.out, `${JSON.stringify({ ...entry, ...report, asked, met })}\n`);
  });
}
