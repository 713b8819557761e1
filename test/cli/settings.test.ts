import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { UserError } from "../../src/base/errors.ts";
import { defineCommand } from "../../src/cli/command.ts";
import { fitCommand } from "../../src/cli/commands/fit.ts";
import { readConfig } from "../../src/cli/config-file.ts";
import { describeType, environmentName } from "../../src/cli/describe.ts";
import { commandHelp } from "../../src/cli/help.ts";
import { type CommandEntry, commands } from "../../src/cli/registry.ts";
import { settle } from "../../src/cli/settings.ts";
import { flagName, setting } from "../../src/experiments/config.ts";

const nothing = new Map();
const settleFit = (argv: readonly string[], env = {}, config = "{}", file = "overparam.config.json") =>
  settle(fitCommand, argv, env, readConfig(file, config, fitCommand, commands));

/** The user error that a call throws. */
function mistake(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

describe("describeType", () => {
  test.each([
    [z.number(), "a number", "NUMBER"],
    [z.number().positive(), "a positive number", "NUMBER"],
    [z.number().min(0).lt(1), "a number from 0 to below 1", "NUMBER"],
    [z.int().nonnegative(), "a whole number from 0 upwards", "N"],
    [z.int().min(1).max(9), "a whole number from 1 to 9", "N"],
    [z.enum(["a", "b", "c"]), "a, b or c", "a|b|c"],
    [z.union([z.number(), z.literal("auto")]).default("auto"), "a number or auto", "NUMBER|auto"],
    [z.string().optional(), "a text", "TEXT"],
  ])("describeType says what %# accepts", (schema, words, placeholder) => {
    expect(describeType(schema)).toMatchObject({ words, placeholder, isSwitch: false });
  });

  test("flagName and environmentName spell a setting", () => {
    expect(flagName("betaRatio")).toBe("--beta-ratio");
    expect(environmentName("betaRatio")).toBe("OVERPARAM_BETA_RATIO");
  });
});

describe("settle", () => {
  test("settle fills in the defaults of a fit", () => {
    const settings = settleFit(["data.csv"]);
    expect(settings).toMatchObject({
      data: "data.csv",
      loss: "auto",
      bias: "column",
      split: 0.2,
      tolerance: 1e-6,
      time: 60,
    });
    expect(settings).toMatchObject({
      scaling: "mean",
      beta: "auto",
      program: "relu",
      seed: 0,
      out: "runs",
      quiet: false,
    });
    expect(settings["target"]).toBeUndefined();
  });

  test("settle reads every form of a flag", () => {
    expect(settleFit(["a.csv", "--beta=0.5", "--quiet", "--split", "none"])).toMatchObject({
      beta: 0.5,
      quiet: true,
      split: 0,
    });
    expect(settleFit(["--patterns", "40", "a.csv"])).toMatchObject({ patterns: 40, data: "a.csv" });
    expect(settleFit(["a.csv", "--patterns", "all", "--seed", "1", "--seed", "2"])).toMatchObject({
      patterns: "all",
      seed: 2,
    });
    expect(settleFit(["--", "--odd.csv"])).toMatchObject({ data: "--odd.csv" });
    expect(settleFit(["a.csv", "--target", "3", "--quiet=false"])).toMatchObject({ target: "3", quiet: false });
  });

  test("settle gives any number back as it was written", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (beta) => {
        expect(settleFit(["a.csv", "--beta", String(beta)])["beta"]).toBe(beta);
      }),
    );
  });

  test("settle takes flags over the environment over the config file over defaults", () => {
    const config = '{ "fit": { "seed": 1, "time": 5 } }';
    expect(settleFit(["a.csv"], {}, config)).toMatchObject({ seed: 1, time: 5 });
    expect(settleFit(["a.csv"], { OVERPARAM_SEED: "2" }, config)).toMatchObject({ seed: 2, time: 5 });
    expect(settleFit(["a.csv", "--seed", "3"], { OVERPARAM_SEED: "2" }, config)).toMatchObject({ seed: 3, time: 5 });
    expect(settleFit(["a.csv"], { OVERPARAM_SEED: "" })).toMatchObject({ seed: 0 });
  });

  test("settle reads a setting that is for flags only from nowhere else", () => {
    const command = defineCommand({
      name: "try",
      summary: "",
      positionals: [],
      flagsOnly: ["out"],
      schema: z.object({ out: setting(z.string().optional(), { group: "g", description: "d" }) }),
      examples: [],
      run: async () => 0,
    });
    expect(settle(command, [], { OVERPARAM_OUT: "x" }, nothing)["out"]).toBeUndefined();
    expect(settle(command, ["--out", "y"], {}, nothing)["out"]).toBe("y");
  });

  test("settle takes a flag whose value may be left out, and a list of arguments", () => {
    const command = defineCommand({
      name: "try",
      summary: "",
      positionals: ["what"],
      schema: z.object({
        what: setting(z.array(z.string()).min(1), { group: "g", description: "d" }),
        onnx: setting(z.union([z.boolean(), z.string()]).optional(), { group: "g", description: "d" }),
        loud: setting(z.boolean().default(false), { group: "g", description: "d" }),
      }),
      examples: [{ does: "", line: "overparam try a" }],
      run: async () => 0,
    });
    const given = (...argv: string[]) => settle(command, argv, {}, nothing);
    expect(given("a", "b", "--onnx")).toEqual({ what: ["a", "b"], onnx: true, loud: false });
    expect(given("a", "--onnx", "--loud", "b")).toEqual({ what: ["a", "b"], onnx: true, loud: true });
    expect(given("--onnx", "x.onnx", "a")).toEqual({ what: ["a"], onnx: "x.onnx", loud: false });
    expect(given("a", "--onnx=-x")).toEqual({ what: ["a"], onnx: "-x", loud: false });
    expect(mistake(() => given("--loud"))).toMatchObject({
      message: "no what given",
      hint: "usage: overparam try WHAT... [flags], for example overparam try a",
    });
  });

  test.each([
    [["a.csv", "--targt", "x"], "unknown flag --targt", "did you mean --target?"],
    [["a.csv", "--zzzzzz"], "unknown flag --zzzzzz", "overparam fit --help lists the flags"],
    [["a.csv", "-x"], "unknown flag -x", "overparam fit --help lists the flags"],
    [["a.csv", "--beta", "x"], '--beta wants a positive number, auto or certified, got "x"', undefined],
    [["a.csv", "--beta", "-1"], '--beta wants a positive number, auto or certified, got "-1"', undefined],
    [["a.csv", "--beta", ""], '--beta wants a positive number, auto or certified, got ""', undefined],
    [["a.csv", "--beta"], "--beta wants a positive number, auto or certified, got nothing", undefined],
    [["a.csv", "--target", "--seed", "1"], "--target wants a text, got nothing", undefined],
    [
      ["a.csv", "--loss", "logisitc"],
      '--loss wants auto, squared, logistic, hinge, huber or softmax, got "logisitc"',
      'did you mean "logistic"?',
    ],
    [["a.csv", "--seed", "1.5"], '--seed wants a whole number from 0 upwards, got "1.5"', undefined],
    [["a.csv", "b.csv"], 'unexpected argument "b.csv"', "usage: overparam fit DATA [flags]"],
    [[], "no data given", expect.stringContaining("usage: overparam fit DATA")],
    [
      ["a.csv", "--beta", "1", "--beta-ratio", "2"],
      "--beta-ratio sets beta too: give --beta or --beta-ratio, not both",
      undefined,
    ],
  ])("settle refuses %j", (argv, message, hint) => {
    const error = mistake(() => settleFit(argv));
    expect(error.name).toBe("UsageError");
    expect(error.message).toBe(message);
    expect(error.hint).toEqual(hint);
  });

  test("settle names a flag that must be given and is not", () => {
    const command = defineCommand({
      ...{ name: "draw", summary: "draw", positionals: ["data"] },
      schema: z.object({
        data: setting(z.string(), { group: "Data", description: "what to draw" }),
        arch: setting(z.string(), { group: "Data", description: "how" }),
      }),
      examples: [{ does: "draw", line: "overparam draw x.csv --arch relu" }],
      run: () => Promise.resolve(0),
    });
    const error = mistake(() => settle(command, ["x.csv"], {}, nothing));
    expect(error.message).toBe("no --arch given");
    expect(error.hint).toBe("usage: overparam draw DATA [flags], for example overparam draw x.csv --arch relu");
  });

  test("settle names the variable that has a wrong value", () => {
    const error = mistake(() => settleFit(["a.csv"], { OVERPARAM_TIME: "soon" }));
    expect(error.message).toBe('OVERPARAM_TIME wants a positive number, got "soon"');
    expect(error.name).toBe("ConfigError");
  });
});

