import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import {
  exists,
  gunzip,
  isoTime,
  listFolder,
  makeFolder,
  makeTemporaryFolder,
  now,
  publishFolder,
  readBytes,
  removeFolder,
  sha256,
  today,
  unpack,
  writeFileAtomic,
} from "../../src/platform/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "overparam-files-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function dataError(work: () => unknown): DataError {
  try {
    work();
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
  throw new Error("expected a DataError");
}

test("readBytes returns what writeFileAtomic wrote, text and bytes, and leaves no temporary file", () => {
  const file = join(folder, "a.bin");
  writeFileAtomic(file, new Uint8Array([0, 255, 7]));
  expect([...readBytes(file)]).toEqual([0, 255, 7]);
  writeFileAtomic(file, "été");
  expect(new TextDecoder().decode(readBytes(file))).toBe("été");
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

test("writeFileAtomic keeps the old file and cleans up when it fails", () => {
  mkdirSync(join(folder, "taken"));
  writeFileSync(join(folder, "taken", "inside"), "");
  expect(dataError(() => writeFileAtomic(join(folder, "taken"), "x")).code).toBe("is-a-folder");
  expect(readdirSync(folder)).toEqual(["taken"]);
  const missing = dataError(() => writeFileAtomic(join(folder, "none", "a.txt"), "x"));
  expect(missing.code).toBe("file-not-found");
});

test("writeFileAtomic writes through a link and leaves it a link", () => {
  const file = join(folder, "real", "a.txt");
  mkdirSync(join(folder, "real"));
  writeFileSync(file, "old");
  symlinkSync(file, join(folder, "link"));
  writeFileAtomic(join(folder, "link"), "new");
  expect(readFileSync(file, "utf8")).toBe("new");
  expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
  expect([readdirSync(folder).sort(), readdirSync(join(folder, "real"))]).toEqual([["link", "real"], ["a.txt"]]);
});

test.skipIf(process.platform === "win32")("writeFileAtomic writes into a pipe and does not replace it", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("sh", ["-c", `mkfifo "$0"`, pipe]);
  const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
  writeFileAtomic(pipe, "été");
  expect((await reader.stdout.toArray()).join("")).toBe("été");
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});

test("unpack undoes gzip and brotli up to the size it is given", () => {
  const text = "hello ".repeat(1000);
  expect(new TextDecoder().decode(unpack("gzip", gzipSync(text), text.length))).toBe(text);
  expect(new TextDecoder().decode(unpack("brotli", brotliCompressSync(text), text.length))).toBe(text);
  expect(() => unpack("gzip", gzipSync(text), text.length - 1)).toThrow();
  expect(() => unpack("brotli", brotliCompressSync(text), text.length - 1)).toThrow();
});

test("readBytes of a missing file names the most similar one", () => {
  writeFileSync(join(folder, "houses.csv"), "");
  const error = dataError(() => readBytes(join(folder, "house.csv")));
  expect(error.code).toBe("file-not-found");
  expect(error.hint).toBe(`did you mean "${join(folder, "houses.csv")}"?`);
  expect(error.place).toEqual({ file: join(folder, "house.csv") });
  expect(dataError(() => readBytes(join(folder, "zzz"))).hint).toBe("check the path");
  expect(dataError(() => readBytes(join(folder, "no", "file"))).hint).toContain("cannot be read");
});

test("readBytes of a folder, or through a file, is a DataError", () => {
  writeFileSync(join(folder, "file"), "");
  expect(dataError(() => readBytes(folder)).code).toBe("is-a-folder");
  expect(dataError(() => readBytes(join(folder, "file", "x"))).code).toBe("not-a-folder");
});

test.skipIf(process.getuid?.() === 0)("readBytes without permission is a DataError", () => {
  const file = join(folder, "secret");
  writeFileSync(file, "");
  chmodSync(file, 0);
  expect(dataError(() => readBytes(file)).code).toBe("no-permission");
});

test("publishFolder gives a temporary folder its name in one step; listFolder does not show unfinished ones", () => {
  const runs = join(folder, "runs");
  const temporary = makeTemporaryFolder(runs, "run");
  writeFileAtomic(join(temporary, "a.json"), "{}");
  expect(listFolder(runs)).toEqual([]);
  publishFolder(temporary, join(runs, "run-1"));
  expect(listFolder(runs)).toEqual(["run-1"]);
  expect(readFileSync(join(runs, "run-1", "a.json"), "utf8")).toBe("{}");
  expect(exists(temporary)).toBe(false);
});

test("publishFolder does not replace anything, not even an empty folder", () => {
  const temporary = makeTemporaryFolder(folder, "run");
  mkdirSync(join(folder, "run-1"));
  expect(dataError(() => publishFolder(temporary, join(folder, "run-1"))).code).toBe("exists");
  expect(exists(temporary)).toBe(true);
  removeFolder(temporary);
  removeFolder(temporary);
  expect(readdirSync(folder)).toEqual(["run-1"]);
});

test("listFolder of a missing folder is a DataError", () => {
  expect(dataError(() => listFolder(join(folder, "none"))).code).toBe("file-not-found");
});

test("sha256 hashes its parts one after the other", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  // The example of FIPS 180-2.
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(sha256(bytes("abc"))).toBe(expected);
  expect(sha256(bytes("a"), bytes(""), bytes("bc"))).toBe(expected);
});

test("gunzip undoes gzip and refuses a damaged file", () => {
  const packed = gzipSync("hello");
  expect(new TextDecoder().decode(gunzip(packed, "a.gz"))).toBe("hello");
  const error = dataError(() => gunzip(packed.subarray(0, packed.length - 3), "a.gz"));
  expect([error.code, error.place]).toEqual(["damaged-gzip", { file: "a.gz" }]);
});

test("now does not run backwards; today and isoTime have their form", () => {
  const before = now();
  expect(now()).toBeGreaterThanOrEqual(before);
  expect(today()).toMatch(/^\d{4}-\d\d-\d\d$/);
  expect(isoTime()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("makeFolder makes parents, takes what is there, and ends where no folder can be made", () => {
  const deep = join(folder, "a", "b", "c");
  makeFolder(deep);
  makeFolder(deep);
  expect(lstatSync(deep).isDirectory()).toBe(true);
  writeFileSync(join(folder, "file"), "");
  expect(() => makeFolder(join(folder, "file"))).toThrow(/EEXIST/);
  expect(() => makeFolder(join(folder, "file", "below"))).toThrow(/ENOTDIR/);
  // Node's recursive mkdir never comes back from there.
  if (exists("/proc/self")) expect(() => makeFolder("/proc/nothing/here")).toThrow(/ENOENT/);
});
