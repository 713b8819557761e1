import { afterEach, expect, it, vi } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { checkBlas } from "../../src/compute/blas-check.ts";
import { blasKernels } from "../../src/compute/blas-kernels.ts";
import { createCompute, doctorReport } from "../../src/compute/index.ts";
import { plainMemory } from "../../src/compute/memory.ts";
import { referenceKernels } from "../../src/compute/reference.ts";
import type { RealKernels } from "../../src/compute/types.ts";
import { type BlasLibrary, type BlasProducts, findBlas } from "../../src/platform/blas.ts";

afterEach(() => vi.unstubAllEnvs());

const products = <A extends Float64Array | Float32Array>(kernels: RealKernels<A>): BlasProducts<A> => ({
  gemm: (...args) => kernels.gemm(...args),
  gemv: (...args) => kernels.gemv(...args),
  syrk: (...args) => kernels.syrk(...args),
});

/** The naive loops in the shape of a library. */
const correct: BlasLibrary = {
  name: "reference",
  path: "",
  core: null,
  setThreads: () => false,
  ...products<Float64Array>(referenceKernels),
  single: products(referenceKernels.f32),
  trsm: (...args) => referenceKernels.solveLower(...args),
  potrf: (n, a, lda) => referenceKernels.cholesky(n, a, lda),
  syevd: (n, a, lda, values) => {
    referenceKernels.symmetricEigen(n, a, lda, values);
    // Eigenvectors into the rows.
    const columns = a.slice();
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * lda + j] = columns[j * lda + i]!;
    return 0;
  },
};

it("checkBlas passes correct routines and names the first wrong one", () => {
  const broken: readonly (readonly [string, Partial<BlasLibrary>])[] = [
    ["cblas_dgemm", { gemm: (transA, transB, ...rest) => correct.gemm(transB, transA, ...rest) }],
    [
      "cblas_dgemm",
      {
        // beta = 0 must overwrite, not multiply.
        gemm: (tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) =>
          correct.gemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta === 0 ? Number.MIN_VALUE : beta, c, ldc),
      },
    ],
    ["cblas_dgemv", { gemv: (_trans, ...rest) => correct.gemv(false, ...rest) }],
    [
      "cblas_dsyrk",
      {
        syrk: (trans, n, k, alpha, a, lda, beta, c, ldc) =>
          correct.gemm(trans, !trans, n, n, k, alpha, a, lda, a, lda, beta, c, ldc),
      },
    ],
    ["cblas_ssyrk", { single: { ...correct.single, syrk: (_trans, ...rest) => correct.single.syrk(true, ...rest) } }],
    ["cblas_sgemm", { single: { ...correct.single, gemm: () => {} } }],
    ["cblas_dtrsm", { trsm: (_trans, ...rest) => correct.trsm(false, ...rest) }],
    ["dpotrf", { potrf: () => 0 }],
    ["dpotrf", { potrf: (n, a, lda) => (correct.potrf!(n, a, lda) === 0 ? 0 : 1) }],
    ["dsyevd", { syevd: (_n, a) => a.fill(0).length * 0 }],
    [
      "dsyevd",
      {
        // Eigenvectors left in the columns.
        syevd: (n, a, lda, values) => {
          referenceKernels.symmetricEigen(n, a, lda, values);
          return 0;
        },
      },
    ],
  ];
  expect(checkBlas(correct, plainMemory())).toBeNull();
  expect(checkBlas({ ...correct, potrf: null, syevd: null }, plainMemory())).toBeNull();
  for (const [name, fault] of broken) expect(checkBlas({ ...correct, ...fault }, plainMemory())).toBe(name);
});

it("findBlas obeys OVERPARAM_BLAS", async () => {
  vi.stubEnv("OVERPARAM_BLAS", "none");
  expect(await findBlas()).toEqual({
    library: null,
    note: "switched off by OVERPARAM_BLAS=none",
    refused: false,
  });
  vi.stubEnv("OVERPARAM_BLAS", "/no/such/library.so");
  const { library, note, refused } = await findBlas();
  expect(library).toBeNull();
  expect(note).toContain("/no/such/library.so");
  expect(refused).toBe(true);
});

it("createCompute warns of a library that was asked for and cannot be used, and of nothing else", async () => {
  const warningWith = async (blas: string): Promise<string | null> => {
    vi.stubEnv("OVERPARAM_BLAS", blas);
    const compute = await createCompute({ threads: 1 });
    await compute.close();
    return compute.warning;
  };
  expect(await warningWith("/no/such/library.so")).toMatch(/^no system BLAS is used: none of \/no\/such\/library\.so/);
  expect(await warningWith("none")).toBeNull();
  expect(await warningWith("")).toBeNull();
});

it("blasKernels holds the library to one thread below a size, and gives it all of them above", () => {
  const counts: number[] = [];
  const library: BlasLibrary = { ...correct, setThreads: (threads) => counts.push(threads) > 0 };
  const { gemm, syrk, cholesky } = blasKernels(referenceKernels, library, 3);
  const [a, c] = [new Float64Array(128 * 128).fill(1), new Float64Array(128 * 128)];
  for (const n of [8, 30, 128]) gemm(false, false, n, n, n, 1, a, n, a, n, 0, c, n);
  // The products of order 8 are ours.
  expect(counts.splice(0)).toEqual([1, 3]);
  syrk(false, 128, 128, 1, a, 128, 0, c, 128);
  for (let i = 0; i < 128; i++) c[i * 129] = 1000;
  expect(cholesky(128, c, 128)).toBe(0);
  expect(counts).toEqual([1, 1]);
});

it("createCompute without a BLAS falls back to wasm, and refuses an explicit blas with a ConfigError", async () => {
  vi.stubEnv("OVERPARAM_BLAS", "none");
  const compute = await createCompute({ threads: 1 });
  expect(compute.info).toMatchObject({ name: "wasm", blas: null, threads: 1 });
  await compute.close();
  const refused = createCompute({ backend: "blas", threads: 2 });
  await expect(refused).rejects.toThrow(ConfigError);
  await expect(refused).rejects.toMatchObject({ code: "blas-not-found", hint: expect.stringContaining("OpenBLAS") });
});

it("doctorReport tells what runs, how fast, and what would be faster", async () => {
  vi.stubEnv("OVERPARAM_BLAS", "none");
  const compute = await createCompute({ threads: 1, simd: "plain" });
  const report = await doctorReport(compute);
  await compute.close();
  expect(report.backend).toEqual(compute.info);
  expect(report.simd.level).toBe("plain");
  expect(report.blas).toEqual({ name: null, path: null, note: "switched off by OVERPARAM_BLAS=none" });
  expect(report.memoryLimit).toBeGreaterThanOrEqual(2 ** 26);
  expect(report.gemm.order).toBe(1024);
  expect(report.gemm.gflops).toBeGreaterThan(0);
  expect(report.hints.some((hint) => hint.includes("OpenBLAS"))).toBe(true);
});

it("doctorReport tells the kernels of OpenBLAS, and when a variable of the environment chose them", async () => {
  vi.stubEnv("OPENBLAS_CORETYPE", "Haswell");
  const { library, note } = await findBlas();
  const compute = await createCompute({ threads: 1 });
  const { hints } = await doctorReport(compute);
  await compute.close();
  const isOpenBlas = library !== null && library.core !== null;
  if (isOpenBlas) expect(note).toContain(`${library.core} kernels`);
  expect(hints.some((hint) => hint.includes("OPENBLAS_CORETYPE=Haswell"))).toBe(isOpenBlas);
});
