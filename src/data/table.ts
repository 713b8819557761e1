import { DataError } from "../base/errors.ts";
import { gunzip, readBytes, sha256 } from "../platform/index.ts";
import { readCsv } from "./csv.ts";
import { isNpy, type NpyArray, readNpy } from "./npy.ts";
import type { ColumnKind, NumberColumn, Table } from "./types.ts";

/**
 * Reads a table from a file: CSV or npy, either also gzipped (told by its first bytes, not by its name).
 *
 * @param kinds what CSV columns of these names must be; the others then pass unchecked (see `readCsv`).
 * @throws DataError when it cannot be read, with the place of what is wrong.
 */
export function readTable(file: string, kinds?: ReadonlyMap<string, ColumnKind>): Table {
  const raw = readBytes(file);
  const fingerprint = sha256(raw);
  const bytes = unpack(raw, file);
  if (isNpy(bytes)) return { ...npyColumns(readNpy(bytes, file), file), file, sha256: fingerprint, notes: [] };
  return { ...readCsv(bytes, file, kinds), file, sha256: fingerprint };
}

/**
 * Reads one column of numbers from an npy file of shape (n) or (n, 1).
 *
 * @throws DataError when it cannot be read or has another shape.
 */
export function readNpyVector(file: string): NumberColumn {
  const { columns } = npyColumns(readNpy(unpack(readBytes(file), file), file), file);
  if (columns.length !== 1) {
    throw new DataError(`"${file}" has ${columns.length} columns, a target has one`, {
      code: "npy-shape",
      hint: "save a vector: numpy.save(file, y.ravel())",
      place: { file },
    });
  }
  const name = file.replace(/^.*[/\\]/, "").replace(/\.npy$/, "");
  return { ...columns[0]!, name };
}

function unpack(raw: Uint8Array, file: string): Uint8Array {
  return raw[0] === 0x1f && raw[1] === 0x8b ? gunzip(raw, file) : raw;
}

/** The columns x1 .. xd of an n x d array (a vector is one column); NaN is a missing value. */
function npyColumns({ shape, data }: NpyArray, file: string): { columns: readonly NumberColumn[]; rows: number } {
  const rows = shape[0] ?? 0;
  const cols = shape[1] ?? 1;
  if (shape.length < 1 || shape.length > 2 || data.length === 0) {
    throw new DataError(`"${file}" has shape (${shape.join(", ")}), expected (rows, columns)`, {
      code: "npy-shape",
      hint: "save a matrix with at least one entry: numpy.save(file, X.reshape(len(X), -1))",
      place: { file },
    });
  }
  const columns = Array.from({ length: cols }, (_, j): NumberColumn => {
    const values = new Float64Array(rows);
    for (let i = 0; i < rows; i++) {
      const value = data[i * cols + j]!;
      if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
        throw new DataError(`entry (${i + 1}, ${j + 1}), counted from 1, is infinite`, {
          code: "not-finite",
          hint: "write a missing value as NaN",
          place: { file },
        });
      }
      values[i] = value;
    }
    return { name: `x${j + 1}`, named: false, place: { file }, kind: "number", values };
  });
  return { columns, rows };
}
