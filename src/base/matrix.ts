/** A dense row-major matrix: entry (i, j) is `data[i * cols + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/**
 * Wraps (or allocates) the entries of a `rows` x `cols` matrix.
 *
 * @throws RangeError when `data` does not have `rows * cols` entries.
 */
export function matrix(rows: number, cols: number, data: Float64Array = new Float64Array(rows * cols)): Matrix {
  if (data.length !== rows * cols) {
    throw new RangeError(`a ${rows} x ${cols} matrix needs ${rows * cols} entries, got ${data.length}`);
  }
  return { rows, cols, data };
}

/** Row `i` of `a`, as a view (no copy). */
export function row(a: Matrix, i: number): Float64Array {
  return a.data.subarray(i * a.cols, (i + 1) * a.cols);
}

/** The matrix of the rows of `a` named by `indices`, in that order (a copy). */
export function takeRows(a: Matrix, indices: ArrayLike<number>): Matrix {
  const out = matrix(indices.length, a.cols);
  for (let k = 0; k < indices.length; k++) out.data.set(row(a, indices[k] as number), k * a.cols);
  return out;
}
