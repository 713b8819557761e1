import { didYouMean } from "../base/did-you-mean.ts";
import { ConfigError, type Place } from "../base/errors.ts";
import { exists, readBytes } from "../platform/files.ts";
import { type Command, settingsOf } from "./command.ts";
import type { CommandEntry } from "./registry.ts";
import type { GivenValue } from "./settings.ts";

const CONFIG_FILE = "overparam.config.json";

/** {@link readConfig} of the config file in the working folder; nothing when there is none. */
export function loadConfig(command: Command, known: readonly CommandEntry[]): Map<string, GivenValue> {
  if (!exists(CONFIG_FILE)) return new Map();
  return readConfig(new TextDecoder().decode(readBytes(CONFIG_FILE)), command, known);
}

/**
 * What a config file says for one command. The file is an object with one section a command, e.g.
 * `{ "fit": { "time": 30 }, "runs ls": { "plain": true } }`.
 *
 * @throws ConfigError, with the place, for bad JSON, an unknown section or an unknown setting.
 */
export function readConfig(text: string, command: Command, known: readonly CommandEntry[]): Map<string, GivenValue> {
  const file = parse(text);
  if (!isObject(file))
    throw new ConfigError(`${CONFIG_FILE} must hold a JSON object`, {
      code: "bad-config",
      place: { file: CONFIG_FILE },
    });
  const names = known.map((entry) => entry.name);
  for (const name of Object.keys(file)) {
    if (names.includes(name)) continue;
    const nearest = didYouMean(name, names);
    throw new ConfigError(`unknown command "${name}" in ${CONFIG_FILE}`, {
      code: "unknown-command",
      hint:
        nearest === null
          ? `settings stand in the section of a command, for example { "fit": { "time": 30 } }`
          : `did you mean "${nearest}"?`,
      place: placeOf(text, name, 0),
    });
  }
  const section = file[command.name];
  const given = new Map<string, GivenValue>();
  if (section === undefined) return given;
  const start = text.indexOf(JSON.stringify(command.name));
  if (!isObject(section)) {
    throw new ConfigError(`"${command.name}" in ${CONFIG_FILE} must be an object of settings`, {
      code: "bad-config",
      place: placeOf(text, command.name, 0),
    });
  }
  const keys = settingsOf(command)
    .map(({ key }) => key)
    .filter((key) => !(command.flagsOnly ?? []).includes(key));
  for (const [key, value] of Object.entries(section)) {
    const place = placeOf(text, key, start + 1);
    if (!keys.includes(key)) {
      const nearest = didYouMean(key, keys);
      throw new ConfigError(`unknown setting "${key}" of ${command.name} in ${CONFIG_FILE}`, {
        code: "unknown-setting",
        hint: nearest === null ? `overparam ${command.name} --help lists the settings` : `did you mean "${nearest}"?`,
        place,
      });
    }
    given.set(key, { value, source: `${command.name}.${key}`, place });
  }
  return given;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const offset = /position (\d+)/.exec(message)?.[1];
    const place = offset === undefined ? { file: CONFIG_FILE } : placeAt(text, Number(offset));
    throw new ConfigError(`${CONFIG_FILE} is not JSON: ${message}`, { code: "bad-config", place });
  }
}

/** Place of the first `"key"` at or after an offset. */
function placeOf(text: string, key: string, from: number): Place {
  const offset = text.indexOf(JSON.stringify(key), from);
  return offset < 0 ? { file: CONFIG_FILE } : placeAt(text, offset);
}

function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset).split("\n");
  return { file: CONFIG_FILE, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
