import type { Checkpoint } from "../experiments/checkpoint.ts";
import type { FitSettings } from "../experiments/config.ts";
import { FitCancelled, type FitEvent, type FitJob, type FitOutcome } from "../experiments/fit-types.ts";
import { isKernelFit } from "../experiments/kernel-model-json.ts";
import type { KernelOutcome } from "../experiments/kernel-model-outcome.ts";
import type { KernelFitSettings } from "../experiments/kernel-model-settings.ts";
import { prepareStore } from "../experiments/run-store.ts";
import type { WorkerJob } from "../experiments/worker-job.ts";
import { isoTime } from "../platform/clock.ts";
import type { CommandContext } from "./command.ts";
import { EXIT } from "./exit-codes.ts";
import { backendLine, dataLine, kernelLine, solvedLine, testLine } from "./fit-lines.ts";
import { formatGap, wrap } from "./format.ts";
import { ProgressView } from "./progress.ts";
import { resultWriter, type SavingCall, saveRun } from "./run-saving.ts";
import type { Terminal } from "./terminal.ts";

/** How a fit is shown and saved. */
export interface FitCall extends SavingCall {
  /** The checkpoint to go on from. */
  readonly resume?: Checkpoint;
  /** A model file whose network is to be bounded, in place of training one. */
  readonly given?: string;
}

/**
 * Runs a fit to its end or interruption, shows it, and saves it as a run folder.
 *
 * @returns the exit code.
 * @throws UserError for wrong settings or data, before anything is saved.
 */
export async function runFit(settings: FitSettings, call: FitCall, { terminal }: CommandContext): Promise<number> {
  const { startFit } = await import("../experiments/fit.ts");
  const { resume, given } = call;
  const options = { ...(resume === undefined ? {} : { resume }), ...(given === undefined ? {} : { given }) };
  return followFit(startFit(settings, options), settings, call, terminal);
}

/**
 * Runs a kernel regression to its end or interruption, shows it, and saves it as a run folder.
 *
 * @returns the exit code.
 * @throws UserError for wrong settings or data, before anything is saved.
 */
export async function runKernelFit(
  settings: KernelFitSettings,
  call: FitCall,
  { terminal }: CommandContext,
): Promise<number> {
  const { startKernelFit } = await import("../experiments/kernel-fit.ts");
  return followFit(startKernelFit(settings), settings, call, terminal);
}

async function followFit(
  job: WorkerJob<FitEvent, FitOutcome | KernelOutcome>,
  settings: FitSettings | KernelFitSettings,
  call: FitCall,
  terminal: Terminal,
): Promise<number> {
  const created = isoTime();
  const release = cancelOnSignal(job, terminal);
  let outcome: FitOutcome | KernelOutcome;
  try {
    // A failure reaches `outcome` before the events end; it is awaited below.
    job.outcome.catch(() => {});
    await showEvents(job.events, settings, call.quiet, terminal);
    outcome = await job.outcome;
  } catch (error) {
    if (error instanceof FitCancelled) {
      return reportCancelled(call.given === undefined ? "fit" : "certify", call, terminal);
    }
    throw error;
  } finally {
    terminal.clear();
    release();
  }
  showResult(outcome, call, terminal);
  const { json, interrupted } = outcome;
  if (saveRun(outcome, settings, created, call, terminal) === null) return EXIT.userError;
  if (interrupted) return EXIT.interrupted;
  const { requireGap } = settings;
  if (requireGap === undefined || isKernelFit(json) || json.result.gap <= requireGap) return EXIT.ok;
  terminal.err(`the gap ${formatGap(json.result.gap)} is above the required ${formatGap(requireGap)}`);
  return EXIT.notReached;
}

/** The first signal asks the fit to end early, the second ends the program at once; the result undoes this. */
export function cancelOnSignal(job: Pick<FitJob, "cancel">, terminal: Terminal): () => void {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let asked = false;
  const onSignal = (): void => {
    if (asked) {
      terminal.clear();
      process.exit(EXIT.interrupted);
    }
    asked = true;
    terminal.err("  interrupted: saving the best network so far (Ctrl-C again to stop at once)");
    job.cancel();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}

async function showEvents(
  events: AsyncIterable<FitEvent>,
  settings: FitSettings,
  quiet: boolean,
  terminal: Terminal,
): Promise<void> {
  const view = new ProgressView(terminal, settings.tolerance, settings.time);
  const line = (text: string): string => wrap(text, terminal.errColumns - 1, "  ", "    ");
  for await (const event of events) {
    // An unwritable folder should be known now that the data are sound, not after a minute of work.
    if (event.kind === "data") prepareStore(settings.out);
    if (quiet) continue;
    if (event.kind === "data") terminal.err(line(dataLine(event)));
    else if (event.kind === "note") terminal.err(terminal.styleErr("dim", line(`note: ${event.text}`)));
    else if (event.kind === "backend") terminal.err(line(backendLine(event.info)));
    else view.show(event);
  }
}

function showResult({ json, verdict, testTable }: FitOutcome | KernelOutcome, call: FitCall, terminal: Terminal): void {
  const solved = isKernelFit(json) ? kernelLine(json) : solvedLine(json.result, terminal.errColumns);
  if (!call.quiet) terminal.err(`  ${solved}`);
  const { write, bold, columns } = resultWriter(call, terminal);
  verdict.forEach((sentence, k) => {
    const lines = wrap(sentence, columns - 1, "  ");
    write(k === 0 ? bold(lines) : lines);
  });
  write(wrap(testLine(testTable), columns - 1, "  ", "    "));
}

export function reportCancelled(command: string, call: Pick<FitCall, "json" | "quiet">, terminal: Terminal): number {
  const message = "interrupted before there was a network to save";
  if (!call.quiet) terminal.err(`  ${message}`);
  const error = { code: "interrupted", message, hint: null, place: null };
  if (call.json) terminal.out(JSON.stringify({ schema: 1, command, error }));
  return EXIT.interrupted;
}
