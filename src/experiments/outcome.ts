import { writeOnnx, writeSafetensors } from "../formats/index.ts";
import { mergeOutputs, type TwoLayerNetwork } from "../network/index.ts";
import { sha256 } from "../platform/index.ts";
import { isCheckable, makeCertificate, wholeProof } from "./certificate-file.ts";
import { CHECKPOINT_FILE, type Checkpoint } from "./checkpoint.ts";
import { baselineMetrics, testTable } from "./evaluation.ts";
import type { FitRecord } from "./fit-record.ts";
import type { FitJson, FitOutcome, RunFile } from "./fit-types.ts";
import { modelCard } from "./model-card.ts";
import { networkToJson } from "./network-json.ts";
import { PATH_FILE, pathCsv, pathJson } from "./path-report.ts";
import { relativeGap } from "./problem.ts";
import { reportFiles } from "./report-files.ts";
import { makeReport } from "./run-report.ts";
import type { SolvedPart } from "./solve.ts";
import { verdict } from "./verdict.ts";
import { CERTIFICATE_FILE } from "./verify.ts";
import { VERSION } from "./version.ts";

/** From best to worst. */
const STATUSES = ["optimal", "bounded", "stalled", "interrupted"] as const;

/** A part's share of the JSON. */
function partJson(output: SolvedPart): FitJson["result"] {
  const { status, objective, lowerBound, gap, scope, method, patterns, iterations, seconds, listed, network } = output;
  const neurons = network.U.rows;
  return { status, objective, lowerBound, gap, scope, method, neurons, patterns, iterations, seconds, listed };
}

/** Sums over the outputs; the worst status, the weakest scope, and every method that was used. */
export function totalResult(results: readonly FitJson["result"][], tolerance: number): FitJson["result"] {
  const first = results[0];
  if (first === undefined) throw new RangeError("a result needs at least one output");
  if (results.length === 1) return first;
  const sum = (value: (result: FitJson["result"]) => number): number =>
    results.reduce((total, result) => total + value(result), 0);
  const objective = sum((result) => result.objective);
  const lowerBound = sum((result) => result.lowerBound);
  const gap = relativeGap(objective, lowerBound);
  const worst = Math.max(...results.map(({ status }) => STATUSES.indexOf(status)));
  // A class of small objective may miss the tolerance while the sum meets it.
  const status = STATUSES[worst]! === "bounded" && gap <= tolerance ? "optimal" : STATUSES[worst]!;
  const listed = results.every((result) => result.listed !== null)
    ? {
        patterns: sum((result) => result.listed!.patterns),
        lowerBound: sum((result) => result.listed!.lowerBound),
        gap: relativeGap(
          objective,
          sum((result) => result.listed!.lowerBound),
        ),
      }
    : null;
  return {
    status,
    objective,
    lowerBound,
    gap,
    scope: results.some(({ scope }) => scope === "listed-patterns") ? "listed-patterns" : "all-patterns",
    method: [...new Set(results.map(({ method }) => method))].join(", "),
    neurons: sum((result) => result.neurons),
    patterns: sum((result) => result.patterns),
    iterations: sum((result) => result.iterations),
    seconds: sum((result) => result.seconds),
    listed,
  };
}

/** The merged network of the parts: what is saved. */
export function savedNetwork(outputs: readonly SolvedPart[]): TwoLayerNetwork {
  const [first] = outputs;
  if (first !== undefined && outputs.length === 1) return first.network;
  return mergeOutputs(outputs.map(({ network }) => network));
}

