import type { Matrix } from "../base/matrix.ts";
import { randomStream } from "../base/random.ts";
import {
  type Compute,
  lanczos,
  matrixOperator,
  type SymmetricOperator,
  symmetricEigenvalues,
} from "../compute/index.ts";

/** The ends of the spectrum of a symmetric kernel matrix. */
export interface SpectrumEnds {
  readonly largest: number;
  /** Where `method` is lanczos and not converged: an upper bound of it. */
  readonly smallest: number;
  readonly method: "eigenvalues" | "lanczos";
  readonly converged: boolean;
  /** largest / smallest; null where the smallest is zero up to rounding. */
  readonly condition: number | null;
  /** The least multiple of the identity that makes the matrix positive semidefinite; 0 when it is. */
  readonly shift: number;
}

/** Order up to which all eigenvalues are computed. */
const WHOLE_ORDER = 1200;
/** Order up to which a Cholesky factorization decides whether the matrix is positive definite. */
const CHOLESKY_ORDER = 4096;
const TOLERANCE = 1e-9;
const MOST_STEPS = 200;
/** Entries of the panels by which a matrix outside the memory of the kernels is multiplied. */
const PANEL_ENTRIES = 1 << 22;

/**
 * The extreme eigenvalues of the symmetric n x n matrix whose rows `from` .. `from + count` are `readRows(from, count)`.
 * Matrices above `limitBytes` are read anew for each product.
 */
export function spectrumEnds(
  compute: Compute,
  n: number,
  readRows: (from: number, count: number) => Float64Array,
  limitBytes: number,
): SpectrumEnds {
  const panel = Math.max(1, Math.floor(PANEL_ENTRIES / n));
  const forPanels = (body: (rows: Float64Array, from: number) => void): void => {
    for (let from = 0; from < n; from += panel) body(readRows(from, Math.min(panel, n - from)), from);
  };
  const outside: SymmetricOperator = {
    size: n,
    apply(x, out) {
      forPanels((rows, from) =>
        compute.scope((scope) => {
          const count = rows.length / n;
          compute.gemv(false, count, n, 1, scope.copy(rows), n, x, 0, out.subarray(from, from + count));
        }),
      );
    },
  };
  if (8 * n * n > Math.min(limitBytes, (compute.memoryLimit - compute.bytesInUse) / 2))
    return byLanczos(compute, outside);
  return compute.scope((scope) => {
    const a = scope.f64(n * n);
    forPanels((rows, from) => a.set(rows, from * n));
    if (n <= WHOLE_ORDER) {
      const values = scope.f64(n);
      symmetricEigenvalues(compute, n, a, n, values);
      return ends(n, values[n - 1]!, values[0]!, "eigenvalues", true, false);
    }
    const byLanczosEnds = byLanczos(compute, matrixOperator(compute, n, a, n));
    if (n > CHOLESKY_ORDER) return byLanczosEnds;
    const isDefinite = compute.cholesky(n, a, n) === 0;
    const { largest, smallest, converged } = byLanczosEnds;
    return ends(n, largest, smallest, "lanczos", converged, isDefinite);
  });
}

function byLanczos(compute: Compute, operator: SymmetricOperator): SpectrumEnds {
  const n = operator.size;
  const end = (which: "largest" | "smallest") =>
    lanczos(compute, operator, 1, randomStream(0, `spectrum ${which}`), {
      end: which,
      tolerance: TOLERANCE,
      maxSteps: Math.min(n, MOST_STEPS),
    });
  const [largest, smallest] = [end("largest"), end("smallest")];
  const converged = largest.converged && smallest.converged;
  return ends(n, largest.values[0]!, smallest.values[0]!, "lanczos", converged, false);
}

function ends(
  n: number,
  largest: number,
  smallest: number,
  method: SpectrumEnds["method"],
  converged: boolean,
  isDefinite: boolean,
): SpectrumEnds {
  const isZero = smallest <= n * Number.EPSILON * largest;
  const shift = isDefinite ? 0 : Math.max(0, -smallest);
  return { largest, smallest, method, converged, condition: isZero ? null : largest / smallest, shift };
}

/** {@link spectrumEnds} of a matrix in memory. */
export function matrixSpectrum(compute: Compute, { rows, data }: Matrix): SpectrumEnds {
  const readRows = (from: number, count: number): Float64Array => data.subarray(from * rows, (from + count) * rows);
  return spectrumEnds(compute, rows, readRows, Number.POSITIVE_INFINITY);
}
