import { fileURLToPath } from "node:url";

/** The path of a file in the package's `assets/`; src/platform/ and dist/platform/ are equally deep. */
export function assetPath(name: string): string {
  return fileURLToPath(new URL(`../../assets/${name}`, import.meta.url));
}
