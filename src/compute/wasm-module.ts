import { ConfigError } from "../base/errors.ts";
import { allowRelaxedSimd } from "../platform/worker.ts";
import { plain, relaxed } from "./modules.generated.ts";
import type { ComputeOptions } from "./types.ts";

/** A compiled WebAssembly build of the kernels. */
export interface WasmBuild {
  readonly simd: "plain" | "relaxed";
  readonly module: WebAssembly.Module;
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/**
 * Compiles the build asked for; `auto` is relaxed SIMD where the engine has it.
 *
 * @throws ConfigError when `relaxed` is asked for and the engine lacks it.
 */
export async function compileKernels(simd: NonNullable<ComputeOptions["simd"]>): Promise<WasmBuild> {
  if (simd !== "plain") {
    const bytes = decode(relaxed);
    // Node 20 has it behind a flag; newer engines do not know the flag and would complain of it.
    if (!WebAssembly.validate(bytes)) allowRelaxedSimd();
    if (WebAssembly.validate(bytes)) return { simd: "relaxed", module: await WebAssembly.compile(bytes) };
    if (simd === "relaxed") {
      throw new ConfigError("this JavaScript engine has no relaxed SIMD", {
        code: "relaxed-simd-missing",
        hint: "leave simd to auto, or use Node.js 22 or newer",
      });
    }
  }
  return { simd: "plain", module: await WebAssembly.compile(decode(plain)) };
}
