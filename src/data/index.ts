/**
 * Tables in, matrices out: CSV, Parquet, npy and idx files, target, task, missing values, categories, split,
 * standardization and fingerprints. Plain ordered loops, so that the same file and settings give the same bits on every
 * machine; every error names file, line and column where there is one. It knows files and features; it must not know
 * networks, losses, backends or threads, and never prints.
 */
export { type LoadOptions, loadDataset } from "./dataset.ts";
export type { MissingPolicy } from "./missing.ts";
export { readNpy, writeNpy } from "./npy.ts";
export { applyPreprocessing, featureWidth, loadRows } from "./preprocessing.ts";
export { readTable } from "./table.ts";
export type {
  Column,
  Dataset,
  Encoding,
  Preprocessing,
  Samples,
  Table,
  Target,
  TargetColumn,
  Task,
} from "./types.ts";
