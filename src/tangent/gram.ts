import { type Matrix, matrix } from "../base/matrix.ts";
import type { Compute, RealArray } from "../compute/types.ts";
import { bytesOf, type KernelBlock, type KernelEngine, type KernelName } from "./types.ts";

/** Entries rows r0 <= i < r1, columns c0 <= j < c1 of a Gram matrix. */
export interface Tile {
  readonly r0: number;
  readonly r1: number;
  readonly c0: number;
  readonly c1: number;
}

/** How a Gram matrix will be made, before any of the work. */
export interface GramPlan {
  readonly rows: number;
  readonly cols: number;
  /** One set of inputs: only tiles at and below the diagonal are computed. */
  readonly symmetric: boolean;
  readonly tiles: readonly Tile[];
  /** Entries of all tiles. */
  readonly entries: number;
  /** Bytes of one kernel's whole matrix. */
  readonly matrixBytes: number;
  /** Bytes that the work on a tile takes, its result included. */
  readonly tileBytes: number;
}

/** Largest edge of a tile: larger ones are no faster, and say nothing for longer. */
const MOST_EDGE = 2048;
/** Floating-point operations of a tile at most, a few seconds of them. */
const TILE_OPERATIONS = 5e10;

/**
 * Cuts a Gram matrix of rows x cols (symmetric when cols is null) into tiles whose work takes at most `limitBytes`.
 *
 * @throws RangeError when not even a single entry fits.
 */
export function planGram(
  engine: KernelEngine<RealArray>,
  rows: number,
  cols: number | null,
  limitBytes: number,
): GramPlan {
  const symmetric = cols === null;
  const width = cols ?? rows;
  let edge = Math.max(1, Math.min(MOST_EDGE, Math.floor(Math.sqrt(TILE_OPERATIONS / engine.operations))));
  edge = Math.min(edge, Math.max(rows, width, 1));
  while (edge > 1 && engine.bytes(edge, edge) > limitBytes) edge = Math.ceil(edge / 2);
  const tileBytes = engine.bytes(Math.min(edge, rows), Math.min(edge, width));
  if (tileBytes > limitBytes) {
    throw new RangeError(`one kernel entry takes ${tileBytes} bytes, more than the limit of ${limitBytes}`);
  }
  const tiles: Tile[] = [];
  for (let r0 = 0; r0 < rows; r0 += edge) {
    const r1 = Math.min(rows, r0 + edge);
    for (let c0 = 0; c0 < (symmetric ? r1 : width); c0 += edge)
      tiles.push({ r0, r1, c0, c1: Math.min(width, c0 + edge) });
  }
  const entries = tiles.reduce((sum, tile) => sum + tileEntries(tile, symmetric), 0);
  return {
    rows,
    cols: width,
    symmetric,
    tiles,
    entries,
    matrixBytes: bytesOf(engine.precision) * rows * width,
    tileBytes,
  };
}

/** Entries of a tile that have to be computed. */
export function tileEntries({ r0, r1, c0, c1 }: Tile, symmetric: boolean): number {
  const entries = (r1 - r0) * (c1 - c0);
  return symmetric && r0 === c0 ? (entries + (r1 - r0)) / 2 : entries;
}

const slice = ({ cols, data }: Matrix, from: number, to: number): Matrix =>
  matrix(to - from, cols, data.subarray(from * cols, to * cols));

/** Makes the tiles of a plan in order, beginning with number `first`; stop asking and the work stops. */
export function* gramTiles<A extends RealArray>(
  compute: Compute,
  engine: KernelEngine<A>,
  X: Matrix,
  against: Matrix | null,
  plan: GramPlan,
  first = 0,
): Generator<{ readonly tile: Tile; readonly block: KernelBlock<A> }, void> {
  for (const tile of plan.tiles.slice(first)) {
    const left = slice(X, tile.r0, tile.r1);
    const isDiagonal = plan.symmetric && tile.r0 === tile.c0;
    yield { tile, block: engine.block(compute, left, isDiagonal ? null : slice(against ?? X, tile.c0, tile.c1)) };
  }
}

/**
 * The kernels between the rows of X and those of `against` (null: of X with themselves), whole and in memory.
 *
 * @throws RangeError when the matrices take more than `limitBytes`: make them with {@link gramTiles} then.
 */
export function gram<A extends RealArray>(
  compute: Compute,
  engine: KernelEngine<A>,
  X: Matrix,
  against: Matrix | null,
  { limitBytes = Number.POSITIVE_INFINITY }: { readonly limitBytes?: number } = {},
): KernelBlock<A> {
  const whole = engine.bytes(X.rows, (against ?? X).rows);
  if (whole <= limitBytes && X.rows * (against ?? X).rows <= MOST_EDGE ** 2) return engine.block(compute, X, against);
  const plan = planGram(engine, X.rows, against?.rows ?? null, limitBytes);
  const results = new Map<KernelName, A>();
  for (const { tile, block } of gramTiles(compute, engine, X, against, plan)) {
    for (const name of ["nngp", "ntk"] as const) {
      const part = block[name];
      if (part === null) continue;
      if (!results.has(name)) {
        if (plan.matrixBytes + plan.tileBytes > limitBytes) {
          throw new RangeError(`a kernel of ${plan.matrixBytes} bytes is above the limit of ${limitBytes}`);
        }
        results.set(name, sameKind(part, plan.rows * plan.cols));
      }
      const out = results.get(name)!;
      placeTile(part, tile, plan.symmetric, (row, column, values) => out.set(values, row * plan.cols + column));
    }
  }
  return { nngp: results.get("nngp") ?? null, ntk: results.get("ntk") ?? null };
}

/** Zeros in the precision of `like`. */
function sameKind<A extends RealArray>(like: A, length: number): A {
  return (like instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as A;
}

/** The rows of a tile in the whole matrix: `write(row, column, values)`; with the mirror image in a symmetric matrix. */
export function placeTile<A extends RealArray>(
  part: A,
  { r0, r1, c0, c1 }: Tile,
  symmetric: boolean,
  write: (row: number, column: number, values: A) => void,
): void {
  const rows = (data: A, first: number, count: number, column: number, width: number): void => {
    for (let k = 0; k < count; k++) write(first + k, column, data.subarray(k * width, (k + 1) * width) as A);
  };
  rows(part, r0, r1 - r0, c0, c1 - c0);
  if (symmetric && r0 !== c0) rows(transposed(part, r1 - r0, c1 - c0), c0, c1 - c0, r0, r1 - r0);
}

const SQUARE = 32;

/** The transpose of a rows x cols matrix, square by square. */
function transposed<A extends RealArray>(data: A, rows: number, cols: number): A {
  const out = sameKind(data, data.length);
  for (let i0 = 0; i0 < rows; i0 += SQUARE) {
    const i1 = Math.min(rows, i0 + SQUARE);
    for (let j0 = 0; j0 < cols; j0 += SQUARE) {
      const j1 = Math.min(cols, j0 + SQUARE);
      for (let i = i0; i < i1; i++) for (let j = j0; j < j1; j++) out[j * rows + i] = data[i * cols + j]!;
    }
  }
  return out;
}
