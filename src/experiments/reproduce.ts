import { isVectorFile } from "../data/table.ts";
import { type FitSettings, fitSettingsSchema } from "./config.ts";

/**
 * The command of these settings: every setting that is not its default, quoted for a POSIX shell.
 *
 * @param model the file whose network is bounded; null when one is trained.
 */
export function reproduceCommand(settings: FitSettings, model: string | null = null): string {
  const call = model === null ? ["fit", settings.data] : ["certify", model, settings.data];
  return commandLine(call, settings, fitSettingsSchema.parse({ data: settings.data }));
}

/** A command of the program with every setting that is not its default as a flag, quoted for a POSIX shell. */
export function commandLine(
  call: readonly string[],
  settings: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
): string {
  const flags = Object.entries(settings)
    .filter(([key, value]) => key !== "data" && value !== undefined && value !== defaults[key])
    .flatMap(([key, value]) => {
      // A switch that is on by its name alone.
      if (value === true) return [flagOf(key)];
      return [flagOf(key), key === "split" && value === 0 ? "none" : String(value)];
    });
  return ["overparam", ...call, ...flags].map(quote).join(" ");
}

/**
 * The commands that repeat a fit or a certification: the one that was given, and, when it chose beta itself, one with the
 * beta that it chose (how far validation, or the search for a beta that closes, comes depends on the speed of the machine).
 */
export function reproduceCommands(settings: FitSettings, beta: number, model: string | null = null): string[] {
  const given = reproduceCommand(settings, model);
  const chosen = typeof settings.beta !== "number" && settings.betaRatio === undefined;
  return chosen ? [given, reproduceCommand({ ...settings, beta }, model)] : [given];
}

/** The command that checks the certificate of a run of these settings. */
export function verifyCommand(id: string, { data, target = "" }: FitSettings): string {
  const separate = isVectorFile(target) ? ["--target", target] : [];
  return ["overparam", "verify", id, data, ...separate].map(quote).join(" ");
}

/** `betaRatio` -> `--beta-ratio`. */
function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function quote(word: string): string {
  return /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
