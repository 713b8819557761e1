import { forcedCore, KOFFI_MISSING } from "../platform/blas.ts";
import { now } from "../platform/clock.ts";
import { processorCount } from "../platform/worker.ts";
import { probeBlas } from "./create.ts";
import type { BackendInfo, Compute } from "./types.ts";
import { compileKernels } from "./wasm-module.ts";

/** What `overparam doctor` tells about the arithmetic. */
export interface DoctorReport {
  readonly backend: BackendInfo;
  readonly simd: { readonly level: BackendInfo["simd"]; readonly reason: string };
  readonly processors: number;
  /** The system BLAS on this machine, in use or not; `note` names it with its path, or says why there is none. */
  readonly blas: { readonly name: string | null; readonly path: string | null; readonly note: string };
  /** Bytes that the kernels can address on this machine. */
  readonly memoryLimit: number;
  /** Median speed of C = A B, order {@link GEMM_ORDER}, in GFLOP/s. */
  readonly gemm: { readonly order: number; readonly gflops: number };
  /** What to do to go faster; empty when nothing is known. */
  readonly hints: readonly string[];
}

const GEMM_ORDER = 1024;
const SECONDS = 1.2;
const MINIMUM_RUNS = 3;

/** The reference backend is a thousand times slower: a smaller product, so that the answer still comes at once. */
const REFERENCE_ORDER = 128;

function measureGemm(compute: Compute): { order: number; gflops: number } {
  const order = compute.info.name === "js" ? REFERENCE_ORDER : GEMM_ORDER;
  return compute.scope((scope) => {
    const entries = Float64Array.from({ length: order * order }, (_, i) => ((i * 37) % 23) / 23);
    const a = scope.copy(entries);
    const b = scope.copy(entries);
    const c = scope.f64(order * order);
    const seconds: number[] = [];
    const end = now() + SECONDS;
    // The first run pays for the pages of C and is left out.
    for (let run = 0; run <= MINIMUM_RUNS || now() < end; run++) {
      const start = now();
      compute.gemm(false, false, order, order, order, 1, a, order, b, order, 0, c, order);
      if (run > 0) seconds.push(now() - start);
    }
    seconds.sort((one, other) => one - other);
    return { order, gflops: (2 * order ** 3) / seconds[seconds.length >> 1]! / 1e9 };
  });
}

function simdReason(level: BackendInfo["simd"], best: BackendInfo["simd"]): string {
  if (level === "none") return "the reference backend uses none";
  if (level !== best) return "asked for";
  return level === "relaxed" ? "the engine has relaxed SIMD" : "the engine has no relaxed SIMD";
}

/** Gathers the report; takes about {@link SECONDS} seconds. */
export async function doctorReport(compute: Compute): Promise<DoctorReport> {
  const { info } = compute;
  const best = (await compileKernels("auto")).simd;
  const { library, note } = await probeBlas();
  const processors = processorCount();
  const hints: string[] = [];
  if (note === KOFFI_MISSING) {
    hints.push(
      "koffi is an optional dependency: install the package again without --omit=optional; where none of its binaries " +
        "fits the machine, it is compiled, which needs a C++ compiler and CMake",
    );
  }
  if (library === null) {
    hints.push(
      "dense factorizations and products run several times faster on a system BLAS: install OpenBLAS " +
        "(Debian, Ubuntu: libopenblas0; Fedora: openblas-threads; macOS has Accelerate) or name a library in OVERPARAM_BLAS",
    );
  }
  const forced = forcedCore();
  if (library !== null && library.core !== null && forced !== null) {
    hints.push(
      `OPENBLAS_CORETYPE=${forced} holds OpenBLAS to its ${library.core} kernels; without it, it takes those of this machine`,
    );
  }
  if (best === "plain") hints.push("Node.js 22 or newer brings fused multiply-add (relaxed SIMD) to WebAssembly");
  if (info.threads < processors && info.name !== "js") {
    hints.push(`${info.threads} of ${processors} processors are used; raise the number of threads`);
  }
  return {
    backend: info,
    simd: { level: info.simd, reason: simdReason(info.simd, best) },
    processors,
    blas: { name: library?.name ?? null, path: library?.path ?? null, note },
    memoryLimit: compute.memoryLimit,
    gemm: measureGemm(compute),
    hints,
  };
}
