import { flagName } from "../experiments/config.ts";
import { settingsOf } from "./command.ts";
import { describeType } from "./describe.ts";
import type { CommandEntry } from "./registry.ts";

/** What may stand after a flag, or in a place of a command line. */
export type Completes =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" }
  /** Ids of saved runs. */
  | { readonly kind: "runs" }
  /** Nothing that a shell could know. */
  | { readonly kind: "nothing" };

export interface CompletionFlag {
  /** With its dashes. */
  readonly name: string;
  readonly description: string;
  /** What its value may be; null for a switch. */
  readonly value: Completes | null;
}

/** A command as a shell completes it. */
export interface CompletionCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  /** What its arguments may be: those of its first position, since shells do not count here. */
  readonly argument: Completes;
}

const HELP: CompletionFlag = { name: "--help", description: "flags and examples", value: null };

/** Settings that name a run. */
const RUN_KEYS = ["run", "model", "resume"];

/** Every command with its flags, read from the schemas. */
export async function completionModel(entries: readonly CommandEntry[]): Promise<CompletionCommand[]> {
  return Promise.all(
    entries.map(async ({ name, summary, load }) => {
      const command = await load();
      const settings = settingsOf(command).map(({ key, schema, meta }) => {
        const { choices, isSwitch, placeholder } = describeType(schema);
        const value = completes(key, choices, meta.value ?? placeholder);
        return { key, meta, value: isSwitch ? null : value };
      });
      const flags = settings
        .filter(({ key }) => !command.positionals.includes(key))
        .map(({ key, meta, value }) => ({ name: flagName(key), description: meta.description, value }));
      const first = settings.find(({ key }) => key === command.positionals[0]);
      return { name, summary, flags: [...flags, HELP], argument: first?.value ?? { kind: "nothing" } };
    }),
  );
}

function completes(key: string, choices: readonly string[], placeholder: string): Completes {
  if (choices.length > 0) return { kind: "words", words: choices };
  if (RUN_KEYS.includes(key)) return { kind: "runs" };
  return /FILE|DIR/.test(placeholder) || key === "data" ? { kind: "files" } : { kind: "nothing" };
}
