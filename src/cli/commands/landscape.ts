import { z } from "zod";
import { fitSettingsSchema, setting } from "../../experiments/config.ts";
import { now } from "../../platform/clock.ts";
import { writeFileAtomic } from "../../platform/files.ts";
import { defineCommand, jsonSetting, quietSetting, runSetting, runsSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { formatNumber, formatSeconds, formatShare, plural } from "../format.ts";
import { progressLine } from "../progress.ts";
import type { Terminal } from "../terminal.ts";

const path = z.string().min(1);

export const landscapeCommand = defineCommand({
  name: "landscape",
  summary: "the loss around a trained network, or between two",
  positionals: ["run"],
  flagsOnly: ["run", "between", "out"],
  schema: z.object({
    run: runSetting,
    between: setting(path.optional(), {
      group: "Input",
      description: "another run: the line between the two networks",
      value: "RUN",
    }),
    axes: setting(z.enum(["curvature", "random"]).default("curvature"), {
      group: "Plane",
      description: "gradient and most negative curvature, or two filter-normalized random directions",
    }),
    radius: setting(z.number().positive().default(1), {
      group: "Plane",
      description: "reach of both axes: a distance, for random ones in norms of the filters",
    }),
    points: setting(z.int().min(3).default(21), {
      group: "Plane",
      description: "points along each axis (made odd), or at least as many along the line between two networks",
    }),
    smoothing: setting(z.number().min(0).default(0.001), {
      group: "Plane",
      description: "deviation of the Gaussian that the Hessian is averaged over",
    }),
    ojaSteps: setting(z.int().positive().default(300), {
      group: "Plane",
      description: "steps of Oja's method for the most negative curvature",
      value: "STEPS",
    }),
    samples: setting(z.int().positive().default(1000), {
      group: "Effort",
      description: "training samples that the loss is taken over, at most",
    }),
    seed: setting(z.int().min(0).default(0), { group: "Effort", description: "of random directions" }),
    threads: fitSettingsSchema.shape.threads,
    out: setting(path.default("landscape"), {
      group: "Output",
      description: "files are PREFIX.json and PREFIX-*.svg, .png",
      value: "PREFIX",
    }),
    runs: runsSetting,
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    { does: "the plane of gradient and most negative curvature", line: "overparam landscape 7f3a9c" },
    {
      does: "is there a barrier between two trainings?",
      line: "overparam landscape 7f3a9c --between b41d02 --points 31",
    },
  ],
  async run(settings, { terminal, version }) {
    const { exploreLandscape } = await import("../../experiments/landscape.ts");
    const { between = null, quiet, json, out, threads, ...rest } = settings;
    if (!quiet) terminal.err(`  ${aheadOf(settings)}`);
    const progress = quiet ? () => {} : progressOf(terminal);
    const { result, files, png } = await exploreLandscape({ ...rest, between, threads, progress });
    terminal.clear();
    const whole = { schema: 1, command: "landscape", version, ...result };
    const numbers = `${out}.json`;
    writeFileAtomic(numbers, `${JSON.stringify(whole)}\n`);
    const names = [numbers, ...files.map(({ name }) => `${out}-${name}`)];
    for (const { name, bytes } of files) writeFileAtomic(`${out}-${name}`, bytes);
    if (json) {
      terminal.out(JSON.stringify({ ...whole, files: names }));
      return EXIT.ok;
    }
    for (const line of linesOf(result)) terminal.out(line);
    terminal.out(`written: ${names.join(", ")}`);
    if (!png && !quiet) terminal.err("  note: no PNG: @resvg/resvg-js is not installed here");
    return EXIT.ok;
  },
});

/** Seconds between two progress lines: where they can be redrawn, and where they cannot. */
const REDRAW_SECONDS = 0.2;
const LINE_SECONDS = 15;

/** Shows the share of the work that is done. */
function progressOf(terminal: Terminal): (done: number, all: number) => void {
  const start = now();
  let shown = start;
  return (done, all) => {
    const time = now();
    if (time - shown < (terminal.canRedraw ? REDRAW_SECONDS : LINE_SECONDS)) return;
    shown = time;
    const left = ((time - start) * (all - done)) / done;
    const parts = [formatSeconds(time - start), `at most ${formatSeconds(left)} left`];
    if (terminal.canRedraw) terminal.transient(progressLine("landscape", done / all, parts, terminal.errColumns));
    else terminal.err(`  ${parts.join(", ")}`);
  };
}

/** What is going to be computed, for it may take a while. */
function aheadOf({
  between,
  axes,
  points,
  ojaSteps,
  samples,
}: {
  readonly between?: string | undefined;
  readonly axes: "curvature" | "random";
  readonly points: number;
  readonly ojaSteps: number;
  readonly samples: number;
}): string {
  const over = `over at most ${plural(samples, "sample")}`;
  if (between !== undefined) return `the loss along a line, ${over}`;
  const odd = points + 1 - (points % 2);
  const first = axes === "curvature" ? `${plural(ojaSteps, "step")} of Oja's method, then ` : "";
  return `${first}the loss at ${odd} x ${odd} points, ${over}`;
}

type Result = Awaited<ReturnType<typeof import("../../experiments/landscape.ts")["exploreLandscape"]>>["result"];

function linesOf(result: Result): string[] {
  const head = `loss over ${result.samples} samples, after ${result.step} steps`;
  if (result.kind === "line") {
    const { lossBarrier, errorBarrier, isConnected } = result.line;
    const error = isConnected === null ? "" : `, of wrong answers ${formatShare(errorBarrier)}`;
    const verdict = isConnected === null ? "" : isConnected ? ": linearly connected" : ": not linearly connected";
    return [head, `barrier of the loss ${formatNumber(lossBarrier)}${error}${verdict}`];
  }
  const { center, gradientNorm, curvature } = result.plane;
  const lines = [head, `loss ${formatNumber(center)}, norm of its gradient ${formatNumber(gradientNorm)}`];
  if (curvature === null) return lines;
  const { check } = curvature;
  const checked =
    check === null
      ? ""
      : ` (Lanczos on ${formatNumber(4)} points: ${formatNumber(check.smallest)}, cosine ${formatNumber(check.cosine)})`;
  const how = curvature.method === "oja" ? `Oja's method${checked}` : "the Lanczos method (Oja's had not got there)";
  const what = curvature.curvature < 0 ? "most negative curvature" : "no negative curvature: the least found is";
  return [...lines, `${what} ${formatNumber(curvature.curvature)} by ${how}`];
}
