import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute, SymmetricOperator } from "../compute/index.ts";
import { littleEndianBytes, littleEndianValues } from "../data/npy.ts";
import { makeTemporaryFolder, removeFolder } from "../platform/files.ts";
import { openPositioned, type PositionedFile } from "../platform/positioned-file.ts";
import { joinPath, processId } from "../platform/run-files.ts";
import {
  centered,
  type KernelEngine,
  type KernelName,
  type KernelRegression,
  type KernelSummary,
  type RegressionOptions,
  summaryOf,
  type TiledKernel,
  type TileStore,
  tiledProduct,
  tiledRegression,
} from "../tangent/index.ts";
import { largestEigenvalue } from "./kernel-matrix.ts";

/** Rows of a block: products of such tiles run at full speed, and a panel of them takes a third of a gigabyte at 20,000 rows. */
const EDGE = 2048;
/** Products for the largest eigenvalue, each of which reads the whole matrix. */
const LANCZOS_STEPS = 12;

/** Bytes of disk that the tiles of n rows take, the factor included. */
export function tileBytes(n: number, edge = EDGE): number {
  const blocks = Math.ceil(n / edge);
  return 8 * blocks * (blocks + 1) * edge * edge;
}

/** What a regression on disk gives. */
export interface TiledResult {
  readonly regression: KernelRegression;
  readonly summary: KernelSummary;
  readonly largestEigenvalue: number;
}

/**
 * Kernel regression on a matrix in tiles on the disk, in a hidden folder inside `folder` that is removed afterwards.
 *
 * @param tick told the share of the kernel matrix that is there.
 * @throws DataError when the folder is not writable or the disk is full.
 */
export function regressOnDisk(
  compute: Compute,
  engine: KernelEngine,
  kernel: KernelName,
  X: Matrix,
  Y: Matrix,
  folder: string,
  options: RegressionOptions,
  tick: (share: number) => void,
  edge = EDGE,
): TiledResult {
  const temporary = makeTemporaryFolder(folder, `run-${processId}`);
  const files: PositionedFile[] = [];
  const store = (name: string): TileStore => {
    const file = openPositioned(joinPath(temporary, name), false);
    files.push(file);
    const placeOf = (i: number, j: number): number => ((j * (j + 1)) / 2 + i) * 8 * edge * edge;
    return {
      read: (i, j, into) => into.set(littleEndianValues(file.read(placeOf(i, j), 8 * into.length))),
      write: (i, j, tile) => file.write(placeOf(i, j), littleEndianBytes(tile)),
    };
  };
  try {
    const tiles: TiledKernel = { n: X.rows, edge, kernel: store("kernel.tiles"), factor: store("factor.tiles") };
    const { trace, norm } = fill(compute, engine, kernel, X, tiles, tick);
    const T = centered(Y);
    const inner = tiledProduct(compute, tiles, T).data.reduce((sum, value, k) => sum + value * T.data[k]!, 0);
    const summary = summaryOf(compute, { trace, norm, inner }, T);
    const scale = trace > 0 ? trace / X.rows : 1;
    return {
      regression: tiledRegression(compute, tiles, scale, Y, options),
      summary,
      largestEigenvalue: largestEigenvalue(compute, productWith(compute, tiles), LANCZOS_STEPS),
    };
  } finally {
    for (const file of files) file.close();
    removeFolder(temporary);
  }
}

/** Makes the tiles of the kernel matrix; returns its trace and Frobenius norm. */
function fill(
  compute: Compute,
  engine: KernelEngine,
  kernel: KernelName,
  X: Matrix,
  { n, edge, kernel: store }: TiledKernel,
  tick: (share: number) => void,
): { trace: number; norm: number } {
  const blocks = Math.ceil(n / edge);
  const rowsOf = (k: number): Matrix => {
    const [from, to] = [k * edge, Math.min(n, (k + 1) * edge)];
    return matrix(to - from, X.cols, X.data.subarray(from * X.cols, to * X.cols));
  };
  let [trace, squares, done] = [0, 0, 0];
  for (let j = 0; j < blocks; j++) {
    for (let i = 0; i <= j; i++) {
      const tile = engine.block(compute, rowsOf(i), i === j ? null : rowsOf(j))[kernel]!;
      store.write(i, j, tile);
      const sum = tile.reduce((total, value) => total + value * value, 0);
      squares += i === j ? sum : 2 * sum;
      if (i === j) for (let r = 0, m = Math.sqrt(tile.length); r < m; r++) trace += tile[r * (m + 1)]!;
      done += 1;
      tick((2 * done) / (blocks * (blocks + 1)));
    }
  }
  return { trace, norm: Math.sqrt(squares) };
}

function productWith(compute: Compute, tiles: TiledKernel): SymmetricOperator {
  return {
    size: tiles.n,
    apply: (x, out) => out.set(tiledProduct(compute, tiles, matrix(tiles.n, 1, x.slice())).data),
  };
}
