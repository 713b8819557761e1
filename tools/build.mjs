// Builds dist/: assembly/ -> two WebAssembly modules, embedded as base64 in src/compute/modules.generated.ts; then tsc.
// Plain JavaScript, because it runs before anything is compiled (npm's `prepare`).
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const generated = join(root, "src/compute/modules.generated.ts");
const require = createRequire(import.meta.url);

const MODULES = [
  { name: "plain", flags: [] },
  { name: "relaxed", flags: ["--enable", "relaxed-simd"] },
];
const FLAGS = [
  ...["-O3", "--noAssert", "--runtime", "stub", "--use", "abort="],
  ...["--enable", "simd", "--enable", "threads", "--enable", "bulk-memory"],
  // The memory is made by the caller, who may grow it to 4 GiB.
  ...["--importMemory", "--noExportMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
];

function fail(message) {
  process.stderr.write(`build: ${message}\n`);
  process.exit(1);
}

function isFresh() {
  if (!existsSync(generated)) return false;
  const made = statSync(generated).mtimeMs;
  const folder = join(root, "assembly");
  const sources = readdirSync(folder).map((name) => join(folder, name));
  return [folder, ...sources, fileURLToPath(import.meta.url)].every((path) => statSync(path).mtimeMs < made);
}

async function compileAssembly() {
  const { default: asc } = await import("assemblyscript/asc").catch((error) =>
    fail(`the AssemblyScript compiler is missing (run \`npm ci\` with development dependencies): ${error.message}`),
  );
  const lines = ["// Made by tools/build.mjs from assembly/.", ""];
  for (const { name, flags } of MODULES) {
    const outputs = new Map();
    const args = ["assembly/index.ts", "--baseDir", root, "--outFile", name, ...FLAGS, ...flags];
    const { error, stderr } = await asc.main(args, { writeFile: (file, content) => void outputs.set(file, content) });
    if (error) fail(`asc could not compile assembly/ (${name}): ${error.message}\n${stderr.toString()}`);
    lines.push(`export const ${name}: string =`, `  "${Buffer.from(outputs.get(name)).toString("base64")}";`, "");
  }
  // Renamed into place, so that a reader never sees half a file.
  const scratch = generated.replace("generated.ts", `${process.pid}.generated.ts`);
  writeFileSync(scratch, lines.join("\n"));
  renameSync(scratch, generated);
}

if (!isFresh()) await compileAssembly();

const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
  cwd: root,
  encoding: "utf8",
});
if (status !== 0) fail(`tsc found errors in src/:\n${stdout}${stderr}`);

// What has no source any more must not stay behind in dist/.
for (const entry of readdirSync(join(root, "dist"), { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name);
  const source = join(root, "src", relative(join(root, "dist"), file)).replace(/(\.d\.ts|\.js)$/, ".ts");
  if (entry.isFile() && !existsSync(source)) rmSync(file);
}

const main = join(root, "dist/cli/main.js");
if (existsSync(main)) chmodSync(main, 0o755);
