import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute, Scope } from "../compute/types.ts";
import type { RidgeSolution } from "./leave-one-out.ts";
import { byFactorization, type KernelRegression, type RegressionOptions } from "./regression.ts";
import { type Tick, withOnes } from "./ridge-solver.ts";

/**
 * Tiles of the upper half of a matrix, kept outside the memory of the program: tile (i, j), i <= j, has the rows of block i and the columns
 * of block j, row-major.
 */
export interface TileStore {
  /** Fills `into`, which is as long as the tile. */
  read(i: number, j: number, into: Float64Array): void;
  write(i: number, j: number, tile: Float64Array): void;
}

/** A symmetric n x n kernel matrix in blocks of `edge` rows (the last one may be shorter), and room for a factor of it. */
export interface TiledKernel {
  readonly n: number;
  readonly edge: number;
  readonly kernel: TileStore;
  readonly factor: TileStore;
}

/** Rows of a block. */
function sizeOf({ n, edge }: TiledKernel, k: number): number {
  return Math.min(edge, n - k * edge);
}

/**
 * Kernel regression with a matrix that is kept in tiles. It works through panels of n x edge numbers, so that a ridge reads every tile
 * about n / (3 edge) times.
 *
 * @param scale mean of the diagonal of K, of W K with weights.
 */
export function tiledRegression(
  compute: Compute,
  tiles: TiledKernel,
  scale: number,
  Y: Matrix,
  options: RegressionOptions,
): KernelRegression {
  const { weights = null } = options;
  return byFactorization(scale, Y, options, (ridge, tick) => tiledSolution(compute, tiles, Y, ridge, weights, tick));
}

/** The arrays that all steps work in: a panel of a tile for each block, and three tiles. */
interface Work {
  readonly tiles: TiledKernel;
  readonly blocks: number;
  readonly panel: Float64Array;
  readonly current: Float64Array;
  readonly other: Float64Array;
  readonly pivot: Float64Array;
}

/**
 * The solution for one ridge: K + ridge W^-1 = U'U block row by block row, each made from those above it; then [Y 1] and the columns of U^-T
 * by substitution.
 *
 * @returns null when the matrix is not positive definite in f64.
 */
function tiledSolution(
  compute: Compute,
  tiles: TiledKernel,
  Y: Matrix,
  ridge: number,
  weights: Float64Array | null,
  tick: Tick,
): RidgeSolution | null {
  const { n, edge } = tiles;
  return compute.scope((scope) => {
    const tile = (): Float64Array => scope.f64(edge * edge);
    const blocks = Math.ceil(n / edge);
    const panel = scope.f64(blocks * edge * edge);
    const work: Work = { tiles, blocks, panel, current: tile(), other: tile(), pivot: tile() };
    const shifts = new Float64Array(n).map((_, i) => ridge / (weights?.[i] ?? 1));
    if (!factorize(compute, work, shifts, (share) => tick(0.5 * share))) return null;
    const solved = solve(compute, scope, work, withOnes(Y));
    const diagonal = inverseDiagonal(compute, work, (share) => tick(0.5 + 0.5 * share));
    return { ridge, diagonal, solved };
  });
}

/** Tile k of the panel, for rows x cols numbers. */
function inPanel({ tiles, panel }: Work, k: number, length: number): Float64Array {
  const from = k * tiles.edge ** 2;
  return panel.subarray(from, from + length);
}

/** Writes U: tile (j, j) holds the lower factor of its block, tile (j, i) U's block above the diagonal. */
function factorize(compute: Compute, work: Work, shifts: Float64Array, tick: Tick): boolean {
  const { tiles, blocks, current, other, pivot } = work;
  for (let j = 0; j < blocks; j++) {
    const rows = sizeOf(tiles, j);
    for (let k = 0; k < j; k++) tiles.factor.read(k, j, inPanel(work, k, sizeOf(tiles, k) * rows));
    for (let i = j; i < blocks; i++) {
      const cols = sizeOf(tiles, i);
      const c = current.subarray(0, rows * cols);
      tiles.kernel.read(j, i, c);
      if (i === j) for (let r = 0; r < rows; r++) c[r * (rows + 1)] += shifts[j * tiles.edge + r];
      for (let k = 0; k < j; k++) {
        const inner = sizeOf(tiles, k);
        const above = inPanel(work, k, inner * rows);
        const beside = i === j ? above : other.subarray(0, inner * cols);
        if (i !== j) tiles.factor.read(k, i, beside);
        compute.gemm(true, false, rows, cols, inner, -1, above, rows, beside, cols, 1, c, cols);
      }
      if (i === j) {
        if (compute.cholesky(rows, c, rows) !== 0) return false;
        pivot.set(c);
      } else compute.solveLower(false, rows, cols, pivot, rows, c, cols);
      tiles.factor.write(j, i, c);
    }
    tick((j + 1) / blocks);
  }
  return true;
}

