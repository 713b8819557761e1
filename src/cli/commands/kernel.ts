import { z } from "zod";
import { fitSettingsSchema, setting } from "../../experiments/config.ts";
import type { KernelEvent, KernelJson } from "../../experiments/kernel.ts";
import type { KernelTraining } from "../../experiments/kernel-training.ts";
import { defineCommand, jsonSetting, quietSetting } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { backendLine } from "../fit-lines.ts";
import { formatArchitecture, formatBytes, formatNumber, formatSeconds, plural, wrap } from "../format.ts";
import { progressLine } from "../progress.ts";
import type { Terminal } from "../terminal.ts";

const path = z.string().min(1);
const GIBIBYTE = 2 ** 30;
/** Seconds between two lines of progress where lines cannot be redrawn. */
const LINE_EVERY = 10;

export const kernelCommand = defineCommand({
  name: "kernel",
  summary: "kernels of infinitely wide networks between samples",
  positionals: ["data"],
  flagsOnly: ["data", "against", "out"],
  schema: z.object({
    data: setting(path, {
      group: "Data",
      description: "npy (first axis: samples; images N x H x W x C), idx or a table",
      value: "FILE",
    }),
    against: setting(path.optional(), {
      group: "Data",
      description: "a second data set: the kernels between the two",
      value: "FILE",
    }),
    target: setting(path.optional(), {
      group: "Data",
      description: "column of a table to leave out, or an npy or idx file of targets: alignment, training time",
      value: "COLUMN|FILE",
    }),
    arch: setting(path, {
      group: "Network",
      description: 'such as "dense(512) relu dense(1)", or a JSON file',
      value: "SPEC|FILE.json",
    }),
    kernel: setting(z.enum(["ntk", "nngp", "both"]).default("both"), {
      group: "Network",
      description: "tangent kernel, covariance of the outputs, or both",
    }),
    parametrization: setting(z.enum(["ntk", "standard"]).optional(), {
      group: "Network",
      description: "of all weighted layers; else as each layer says",
    }),
    parameterization: setting(z.enum(["ntk", "standard"]).optional(), {
      group: "Network",
      description: "the same, spelled otherwise",
    }),
    train: setting(z.enum(["all", "hidden", "last"]).default("all"), {
      group: "Network",
      description: "weighted layers that are trained: all, all but the ends, the last",
    }),
    finite: setting(z.int().positive().optional(), {
      group: "Network",
      description: "the mean over N random networks of the widths given, instead of infinite ones",
      value: "N",
    }),
    seed: fitSettingsSchema.shape.seed,
    precision: setting(z.enum(["f64", "f32"]).default("f64"), {
      group: "Output",
      description: "of the files; f32 takes half of the memory",
    }),
    accumulation: setting(z.enum(["f64", "f32"]).optional(), {
      group: "Effort",
      description:
        "of the products of inputs with --precision f32; f64 tells nearly parallel inputs apart; default f32",
    }),
    threads: fitSettingsSchema.shape.threads,
    memory: setting(z.number().positive().default(2), {
      group: "Effort",
      description: "gibibytes for the work on a tile, and for a matrix held whole",
      value: "GIB",
    }),
    out: setting(path.default("kernel"), {
      group: "Output",
      description: "files are PREFIX.ntk.npy and PREFIX.nngp.npy",
      value: "PREFIX",
    }),
    quiet: quietSetting,
    json: jsonSetting,
  }),
  examples: [
    {
      does: "tangent kernel of a network with two hidden layers on a table",
      line: 'overparam kernel houses.csv --target price --arch "dense(512) relu dense(512) relu dense(1)"',
    },
    {
      does: "kernels between test and training samples",
      line: 'overparam kernel test.npy --against train.npy --arch "dense(64) erf dense(1)" --out test-train',
    },
  ],
  async run(settings, { terminal }) {
    const { runKernel } = await import("../../experiments/kernel.ts");
    const { quiet, json, memory, parametrization, parameterization, against, target, threads, accumulation, ...rest } =
      settings;
    const { finite, seed, ...job } = rest;
    const report = quiet ? () => {} : kernelView(terminal);
    const result = await runKernel(
      {
        ...job,
        parametrization: parametrization ?? parameterization ?? null,
        against: against ?? null,
        target: target ?? null,
        accumulation: accumulation ?? null,
        ...(finite === undefined ? {} : { finite: { networks: finite, seed } }),
        threads: threads ?? null,
        memory: memory * GIBIBYTE,
      },
      report,
    );
    terminal.clear();
    if (json) terminal.out(JSON.stringify(result));
    else for (const line of resultLines(result)) terminal.out(wrap(line, terminal.outColumns - 1));
    return EXIT.ok;
  },
});

