import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import type { BiasForm, LossName } from "../../src/convex/index.ts";
import { fitSettingsSchema } from "../../src/experiments/config.ts";
import { bestOfPath, makePath, type PathTask, pathBetas, tracePath } from "../../src/experiments/path.ts";
import { type Posed, poseApart, poseShared } from "../../src/experiments/posed.ts";
import { drive, settlePart } from "../../src/experiments/solve.ts";
import { BETA_RATIOS } from "../../src/experiments/validation.ts";
import { now } from "../../src/platform/clock.ts";
import { file, run, text } from "./runs.ts";
import { smallFit } from "./tables.ts";

describe("pathBetas", () => {
  test("pathBetas: from beta_max through the grid of validation to the smallest beta, in steps of at most 1.6", () => {
    for (const [gridTop, beta] of [
      [1, 0.3],
      [0.02, 1e-7],
    ] as const) {
      const betas = pathBetas({ betaMax: 3, gridTop, beta });
      expect(betas[0]).toBe(3);
      for (const ratio of BETA_RATIOS) expect(betas).toContain(ratio * gridTop * 3);
      expect(betas.at(-1)).toBe(Math.min(beta, 0.002 * gridTop * 3));
      for (const [k, next] of betas.entries()) {
        if (k === 0) continue;
        expect(betas[k - 1]! / next).toBeGreaterThan(1);
        expect(betas[k - 1]! / next).toBeLessThanOrEqual(1.6 + 1e-12);
      }
    }
  });
});

describe("makePath", () => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "wasm", threads: 1 });
  });
  afterAll(() => compute.close());

  type Make = (seed: number) => { posed: Posed; bias: BiasForm };
  const problems: readonly (readonly [string, Make])[] = [
    ["squared", (seed) => scalar("squared", "column", seed)],
    ["logistic", (seed) => scalar("logistic", "none", seed)],
    ["hinge", (seed) => scalar("hinge", "output", seed)],
    ["two networks", (seed) => scalar("logistic", "column", seed, 2)],
    ["shared outputs", shared],
  ];

  test.each(problems)("makePath: what is found at other betas lies in the band (%s)", (name, make) => {
    for (const seed of name === "shared outputs" ? [0] : [0, 1]) {
      const { posed, bias } = make(seed);
      const solve = { compute, now, seed, tolerance: 1e-5 };
      const betaMax = posed.betaMax(solve);
      const task: PathTask = {
        ...{ posed, bias, betaMax, gridTop: 1, beta: 0.03 * betaMax, solve },
        deadline: now() + 8,
        onProgress: () => {},
      };
      // Every third beta, so that there is something between them.
      const traced = tracePath(task).filter((_, k) => k % 3 === 0);
      const outputs = posed.parts.map((part) =>
        settlePart(part, { beta: task.beta, bias }, drive(part, task.beta, { ...solve, seconds: 2 })),
      );
      const path = makePath(traced, { beta: task.beta, outputs }, posed.parts, [], betaMax);
      const chosen = path.points.find((point) => point.chosen)!;
      expect(chosen.objective).toBeLessThanOrEqual(
        outputs.reduce((sum, part) => sum + part.objective, 0) * (1 + 1e-12),
      );
      for (const { beta, objective, lowerBound, gap, loss, penalty } of path.points) {
        expect(objective).toBeCloseTo(loss + beta * penalty, 10);
        expect(lowerBound).toBeLessThanOrEqual(objective);
        expect(gap).toBeLessThanOrEqual(path.widest.gap + 1e-12);
      }
      const random = randomStream(seed, "elsewhere");
      for (let k = 0; k < 3; k++) {
        const beta = betaMax * 0.003 ** random.uniform();
        let [objective, bound] = [0, 0];
        for (const [q, part] of posed.parts.entries()) {
          const start = bestOfPath(traced, part, q, beta)!;
          const solution = drive(part, beta, { ...solve, seconds: 2, start });
          objective += solution.objective;
          bound += solution.lowerBound;
        }
        expect(path.band.lower(beta)).toBeLessThanOrEqual(objective * (1 + 1e-9));
        expect(path.band.upper(beta)).toBeGreaterThanOrEqual(bound * (1 - 1e-9));
      }
    }
  });

  test("tracePath ends with what it has when there is no time, and makePath takes what there is", () => {
    const { posed, bias } = scalar("squared", "column", 0);
    const solve = { compute, now, seed: 0 };
    const betaMax = posed.betaMax(solve);
    const task = { posed, bias, betaMax, gridTop: 1, beta: betaMax / 4, solve, onProgress: () => {} };
    expect(tracePath({ ...task, deadline: now() - 1 })).toEqual([]);
    const outputs = posed.parts.map((part) => settlePart(part, task, drive(part, task.beta, { ...solve, seconds: 2 })));
    const validated = [{ ratio: 0.5, loss: 1, standardError: 0.1 }];
    const { points } = makePath([], { beta: task.beta, outputs }, posed.parts, validated, betaMax);
    expect(points.map(({ beta, chosen, validation }) => [beta / betaMax, chosen, validation?.loss ?? null])).toEqual([
      [0.25, true, null],
      [0.5, false, 1],
    ]);
  });

  function scalar(loss: LossName, bias: BiasForm, seed: number, networks = 1): { posed: Posed; bias: BiasForm } {
    const random = randomStream(seed, `path ${loss}`);
    const [n, d] = [14, 1 + (seed % 2)];
    const X = matrix(
      n,
      d,
      Float64Array.from({ length: n * d }, () => random.normal()),
    );
    const Y = matrix(n, networks);
    for (let k = 0; k < Y.data.length; k++) {
      const value = random.normal();
      Y.data[k] = loss === "logistic" || loss === "hinge" ? (k < networks || value > 0 ? 1 : -1) : value;
    }
    const problem = { X, loss, scaling: "mean", bias, program: "relu", patterns: { kind: "generated" } } as const;
    return {
      posed: poseApart(
        problem,
        Y,
        Array.from({ length: networks }, (_, q) => `${q}`),
      ),
      bias,
    };
  }

  function shared(seed: number): { posed: Posed; bias: BiasForm } {
    const random = randomStream(seed, "path shared");
    const X = matrix(
      12,
      2,
      Float64Array.from({ length: 24 }, () => random.normal()),
    );
    const labels = Float64Array.from({ length: 12 }, (_, i) => i % 3);
    const targets = { loss: "softmax", labels, classes: 3 } as const;
    return { posed: poseShared({ X, scaling: "mean", bias: "column", targets }, "class"), bias: "column" };
  }
});

