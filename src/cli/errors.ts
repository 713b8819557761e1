import { type Place, UserError } from "../base/errors.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** `file:line:column`, as far as known. */
export function formatPlace(place: Place): string {
  const line = place.line === undefined ? "" : `:${place.line}`;
  const column = place.line === undefined || place.column === undefined ? "" : `:${place.column}`;
  return `${place.file}${line}${column}`;
}

/** What is known of the call when it fails. */
export interface FailedCall {
  /** Name of the command; null when none was recognized. */
  readonly command: string | null;
  readonly json: boolean;
  readonly version: string;
  /** Show the stack of a bug. */
  readonly debug: boolean;
}

/** The `error` of `--json`. */
export interface JsonError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly place: Place | null;
}

/** Errors of the operating system that the program cannot help: a full disk, a missing right, too many files. */
const SYSTEM_CODES = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENFILE", "ENOMEM"];

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && SYSTEM_CODES.includes((error as NodeJS.ErrnoException).code ?? "");
}

/** What an error says; anything but a user's mistake or the system's refusal has the code `bug`. */
export function describeFailure(error: unknown): JsonError {
  if (error instanceof UserError) {
    return { code: error.code, message: error.message, hint: error.hint ?? null, place: error.place ?? null };
  }
  if (isSystemError(error)) return { code: "system", message: error.message, hint: null, place: null };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "bug", message, hint: null, place: null };
}

/**
 * Reports a failed call: message, hint and place for a user's mistake, a request to report for anything else; with
 * `--json` also one object on stdout.
 *
 * @returns the exit code.
 */
export function reportFailure(error: unknown, call: FailedCall, terminal: Terminal): number {
  const failure = describeFailure(error);
  const label = (text: string): string => terminal.styleErr(["bold", "red"], text);
  if (failure.code === "bug") {
    terminal.err(`${label("bug:")} ${failure.message}`);
    terminal.err(`This is a mistake of overparam ${call.version}, not yours. Please report it with the command line`);
    terminal.err(`and the message above${call.debug ? ":" : "; OVERPARAM_DEBUG=1 adds the stack to it."}`);
    if (call.debug && error instanceof Error) terminal.err(error.stack ?? "no stack");
  } else {
    terminal.err(`${label("error:")} ${failure.message}`);
    if (failure.hint !== null) terminal.err(`${terminal.styleErr("bold", "hint:")} ${failure.hint}`);
    if (failure.place !== null) terminal.err(formatPlace(failure.place));
  }
  if (call.json) terminal.out(JSON.stringify({ schema: 1, command: call.command, error: failure }));
  return failure.code === "bug" ? EXIT.bug : EXIT.userError;
}
