import { ConfigError, DataError } from "../base/errors.ts";
import type { Matrix } from "../base/matrix.ts";
import { type BackendInfo, type Compute, type ComputeOptions, createCompute } from "../compute/index.ts";
import { littleEndianBytes } from "../data/npy.ts";
import {
  type Architecture,
  architectureOf,
  architectureText,
  type Layer,
  type Parametrization,
  parseArchitecture,
} from "../network/architecture/index.ts";
import { now, readBytes, sha256 } from "../platform/index.ts";
// Module by module: reading what a short call has no use for takes longer than its work.
import { makeEngine } from "../tangent/engine.ts";
import { type GramPlan, gramTiles, placeTile, planGram, tileEntries } from "../tangent/gram.ts";
import { checkInputs, type InputChecks } from "../tangent/input-checks.ts";
import { type SpectrumEnds, spectrumEnds } from "../tangent/spectrum.ts";
import type { KernelEngine, KernelName, Precision, Trained } from "../tangent/types.ts";
import { type KernelFiles, openKernelFiles } from "./kernel-files.ts";
import { flattenedFor, type KernelInputs, readKernelInputs } from "./kernel-inputs.ts";
import { type KernelTraining, kernelTraining } from "./kernel-training.ts";
import { singularityWarnings } from "./kernel-warnings.ts";
import { VERSION } from "./version.ts";

export interface KernelJob {
  readonly data: string;
  /** The text of an architecture, or the name of a JSON file that ends in `.json`. */
  readonly arch: string;
  readonly kernel: KernelName | "both";
  /** Null: as each layer says. */
  readonly parametrization: Parametrization | null;
  readonly against: string | null;
  readonly target: string | null;
  readonly train: Trained;
  /** The mean over so many random networks of the architecture's own widths; absent: infinitely wide. */
  readonly finite?: { readonly networks: number; readonly seed: number };
  /** Of the files; null accumulation: as the precision. */
  readonly precision: Precision;
  readonly accumulation: Precision | null;
  /** Beginning of the names of the files. */
  readonly out: string;
  readonly threads: number | null;
  /** Bytes that matrices and the work on a tile may take in memory. */
  readonly memory: number;
}

export type KernelEvent =
  | { readonly kind: "note" | "warning"; readonly text: string }
  | {
      readonly kind: "plan";
      readonly rows: number;
      readonly cols: number;
      readonly architecture: string;
      readonly method: KernelEngine["method"];
      /** Of the files, and of the memory that the work takes. */
      readonly fileBytes: number;
      readonly workBytes: number;
      readonly seconds: number;
      readonly tiles: number;
      /** Tiles that an interrupted run made. */
      readonly resumed: number;
    }
  | {
      readonly kind: "tile";
      readonly done: number;
      readonly tiles: number;
      readonly seconds: number;
      readonly left: number;
    };

/** What `overparam kernel --json` prints. */
export interface KernelJson {
  readonly schema: 1;
  readonly command: "kernel";
  readonly version: string;
  readonly architecture: string;
  readonly method: KernelEngine["method"];
  readonly train: Trained;
  readonly precision: Precision;
  readonly input: readonly number[];
  readonly shape: readonly [number, number];
  readonly symmetric: boolean;
  readonly kernels: Partial<
    Record<
      KernelName,
      {
        readonly file: string;
        readonly bytes: number;
        readonly spectrum: SpectrumEnds | null;
        /** Of a symmetric matrix. */
        readonly training: KernelTraining | null;
      }
    >
  >;
  readonly inputs: InputChecks;
  readonly warnings: readonly string[];
  readonly seconds: { readonly total: number; readonly kernels: number; readonly spectrum: number };
  readonly bytes: { readonly files: number; readonly work: number };
  readonly backend: BackendInfo;
}

/**
 * The architecture of a text or of a JSON file, in a parametrization when one is given.
 *
 * @throws ConfigError or DataError for a mistake in it.
 */
export function readArchitecture(text: string, parametrization: Parametrization | null): Architecture {
  const architecture = /\.json$/i.test(text) ? architectureOf(parseJson(text)) : parseArchitecture(text);
  return parametrization === null ? architecture : inParametrization(architecture, parametrization);
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(readBytes(file)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new DataError(`"${file}" is not JSON: ${error.message}`, { code: "not-json", place: { file } });
  }
}

function inParametrization(architecture: Architecture, parametrization: Parametrization): Architecture {
  return architecture.map((layer): Layer => {
    if (layer.kind === "dense" || layer.kind === "conv") return { ...layer, parametrization };
    if (layer.kind !== "residual") return layer;
    const [main, shortcut] = [layer.main, layer.shortcut].map((branch) => inParametrization(branch, parametrization));
    return { ...layer, main: main!, shortcut: shortcut! };
  });
}

