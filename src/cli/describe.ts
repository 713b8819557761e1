import { z } from "zod";

/** The part of a JSON Schema that a setting's type turns into. */
interface JsonType {
  readonly type?: string;
  /** Instead of `type`, where any of several will do. */
  readonly types?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonType[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** What the command line needs to know of one setting's type. */
export interface SettingType {
  /** The accepted values in words: `a positive number or auto`. */
  readonly words: string;
  /** The accepted values as a placeholder: `NUMBER|auto`. */
  readonly placeholder: string;
  /** The accepted words among them, e.g. `["auto"]`. */
  readonly choices: readonly string[];
  /** A switch: given or not given. */
  readonly isSwitch: boolean;
  /** May be given without a value, which then stands for `true`. */
  readonly valueOptional: boolean;
  /** Takes any number of values. */
  readonly isList: boolean;
  readonly defaultValue: unknown;
}

/** Reads {@link SettingType} off a schema. */
export function describeType(schema: z.ZodType): SettingType {
  const { type, ...rest } = z.toJSONSchema(schema, { io: "input" }) as Omit<JsonType, "type"> & {
    readonly type?: string | readonly string[];
  };
  const json: JsonType = typeof type === "string" ? { ...rest, type } : { ...rest, ...(type && { types: type }) };
  const all = json.anyOf ?? json.types?.map((type) => ({ type })) ?? [json];
  // Where a text does as well, true and false are not worth a word.
  const parts = all.length > 1 ? all.filter(({ type }) => type !== "boolean") : all;
  const choices = parts.flatMap(choicesOf);
  return {
    words: listWords(parts.flatMap(wordsOf)),
    placeholder: parts.flatMap(placeholdersOf).join("|"),
    choices,
    isSwitch: json.type === "boolean",
    valueOptional: parts.length < all.length,
    isList: json.type === "array",
    defaultValue: json.default,
  };
}

function choicesOf(part: JsonType): string[] {
  if (part.enum !== undefined) return part.enum.map(String);
  return typeof part.const === "string" ? [part.const] : [];
}

function wordsOf(part: JsonType): string[] {
  const choices = choicesOf(part);
  if (choices.length > 0) return choices;
  if (part.type === "number" || part.type === "integer") return [numberWords(part)];
  if (part.type === "boolean") return ["true", "false"];
  return ["a text"];
}

function placeholdersOf(part: JsonType): string[] {
  const choices = choicesOf(part);
  if (choices.length > 0) return choices;
  if (part.type === "number") return ["NUMBER"];
  return [part.type === "integer" ? "N" : "TEXT"];
}

function numberWords(part: JsonType): string {
  const noun = part.type === "integer" ? "whole number" : "number";
  const low = part.minimum ?? part.exclusiveMinimum;
  const high = part.maximum ?? part.exclusiveMaximum;
  // The largest safe integer bounds every integer; it is not worth a word.
  const bounded = high !== undefined && high < Number.MAX_SAFE_INTEGER;
  const top = bounded ? `${part.maximum === undefined ? "below" : "up to"} ${high}` : "";
  if (low === undefined || low <= Number.MIN_SAFE_INTEGER) return bounded ? `a ${noun} ${top}` : `a ${noun}`;
  if (low === 0 && part.minimum === undefined) return `a positive ${noun} ${top}`.trimEnd();
  const bottom = part.minimum === undefined ? `above ${low}` : `from ${low}`;
  return bounded ? `a ${noun} ${bottom} to ${top.replace("up to ", "")}` : `a ${noun} ${bottom} upwards`;
}

/** "a, b or c". */
function listWords(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** `betaRatio` -> `OVERPARAM_BETA_RATIO`. */
export function environmentName(key: string): string {
  return `OVERPARAM_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