/** Shows the plan, then a bar (or a line now and then) with the time left. */
function kernelView(terminal: Terminal): (event: KernelEvent) => void {
  let shown = 0;
  return (event) => {
    const line = (text: string): void => terminal.err(wrap(text, terminal.errColumns - 1, "  ", "    "));
    if (event.kind === "note") line(`note: ${event.text}`);
    else if (event.kind === "warning") line(`warning: ${event.text}`);
    else if (event.kind === "plan") {
      const { rows, cols, fileBytes, workBytes, seconds, tiles, resumed } = event;
      const time = seconds < 1 ? "below a second" : `about ${formatSeconds(seconds)}`;
      const gone = resumed === 0 ? "" : ` (${resumed} are there from an interrupted run)`;
      line(formatArchitecture(event.architecture));
      line(
        `${rows} x ${cols} entries, ${plural(tiles, "tile")}${gone}: ${formatBytes(fileBytes)} on the disk, ${formatBytes(workBytes)} of memory at a time, ${time}`,
      );
    } else if (event.kind === "tile") {
      const parts = [`${event.done} of ${event.tiles} tiles`, `${formatSeconds(event.left)} left`];
      if (terminal.canRedraw)
        terminal.transient(progressLine("kernel", event.done / event.tiles, parts, terminal.errColumns));
      else if (event.seconds - shown >= LINE_EVERY) {
        shown = event.seconds;
        line(parts.join(", "));
      }
    }
  };
}

function resultLines({ kernels, shape, seconds, backend }: KernelJson): string[] {
  const lines = Object.entries(kernels).flatMap(([name, { file, bytes, spectrum, training }]) => {
    const head = `${name}  ${shape.join(" x ")}  ${file}  ${formatBytes(bytes)}`;
    if (spectrum === null) return [head];
    const { smallest, largest, condition, shift, converged } = spectrum;
    const most = converged ? "" : "at most ";
    const ends = `eigenvalues from ${most}${formatNumber(smallest)} to ${formatNumber(largest)}`;
    const how =
      condition === null
        ? "singular up to rounding"
        : `condition ${converged ? "" : "at least "}${formatNumber(condition)}`;
    const shifted = shift > 0 ? `; positive semidefinite with ${formatNumber(shift, "up")} on the diagonal` : "";
    return [head, `  ${ends}, ${how}${shifted}`, ...trainingLines(training)];
  });
  const { total, kernels: spent, spectrum } = seconds;
  const time = (value: number): string => (value < 10 ? `${value.toFixed(2)} s` : formatSeconds(value));
  return [...lines, `${time(total)} (kernels ${time(spent)}, spectrum ${time(spectrum)}), ${backendLine(backend)}`];
}

/** Effective dimension, alignment, largest step and time of training. */
function trainingLines(training: KernelTraining | null): string[] {
  if (training === null) return [];
  const { effectiveDimension, alignment, largestStep, onePercent } = training;
  const aligned = alignment === null ? "" : `, alignment with the targets ${formatNumber(alignment)}`;
  const line = `  effective dimension ${formatNumber(effectiveDimension)}${aligned}; largest stable step ${formatNumber(largestStep, "down")} (half the summed squares)`;
  if (onePercent === null) return [line];
  const { time, steps } = onePercent;
  if (time[0] === Number.POSITIVE_INFINITY) {
    return [
      line,
      "  training with this kernel never comes down to 1 % of the loss: the targets lie outside of its range",
    ];
  }
  return [
    line,
    `  1 % of the loss is left after the time ${between(time)} of gradient flow, or ${between(steps)} steps of half that size`,
  ];
}

/** A number known within bounds, in words. */
function between([low, high]: readonly [number, number | null]): string {
  if (high === null) return `${formatNumber(low)} or more`;
  return high <= 1.01 * low ? formatNumber(high) : `${formatNumber(low)} to ${formatNumber(high)}`;
}
