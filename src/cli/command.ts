import { z } from "zod";
import { type SettingMeta, setting } from "../experiments/config.ts";
import type { Terminal } from "./terminal.ts";

/** What a command gets besides its settings. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly version: string;
}

/** A command: its schema feeds flags, `--help`, the config file and the environment. */
export interface Command<S extends z.ZodObject = z.ZodObject> {
  /** As typed, e.g. `runs show`. */
  readonly name: string;
  readonly summary: string;
  /** Settings that are given by position, in order. */
  readonly positionals: readonly (string & keyof z.infer<S>)[];
  /** Settings that only this call can mean (an output file, say): read from flags alone. */
  readonly flagsOnly?: readonly (string & keyof z.infer<S>)[];
  readonly schema: S;
  /** Two real calls that end the help. */
  readonly examples: readonly { readonly does: string; readonly line: string }[];
  /** Runs the command; returns the exit code. */
  run(settings: z.infer<S>, context: CommandContext): Promise<number>;
}

/** Declares a command (infers the type of its settings from the schema). */
export function defineCommand<S extends z.ZodObject>(command: Command<S>): Command<S> {
  return command;
}

const outputGroup = "Output";

const flag = (description: string): z.ZodDefault<z.ZodBoolean> =>
  setting(z.boolean().default(false), { group: outputGroup, description });

/** `--json`, on every command. */
export const jsonSetting = flag("print one JSON object on stdout");
/** `--quiet`, on commands that report progress. */
export const quietSetting = flag("no progress and no notes");
/** `--plain`, on commands that print a table. */
export const plainSetting = flag("tab-separated table for other programs");
/** The run that a command is about. */
export const runSetting = setting(z.string().min(1), {
  group: "Input",
  description: "id of a run, or the beginning of one, or a run folder",
});
/** `--runs`, on commands that look up runs. */
export const runsSetting = setting(z.string().min(1).default("runs"), {
  group: outputGroup,
  description: "folder that holds the runs",
  value: "DIR",
});

/** The settings of a command with what `--help` says about them, in the order of the schema. */
export function settingsOf(command: Command): { key: string; schema: z.ZodType; meta: SettingMeta }[] {
  return Object.entries(command.schema.shape).map(([key, schema]) => {
    const meta = (schema as z.ZodType).meta() as SettingMeta | undefined;
    if (meta?.group === undefined) throw new TypeError(`setting ${key} of ${command.name} has no help text`);
    return { key, schema: schema as z.ZodType, meta };
  });
}