function fitJson(record: FitRecord): FitJson {
  const { dataset, objective, betaMax, outputs, network, settings, evaluation, baselines, backend } = record;
  const { validation, path } = record;
  const { X } = dataset.train;
  const { weights: _weights, outputNorm, ...posed } = objective;
  const targets = dataset.target.columns?.map(({ name }) => name);
  const results = outputs.map(partJson);
  const perClass = outputs.map(({ name }, q) => ({ class: name, ...results[q]! }));
  return {
    schema: 1,
    command: record.given === null ? "fit" : "certify",
    version: VERSION,
    run: null,
    problem: {
      rows: X.rows,
      features: X.cols,
      outputs: network.W.cols,
      betaMax,
      ...posed,
      ...(outputNorm === null ? {} : { outputNorm }),
      ...(targets === undefined ? {} : { targets }),
    },
    result: totalResult(results, settings.tolerance),
    rigorous: false,
    ...(outputs.length > 1 ? { perClass } : {}),
    metrics: {
      train: { ...evaluation.train },
      test: evaluation.test === null ? null : { ...evaluation.test },
      baselines: baselineMetrics(baselines),
    },
    ...(validation === null
      ? {}
      : {
          validation: {
            end: validation.end,
            points: validation.points.map((point) => ({ beta: point.ratio * betaMax, ...point })),
          },
        }),
    ...(path === null ? {} : { path: pathJson(path, betaMax) }),
    backend: { ...backend },
  };
}

/** The hash that names the run: of the settings that matter to the result, the data and the version, not of the time. */
function contentHash({ settings, dataset, gatesHash, given }: FitRecord): string {
  const { data: _data, out: _out, requireGap: _gap, gates: _gates, ...kept } = settings;
  const made = [VERSION, kept, dataset.fingerprint, gatesHash, given?.sha256 ?? null];
  return sha256(new TextEncoder().encode(JSON.stringify(made)));
}

/** The JSON, the verdict and the files of a fit. */
export function makeOutcome(record: FitRecord): FitOutcome {
  const { settings, dataset, network, evaluation, baselines, interrupted } = record;
  const draft = fitJson(record);
  const certified = certificateFiles(record, draft);
  const json = { ...draft, rigorous: certified.rigorous };
  const lines = verdict({
    problem: json.problem,
    result: json.result,
    rigorous: json.rigorous,
    given: record.given !== null,
    tolerance: settings.tolerance,
    ...(json.perClass === undefined ? {} : { perClass: json.perClass }),
  });
  const { preprocessing, target } = dataset;
  const model = {
    network,
    preprocessing,
    target: record.objective.loss === "softmax" ? ({ ...target, link: "softmax" } as const) : target,
  };
  const files: RunFile[] = [
    { name: "model.onnx", bytes: writeOnnx(model) },
    { name: "model.safetensors", bytes: writeSafetensors(model) },
    ...certified.files,
    ...(json.path === undefined ? [] : [text(PATH_FILE, pathCsv(json.path))]),
    text("history.ndjson", record.history.map((line) => `${JSON.stringify(line)}\n`).join("")),
    ...reportFiles(makeReport(record, json)),
    text("README.md", modelCard(record, json, lines)),
  ];
  if (interrupted) files.push(text(CHECKPOINT_FILE, `${JSON.stringify(makeCheckpoint(record))}\n`));
  return {
    json,
    verdict: lines,
    files,
    id: contentHash(record),
    interrupted,
    testTable: testTable(target, evaluation, baselines),
  };
}

/** The certificate, with its proof when that has a file of its own; none where the checker does not know the problem. */
function certificateFiles(record: FitRecord, { problem, result }: FitJson): { files: RunFile[]; rigorous: boolean } {
  const { objective, outputs, dataset } = record;
  if (!isCheckable(objective, dataset.target)) return { files: [], rigorous: false };
  const proof = wholeProof(
    outputs,
    outputs.map((output) => output.proof),
  );
  const certificate = makeCertificate({ ...record, objective, problem, result, proof });
  const file = text(CERTIFICATE_FILE, `${JSON.stringify(certificate)}\n`);
  const rigorous = certificate.arithmetic === "rigorous";
  const entry = certificate.proof;
  if (proof === null || entry === null || !("file" in entry)) return { files: [file], rigorous };
  return { files: [file, { name: entry.file, bytes: proof }], rigorous };
}

function makeCheckpoint({ settings, dataset, objective, betaMax, outputs }: FitRecord): Checkpoint {
  return {
    format: "overparam-checkpoint",
    formatVersion: 1,
    version: VERSION,
    settings: { ...settings },
    matrix: dataset.fingerprint.matrix,
    beta: objective.beta,
    betaMax,
    outputs: outputs.map(({ name, network }) => ({ name, network: networkToJson(network) })),
  };
}

function text(name: string, content: string): RunFile {
  return { name, bytes: new TextEncoder().encode(content) };
}