describe("runFit with a path", () => {
  test.each([
    ["two", {}],
    ["number", { beta: 0.05 }],
    ["three", { loss: "logistic", betaRatio: 0.1 }],
  ] as const)(
    "runFit: --path gives JSON, a table, figures and a note, validated and certified (%s)",
    async (kind, more) => {
      const { outcome, events } = await run(smallFit(kind, { path: true, time: 60, ...more }));
      const { path, validation, problem, result } = outcome.json;
      expect(validation?.points.length).toBeGreaterThan(2);
      const points = path!.points;
      expect(points.filter(({ chosen }) => chosen)).toHaveLength(1);
      const chosen = points.find((point) => point.chosen)!;
      expect(chosen.beta).toBe(problem.beta);
      expect(chosen.objective).toBeLessThanOrEqual(result.objective * (1 + 1e-12));
      expect(chosen.lowerBound).toBeGreaterThanOrEqual(result.lowerBound * (1 - 1e-12));
      for (const [k, { beta, ratio, gap }] of points.entries()) {
        expect(ratio).toBe(beta / problem.betaMax);
        expect(gap).toBeGreaterThanOrEqual(0);
        expect(gap).toBeLessThanOrEqual(path!.widest.gap + 1e-12);
        if (k > 0) expect(beta).toBeGreaterThan(points[k - 1]!.beta);
      }
      for (const { beta, loss, standardError } of validation!.points) {
        expect(points.find((point) => point.beta === beta)?.validation).toEqual({ loss, standardError });
      }
      const [head, ...rows] = text(outcome, "path.csv").trim().split("\n");
      expect(head).toMatch(/^beta,share_of_beta_max,objective,lower_bound,gap,/);
      expect(rows.map((row) => row.split(",").slice(0, 4).map(Number))).toEqual(
        points.map(({ beta, ratio, objective, lowerBound }) => [beta, ratio, objective, lowerBound]),
      );
      for (const name of ["path", "path-gap", "path-neurons", "validation"]) {
        expect(text(outcome, `figures/${name}.svg`)).toContain("<svg");
      }
      expect(text(outcome, "report.html")).toContain("Regularization path");
      expect(events.some((event) => event.kind === "note" && event.text.startsWith("path: at every beta"))).toBe(true);
    },
  );

  test("runFit: --path does not change the beta that validation chooses", async () => {
    const settings = smallFit("two", { time: 120 });
    const [plain, traced] = [await run(settings), await run({ ...settings, path: true })];
    expect(traced.outcome.json.problem.beta).toBe(plain.outcome.json.problem.beta);
    expect(traced.outcome.json.validation).toEqual(plain.outcome.json.validation);
    expect(plain.outcome.json.path).toBeUndefined();
  });

  test("runFit: --path is refused where it has no meaning", async () => {
    const settings = smallFit("number", { path: true, beta: 0.1 });
    expect(fitSettingsSchema.safeParse({ ...settings, beta: "certified" }).success).toBe(false);
    const { outcome } = await run(smallFit("number", { beta: 0.5 }));
    const model = settings.data.replace("table.csv", "model.onnx");
    writeFileSync(model, file(outcome, "model.onnx"));
    await expect(run(settings, { given: model })).rejects.toThrow("a path is of many networks");
  });
});
