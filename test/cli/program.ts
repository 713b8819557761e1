import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll } from "vitest";

/** The built program. */
export const MAIN = resolve(import.meta.dirname, "../../dist/cli/main.js");

/** What a finished call of the program left. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the process once it is started. */
  readonly started?: (child: ChildProcess) => void;
}

/** Runs the built program to its end, without terminal, colour or settings from outside. */
export function overparam(args: readonly string[], options: CallOptions = {}): Promise<Finished> {
  if (!existsSync(MAIN)) throw new Error("dist/cli/main.js is missing: run `npm run build` before the tests");
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(OVERPARAM_|NO_COLOR$|FORCE_COLOR$|NODE_OPTIONS$)/.test(name),
  );
  const env = { ...Object.fromEntries(kept), ...options.env };
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => settle({ code, signal, stdout, stderr }));
    options.started?.(child);
  });
}

/** A new empty folder, removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "overparam-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