/** (U'U)^-1 B. */
function solve(compute: Compute, scope: Scope, { tiles, blocks, other, pivot }: Work, B: Matrix): Matrix {
  const { edge, factor } = tiles;
  const width = B.cols;
  const z = scope.copy(B.data);
  const part = (k: number): Float64Array => z.subarray(k * edge * width, (k * edge + sizeOf(tiles, k)) * width);
  const diagonalBlock = (k: number): Float64Array => {
    const block = pivot.subarray(0, sizeOf(tiles, k) ** 2);
    factor.read(k, k, block);
    return block;
  };
  for (let j = 0; j < blocks; j++) {
    const rows = sizeOf(tiles, j);
    for (let k = 0; k < j; k++) {
      const u = other.subarray(0, sizeOf(tiles, k) * rows);
      factor.read(k, j, u);
      compute.gemm(true, false, rows, width, sizeOf(tiles, k), -1, u, rows, part(k), width, 1, part(j), width);
    }
    compute.solveLower(false, rows, width, diagonalBlock(j), rows, part(j), width);
  }
  for (let j = blocks - 1; j >= 0; j--) {
    const rows = sizeOf(tiles, j);
    for (let i = j + 1; i < blocks; i++) {
      const cols = sizeOf(tiles, i);
      const u = other.subarray(0, rows * cols);
      factor.read(j, i, u);
      compute.gemm(false, false, rows, width, cols, -1, u, cols, part(i), width, 1, part(j), width);
    }
    compute.solveLower(true, rows, width, diagonalBlock(j), rows, part(j), width);
  }
  return matrix(B.rows, width, z.slice());
}

/** The diagonal of (U'U)^-1: squared norms of the columns of the inverse of U', block column by block column. */
function inverseDiagonal(compute: Compute, work: Work, tick: Tick): Float64Array {
  const { tiles, blocks, other, pivot } = work;
  const { n, edge, factor } = tiles;
  const out = new Float64Array(n);
  for (let j = 0; j < blocks; j++) {
    const cols = sizeOf(tiles, j);
    for (let i = j; i < blocks; i++) {
      const rows = sizeOf(tiles, i);
      const x = inPanel(work, i, rows * cols).fill(0);
      if (i === j) for (let r = 0; r < rows; r++) x[r * (cols + 1)] = 1;
      for (let k = j; k < i; k++) {
        const inner = sizeOf(tiles, k);
        const u = other.subarray(0, inner * rows);
        factor.read(k, i, u);
        compute.gemm(true, false, rows, cols, inner, -1, u, rows, inPanel(work, k, inner * cols), cols, 1, x, cols);
      }
      const block = pivot.subarray(0, rows * rows);
      factor.read(i, i, block);
      compute.solveLower(false, rows, cols, block, rows, x, cols);
      for (let r = 0; r < rows; r++) for (let q = 0; q < cols; q++) out[j * edge + q] += x[r * cols + q] ** 2;
    }
    tick((j + 1) / blocks);
  }
  return out;
}

/** K B for B n x c, tile by tile. */
export function tiledProduct(compute: Compute, tiles: TiledKernel, B: Matrix): Matrix {
  const { n, edge, kernel } = tiles;
  const blocks = Math.ceil(n / edge);
  const c = B.cols;
  return compute.scope((scope) => {
    const b = scope.copy(B.data);
    const out = scope.f64(n * c);
    const tile = scope.f64(edge * edge);
    const part = (data: Float64Array, k: number): Float64Array =>
      data.subarray(k * edge * c, (k * edge + sizeOf(tiles, k)) * c);
    for (let j = 0; j < blocks; j++) {
      for (let i = 0; i <= j; i++) {
        const [rows, cols] = [sizeOf(tiles, i), sizeOf(tiles, j)];
        const k = tile.subarray(0, rows * cols);
        kernel.read(i, j, k);
        compute.gemm(false, false, rows, c, cols, 1, k, cols, part(b, j), c, 1, part(out, i), c);
        if (i !== j) compute.gemm(true, false, cols, c, rows, 1, k, cols, part(b, i), c, 1, part(out, j), c);
      }
    }
    return matrix(n, c, out.slice());
  });
}
