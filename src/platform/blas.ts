type Numbers = Float64Array;

/** The products of one precision, on row-major arrays. */
export interface BlasProducts<A> {
  gemm(
    transA: boolean,
    transB: boolean,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: A,
    lda: number,
    b: A,
    ldb: number,
    beta: number,
    c: A,
    ldc: number,
  ): void;
  gemv(trans: boolean, m: number, n: number, alpha: number, a: A, lda: number, x: A, beta: number, y: A): void;
  /** Lower triangle of C <- alpha op(A) op(A)^T + beta C. */
  syrk(trans: boolean, n: number, k: number, alpha: number, a: A, lda: number, beta: number, c: A, ldc: number): void;
}

/** A system BLAS, opened: CBLAS with row-major arrays, LAPACK where the library has it. Arguments are not checked. */
export interface BlasLibrary extends BlasProducts<Numbers> {
  /** Name and version, e.g. `OpenBLAS 0.3.21`. */
  readonly name: string;
  /** The processor that its kernels were written for, as OpenBLAS calls it, e.g. `Haswell`; null where it does not say. */
  readonly core: string | null;
  /** What the library was opened as. */
  readonly path: string;
  /** False when the library has no way to set its thread count. */
  setThreads(threads: number): boolean;
  readonly single: BlasProducts<Float32Array>;
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
  /** Whether there is a library, or one was asked for, that cannot be used: users are told. */
  readonly refused: boolean;
}

/** What lacks without the optional dependency. */
export const KOFFI_MISSING =
  "the optional dependency koffi, which calls a system BLAS, is not installed or has no binary for this machine";

const CANDIDATES: Readonly<Record<string, readonly string[]>> = {
  // Fedora's libopenblas is the build without threads; the one with them has a p.
  linux: ["libopenblasp.so.0", "libopenblas.so.0", "libopenblas.so", "libmkl_rt.so.2", "libmkl_rt.so", "libblas.so.3"],
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

/** The part of koffi in use; its own types are not imported, because an optional dependency may be absent at build. */
interface LibraryHandle {
  func(name: string, result: string, args: readonly string[]): Foreign;
}
interface Koffi {
  load(path: string): LibraryHandle;
}
const KOFFI: string = "koffi";

/** The function, or null when the library does not export it. */
function find(library: LibraryHandle, name: string, result: string, args: readonly string[]): Foreign | null {
  try {
    return library.func(name, result, args);
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

/** The products named cblas_<prefix>..., or null when one is missing. */
function bindProducts<A>(library: LibraryHandle, prefix: "d" | "s", real: "double" | "float"): BlasProducts<A> | null {
  const matrix = ["void *", "int"] as const;
  const gemm = find(library, `cblas_${prefix}gemm`, "void", [
    ...["int", "int", "int", "int", "int", "int", real],
    ...[...matrix, ...matrix, real, ...matrix],
  ]);
  const gemv = find(library, `cblas_${prefix}gemv`, "void", [
    ...["int", "int", "int", "int", real, ...matrix, ...matrix],
    ...[real, ...matrix],
  ]);
  const syrk = find(library, `cblas_${prefix}syrk`, "void", [
    ...["int", "int", "int", "int", "int", real],
    ...[...matrix, real, ...matrix],
  ]);
  if (gemm === null || gemv === null || syrk === null) return null;
  const op = (trans: boolean): number => (trans ? TRANS : NO_TRANS);
  return {
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      gemm(ROW_MAJOR, op(transA), op(transB), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      gemv(ROW_MAJOR, op(trans), m, n, alpha, a, lda, x, 1, beta, y, 1);
    },
    syrk(trans, n, k, alpha, a, lda, beta, c, ldc) {
      syrk(ROW_MAJOR, LOWER, op(trans), n, k, alpha, a, lda, beta, c, ldc);
    },
  };
}

function bind(library: LibraryHandle, path: string): BlasLibrary | null {
  const double = bindProducts<Numbers>(library, "d", "double");
  const single = bindProducts<Float32Array>(library, "s", "float");
  const matrix = ["void *", "int"] as const;
  const trsm = find(library, "cblas_dtrsm", "void", [
    ...["int", "int", "int", "int", "int", "int", "int", "double"],
    ...[...matrix, ...matrix],
  ]);
  if (double === null || single === null || trsm === null) return null;

  const coreName = find(library, "openblas_get_corename", "str", []);
  const setThreads = ["openblas_set_num_threads", "MKL_Set_Num_Threads", "bli_thread_set_num_threads"]
    .map((name) => find(library, name, "void", ["int"]))
    .find((candidate) => candidate !== null);
  // Fortran takes every argument by reference; the trailing words are the hidden lengths of the character arguments.
  const potrf = find(library, "dpotrf_", "void", ["str", "void *", "void *", "void *", "void *", "size_t"]);
  const syevd = find(library, "dsyevd_", "void", ["str", "str", ...new Array(9).fill("void *"), "size_t", "size_t"]);
  const int = (value: number): Int32Array => Int32Array.of(value);

  return {
    name: describe(library, path),
    core: coreName === null ? null : String(coreName()),
    path,
    setThreads(threads) {
      setThreads?.(threads);
      return setThreads !== undefined;
    },
    ...double,
    single,
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

/** The processor whose kernels OpenBLAS was told to use by its environment variable; null when it was not. */
export function forcedCore(): string | null {
  return process.env["OPENBLAS_CORETYPE"] || null;
}

/**
 * Opens the system's BLAS through koffi: the library named by the environment variable OVERPARAM_BLAS (a path, or
 * `none`), else the first of the usual ones that has CBLAS.
 */
export async function findBlas(): Promise<BlasSearch> {
  const wanted = process.env["OVERPARAM_BLAS"];
  if (wanted === "none") return { library: null, note: "switched off by OVERPARAM_BLAS=none", refused: false };
  let koffi: Koffi;
  try {
    koffi = (await import(KOFFI)) as Koffi;
  } catch {
    return { library: null, note: KOFFI_MISSING, refused: Boolean(wanted) };
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
    if (library !== null) {
      const kernels = library.core === null ? "" : `, ${library.core} kernels`;
      return { library, note: `${library.name} (${path}${kernels})`, refused: false };
    }
    withoutCblas.push(path);
  }
  const tried = `none of ${paths.join(", ")} could be used`;
  const lacking = withoutCblas.length > 0 ? `; ${withoutCblas.join(", ")} has no CBLAS` : "";
  return { library: null, note: `${tried}${lacking}`, refused: Boolean(wanted) };
}
