import { ConfigError } from "../base/errors.ts";
import { exists } from "../platform/files.ts";

const CONFIG_FILES = ["overparam.config.json", "overparam.config.yaml"];

/**
 * The config file of the working folder; null when there is none.
 *
 * @throws ConfigError when there are two, since it is not clear which one is meant.
 */
export function findConfig(): string | null {
  const [file, other] = CONFIG_FILES.filter(exists);
  if (other === undefined) return file ?? null;
  throw new ConfigError(`there are two config files, ${file} and ${other}`, {
    code: "two-configs",
    hint: "keep one of them",
    place: { file: other },
  });
}
