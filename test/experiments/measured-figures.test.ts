import { describe, expect, test } from "vitest";
import type { HistoryLine } from "../../src/experiments/training/history.ts";
import { measuredFigures } from "../../src/experiments/training/measured-figures.ts";

type Row = HistoryLine["measurements"][number];

const row = (name: string, value: number | null, more: Partial<Row> = {}): Row => ({
  name,
  layer: null,
  value,
  bound: null,
  constant: null,
  statement: null,
  status: null,
  ...more,
});
const history = (looks: readonly (readonly Row[])[]): HistoryLine[] =>
  looks.map((measurements, step) => ({ step, epoch: step, rate: 1, measurements: [...measurements] }));

describe("measuredFigures", () => {
  test("measuredFigures has an axis for all numbers: logarithmic only where all of them are positive", () => {
    const [far, near] = measuredFigures(
      history([
        [row("distance", 0), row("gradient-squared", 1)],
        [row("distance", 5), row("gradient-squared", 1e-6)],
      ]),
    );
    expect(far).toMatchObject({
      title: "Distance",
      y: { log: false },
      lines: [
        {
          points: [
            [0, 0],
            [1, 5],
          ],
        },
      ],
    });
    expect(near).toMatchObject({ y: { log: true } });
  });

  test("measuredFigures joins families, leaves out curves that are there already, and needs two looks", () => {
    const looks = history(
      [1, 2].map((k) => [
        row("loss", k),
        row("accuracy", k),
        row("hessian-trace", k),
        row("hessian-trace-error", k),
        row("gauss-newton-trace", k),
        row("semi-smoothness-gradient-0.1", k),
        row("semi-smoothness-random-0.1", -k),
        ...(k === 2 ? [row("kernel-velocity", k)] : []),
        row("undefined", null),
      ]),
    );
    const figures = measuredFigures(looks);
    expect(figures.map(({ title }) => title)).toEqual(["Traces", "Semi-smoothness at radius 0.1"]);
    expect(figures.map(({ lines }) => lines.map(({ label }) => label))).toEqual([
      ["hessian", "gauss-newton"],
      ["gradient direction", "random direction"],
    ]);
    expect(new Set(figures.map(({ name }) => name)).size).toBe(2);
  });

  test("measuredFigures draws a bound once, says whose it is where layers differ, and cites the statement", () => {
    const stated = { statement: "Lemma 8.2", status: "recalled" } as const;
    const of = (bounds: readonly [number, number]) =>
      measuredFigures(
        history(
          [1, 2].map((k) =>
            bounds.map((bound, layer) =>
              row("signs", k, { layer: String(layer), bound, constant: k / bound, ...stated }),
            ),
          ),
        ),
      )[0]!;
    expect(of([3, 3]).lines.map(({ label }) => label)).toEqual(["layer 0", "layer 1", "bound, constant 1"]);
    expect(of([3, 4]).lines.at(-1)).toMatchObject({ label: "bound of layer 0, constant 1", dashed: true });
    expect(of([3, 4]).caption).toBe("Lemma 8.2 (recalled).");
  });
});
