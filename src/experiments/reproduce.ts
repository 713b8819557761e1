import { type FitSettings, fitSettingsSchema } from "./config.ts";

/** The command of these settings: every setting that is not its default, quoted for a POSIX shell. */
export function reproduceCommand(settings: FitSettings): string {
  const defaults: Record<string, unknown> = fitSettingsSchema.parse({ data: settings.data });
  const flags = Object.entries(settings)
    .filter(([key, value]) => key !== "data" && value !== undefined && value !== defaults[key])
    .flatMap(([key, value]) => [flagOf(key), key === "split" && value === 0 ? "none" : String(value)]);
  return ["overparam", "fit", settings.data, ...flags].map(quote).join(" ");
}

/**
 * The commands that repeat a fit: the one that was given, and, when it chose beta itself, one with the beta that it
 * chose (how far validation comes depends on the speed of the machine).
 */
export function reproduceCommands(settings: FitSettings, beta: number): string[] {
  const given = reproduceCommand(settings);
  const chosen = settings.beta === "auto" && settings.betaRatio === undefined;
  return chosen ? [given, reproduceCommand({ ...settings, beta })] : [given];
}

/** `betaRatio` -> `--beta-ratio`. */
function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function quote(word: string): string {
  return /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
