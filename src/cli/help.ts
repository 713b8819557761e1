import { flagName } from "../experiments/config.ts";
import { type Command, settingsOf } from "./command.ts";
import { describeType, environmentName } from "./describe.ts";
import { formatNumber, plural, wrap } from "./format.ts";
import type { CommandEntry } from "./registry.ts";
import { usageLine } from "./settings.ts";

const WIDTH = 80;
const INDENT = 26;

/** The help of the program: its commands. */
export function programHelp(commands: readonly CommandEntry[], version: string): string {
  return [
    `overparam ${version}: the theory of over-parameterized neural networks, executable`,
    "",
    "usage: overparam COMMAND [arguments] [flags]",
    "",
    "Commands",
    ...commands.map(({ name, summary }) => entryLines(name, summary)),
    "",
    "Everywhere",
    entryLines("COMMAND --help", "flags and examples of a command"),
    entryLines("COMMAND --json", "one JSON object on stdout, for other programs"),
    entryLines("--version", "print the version"),
    "",
    "Examples",
    "  # the first thing to try: no file needed, a few seconds",
    "  overparam demo",
    "  # your own table, and what came of it",
    "  overparam fit examples/tic-tac-toe.csv --target outcome",
    "  overparam runs ls",
  ].join("\n");
}

/** The help of a group of commands, such as `runs`. */
export function groupHelp(group: string, members: readonly CommandEntry[]): string {
  return [
    `usage: overparam ${group} COMMAND [arguments] [flags]`,
    "",
    "Commands",
    ...members.map(({ name, summary }) => entryLines(name, summary)),
    "",
    `overparam ${members[0]?.name} --help shows flags and examples of a command`,
  ].join("\n");
}

/** The help of one command: flags by group with types and defaults, then two examples. */
export function commandHelp(command: Command): string {
  const groups = new Map<string, string[]>();
  const place = (key: string): number => command.positionals.indexOf(key) + 1 || Number.POSITIVE_INFINITY;
  const settings = settingsOf(command).sort((a, b) => {
    const [first, second] = [place(a.key), place(b.key)];
    return first === second ? 0 : first - second;
  });
  for (const { key, schema, meta } of settings) {
    const type = describeType(schema);
    const positional = command.positionals.includes(key);
    const placeholder = type.isSwitch ? "" : ` ${meta.value ?? type.placeholder}`;
    const name = positional ? `${key.toUpperCase()}${type.isList ? "..." : ""}` : `${flagName(key)}${placeholder}`;
    const hasDefault = type.defaultValue !== undefined && !type.isSwitch;
    const text = hasDefault ? `${meta.description} (default ${shown(type.defaultValue)})` : meta.description;
    const lines = groups.get(meta.group) ?? [];
    lines.push(entryLines(name, text));
    groups.set(meta.group, lines);
  }
  return [
    `overparam ${command.name}: ${command.summary}`,
    "",
    usageLine(command),
    ...[...groups].flatMap(([group, lines]) => ["", group, ...lines]),
    "",
    ...elsewhere(command),
    plural(command.examples.length, "Example").replace(/^\d+ /, ""),
    ...command.examples.flatMap(({ does, line }) => [`  # ${does}`, exampleLine(line)]),
  ].join("\n");
}

/** Where else settings come from, for a command that has any to keep. */
function elsewhere(command: Command): string[] {
  const once = [...command.positionals, ...(command.flagsOnly ?? []), "json", "plain", "quiet"];
  const kept = settingsOf(command).find(({ key }) => !once.includes(key));
  if (kept === undefined) return [];
  const variable = `OVERPARAM_* variables (${environmentName(kept.key)}=...)`;
  const section = `{ "${command.name}": { "${kept.key}": ... } }`;
  const text = `Settings also come from ${variable} and from overparam.config.json or .yaml (${section}); flags win over both.`;
  return [wrap(text, WIDTH), ""];
}

/** `  name   text`, the text wrapped in its own column, on the next line when the name is too long. */
function entryLines(name: string, text: string): string {
  const blank = " ".repeat(INDENT);
  const head = `  ${name}`;
  if (head.length + 2 <= INDENT) return wrap(text, WIDTH, head.padEnd(INDENT), blank);
  return `${head}\n${wrap(text, WIDTH, blank)}`;
}

/** `  overparam ...`, continued on the next line as a shell would read it. */
function exampleLine(line: string): string {
  // A flag stays beside its value, a quoted text on one line.
  const quoted = line.replace(/"[^"]*"/g, (text) => text.replaceAll(" ", "\u00a0"));
  const units = quoted.replace(/(--\S+) (?!-)/g, "$1\u00a0");
  return wrap(units, WIDTH - 2, "  ", "      ")
    .replaceAll("\n", " \\\n")
    .replaceAll("\u00a0", " ");
}

function shown(value: unknown): string {
  return typeof value === "number" ? formatNumber(value) : String(value);
}
