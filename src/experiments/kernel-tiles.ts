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
import { largestEigenvalue, weightedOperator } from "./kernel-matrix.ts";
import { weightedTargets } from "./kernel-weights.ts";

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
    const { weights = null } = options;
    const { trace, norm } = fill(compute, engine, kernel, X, weights, tiles, tick);
    const T = weights === null ? centered(Y) : weightedTargets(Y, weights);
    const U = weights === null ? T : matrix(Y.rows, Y.cols, T.data.map(rootsTimes(weights, Y.cols)));
    const inner = tiledProduct(compute, tiles, U).data.reduce((sum, value, k) => sum + value * U.data[k]!, 0);
    const summary = summaryOf(compute, { trace, norm, inner }, T);
    const scale = trace > 0 ? trace / X.rows : 1;
    return {
      regression: tiledRegression(compute, tiles, scale, Y, options),
      summary,
      largestEigenvalue: largestEigenvalue(
        compute,
        weightedOperator(productWith(compute, tiles), weights),
        LANCZOS_STEPS,
      ),
    };
  } finally {
    for (const file of files) file.close();
    removeFolder(temporary);
  }
}

/** Entries, row by row of so many columns, times the roots of the weights of their rows. */
function rootsTimes(weights: Float64Array, cols: number): (value: number, k: number) => number {
  return (value, k) => Math.sqrt(weights[Math.floor(k / cols)]!) * value;
}

/** Makes the tiles of the kernel matrix; returns the trace and the Frobenius norm of it, with weights those of W^1/2 K W^1/2. */
function fill(
  compute: Compute,
  engine: KernelEngine,
  kernel: KernelName,
  X: Matrix,
  weights: Float64Array | null,
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
      const cols = Math.min(edge, n - j * edge);
      const weight = (block: number, k: number): number => weights?.[block * edge + k] ?? 1;
      let sum = 0;
      for (let r = 0; r * cols < tile.length; r++) {
        let row = 0;
        for (let s = 0; s < cols; s++) row += weight(j, s) * tile[r * cols + s]! ** 2;
        sum += weight(i, r) * row;
        if (i === j) trace += weight(i, r) * tile[r * (cols + 1)]!;
      }
      squares += i === j ? sum : 2 * sum;
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
