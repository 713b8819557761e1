import { parseArgs } from "node:util";
import type { z } from "zod";
import { didYouMean } from "../base/did-you-mean.ts";
import { ConfigError, type Place, UsageError } from "../base/errors.ts";
import { flagName } from "../experiments/config.ts";
import { type Command, settingsOf } from "./command.ts";
import { describeType, environmentName, type SettingType } from "./describe.ts";
import type { Environment } from "./terminal.ts";

/** A value as it was given, before its type is known, and where it came from. */
export interface GivenValue {
  readonly value: unknown;
  /** As the user would name it: `--beta`, `OVERPARAM_BETA`, `fit.beta`. */
  readonly source: string;
  readonly place?: Place;
}

/**
 * Settles a command's settings: flags, then the environment, then the config file, then defaults.
 *
 * @param fromConfig what the config file says for this command, by setting.
 * @throws UsageError for an unknown flag or a wrong value of a flag; ConfigError for a wrong value elsewhere.
 */
export function settle(
  command: Command,
  argv: readonly string[],
  env: Environment,
  fromConfig: ReadonlyMap<string, GivenValue>,
): Record<string, unknown> {
  const settings = settingsOf(command).map((entry) => ({ ...entry, type: describeType(entry.schema) }));
  const fromFlags = readFlags(command, argv, new Map(settings.map(({ key, type }) => [key, type])));
  const raw: Record<string, unknown> = {};
  const sources = new Map<string, GivenValue>();
  for (const { key, schema, type } of settings) {
    const anywhere = !(command.flagsOnly ?? []).includes(key);
    const given = fromFlags.get(key) ?? (anywhere ? (fromEnvironment(key, env) ?? fromConfig.get(key)) : undefined);
    if (given !== undefined) {
      sources.set(key, given);
      raw[key] = readable(given, schema, type);
    } else if (!schema.safeParse(undefined).success) {
      throw new UsageError(`no ${command.positionals.includes(key) ? key : flagName(key)} given`, {
        code: "missing-argument",
        hint: `${usageLine(command)}, for example ${command.examples[0]?.line}`,
      });
    }
  }
  const parsed = command.schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  // Each value is fine alone, so what is left is a contradiction between two of them.
  const issue = parsed.error.issues[0];
  const key = String(issue?.path[0] ?? "");
  const given = sources.get(key);
  const message = `${given?.source ?? flagName(key)} ${issue?.message}`;
  throw wrongValue(message, given, "contradiction", undefined);
}

/** `usage: overparam fit DATA [flags]`. */
export function usageLine(command: Command): string {
  const positionals = command.positionals.map((key) => {
    const entry = settingsOf(command).find((candidate) => candidate.key === key);
    const optional = entry?.schema.safeParse(undefined).success === true;
    const name =
      entry !== undefined && describeType(entry.schema).isList ? `${key.toUpperCase()}...` : key.toUpperCase();
    return optional ? `[${name}]` : name;
  });
  return ["usage: overparam", command.name, ...positionals, "[flags]"].join(" ");
}

function fromEnvironment(key: string, env: Environment): GivenValue | undefined {
  const name = environmentName(key);
  const value = env[name];
  return value === undefined || value === "" ? undefined : { value, source: name };
}

/** The flags and positional arguments of a call, by setting. */
function readFlags(
  command: Command,
  argv: readonly string[],
  types: ReadonlyMap<string, SettingType>,
): Map<string, GivenValue> {
  const keys = new Map([...types.keys()].map((key) => [flagName(key).slice(2), key]));
  const options = Object.fromEntries(
    [...keys].map(([name, key]) => [name, { type: types.get(key)?.isSwitch === true ? "boolean" : "string" } as const]),
  );
  const args = argv.map((word, k) => {
    // parseArgs would take the next flag for the value.
    const next = argv[k + 1] ?? "-";
    const optional = word.startsWith("--") && types.get(keys.get(word.slice(2)) ?? "")?.valueOptional === true;
    return optional && next.startsWith("-") ? `${word}=true` : word;
  });
  const { tokens } = parseArgs({ args, options, allowPositionals: true, strict: false, tokens: true });
  const given = new Map<string, GivenValue>();
  const free = command.positionals.values();
  /** The positional that takes all that follows. */
  let list: string | null = null;
  for (const token of tokens) {
    if (token.kind === "option") {
      const key = keys.get(token.name);
      if (key === undefined || !token.rawName.startsWith("--"))
        throw unknownFlag(command, token.rawName, [...keys.keys()]);
      const isSwitch = types.get(key)?.isSwitch === true;
      const isFlag =
        token.inlineValue === false && keys.has(token.value.replace(/^--/, "")) && token.value.startsWith("--");
      if ((token.value === undefined && !isSwitch) || isFlag) {
        throw new UsageError(`${token.rawName} wants ${types.get(key)?.words}, got nothing`, { code: "missing-value" });
      }
      given.set(key, { value: token.value ?? true, source: token.rawName });
    } else if (token.kind === "positional") {
      const key: string | undefined = list ?? free.next().value;
      if (key === undefined) {
        throw new UsageError(`unexpected argument "${token.value}"`, {
          code: "unexpected-argument",
          hint: usageLine(command),
        });
      }
      if (types.get(key)?.isList !== true) given.set(key, { value: token.value, source: key });
      else {
        list = key;
        given.set(key, {
          value: [...((given.get(key)?.value as string[] | undefined) ?? []), token.value],
          source: key,
        });
      }
    }
  }
  return given;
}

function unknownFlag(command: Command, name: string, known: readonly string[]): UsageError {
  const nearest = didYouMean(name.replace(/^-+/, ""), known);
  return new UsageError(`unknown flag ${name}`, {
    code: "unknown-flag",
    hint: nearest === null ? `overparam ${command.name} --help lists the flags` : `did you mean --${nearest}?`,
  });
}

/** The reading of a given value that its schema accepts; texts are tried as number, as switch, and as they stand. */
function readable(given: GivenValue, schema: z.ZodType, type: SettingType): unknown {
  const readings = typeof given.value === "string" ? readingsOf(given.value) : [given.value];
  for (const reading of readings) if (schema.safeParse(reading).success) return reading;
  const got = typeof given.value === "string" ? `"${given.value}"` : JSON.stringify(given.value);
  const nearest = typeof given.value === "string" ? didYouMean(given.value, type.choices) : null;
  const message = `${given.source} wants ${type.words}, got ${got}`;
  throw wrongValue(message, given, "wrong-value", nearest === null ? undefined : `did you mean "${nearest}"?`);
}

function readingsOf(text: string): unknown[] {
  const readings: unknown[] = [];
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) readings.push(number);
  if (text === "true" || text === "1") readings.push(true);
  if (text === "false" || text === "0") readings.push(false);
  readings.push(text);
  return readings;
}

function wrongValue(
  message: string,
  given: GivenValue | undefined,
  code: string,
  hint: string | undefined,
): UsageError | ConfigError {
  const details = {
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(given?.place === undefined ? {} : { place: given.place }),
  };
  const isFlag = given === undefined || given.source.startsWith("--");
  return isFlag ? new UsageError(message, details) : new ConfigError(message, details);
}
