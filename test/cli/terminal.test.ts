import { describe, expect, test } from "vitest";
import { makeTerminal, type TextStream, wantsColour } from "../../src/cli/terminal.ts";

class Recorder implements TextStream {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(isTTY: boolean, columns = 80) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }
}

describe("wantsColour", () => {
  test.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [true, { TERM: "dumb" }, false],
    [false, { FORCE_COLOR: "1" }, true],
    [true, { FORCE_COLOR: "0" }, false],
    [false, { FORCE_COLOR: "", NO_COLOR: "1" }, true],
  ])("wantsColour(terminal %s, %o) is %s", (isTerminal, env, colour) => {
    expect(wantsColour(isTerminal, env)).toBe(colour);
  });
});

describe("makeTerminal", () => {
  test("makeTerminal replaces a transient line by the next line of either stream", () => {
    const stdout = new Recorder(true);
    const stderr = new Recorder(true);
    const terminal = makeTerminal(stdout, stderr, {});
    terminal.transient("half");
    terminal.out("data");
    terminal.err("done");
    expect(stderr.text).toBe("\r\u001b[Khalf\r\u001b[Kdone\n");
    expect(stdout.text).toBe("data\n");
  });

  test("makeTerminal shows no transient line where lines cannot be redrawn", () => {
    for (const [isTTY, env] of [[false, {}] as const, [true, { TERM: "dumb" }] as const]) {
      const stderr = new Recorder(isTTY);
      const terminal = makeTerminal(new Recorder(isTTY), stderr, env);
      terminal.transient("half");
      terminal.clear();
      expect(stderr.text).toBe("");
    }
  });

  test("makeTerminal colours each stream by itself", () => {
    const terminal = makeTerminal(new Recorder(false), new Recorder(true), {});
    expect(terminal.styleOut("bold", "x")).toBe("x");
    expect(terminal.styleErr("bold", "x")).toBe("\u001b[1mx\u001b[22m");
    expect(terminal.outColumns).toBe(Number.POSITIVE_INFINITY);
    expect(terminal.errColumns).toBe(80);
  });

  test("makeTerminal takes a terminal that says it has no columns for one of 80", () => {
    const terminal = makeTerminal(new Recorder(true, 0), new Recorder(true, 0), {});
    expect([terminal.outColumns, terminal.errColumns]).toEqual([80, 80]);
  });
});
