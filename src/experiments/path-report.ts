import type { LineFigure, ReportTable } from "../report/index.ts";
import type { FitJson } from "./fit-types.ts";
import type { RegularizationPath } from "./path.ts";
import { relativeGap } from "./problem.ts";
import { gapText } from "./rounding.ts";
import { formatBeta } from "./verdict.ts";

/** Name of the path in a run folder. */
export const PATH_FILE = "path.csv";

/** Betas at which the band is drawn besides its breaks. */
const SAMPLES = 200;

const COLUMNS = [
  "beta",
  "share_of_beta_max",
  "objective",
  "lower_bound",
  "gap",
  "training_loss",
  "penalty",
  "neurons",
  "validation_loss",
  "validation_standard_error",
  "chosen",
] as const;

/** The path's share of the JSON. */
export function pathJson({ points, widest }: RegularizationPath, betaMax: number): NonNullable<FitJson["path"]> {
  return {
    widest: { ...widest },
    points: points.map(({ beta, objective, lowerBound, gap, loss, penalty, neurons, validation, chosen }) => ({
      beta,
      ratio: beta / betaMax,
      objective,
      lowerBound,
      gap,
      loss,
      penalty,
      neurons,
      validation: validation === null ? null : { loss: validation.loss, standardError: validation.standardError },
      chosen,
    })),
  };
}

/** The path as a table for other programs: all digits, empty where beta was not validated. */
export function pathCsv({ points }: NonNullable<FitJson["path"]>): string {
  const rows = points.map(({ beta, ratio, objective, lowerBound, gap, loss, penalty, neurons, validation, chosen }) => [
    beta,
    ratio,
    objective,
    lowerBound,
    gap,
    loss,
    penalty,
    neurons,
    validation?.loss ?? "",
    validation?.standardError ?? "",
    chosen,
  ]);
  return `${[COLUMNS, ...rows].map((row) => row.join(",")).join("\n")}\n`;
}

/** What the path shows, in a sentence. */
export function pathSentence({ points, widest }: RegularizationPath, betaMax: number): string {
  const share = (beta: number): string => formatBeta(Number((beta / betaMax).toPrecision(2)));
  const [first, last] = [points[0]!, points.at(-1)!];
  const range = `between ${share(first.beta)} and ${share(last.beta)} beta_max`;
  return `path: at every beta ${range} the smallest objective is known within ${gapText(widest.gap)}, widest at ${share(widest.beta)} beta_max (${PATH_FILE})`;
}

/** The figures of a path: the band, and the neurons. */
export function pathFigures(path: RegularizationPath): LineFigure[] {
  const { points, band } = path;
  const [first, last] = [points[0]!.beta, points.at(-1)!.beta];
  const even = Array.from({ length: SAMPLES + 1 }, (_, k) => first * (last / first) ** (k / SAMPLES));
  const betas = [...new Set([...even, ...band.breaks, ...points.map(({ beta }) => beta)])]
    .filter((beta) => beta >= first && beta <= last)
    .sort((a, b) => a - b);
  const along = (value: (beta: number) => number): [number, number][] => betas.map((beta) => [beta, value(beta)]);
  return [
    {
      name: "path",
      title: "Regularization path",
      caption:
        "The smallest training objective as a function of β lies between the two lines, at every β: it is concave, so that each network bounds it from above everywhere, and the chords of the lower bounds from below.",
      x: { label: "β", log: true },
      y: { label: "objective" },
      bands: [
        {
          label: "the smallest objective",
          points: betas.map((beta): [number, number, number] => [beta, band.lower(beta), band.upper(beta)]),
        },
      ],
      lines: [
        { label: "best network", points: along(band.upper) },
        { label: "lower bound", dashed: true, points: along(band.lower) },
      ],
    },
    {
      name: "path-gap",
      title: "Gap along the path",
      caption: "(best network − lower bound) / best network at every β; smallest where the problem was solved.",
      x: { label: "β", log: true },
      y: { label: "gap", log: true },
      lines: [{ label: "gap", points: along((beta) => relativeGap(band.upper(beta), band.lower(beta))) }],
    },
    {
      name: "path-neurons",
      title: "Neurons along the path",
      caption: "Hidden neurons of the best network found, at the values of β that were solved or validated.",
      x: { label: "β", log: true },
      y: { label: "neurons" },
      lines: [{ label: "neurons", points: points.map(({ beta, neurons }) => [beta, neurons]) }],
    },
  ];
}

/** The points of a path as a table of the report. */
export function pathTable({ points }: NonNullable<FitJson["path"]>): ReportTable {
  return {
    title: "Regularization path",
    columns: [
      "β",
      "share of beta_max",
      "objective",
      "lower bound",
      "gap",
      "neurons",
      "validation loss",
      "± one standard error",
    ],
    rows: points.map(({ beta, ratio, objective, lowerBound, gap, neurons, validation, chosen }) => [
      `${formatBeta(beta)}${chosen ? " (the fit)" : ""}`,
      ratio,
      objective,
      lowerBound,
      gapText(gap),
      neurons,
      validation?.loss ?? null,
      validation?.standardError ?? null,
    ]),
    note: "Bounds along the path are in floating-point arithmetic.",
  };
}
