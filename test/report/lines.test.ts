import { describe, expect, test } from "vitest";
import { linesChart } from "../../src/report/charts/lines.ts";
import type { LineFigure } from "../../src/report/index.ts";

const SIZE = { width: 780, height: 300 };
const figure = (lines: LineFigure["lines"], log = true): LineFigure => ({
  name: "loss",
  title: "Loss",
  caption: "after each step",
  x: { label: "step" },
  y: { label: "loss", log },
  lines,
});
const paths = (svg: string | null): number => (svg ?? "").match(/<path/g)?.length ?? 0;

describe("linesChart", () => {
  test("linesChart is logarithmic where values are positive and far apart, and linear elsewhere", () => {
    const falling = [
      {
        label: "training",
        points: [
          [0, 1],
          [1, 0.1],
          [2, 1e-4],
        ] as const,
      },
    ];
    expect(linesChart(figure(falling), SIZE)).toContain("loss (log scale)");
    expect(linesChart(figure(falling, false), SIZE)).not.toContain("log scale");
    expect(
      linesChart(
        figure([
          {
            label: "a",
            points: [
              [0, 1],
              [1, 0.9],
            ],
          },
        ]),
        SIZE,
      ),
    ).not.toContain("log scale");
  });

  test("linesChart leaves out what has no place, and is null when nothing is left", () => {
    expect(linesChart(figure([]), SIZE)).toBeNull();
    expect(
      linesChart(
        figure([
          {
            label: "a",
            points: [
              [0, Number.NaN],
              [1, Number.POSITIVE_INFINITY],
            ],
          },
        ]),
        SIZE,
      ),
    ).toBeNull();
    const svg = linesChart(
      figure([
        {
          label: "a",
          points: [
            [0, 0],
            [1, -1],
            [2, 5],
            [3, 0.1],
          ],
        },
      ]),
      SIZE,
    );
    expect(svg).not.toMatch(/NaN|Infinity/);
    const zeros = linesChart(
      figure([
        {
          label: "a",
          points: [
            [0, 0],
            [1, 0],
          ],
        },
      ]),
      SIZE,
    );
    expect(zeros).not.toMatch(/NaN|Infinity/);
  });

  test("linesChart names its lines, dashes bounds, and escapes labels", () => {
    const svg = linesChart(
      figure([
        {
          label: "<b>measured</b>",
          points: [
            [0, 1],
            [10, 2],
          ],
        },
        {
          label: "bound",
          dashed: true,
          points: [
            [0, 2],
            [10, 3],
          ],
        },
      ]),
      SIZE,
    );
    expect(svg).toContain("&lt;b&gt;measured");
    expect(svg).toContain("stroke-dasharray");
    expect(paths(svg)).toBeGreaterThanOrEqual(2);
  });

  test("linesChart draws dots, and bands behind the lines that its axes have room for", () => {
    const points = [
      [0, 1],
      [10, 2],
    ] as const;
    const base = figure([{ label: "mean", points }], false);
    const svg = linesChart(
      {
        ...base,
        lines: [...base.lines, { label: "rows", dots: true, points }],
        bands: [
          {
            label: "deviation",
            points: [
              [0, -8, 9],
              [10, 0, Number.NaN],
              [12, 1, 8],
            ],
          },
        ],
      },
      SIZE,
    )!;
    expect(svg).not.toContain("NaN");
    expect(svg).toMatch(/aria-label="area"/);
    expect(svg).toContain(">−5<");
    expect(svg).toContain(">12<");
    expect(svg.match(/<circle/g)!.length).toBeGreaterThanOrEqual(3);
  });

  test("linesChart of a hundred thousand points stays small", () => {
    const points = Array.from({ length: 100_000 }, (_, k): [number, number] => [k, 1 + Math.sin(k)]);
    expect(linesChart(figure([{ label: "a", points }], false), SIZE)!.length).toBeLessThan(100_000);
  });
});
