import { afterAll, beforeAll, describe } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { probeBlas } from "../../src/compute/create.ts";
import { type Compute, type ComputeOptions, createCompute, type Scope } from "../../src/compute/index.ts";
import type { RealArray, RealKernels } from "../../src/compute/types.ts";
import { compileKernels } from "../../src/compute/wasm-module.ts";

async function available(): Promise<{ name: string; options: ComputeOptions }[]> {
  const builds = new Set(["plain", (await compileKernels("auto")).simd] as const);
  const wasm = [...builds].flatMap((simd) =>
    [1, 2, 3].map((threads) => ({
      name: `wasm, ${simd}, threads ${threads}`,
      options: { backend: "wasm", simd, threads } as const,
    })),
  );
  const { library } = await probeBlas();
  const blas =
    library === null
      ? []
      : [1, 2].map((threads) => ({ name: `blas, threads ${threads}`, options: { backend: "blas", threads } as const }));
  return [{ name: "js", options: { backend: "js" } as const }, ...wasm, ...blas];
}

const backends = await available();

/** Runs the cases once on every backend that this machine has, started with further `settings`. */
export function onEveryBackend(
  title: string,
  cases: (compute: () => Compute) => void,
  settings: Pick<ComputeOptions, "memoryLimit"> = {},
): void {
  describe.each(backends)(`${title} ($name)`, ({ options }) => {
    let compute: Compute;
    beforeAll(async () => {
      compute = await createCompute({ ...options, ...settings });
    });
    afterAll(() => compute.close());
    cases(() => compute);
  });
}

/** One of the two precisions, with its kernels and arrays seen as either kind. */
export interface Precision {
  readonly name: "f64" | "f32";
  /** Distance from 1 to the next number. */
  readonly epsilon: number;
  kernels(of: { readonly f32: RealKernels<Float32Array> } & RealKernels<Float64Array>): RealKernels<RealArray>;
  copy(scope: Scope, source: ArrayLike<number>): RealArray;
  /** `source` rounded to the precision, outside of any scope. */
  round(source: ArrayLike<number>): RealArray;
}

export const PRECISIONS: readonly Precision[] = [
  {
    name: "f64",
    epsilon: 2 ** -52,
    kernels: (of) => of as unknown as RealKernels<RealArray>,
    copy: (scope, source) => scope.copy(source),
    round: (source) => Float64Array.from(source),
  },
  {
    name: "f32",
    epsilon: 2 ** -23,
    kernels: (of) => of.f32 as unknown as RealKernels<RealArray>,
    copy: (scope, source) => {
      const array = scope.f32(source.length);
      array.set(source);
      return array;
    },
    round: (source) => Float32Array.from(source),
  },
];

/** {@link onEveryBackend}, for both precisions of each. */
export function onEveryPrecision(
  title: string,
  cases: (kernels: () => RealKernels<RealArray>, precision: Precision, compute: () => Compute) => void,
): void {
  for (const precision of PRECISIONS) {
    onEveryBackend(`${title}, ${precision.name}`, (compute) => {
      cases(() => precision.kernels(compute()), precision, compute);
    });
  }
}

/** `length` numbers, uniform in [-1, 1), that depend on `name` alone. */
export function uniform(name: string, length: number): Float64Array {
  const stream = randomStream(7, name);
  return Float64Array.from({ length }, () => 2 * stream.uniform() - 1);
}

/** Random patterns of n rows, their bits beyond row n - 1 zero. */
export function randomPatterns(name: string, n: number, p: number): Uint32Array {
  const stream = randomStream(7, name);
  const words = (n + 31) >>> 5;
  const patterns = new Uint32Array(p * words);
  for (let q = 0; q < p; q++) {
    for (let i = 0; i < n; i++) {
      const word = q * words + (i >>> 5);
      if (stream.uniform() < 0.5) patterns[word] = patterns[word]! | (1 << (i & 31));
    }
  }
  return patterns;
}

/** Largest absolute difference; infinity when exactly one of two entries is NaN, or they are different infinities. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const distance = Math.abs(actual[i]! - expected[i]!);
    largest = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(largest, distance);
  }
  return largest;
}
