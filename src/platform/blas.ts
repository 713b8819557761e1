import type { LibraryHandle } from "koffi";

type Numbers = Float64Array;

/** A system BLAS, opened: CBLAS with row-major arrays, LAPACK where the library has it. Arguments are not checked. */
export interface BlasLibrary {
  /** Name and version, e.g. `OpenBLAS 0.3.21`. */
  readonly name: string;
  /** What the library was opened as. */
  readonly path: string;
  /** False when the library has no way to set its thread count. */
  setThreads(threads: number): boolean;
  gemm(
    transA: boolean,
    transB: boolean,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: Numbers,
    lda: number,
    b: Numbers,
    ldb: number,
    beta: number,
    c: Numbers,
    ldc: number,
  ): void;
  gemv(
    trans: boolean,
    m: number,
    n: number,
    alpha: number,
    a: Numbers,
    lda: number,
    x: Numbers,
    beta: number,
    y: Numbers,
  ): void;
  /** B (n x nrhs) <- L^{-1} B or L^{-T} B, L lower triangular. */
  trsm(trans: boolean, n: number, nrhs: number, l: Numbers, ldl: number, b: Numbers, ldb: number): void;
  /** Lower Cholesky factor in place; returns LAPACK's `info`. */
  readonly potrf: ((n: number, a: Numbers, lda: number) => number) | null;
  /** Eigenvalues into `values`, eigenvectors into the rows of `a`; returns LAPACK's `info`. */
  readonly syevd: ((n: number, a: Numbers, lda: number, values: Numbers) => number) | null;
}

/** The library found, or why there is none. */
export interface BlasSearch {
  readonly library: BlasLibrary | null;
  readonly note: string;
}

const CANDIDATES: Readonly<Record<string, readonly string[]>> = {
  linux: ["libopenblas.so.0", "libopenblas.so", "libmkl_rt.so.2", "libmkl_rt.so", "libblas.so.3"],
  darwin: [
    "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
    "/usr/local/opt/openblas/lib/libopenblas.dylib",
    "/System/Library/Frameworks/Accelerate.framework/Accelerate",
  ],
  win32: ["libopenblas.dll", "openblas.dll", "mkl_rt.2.dll"],
};

/** CBLAS enumerations. */
const ROW_MAJOR = 101;
const NO_TRANS = 111;
const TRANS = 112;
const LOWER = 122;
const NON_UNIT = 131;
const LEFT = 141;

type Foreign = (...args: readonly unknown[]) => unknown;

/** The function, or null when the library does not export it. */
function find(library: LibraryHandle, name: string, result: string, args: readonly string[]): Foreign | null {
  try {
    return library.func(name, result, [...args]);
  } catch {
    return null;
  }
}

function describe(library: LibraryHandle, path: string): string {
  const config = find(library, "openblas_get_config", "str", []);
  if (config !== null) return /OpenBLAS \S+/.exec(String(config()))?.[0] ?? "OpenBLAS";
  const mkl = find(library, "mkl_get_version_string", "void", ["void *", "int"]);
  if (mkl !== null) {
    const text = new Uint8Array(200);
    mkl(text, text.length);
    const version = /Version ([\d.]+)/.exec(String.fromCharCode(...text));
    return version === null ? "MKL" : `MKL ${version[1]}`;
  }
  return path.includes("Accelerate") ? "Accelerate" : "BLAS";
}

function bind(library: LibraryHandle, path: string): BlasLibrary | null {
  const matrix = ["void *", "int"] as const;
  const four = ["int", "int", "int", "int"] as const;
  const gemm = find(library, "cblas_dgemm", "void", [
    ...[...four, "int", "int", "double"],
    ...[...matrix, ...matrix, "double", ...matrix],
  ]);
  const gemv = find(library, "cblas_dgemv", "void", [
    ...[...four, "double", ...matrix, ...matrix],
    ...["double", ...matrix],
  ]);
  const trsm = find(library, "cblas_dtrsm", "void", [...four, "int", "int", "int", "double", ...matrix, ...matrix]);
  if (gemm === null || gemv === null || trsm === null) return null;

  const setThreads = ["openblas_set_num_threads", "MKL_Set_Num_Threads", "bli_thread_set_num_threads"]
    .map((name) => find(library, name, "void", ["int"]))
    .find((candidate) => candidate !== null);
  // Fortran takes every argument by reference; the trailing words are the hidden lengths of the character arguments.
  const potrf = find(library, "dpotrf_", "void", ["str", "void *", "void *", "void *", "void *", "size_t"]);
  const syevd = find(library, "dsyevd_", "void", ["str", "str", ...new Array(9).fill("void *"), "size_t", "size_t"]);
  const int = (value: number): Int32Array => Int32Array.of(value);

  return {
    name: describe(library, path),
    path,
    setThreads(threads) {
      setThreads?.(threads);
      return setThreads !== undefined;
    },
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      const ops = [transA ? TRANS : NO_TRANS, transB ? TRANS : NO_TRANS];
      gemm(ROW_MAJOR, ...ops, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      gemv(ROW_MAJOR, trans ? TRANS : NO_TRANS, m, n, alpha, a, lda, x, 1, beta, y, 1);
    },
    trsm(trans, n, nrhs, l, ldl, b, ldb) {
      trsm(ROW_MAJOR, LEFT, LOWER, trans ? TRANS : NO_TRANS, NON_UNIT, n, nrhs, 1, l, ldl, b, ldb);
    },
    potrf:
      potrf &&
      ((n, a, lda) => {
        const info = int(0);
        // The row-major lower triangle is the column-major upper one.
        potrf("U", int(n), a, int(lda), info, 1);
        return info[0]!;
      }),
    syevd:
      syevd &&
      ((n, a, lda, values) => {
        const info = int(0);
        const call = (work: Numbers, lwork: number, iwork: Int32Array, liwork: number): void => {
          syevd("V", "U", int(n), a, int(lda), values, work, int(lwork), iwork, int(liwork), info, 1, 1);
        };
        // 1. Ask for the workspace, 2. compute; column-major eigenvector columns are our rows.
        const work = new Float64Array(1);
        const iwork = int(0);
        call(work, -1, iwork, -1);
        call(new Float64Array(work[0]!), work[0]!, new Int32Array(iwork[0]!), iwork[0]!);
        return info[0]!;
      }),
  };
}

/**
 * Opens the system's BLAS through koffi: the library named by the environment variable OVERPARAM_BLAS (a path, or
 * `none`), else the first of the usual ones that has CBLAS.
 */
export async function findBlas(): Promise<BlasSearch> {
  const wanted = process.env["OVERPARAM_BLAS"];
  if (wanted === "none") return { library: null, note: "switched off by OVERPARAM_BLAS=none" };
  let koffi: typeof import("koffi");
  try {
    koffi = await import("koffi");
  } catch {
    return { library: null, note: "the optional dependency koffi is not installed" };
  }
  const paths = wanted ? [wanted] : (CANDIDATES[process.platform] ?? []);
  const withoutCblas: string[] = [];
  for (const path of paths) {
    let handle: LibraryHandle;
    try {
      handle = koffi.load(path);
    } catch {
      continue;
    }
    const library = bind(handle, path);
    if (library !== null) return { library, note: `${library.name} (${path})` };
    withoutCblas.push(path);
  }
  const tried = `none of ${paths.join(", ")} could be used`;
  const lacking = withoutCblas.length > 0 ? `; ${withoutCblas.join(", ")} has no CBLAS` : "";
  return { library: null, note: `${tried}${lacking}` };
}