/** Kinds of all layers, inner ones included. */
function kindsOf(architecture: Architecture): string[] {
  return architecture.flatMap((layer) =>
    layer.kind === "residual" ? [...kindsOf(layer.main), ...kindsOf(layer.shortcut)] : [layer.kind],
  );
}

/** Most rows of the first tile that is timed for the estimate, and its floating-point operations. */
const SAMPLE_ROWS = 96;
const SAMPLE_OPERATIONS = 1e9;
/** Rows of the largest one; larger ones follow until they have taken so many seconds together. */
const MOST_SAMPLE_ROWS = 768;
const SAMPLE_SECONDS = 0.05;

/** Floating-point operations that take one thread as long as others take to start. */
const SMALL_OPERATIONS = 5e8;

/** Floating-point operations of a block, and of all tiles of a plan. */
function blockOperations(engine: Prepared["engine"], rows: number, cols: number): number {
  return engine.work?.(rows, cols) ?? engine.operations * rows * cols;
}

function operationsOf(engine: Prepared["engine"], { tiles, symmetric }: GramPlan): number {
  return tiles.reduce((sum, tile) => {
    const [rows, cols] = [tile.r1 - tile.r0, tile.c1 - tile.c0];
    return sum + (blockOperations(engine, rows, cols) * tileEntries(tile, symmetric)) / (rows * cols);
  }, 0);
}

/** Seconds of a plan, from the fastest of a few growing tiles (the first call of a kernel also compiles it). */
function estimate(compute: Compute, engine: Prepared["engine"], X: Matrix, plan: GramPlan): number {
  const affordable = Math.max(1, Math.floor(Math.sqrt(SAMPLE_OPERATIONS / engine.operations)));
  let rows = Math.min(X.rows, SAMPLE_ROWS, affordable);
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0, spent = 0; round < 2 || (spent < SAMPLE_SECONDS && rows < MOST_SAMPLE_ROWS); round++) {
    const sample = { ...X, rows, data: X.data.subarray(0, rows * X.cols) };
    const begun = now();
    engine.block(compute, sample, sample);
    const seconds = now() - begun;
    spent += seconds;
    fastest = Math.min(fastest, seconds / blockOperations(engine, rows, rows));
    if (seconds > 1) break;
    if (seconds < SAMPLE_SECONDS) rows = Math.min(X.rows, 2 * rows, MOST_SAMPLE_ROWS);
    if (rows === X.rows && round > 0) break;
  }
  return fastest * operationsOf(engine, plan);
}

/** A job with its files read. */
interface Prepared {
  readonly architecture: Architecture;
  readonly inputs: KernelInputs;
  readonly against: Matrix | null;
  readonly kernels: readonly KernelName[];
  readonly engine: KernelEngine<Float64Array | Float32Array>;
  readonly checks: InputChecks;
  readonly warnings: readonly string[];
}

async function prepare(job: KernelJob, report: (event: KernelEvent) => void): Promise<Prepared> {
  const architecture = readArchitecture(job.arch, job.parametrization);
  const kinds = kindsOf(architecture);
  const target = job.target ?? undefined;
  const given = await readKernelInputs(job.data, target, null);
  const inputs = flattenedFor(given, kinds);
  const other = job.against === null ? null : flattenedFor(await readKernelInputs(job.against, target, given), kinds);
  const kernels: readonly KernelName[] = job.kernel === "both" ? ["nngp", "ntk"] : [job.kernel];
  const problem = { architecture, input: inputs.shape, trained: job.train, kernels };
  const { precision, accumulation } = job;
  const { finite, memory } = job;
  let engine: Prepared["engine"];
  if (finite === undefined) {
    engine = makeEngine(problem, { precision, ...(accumulation === null ? {} : { accumulation }) });
  } else {
    const { empiricalEngine } = await import("../tangent/empirical/engine.ts");
    engine = inMemory(() => empiricalEngine(problem, { ...finite, precision, limitBytes: memory / 2 }));
  }
  for (const text of [...inputs.notes, ...(other?.notes ?? [])]) report({ kind: "note", text });
  const checks = checkInputs(inputs.X);
  const warnings = singularityWarnings(checks, architecture, true);
  for (const text of warnings) report({ kind: "warning", text });
  return { architecture, inputs, against: other?.X ?? null, kernels, engine, checks, warnings };
}

/** Names a job: what an interrupted call made counts only for the same one. */
function keyOf(job: KernelJob, { architecture, inputs, against, kernels }: Prepared, plan: GramPlan): string {
  const text = architectureText(architecture);
  const { train, finite, precision, accumulation } = job;
  const how = { train, finite, precision, accumulation };
  const settings = { VERSION, text, input: inputs.shape, ...how, kernels, tiles: plan.tiles };
  return sha256(
    new TextEncoder().encode(JSON.stringify(settings)),
    littleEndianBytes(inputs.X.data),
    ...(against === null ? [] : [littleEndianBytes(against.data)]),
  );
}

