import { readBytes } from "../platform/files.ts";
import { joinPath } from "../platform/run-files.ts";

// src/experiments/ and dist/experiments/ are equally deep.
const packageFile = joinPath(import.meta.dirname, "../../package.json");

/** Version of this program, from its package.json. */
export const VERSION: string = JSON.parse(new TextDecoder().decode(readBytes(packageFile))).version;
