import { FitCancelled } from "../experiments/fit-types.ts";
import type { TrainSettings } from "../experiments/training/settings.ts";
import type { TrainJob } from "../experiments/training/train.ts";
import type { TrainEvent, TrainJson, TrainOutcome } from "../experiments/training/types.ts";
import { isoTime } from "../platform/clock.ts";
import type { CommandContext } from "./command.ts";
import { EXIT } from "./exit-codes.ts";
import { backendLine, formatMetrics } from "./fit-lines.ts";
import { formatArchitecture, formatNumber, formatSeconds, formatShare, formatTable, plural, wrap } from "./format.ts";
import { progressLine } from "./progress.ts";
import { cancelOnSignal, reportCancelled } from "./run-fit.ts";
import { resultWriter, type SavingCall, saveRun } from "./run-saving.ts";
import type { Terminal } from "./terminal.ts";

/** How a training is shown and saved. */
export interface TrainCall extends SavingCall {
  /** The folder of a run to go on from, or a killed training. */
  readonly resume: { readonly folder: string } | "killed" | null;
}

/** Seconds between two lines of progress where lines cannot be redrawn. */
const LINE_EVERY = 10;
/** Kept free at the end of a line for the `^C` that a terminal echoes. */
const ECHO_COLUMNS = 2;

/**
 * Runs a training to its end or interruption, shows it, and saves it as a run folder.
 *
 * @returns the exit code.
 * @throws UserError for wrong settings or data, before anything is saved.
 */
export async function runTrain(
  settings: TrainSettings,
  call: TrainCall,
  { terminal }: CommandContext,
): Promise<number> {
  const { startTrain } = await import("../experiments/training/train.ts");
  const { prepareTraining, removeWork } = await import("../experiments/training/work-folder.ts");
  const created = isoTime();
  const left = prepareTraining(settings, call.resume !== null);
  if (left !== null && !call.quiet) terminal.err(`  note: ${left}`);
  const job = startTrain(settings, call.resume);
  const release = cancelOnSignal(job, terminal);
  let outcome: TrainOutcome;
  try {
    outcome = await follow(job, call, terminal);
  } catch (error) {
    if (error instanceof FitCancelled) return reportCancelled("train", call, terminal);
    throw error;
  } finally {
    terminal.clear();
    release();
  }
  const { json, interrupted } = outcome;
  showResult(outcome, call, terminal);
  const kept = "its last checkpoint is kept: --resume goes on from it";
  if (saveRun(outcome, settings, created, call, terminal, kept) === null) return EXIT.userError;
  removeWork(settings);
  if (interrupted) return EXIT.interrupted;
  return json.result.status === "diverged" ? EXIT.notReached : EXIT.ok;
}

async function follow(job: TrainJob, call: TrainCall, terminal: Terminal): Promise<TrainOutcome> {
  // A failure reaches `outcome` before the events end; it is awaited below.
  job.outcome.catch(() => {});
  const show = call.quiet ? () => {} : trainView(terminal);
  for await (const event of job.events) show(event);
  return job.outcome;
}

/** Shows what is trained, then a bar, or a line now and then. */
function trainView(terminal: Terminal): (event: TrainEvent) => void {
  let shown = 0;
  const line = (text: string): void => terminal.err(wrap(text, terminal.errColumns - 1, "  ", "    "));
  return (event) => {
    switch (event.kind) {
      case "note":
        terminal.err(terminal.styleErr("dim", wrap(`note: ${event.text}`, terminal.errColumns - 1, "  ", "    ")));
        break;
      case "data":
        line(dataLine(event));
        break;
      case "network": {
        const { architecture, parameters, trainedParameters, loss, form } = event;
        const trained = trainedParameters < parameters ? `, ${trainedParameters} of them trained` : "";
        line(
          `${formatArchitecture(architecture)} · ${plural(parameters, "parameter")}${trained} · ${loss} loss${form === "network" ? "" : ` · ${form}`}`,
        );
        break;
      }
      case "backend":
        line(backendLine(event.info));
        break;
      case "monitor":
        line(`measures ${event.name} ${pace(event.every)}: ${event.cost}`);
        break;
      case "progress": {
        const parts = progressParts(event);
        if (terminal.canRedraw) {
          const { fraction } = event;
          terminal.transient(progressLine("training", fraction ?? 0, parts, terminal.errColumns - ECHO_COLUMNS));
        } else if (event.seconds - shown >= LINE_EVERY) {
          shown = event.seconds;
          line(`training  ${parts.join("  ")}`);
        }
      }
    }
  };
}

function pace(every: number): string {
  return every === Number.MAX_SAFE_INTEGER ? "at the start" : `every ${plural(every, "step")}`;
}

function dataLine({
  samples,
  testSamples,
  input,
  target,
  classes,
  seed,
}: Extract<TrainEvent, { kind: "data" }>): string {
  const kind = classes === null ? "a number" : `${classes} classes`;
  const held = testSamples === 0 ? "nothing held out" : `${testSamples} held out`;
  return `${samples} samples of ${input.join(" x ")} · target ${target} (${kind}) · ${held}, seed ${seed}`;
}

/** The parts of a progress line, most important first. */
function progressParts(event: Extract<TrainEvent, { kind: "progress" }>): string[] {
  const { step, epoch, rate, loss, accuracy, testAccuracy, seconds, left } = event;
  const epochs = epoch === step ? "" : `, epoch ${epoch.toFixed(1)}`;
  return [
    `step ${step}${epochs}`,
    `loss ${formatNumber(loss)}`,
    ...(accuracy === null ? [] : [`accuracy ${formatShare(accuracy)}`]),
    `${formatSeconds(seconds)}${left === null ? "" : `, ${formatSeconds(left)} left`}`,
    ...(testAccuracy === null ? [] : [`held out ${formatShare(testAccuracy)}`]),
    `rate ${formatNumber(rate)}`,
  ];
}

function showResult({ json, verdict }: TrainOutcome, call: TrainCall, terminal: Terminal): void {
  const { write, bold, columns } = resultWriter(call, terminal);
  verdict.forEach((sentence, k) => {
    const lines = wrap(sentence, columns - 1, "  ", "    ");
    write(k === 0 ? bold(lines) : lines);
  });
  for (const text of resultLines(json)) write(wrap(text, columns - 1, "  ", "    "));
  for (const line of measuredLines(json)) write(`  ${line}`);
}

/** What the monitors measured last, as a table. */
function measuredLines({ monitors }: TrainJson): string[] {
  if (monitors.length === 0) return [];
  const number = (value: number | null, none: string): string => (value === null ? none : formatNumber(value));
  const head = ["measured", "layer", "value", "bound", "constant", "step"];
  const rows = monitors.map(({ name, layer, value, bound, constant, step }) => [
    ...[name, layer ?? "-", number(value, "not finite")],
    ...[number(bound, "-"), number(constant, "-"), formatNumber(step)],
  ]);
  return formatTable(head, rows);
}

/** Many classes have many recalls: they are in the report. */
function withoutRecalls(metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).filter(([name]) => !name.startsWith("recall:")));
}

function resultLines({ result, metrics }: TrainJson): string[] {
  const { steps, seconds, stepsPerSecond, rate } = result;
  return [
    `${plural(steps, "step")} in ${formatSeconds(seconds)}, ${formatNumber(stepsPerSecond)} a second, rate ${formatNumber(rate)}`,
    `training samples: ${formatMetrics(withoutRecalls(metrics.train))}`,
    ...(metrics.test === null ? [] : [`held-out samples: ${formatMetrics(withoutRecalls(metrics.test))}`]),
  ];
}