/** Makes the tiles that are not there yet. */
async function makeTiles(
  compute: Compute,
  { engine, inputs, against, kernels }: Prepared,
  plan: GramPlan,
  files: KernelFiles,
  report: (event: KernelEvent) => void,
): Promise<void> {
  const started = now();
  const resumed = files.done;
  const { length: tiles } = plan.tiles;
  const entriesOf = (from: number, to: number): number =>
    plan.tiles.slice(from, to).reduce((sum, tile) => sum + tileEntries(tile, plan.symmetric), 0);
  for (const { tile, block } of gramTiles(compute, engine, inputs.X, against, plan, resumed)) {
    for (const name of kernels) {
      placeTile(block[name]!, tile, plan.symmetric, (row, column, values) => files.write(name, row, column, values));
    }
    files.tileDone();
    const seconds = now() - started;
    const left = (seconds * entriesOf(files.done, tiles)) / Math.max(1, entriesOf(resumed, files.done));
    report({ kind: "tile", done: files.done, tiles, seconds, left });
    // Signals and timers have their turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/**
 * Computes kernels between samples and writes them as npy files, tile by tile; an interrupted call goes on where it stopped.
 *
 * @throws DataError, ConfigError for what is wrong with data, architecture or files.
 */
export async function runKernel(job: KernelJob, report: (event: KernelEvent) => void): Promise<KernelJson> {
  const begun = now();
  const prepared = await prepare(job, report);
  const { engine, inputs, against, kernels, checks, warnings } = prepared;
  const architecture = architectureText(prepared.architecture);
  // 1. The plan, before the work.
  const plan = planOf(engine, inputs.X, against, job.memory);
  const compute = await createCompute(computeOptions(job, engine, plan));
  try {
    const seconds = estimate(compute, engine, inputs.X, plan);
    const { length: tiles } = plan.tiles;
    const files = openKernelFiles(
      job.out,
      kernels,
      [plan.rows, plan.cols],
      tiles,
      keyOf(job, prepared, plan),
      job.precision,
    );
    try {
      const fileBytes = kernels.length * files.bytes;
      const share = 1 - files.done / Math.max(1, tiles);
      report({
        kind: "plan",
        rows: plan.rows,
        cols: plan.cols,
        architecture,
        method: engine.method,
        fileBytes,
        workBytes: plan.tileBytes,
        seconds: seconds * share,
        tiles,
        resumed: files.done,
      });
      // 2. The tiles, 3. the ends of the spectrum.
      const started = now();
      await makeTiles(compute, prepared, plan, files, report);
      const computed = now();
      const results: KernelJson["kernels"] = Object.fromEntries(
        kernels.map((name) => {
          const readRows = (from: number, count: number): Float64Array => files.rows(name, from, count);
          const { rows, symmetric } = plan;
          const spectrum = symmetric ? spectrumEnds(compute, rows, readRows, job.memory) : null;
          const training =
            spectrum === null
              ? null
              : kernelTraining(compute, rows, readRows, spectrum.largest, inputs.labels, job.memory);
          return [name, { file: files.nameOf(name), bytes: files.bytes, spectrum, training }];
        }),
      );
      files.finish();
      const ended = now();
      return {
        schema: 1,
        command: "kernel",
        version: VERSION,
        architecture,
        method: engine.method,
        train: job.train,
        precision: job.precision,
        input: inputs.shape,
        shape: [plan.rows, plan.cols],
        symmetric: plan.symmetric,
        kernels: results,
        inputs: checks,
        warnings,
        seconds: { total: ended - begun, kernels: computed - started, spectrum: ended - computed },
        bytes: { files: fileBytes, work: plan.tileBytes },
        backend: compute.info,
      };
    } finally {
      files.close();
    }
  } finally {
    await compute.close();
  }
}

/** The machinery for a plan: small ones are done on one thread before others, and the system's BLAS, have started. */
function computeOptions({ threads }: KernelJob, engine: Prepared["engine"], plan: GramPlan): ComputeOptions {
  const spectrum = plan.symmetric ? 2 * plan.rows ** 3 : 0;
  if (operationsOf(engine, plan) + spectrum < SMALL_OPERATIONS) return { backend: "wasm", threads: 1 };
  return threads === null ? {} : { threads };
}

function planOf(engine: Prepared["engine"], X: Matrix, against: Matrix | null, memory: number): GramPlan {
  return inMemory(() => planGram(engine, X.rows, against?.rows ?? null, memory));
}

/** Tells the user when something does not fit into the memory. */
function inMemory<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(error.message, { code: "kernel-memory", hint: "give more with --memory" });
  }
}
