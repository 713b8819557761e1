import { DataError } from "../base/errors.ts";
import { gunzip, readBytes, sha256 } from "../platform/index.ts";
import { readCsv } from "./csv.ts";
import { isIdx, readIdx } from "./idx.ts";
import { isNpy, type NpyArray, readNpy } from "./npy.ts";
import { isParquet, readParquet } from "./parquet.ts";
import type { ColumnKind, NumberColumn, Table, TableContent } from "./types.ts";

/**
 * Reads a table from a file: CSV, Parquet, npy or idx, each also gzipped (told by its first bytes, not by its name). The
 * columns of npy and idx files are named x1, x2, ...; images are flattened, row after row.
 *
 * @param kinds what columns of these names must be; the others then pass unchecked (see `readCsv`).
 * @throws DataError when it cannot be read, with the place of what is wrong.
 */
export function readTable(file: string, kinds?: ReadonlyMap<string, ColumnKind>): Table {
  const raw = readBytes(file);
  const bytes = unzipped(raw, file);
  const content =
    arrayTable(bytes, file) ?? (isParquet(bytes) ? readParquet(bytes, file, kinds) : readCsv(bytes, file, kinds));
  return { ...content, file, sha256: sha256(raw) };
}

/** Whether a word names a file of targets rather than a column: by the names that npy and idx files have. */
export function isVectorFile(word: string): boolean {
  return /(\.npy|\.idx|[-.]idx\d-[a-z]+)(\.gz)?$/i.test(word);
}

/**
 * Reads one column of numbers from an npy file of shape (n) or (n, 1), or from an idx file of labels.
 *
 * @throws DataError when it cannot be read or has another shape.
 */
export function readVector(file: string): NumberColumn {
  const table = arrayTable(unzipped(readBytes(file), file), file);
  if (table === null) {
    throw new DataError(`"${file}" is neither an npy nor an idx file`, {
      code: "not-an-array",
      hint: "name a column of the table, or save the targets with numpy.save",
      place: { file },
    });
  }
  if (table.columns.length !== 1) {
    throw new DataError(`"${file}" has ${table.columns.length} columns, a target has one`, {
      code: "npy-shape",
      hint: "save a vector: numpy.save(file, y.ravel())",
      place: { file },
    });
  }
  const name = file.replace(/^.*[/\\]/, "").replace(/(\.npy|\.idx)?(\.gz)?$/, "");
  return { ...table.columns[0]!, name };
}

function unzipped(raw: Uint8Array, file: string): Uint8Array {
  return raw[0] === 0x1f && raw[1] === 0x8b ? gunzip(raw, file) : raw;
}

interface ArrayTable extends TableContent {
  readonly columns: readonly NumberColumn[];
}

/** The table in an npy or idx file; null for other files. NaN is a missing value. */
function arrayTable(bytes: Uint8Array, file: string): ArrayTable | null {
  const values = isNpy(bytes) ? npyColumns(readNpy(bytes, file), file) : isIdx(bytes) ? readIdx(bytes, file) : null;
  if (values === null) return null;
  const place = { file };
  const columns = values.map((entries, j): NumberColumn => {
    const infinite = entries.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
    if (infinite >= 0) {
      throw new DataError(`entry (${infinite + 1}, ${j + 1}), counted from 1, is infinite`, {
        code: "not-finite",
        hint: "write a missing value as NaN",
        place,
      });
    }
    return { name: `x${j + 1}`, named: false, place, kind: "number", values: entries };
  });
  return { columns, rows: columns[0]!.values.length, notes: [], placeOf: () => place };
}

/** The columns of an n x d array (a vector is one column). */
function npyColumns({ shape, data }: NpyArray, file: string): Float64Array[] {
  const rows = shape[0] ?? 0;
  const cols = shape[1] ?? 1;
  if (shape.length < 1 || shape.length > 2 || data.length === 0) {
    throw new DataError(`"${file}" has shape (${shape.join(", ")}), expected (rows, columns)`, {
      code: "npy-shape",
      hint: "save a matrix with at least one entry: numpy.save(file, X.reshape(len(X), -1))",
      place: { file },
    });
  }
  return Array.from({ length: cols }, (_, j) =>
    Float64Array.from({ length: rows }, (_entry, i) => data[i * cols + j]!),
  );
}
