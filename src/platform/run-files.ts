import * as fs from "node:fs";
import * as path from "node:path";

/** Number of this process, as other processes of the machine know it. */
export const processId = process.pid;

/** Whether a process of this machine runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The hidden folders inside a folder, with the seconds since each was last changed; none when it cannot be read. */
export function hiddenFolders(folder: string): { name: string; ageSeconds: number }[] {
  let names: string[];
  try {
    names = fs.readdirSync(folder).filter((name) => name.startsWith("."));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    return stat?.isDirectory() ? [{ name, ageSeconds: (Date.now() - stat.mtimeMs) / 1000 }] : [];
  });
}

/** Size of a file in bytes; null when there is no such file. */
export function fileSize(file: string): number | null {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : null;
}

/** Whether this path is a folder. */
export function isFolder(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Parts joined to a path of this system. */
export const joinPath = path.join;
/** Folder part of a path. */
export const folderOf = path.dirname;
/** The path from the root. */
export const absolutePath = path.resolve;
/** Last part of a path. */
export const baseName = path.basename;
