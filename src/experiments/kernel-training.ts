import type { Matrix } from "../base/matrix.ts";
import { type Compute, outsideMatrix } from "../compute/index.ts";
import { centered, summarizeKernel } from "../tangent/alignment.ts";
import { type ResidualSpectrum, stepLimits, timeToShare } from "../tangent/convergence.ts";
import type { Training } from "../tangent/dynamics.ts";
import { lanczosResidual } from "../tangent/residual-lanczos.ts";

/** How training with a kernel goes: on half the summed squares, from outputs of zero, to centered targets. */
export interface KernelTraining {
  /** (tr K)^2 / ||K||_F^2. */
  readonly effectiveDimension: number;
  /** y'Ky / (||K||_F |y|^2); null without targets. */
  readonly alignment: number | null;
  /** 2 / largest eigenvalue. */
  readonly largestStep: number;
  /**
   * When 1 % of the loss is left, as lower and upper bounds (null: never): time of gradient flow, and steps of gradient descent with half
   * of the largest step. Null without targets.
   */
  readonly onePercent: { readonly time: Bounds; readonly steps: Bounds } | null;
}

type Bounds = readonly [number, number | null];

const SHARE = 0.01;
/** Products with the matrix for each target: in memory, and from the disk. */
const STEPS = 150;
const STEPS_OUTSIDE = 30;
/** Entries of the panels by which a matrix is multiplied. */
const PANEL_ENTRIES = 1 << 22;
/** Entries up to which a matrix is read once and held. */
const HELD_ENTRIES = 1 << 27;

/**
 * What the kernel matrix with rows `readRows` says of training.
 *
 * @param labels targets, n x c; null when there are none.
 * @param limitBytes for holding the matrix.
 */
export function kernelTraining(
  compute: Compute,
  n: number,
  readRows: (from: number, count: number) => Float64Array,
  largest: number,
  labels: Matrix | null,
  limitBytes: number,
): KernelTraining {
  const Y = labels === null ? null : centered(labels);
  const { effectiveDimension, alignment } = summarizeKernel(compute, n, readRows, Y);
  const largestStep = stepLimits({ largest, smallest: 0 }, "sum", 1).largest;
  const shared = { effectiveDimension, alignment, largestStep };
  if (Y === null || !Y.data.some((value) => value !== 0) || !(largest > 0)) return { ...shared, onePercent: null };
  const isHeld = n * n <= HELD_ENTRIES && 8 * n * n <= limitBytes;
  const rows = isHeld ? heldRows(n, readRows) : readRows;
  const panel = Math.max(1, Math.floor(PANEL_ENTRIES / n));
  const operator = {
    size: n,
    apply(x: Float64Array, out: Float64Array): void {
      for (let from = 0; from < n; from += panel) {
        const count = Math.min(panel, n - from);
        outsideMatrix(compute, count, n, rows(from, count)).gemv(false, 1, x, 0, out.subarray(from, from + count));
      }
    },
  };
  const parts = Array.from({ length: Y.cols }, (_, q) => Y.data.filter((_value, k) => k % Y.cols === q))
    .filter((y) => y.some((value) => value !== 0))
    .map((y) => lanczosResidual(compute, operator, y, isHeld ? STEPS : STEPS_OUTSIDE));
  const [low, high] = (["low", "high"] as const).map((side) => joined(parts.map((part) => part[side])));
  const bounds = (training: Training): Bounds => {
    const upper = timeToShare(high!, training, 1, SHARE);
    return [timeToShare(low!, training, 1, SHARE), Number.isFinite(upper) ? upper : null];
  };
  const onePercent = {
    time: bounds({ loss: "sum", step: "flow" }),
    steps: bounds({ loss: "sum", step: largestStep / 2 }),
  };
  return { ...shared, onePercent };
}

function heldRows(n: number, readRows: (from: number, count: number) => Float64Array): typeof readRows {
  const data = new Float64Array(n * n);
  const panel = Math.max(1, Math.floor(PANEL_ENTRIES / n));
  for (let from = 0; from < n; from += panel) data.set(readRows(from, Math.min(panel, n - from)), from * n);
  return (from, count) => data.subarray(from * n, (from + count) * n);
}

function joined(parts: readonly ResidualSpectrum[]): ResidualSpectrum {
  const all = (pick: (part: ResidualSpectrum) => Float64Array): Float64Array =>
    Float64Array.from(parts.flatMap((part) => [...pick(part)]));
  return { values: all(({ values }) => values), weights: all(({ weights }) => weights) };
}
