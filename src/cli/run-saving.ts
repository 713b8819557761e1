import { type NewRun, publishRun, type StoredRun, stemOf } from "../experiments/run-store.ts";
import { today } from "../platform/clock.ts";
import { baseName, joinPath } from "../platform/run-files.ts";
import { describeFailure } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

/** What a command made, as a run folder holds it. */
export interface Finished extends Pick<NewRun, "interrupted" | "files"> {
  readonly json: NewRun["fit"];
  readonly verdict: readonly string[];
  /** Content hash of settings, data and result. */
  readonly id: string;
}

/** How the result of a command is shown. */
export interface SavingCall {
  readonly json: boolean;
  readonly quiet: boolean;
  /** What to try next, given the run. */
  readonly next: (run: StoredRun) => readonly string[];
}

/**
 * Saves what a command made as a run folder and says where it is, in JSON with the result where that was asked for. Where it
 * cannot be saved it says why, and what is left (`kept`), and gives null.
 *
 * @param created when the command began.
 */
export function saveRun(
  outcome: Finished,
  settings: { readonly out: string; readonly data: string },
  created: string,
  call: SavingCall,
  terminal: Terminal,
  kept: string | null = null,
): StoredRun | null {
  const { json, verdict, interrupted, files, id } = outcome;
  let saved: StoredRun;
  try {
    saved = publishRun(settings.out, {
      hash: id,
      date: today(),
      created,
      stem: stemOf(settings.data),
      settings: { ...settings },
      verdict: [...verdict],
      interrupted,
      fit: json,
      files,
    });
  } catch (error) {
    const failure = describeFailure(error);
    terminal.err(`${terminal.styleErr(["bold", "red"], "error:")} the run could not be saved: ${failure.message}`);
    if (failure.hint !== null) terminal.err(`${terminal.styleErr("bold", "hint:")} ${failure.hint}`);
    if (kept !== null) terminal.err(kept);
    if (call.json) terminal.out(JSON.stringify({ ...json, error: { ...failure, code: "not-saved" } }));
    return null;
  }
  showSaved(saved, settings.out, call, terminal);
  if (call.json) terminal.out(JSON.stringify({ ...json, run: { id: saved.id, path: saved.path } }));
  return saved;
}

/** Lines for the person: on stdout, unless stdout carries JSON. */
export function resultWriter(
  call: Pick<SavingCall, "json" | "quiet">,
  terminal: Terminal,
): { write(text: string): void; bold(text: string): string; columns: number } {
  if (!call.json) {
    return { write: terminal.out, bold: (text) => terminal.styleOut("bold", text), columns: terminal.outColumns };
  }
  if (call.quiet) return { write: () => {}, bold: (text) => text, columns: 80 };
  return { write: terminal.err, bold: (text) => terminal.styleErr("bold", text), columns: terminal.errColumns };
}

function showSaved(saved: StoredRun, folder: string, call: SavingCall, terminal: Terminal): void {
  const { write, columns } = resultWriter(call, terminal);
  const name = joinPath(folder, baseName(saved.path));
  const next = call.next(saved);
  const line = `  saved ${name}   ·   next: ${next.join("  |  ")}`;
  if (line.length < columns) {
    write(line);
    return;
  }
  write(`  saved ${name}`);
  next.forEach((command, k) => {
    write(`${k === 0 ? "  next: " : "        "}${command}`);
  });
}
