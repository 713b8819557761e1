import { ConfigError } from "../base/errors.ts";
import { type Matrix, matrix } from "../base/matrix.ts";
import { randomStream } from "../base/random.ts";
import { type Compute, lanczos, outsideMatrix, type SymmetricOperator } from "../compute/index.ts";
import { type Architecture, architectureText } from "../network/architecture/index.ts";
import {
  gramTiles,
  type KernelEngine,
  type KernelName,
  makeEngine,
  placeTile,
  planGram,
  tileEntries,
} from "../tangent/index.ts";

/** Rows up to which a kernel matrix and a factor of it are held in memory, 16 n^2 bytes. */
export const MEMORY_ROWS = 11_000;
/** Bytes for the work on a tile. */
const TILE_BYTES = 2 ** 28;

/**
 * The engine of one kernel of a network on the features of a table.
 *
 * @throws ConfigError when the network is for images, or its layers have no kernel.
 */
export function tableEngine(architecture: Architecture, features: number, kernel: KernelName): KernelEngine {
  if (architecture.length === 0) throw new ConfigError("the architecture has no layers", { code: "architecture-text" });
  const problem = { architecture, input: [features] as const, trained: "all", kernels: [kernel] } as const;
  const seesPixels = architecture.some(({ kind }) => kind === "conv" || kind === "pool" || kind === "global-pool");
  if (seesPixels) {
    throw new ConfigError(`${architectureText(architecture)} is for images; a table has rows of numbers`, {
      code: "kernel-shapes",
      hint: "use dense layers; overparam kernel takes images",
    });
  }
  return makeEngine(problem);
}

/**
 * The kernel matrix of the rows of X, whole.
 *
 * @param tick told the share that is done after each tile.
 */
export function kernelMatrix(
  compute: Compute,
  engine: KernelEngine,
  kernel: KernelName,
  X: Matrix,
  tick: (share: number) => void,
): Matrix {
  const n = X.rows;
  const plan = planGram(engine, n, null, TILE_BYTES);
  const data = new Float64Array(n * n);
  let entries = 0;
  for (const { tile, block } of gramTiles(compute, engine, X, null, plan)) {
    placeTile(block[kernel]!, tile, true, (row, column, values) => data.set(values, row * n + column));
    entries += tileEntries(tile, true);
    tick(entries / plan.entries);
  }
  return matrix(n, n, data);
}

/** Products with a symmetric matrix outside the memory of the kernels. */
export function operatorOf(compute: Compute, { rows, cols, data }: Matrix): SymmetricOperator {
  const whole = outsideMatrix(compute, rows, cols, data);
  return { size: rows, apply: (x, out) => whole.gemv(false, 1, x, 0, out) };
}

/** W^1/2 K W^1/2 for an operator K and sample weights; K itself for null. */
export function weightedOperator(operator: SymmetricOperator, weights: Float64Array | null): SymmetricOperator {
  if (weights === null) return operator;
  const roots = weights.map(Math.sqrt);
  const scaled = new Float64Array(operator.size);
  return {
    size: operator.size,
    apply(x, out) {
      for (let i = 0; i < scaled.length; i++) scaled[i] = roots[i]! * x[i]!;
      operator.apply(scaled, out);
      for (let i = 0; i < scaled.length; i++) out[i] = roots[i]! * out[i]!;
    },
  };
}

/** The largest eigenvalue of a symmetric operator by the Lanczos method; at most `steps` products. */
export function largestEigenvalue(compute: Compute, operator: SymmetricOperator, steps: number): number {
  const options = { tolerance: 1e-9, maxSteps: Math.min(operator.size, steps) };
  return lanczos(compute, operator, 1, randomStream(0, "largest eigenvalue"), options).values[0]!;
}
