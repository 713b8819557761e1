/**
 * The only place that touches the outside: bytes in and out, and the clock. It knows the operating system and nothing
 * of tables, networks or runs. Worker start and foreign libraries live in files of their own beside this one, imported
 * only by those who need them, so that reading a file never loads a native library.
 */
export { isoTime, now, today } from "./clock.ts";
export {
  exists,
  gunzip,
  listFolder,
  makeFolder,
  makeTemporaryFolder,
  publishFolder,
  readBytes,
  removeFolder,
  sha256,
  unpack,
  writeFileAtomic,
} from "./files.ts";
