#!/usr/bin/env node
/**
 * The command line: the only layer that reads arguments, prints and exits. It knows how commands are called and how
 * results are shown, and nothing of how they are computed. This file is read at every start, so it imports next to
 * nothing: a command's module, the schemas and the numerics are loaded when the command is known.
 */
import { didYouMean } from "../base/did-you-mean.ts";
import { UsageError } from "../base/errors.ts";
import { VERSION as version } from "../experiments/version.ts";
import { findConfig } from "./config-names.ts";
import { reportFailure } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";
import { type CommandEntry, commands } from "./registry.ts";
import { makeTerminal } from "./terminal.ts";

const terminal = makeTerminal(process.stdout, process.stderr, process.env);

/** The command that the arguments begin with, and what follows it. */
function findCommand(argv: readonly string[]): { entry: CommandEntry; rest: readonly string[] } {
  for (const entry of commands) {
    const words = entry.name.split(" ");
    if (words.every((word, k) => argv[k] === word)) return { entry, rest: argv.slice(words.length) };
  }
  const names = commands.map(({ name }) => name);
  const group = names.filter((name) => name.startsWith(`${argv[0]} `));
  if (group.length > 0) {
    const nearest = argv[1] === undefined ? null : didYouMean(`${argv[0]} ${argv[1]}`, group);
    const hint = nearest === null ? `one of: ${group.join(", ")}` : `did you mean "${nearest}"?`;
    throw new UsageError(`${argv[0]} wants a subcommand, got ${argv[1] === undefined ? "nothing" : `"${argv[1]}"`}`, {
      code: "unknown-command",
      hint,
    });
  }
  const nearest = didYouMean(argv[0] ?? "", [...new Set(names.flatMap((name) => [name, name.split(" ")[0] ?? name]))]);
  throw new UsageError(`unknown command "${argv[0]}"`, {
    code: "unknown-command",
    hint: nearest === null ? "overparam --help lists the commands" : `did you mean "${nearest}"?`,
  });
}

async function run(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (first === "--version" || first === "-V") {
    terminal.out(version);
    return EXIT.ok;
  }
  if (first === undefined || first === "--help" || first === "-h" || (first === "help" && argv.length === 1)) {
    const { programHelp } = await import("./help.ts");
    terminal.out(programHelp(commands, version));
    return EXIT.ok;
  }
  const words = first === "help" ? argv.slice(1) : argv;
  const wantsHelp = first === "help" || words.includes("--help") || words.includes("-h");
  const group = commands.filter(({ name }) => name.startsWith(`${words[0]} `));
  if (wantsHelp && group.length > 0 && (words[1] ?? "-").startsWith("-")) {
    const { groupHelp } = await import("./help.ts");
    terminal.out(groupHelp(words[0] ?? "", group));
    return EXIT.ok;
  }
  const { entry, rest } = findCommand(words);
  const isQuiet = rest.includes("--quiet") || process.env["OVERPARAM_QUIET"] !== undefined;
  if (entry.announce && !wantsHelp && !isQuiet) {
    // Loading takes a moment: on a terminal the first real line replaces this one.
    const line = `  overparam ${version} · ${entry.name}`;
    if (terminal.canRedraw) terminal.transient(line);
    else terminal.err(line);
  }
  const command = await entry.load();
  if (wantsHelp) {
    const { commandHelp } = await import("./help.ts");
    terminal.out(commandHelp(command));
    return EXIT.ok;
  }
  const { settle } = await import("./settings.ts");
  const file = findConfig();
  // Reading YAML is only loaded for who has a config file.
  const config = file === null ? new Map() : (await import("./config-file.ts")).loadConfig(file, command, commands);
  const settings = settle(command, rest, process.env, config);
  return command.run(settings, { terminal, version });
}

/** Resolves once everything written so far has left the process. */
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
}

const argv = process.argv.slice(2);
const fail = (error: unknown): number =>
  reportFailure(
    error,
    {
      command: commands.find(({ name }) => `${argv.join(" ")} `.startsWith(`${name} `))?.name ?? null,
      json: argv.includes("--json") || ["1", "true"].includes(process.env["OVERPARAM_JSON"] ?? ""),
      version,
      debug: process.env["OVERPARAM_DEBUG"] === "1",
    },
    terminal,
  );

// A reader that goes away (`overparam ... | head`, a closed terminal) is no error, a full disk is one; in either case
// the command still does whatever else it does, such as saving its run.
let lostOutput: NodeJS.ErrnoException | null = null;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (!["EPIPE", "EIO", "ERR_STREAM_DESTROYED"].includes(error.code ?? "")) lostOutput ??= error;
});
process.stderr.on("error", () => {});
process.on("uncaughtException", (error) => process.exit(fail(error)));

let exitCode = await run(argv).catch(fail);
terminal.clear();
await Promise.all([drained(process.stdout), drained(process.stderr)]);
if (lostOutput !== null) {
  exitCode ||= EXIT.userError;
  terminal.err(`error: the output could not be written: ${(lostOutput as Error).message}`);
  await drained(process.stderr);
}
process.exit(exitCode);
