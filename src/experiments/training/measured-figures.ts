import type { LineFigure } from "../../report/index.ts";
import type { HistoryLine } from "./history.ts";

/** Most lines that a figure shows of a quantity. */
const MOST_LINES = 6;

/** Quantities that are shown as one: what their figure is called, and each of them in it. */
const FAMILIES: readonly (readonly [pattern: RegExp, figure: string, line: string])[] = [
  [/^semi-smoothness-(gradient|random)-(.*)$/, "semi-smoothness at radius $2", "$1 direction"],
  [/^kernel-eigenvalue-(.*)$/, "eigenvalues of the tangent kernel", "$1"],
  [/^hessian-quantile-(.*)$/, "quantiles of the Hessian's eigenvalues", "$1"],
  [/^(hessian|gauss-newton)-trace$/, "traces", "$1"],
  [/^(sharpness|gauss-newton-largest|hessian-smallest)$/, "ends of the spectrum", "$1"],
  [/^laziness-(first|second)-derivative$/, "derivatives of the outputs", "$1"],
  [/^laziness-(first|second)-derivative-between-kinks$/, "derivatives of the outputs between kinks", "$1"],
  [/^(linearized|quadratic)-(.*)$/, "distance from Taylor models: $2", "$1"],
];
/** Shown as curves of their own, or errors of others. */
const LEFT_OUT = /^(loss|accuracy|.*-trace-error)$/;

/** Points of a quantity of a layer, and what is stated of it. */
interface Series {
  readonly values: [number, number][];
  readonly bounds: [number, number][];
  statement: string | null;
}

/** What monitors measured over the steps: a figure a quantity or family of them, a line a layer, bounds dashed. */
export function measuredFigures(lines: readonly HistoryLine[]): LineFigure[] {
  const figures = new Map<string, Map<string, Series>>();
  for (const { step, measurements } of lines) {
    for (const { name, layer, value, bound, statement, status } of measurements) {
      if (LEFT_OUT.test(name)) continue;
      const family = FAMILIES.find(([pattern]) => pattern.test(name));
      const [title, line] =
        family === undefined
          ? [name, layer === null ? "measured" : `layer ${layer}`]
          : [name.replace(family[0], family[1]), name.replace(family[0], family[2])];
      const all = figures.get(title) ?? new Map<string, Series>();
      figures.set(title, all);
      const series: Series = all.get(line) ?? { values: [], bounds: [], statement: null };
      all.set(line, series);
      if (value !== null) series.values.push([step, value]);
      if (bound !== null) series.bounds.push([step, bound]);
      if (statement !== null) series.statement = `${statement} (${status})`;
    }
  }
  return [...figures].flatMap(([title, all], k) => {
    const shown = [...all].slice(0, MOST_LINES).filter(([, { values }]) => values.length > 1);
    return shown.length === 0 ? [] : [figureOf(`measured-${k + 1}`, title, shown, all.size)];
  });
}

function figureOf(
  name: string,
  title: string,
  shown: readonly (readonly [string, Series])[],
  count: number,
): LineFigure {
  const bounded = shown.filter(([, { bounds }]) => bounds.length > 1);
  const same = bounded.every(([, { bounds }]) => JSON.stringify(bounds) === JSON.stringify(bounded[0]![1].bounds));
  const dashed = bounded.slice(0, 1).map(([line, { bounds }]) => ({
    label: same ? "bound, constant 1" : `bound of ${line}, constant 1`,
    dashed: true,
    points: bounds,
  }));
  const lines = [...shown.map(([label, { values }]) => ({ label, points: values })), ...dashed];
  const statement = shown.find(([, series]) => series.statement !== null)?.[1].statement ?? null;
  const some = count > shown.length ? `The first ${shown.length} of ${count} layers. ` : "";
  return {
    name,
    title: `${title.charAt(0).toUpperCase()}${title.slice(1)}`,
    caption: `${some}${statement === null ? "As measured in training." : `${statement}.`}`,
    x: { label: "step" },
    // On a logarithmic axis numbers that are not positive would be missing.
    y: { label: title, log: lines.every(({ points }) => points.every(([, value]) => value > 0)) },
    lines,
  };
}
