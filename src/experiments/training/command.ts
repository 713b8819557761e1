import { commandLine } from "../reproduce.ts";
import { type TrainSettings, trainSettingsSchema } from "./settings.ts";

/** The command of these settings: every setting that is not its default, quoted for a POSIX shell. */
export function trainCommand(settings: TrainSettings): string {
  const defaults = trainSettingsSchema.parse({ data: settings.data, arch: settings.arch });
  return commandLine(["train", settings.data], settings, { ...defaults, data: settings.data, arch: undefined });
}