describe("readConfig", () => {
  test.each([
    [
      '{\n  "fit": { "seed": "x" }\n}',
      'fit.seed wants a whole number from 0 upwards, got "x"',
      { line: 2, column: 12 },
    ],
    [
      '{\n  "fit": {\n    "sed": 1 } }',
      'unknown setting "sed" of fit in overparam.config.json',
      { line: 3, column: 5 },
    ],
    ['{ "ift": {} }', 'unknown command "ift" in overparam.config.json', { line: 1, column: 3 }],
    ['{ "fit": 3 }', '"fit" in overparam.config.json must hold settings', { line: 1, column: 10 }],
    ["[]", "overparam.config.json must hold settings by command", {}],
    [
      '{ "fit": { "seed": 1, "seed": 2 } }',
      /^overparam\.config\.json is not YAML: Map keys must be unique/,
      { line: 1 },
    ],
    ['{ "fit": { "quiet": "yes" } }', 'fit.quiet wants true or false, got "yes"', { line: 1, column: 12 }],
  ])("readConfig refuses %j", (config, message, place) => {
    const error = mistake(() => settleFit(["a.csv"], {}, config));
    if (typeof message === "string") expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(error.place).toMatchObject({ file: "overparam.config.json", ...place });
  });

  test("readConfig reads YAML, with the places of its mistakes", () => {
    const yaml = (text: string) => settleFit(["a.csv"], {}, text, "overparam.config.yaml");
    expect(yaml("# our defaults\nfit:\n  seed: 3\n  beta: auto\n  split: none\n")).toMatchObject({
      seed: 3,
      beta: "auto",
      split: 0,
    });
    expect(yaml("")).toMatchObject({ seed: 0 });
    expect(yaml("fit:\n")).toMatchObject({ seed: 0 });
    expect(mistake(() => yaml("fit:\n  sede: 3\n"))).toMatchObject({
      hint: 'did you mean "seed"?',
      place: { file: "overparam.config.yaml", line: 2, column: 3 },
    });
    expect(mistake(() => yaml("fit: [1,\n")).message).toMatch(/^overparam\.config\.yaml is not YAML: /);
    expect(mistake(() => yaml("fit:\n  time: soon\n")).message).toBe('fit.time wants a positive number, got "soon"');
  });

  test("readConfig names the place of a syntax error", () => {
    const error = mistake(() => settleFit(["a.csv"], {}, '{\n  "fit": { seed }\n}'));
    expect(error.message).toMatch(/^overparam\.config\.json is not JSON/);
    expect(error.place).toMatchObject({ file: "overparam.config.json", line: 2 });
  });
});

describe("commandHelp", () => {
  const loaded = Promise.all(commands.map(async (entry: CommandEntry) => ({ entry, command: await entry.load() })));

  test("commandHelp of every command fits 80 columns, names every setting and ends with two examples", async () => {
    for (const { entry, command } of await loaded) {
      const help = commandHelp(command);
      for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
      for (const key of Object.keys(command.schema.shape)) {
        expect(help).toContain(command.positionals.includes(key) ? key.toUpperCase() : flagName(key));
      }
      const [, examples = ""] = help.split("\nExamples\n");
      expect(examples.split("\n").filter((line) => line.startsWith("  overparam "))).toHaveLength(2);
      // What a shell takes for one word stays on one line, and arguments come in the order in which they are given.
      for (const line of examples.split("\n")) expect(line.split('"').length % 2, line).toBe(1);
      const places = command.positionals.map((key) => help.indexOf(`\n  ${key.toUpperCase()}`));
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(command.name).toBe(entry.name);
      expect(command.summary).toBe(entry.summary);
    }
  });
});
