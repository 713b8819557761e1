import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { parseArchitecture } from "../../src/network/architecture/index.ts";
import type { KernelEngine, Trained } from "../../src/tangent/index.ts";
import { vectorEngine } from "../../src/tangent/index.ts";

/** The matrix with these rows. */
export function ofRows(rows: readonly (readonly number[])[]): Matrix {
  return matrix(rows.length, rows[0]?.length ?? 0, Float64Array.from(rows.flat()));
}

/** Standard normal entries that depend on `name` alone. */
export function normalMatrix(name: string, rows: number, cols: number): Matrix {
  const stream = randomStream(3, name);
  return matrix(
    rows,
    cols,
    Float64Array.from({ length: rows * cols }, () => stream.normal()),
  );
}

/** The engine of both kernels of an architecture in text form. */
export function engineOf(text: string, input: number, trained: Trained = "all"): KernelEngine {
  return vectorEngine({ architecture: parseArchitecture(text), input: [input], trained, kernels: ["nngp", "ntk"] });
}

/** Largest |a - b| / max(1, |b|). */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const off = Math.abs(a[i]! - b[i]!) / Math.max(1, Math.abs(b[i]!));
    largest = off >= largest ? off : Number.isNaN(off) ? Number.POSITIVE_INFINITY : largest;
  }
  return largest;
}
