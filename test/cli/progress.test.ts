import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawBar, type FitProgress, ProgressView, progressLine, progressParts } from "../../src/cli/progress.ts";
import { makeTerminal } from "../../src/cli/terminal.ts";

const progress: FitProgress = {
  kind: "progress",
  stage: "train",
  label: "",
  objective: 0.29304,
  bound: 0.27027,
  gap: 0.078,
  neurons: 23,
  fraction: null,
  seconds: 6,
};

/** A terminal whose stderr is kept as text. */
function recording(isTTY: boolean): { text: () => string; terminal: ReturnType<typeof makeTerminal> } {
  let text = "";
  const stream = {
    isTTY,
    columns: 80,
    write: (part: string) => {
      text += part;
    },
  };
  return { text: () => text, terminal: makeTerminal(stream, stream, {}) };
}

describe("drawBar", () => {
  test("drawBar shows the share without colour", () => {
    expect(drawBar(0.25, 8)).toBe("━━──────");
    expect(drawBar(-1, 4)).toBe("────");
    expect(drawBar(2, 4)).toBe("━━━━");
  });
});

describe("progressLine", () => {
  test("progressLine stays below the width and keeps the objective at 80 columns", () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (columns, share) => {
        const line = progressLine("solving", share, progressParts(progress, ", 12 s left"), columns);
        expect(line.length).toBeLessThan(columns);
        if (columns >= 80) expect(line).toContain("objective 0.2931  bound 0.2702  6 s, 12 s left");
      }),
    );
  });

  test("progressLine shows everything when there is room", () => {
    const line = progressLine("solving", 0.5, progressParts(progress, ""), 120);
    expect(line).toBe("  solving  ━━━━━━━━━━──────────  objective 0.2931  bound 0.2702  6 s  23 neurons  gap 7.8 %");
  });

  test("progressParts leaves out what is not known yet", () => {
    expect(progressParts({ ...progress, objective: null, bound: null, gap: null, neurons: 0 }, "")).toEqual(["6 s"]);
  });
});

describe("ProgressView", () => {
  test("ProgressView writes a line every ten seconds without a terminal", () => {
    const { terminal, text } = recording(false);
    const view = new ProgressView(terminal, 1e-6, 60);
    for (let seconds = 0; seconds <= 35; seconds++) view.show({ ...progress, seconds });
    const lines = text().trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe("  solving  objective 0.2931  bound 0.2702  10 s  23 neurons  gap 7.8 %");
  });

  test("ProgressView redraws one line on a terminal, with the time left from the slope of log(gap)", () => {
    const { terminal, text } = recording(true);
    const view = new ProgressView(terminal, 1e-6, 600);
    for (let seconds = 0; seconds <= 10; seconds++) view.show({ ...progress, seconds, gap: 10 ** (-seconds / 5) });
    expect(text()).not.toContain("\n");
    expect(text().split("\r\u001b[K").at(-1)).toContain("10 s, 20 s left");
  });

  test("ProgressView starts another estimate with another stage", () => {
    const { terminal, text } = recording(true);
    const view = new ProgressView(terminal, 1e-6, 600);
    for (let seconds = 0; seconds <= 10; seconds++) view.show({ ...progress, seconds, gap: 10 ** (-seconds / 5) });
    view.show({ ...progress, stage: "bound", label: "class a", seconds: 11 });
    const last = text().split("\r\u001b[K").at(-1);
    expect(last).toContain("bounding class a");
    expect(last).not.toContain("left");
  });
});
