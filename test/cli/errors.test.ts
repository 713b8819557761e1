import { describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { formatPlace, reportFailure } from "../../src/cli/errors.ts";
import { makeTerminal } from "../../src/cli/terminal.ts";

/** What reportFailure writes and returns for an error. */
function report(error: unknown, changes = {}): { code: number; out: string; err: string } {
  let out = "";
  let err = "";
  const terminal = makeTerminal(
    {
      write: (text) => {
        out += text;
      },
    },
    {
      write: (text) => {
        err += text;
      },
    },
    {},
  );
  const code = reportFailure(
    error,
    { command: "fit", json: false, version: "1.2.3", debug: false, ...changes },
    terminal,
  );
  return { code, out, err };
}

describe("formatPlace", () => {
  test("formatPlace shows what is known", () => {
    expect(formatPlace({ file: "a.csv" })).toBe("a.csv");
    expect(formatPlace({ file: "a.csv", line: 2 })).toBe("a.csv:2");
    expect(formatPlace({ file: "a.csv", line: 2, column: 14 })).toBe("a.csv:2:14");
  });
});

describe("reportFailure", () => {
  const place = { file: "houses.csv", line: 1, column: 14 };
  const mistake = new DataError('column "prise" not found', {
    code: "column-not-found",
    hint: 'did you mean "price"?',
    place,
  });

  test("reportFailure of a user's mistake is message, hint and place", () => {
    const err = 'error: column "prise" not found\nhint: did you mean "price"?\nhouses.csv:1:14\n';
    expect(report(mistake)).toEqual({ code: 1, out: "", err });
  });

  test("reportFailure with --json adds one object on stdout", () => {
    const { out } = report(mistake, { json: true });
    const error = { code: "column-not-found", message: mistake.message, hint: mistake.hint, place };
    expect(JSON.parse(out)).toEqual({ schema: 1, command: "fit", error });
  });

  test("reportFailure of a bug shows the stack only when asked to", () => {
    const bug = new TypeError("x is not a function");
    const { code, err } = report(bug);
    expect(code).toBe(2);
    expect(err).toContain("bug: TypeError: x is not a function\n");
    expect(err).toContain("Please report it");
    expect(err).not.toContain("errors.test.ts");
    expect(report(bug, { debug: true }).err).toContain("errors.test.ts");
    expect(JSON.parse(report("thrown text", { json: true }).out)).toMatchObject({
      error: { code: "bug", message: "thrown text" },
    });
  });

  test("reportFailure of a refusal of the system is no bug", () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    expect(report(full)).toEqual({ code: 1, out: "", err: "error: ENOSPC: no space left on device\n" });
  });
});
