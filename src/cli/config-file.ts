import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { didYouMean } from "../base/did-you-mean.ts";
import { ConfigError, type Place } from "../base/errors.ts";
import { readBytes } from "../platform/files.ts";
import { type Command, settingsOf } from "./command.ts";
import type { CommandEntry } from "./registry.ts";
import type { GivenValue } from "./settings.ts";

/** {@link readConfig} of a config file in the working folder. */
export function loadConfig(
  file: string,
  command: Command,
  known: readonly CommandEntry[],
): ReadonlyMap<string, GivenValue> {
  return readConfig(file, new TextDecoder().decode(readBytes(file)), command, known);
}

/**
 * What a config file says for one command. The file, YAML or JSON by its name, has one section a command, e.g.
 * `{ "fit": { "time": 30 }, "runs ls": { "plain": true } }`.
 *
 * @throws ConfigError, with the place, for bad syntax, an unknown section or an unknown setting.
 */
export function readConfig(
  file: string,
  text: string,
  command: Command,
  known: readonly CommandEntry[],
): ReadonlyMap<string, GivenValue> {
  const { document, placeOf } = parse(file, text);
  const root = document.contents;
  const given = new Map<string, GivenValue>();
  if (root === null) return given;
  if (!isMap(root)) {
    const message = `${file} must hold settings by command`;
    throw new ConfigError(message, { code: "bad-config", hint: EXAMPLE, place: { file } });
  }
  const names = known.map((entry) => entry.name);
  for (const [name, key] of keysOf(root)) {
    if (names.includes(name)) continue;
    const nearest = didYouMean(name, names);
    throw new ConfigError(`unknown command "${name}" in ${file}`, {
      code: "unknown-command",
      hint: nearest === null ? EXAMPLE : `did you mean "${nearest}"?`,
      place: placeOf(key),
    });
  }
  const section = root.get(command.name, true) as Node | undefined;
  // A section without a line in it is nothing.
  if (section === undefined || (isScalar(section) && section.value === null && file.endsWith(".yaml"))) return given;
  if (!isMap(section)) {
    throw new ConfigError(`"${command.name}" in ${file} must hold settings`, {
      code: "bad-config",
      place: placeOf(section),
    });
  }
  const keys = settingsOf(command)
    .map(({ key }) => key)
    .filter((key) => !(command.flagsOnly ?? []).includes(key));
  for (const [name, key] of keysOf(section)) {
    if (!keys.includes(name)) {
      const nearest = didYouMean(name, keys);
      throw new ConfigError(`unknown setting "${name}" of ${command.name} in ${file}`, {
        code: "unknown-setting",
        hint: nearest === null ? `overparam ${command.name} --help lists the settings` : `did you mean "${nearest}"?`,
        place: placeOf(key),
      });
    }
    const value = (section.get(name, true) as Node | null)?.toJS(document) as unknown;
    given.set(name, { value, source: `${command.name}.${name}`, place: placeOf(key) });
  }
  return given;
}

const EXAMPLE = 'settings stand in the section of a command, for example { "fit": { "time": 30 } }';

/** The keys of a map as texts, each with its node. */
function keysOf(map: YAMLMap): [string, Node][] {
  return map.items.map(({ key }) => [String(isScalar(key) ? key.value : key), key as Node]);
}

interface Parsed {
  readonly document: Document.Parsed;
  placeOf(node: Node): Place;
}

/** The tree of a config file; JSON is read as the YAML that it also is, after a look that it is JSON. */
function parse(file: string, text: string): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const fail = (what: string, place: Place): ConfigError =>
    new ConfigError(`${file} is not ${what}`, { code: "bad-config", place });
  const [mistake] = document.errors;
  if (file.endsWith(".json")) {
    try {
      JSON.parse(text);
    } catch (error) {
      const { message } = error as SyntaxError;
      const offset = /position (\d+)/.exec(message)?.[1];
      const place = offset === undefined ? { file } : placeAt(Number(offset));
      throw fail(`JSON: ${message}`, place);
    }
  }
  if (mistake !== undefined) throw fail(`YAML: ${mistake.message}`, placeAt(mistake.pos[0]));
  return { document, placeOf: (node) => (node.range ? placeAt(node.range[0]) : { file }) };
}
