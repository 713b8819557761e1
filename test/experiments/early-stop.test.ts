import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import type { LossName } from "../../src/convex/index.ts";
import { poseApart } from "../../src/experiments/posed.ts";
import { drive } from "../../src/experiments/solve.ts";
import { type ValidationTask, validateBeta } from "../../src/experiments/validate-beta.ts";
import {
  BETA_RATIOS,
  chooseRatio,
  hasRisen,
  makeFolds,
  rowsOutside,
  type ValidationEnd,
  type ValidationPoint,
  validationPoint,
} from "../../src/experiments/validation.ts";
import { forward, type TwoLayerNetwork } from "../../src/network/index.ts";
import { now } from "../../src/platform/clock.ts";

describe("validateBeta ends early", () => {
  let compute: Compute;
  beforeAll(async () => {
    compute = await createCompute({ backend: "wasm", threads: 1 });
  });
  afterAll(() => compute.close());

  /** A small table: |x1| and noise, or whether that is positive. */
  function task(loss: LossName, rows: number, columns: number, noise: number, seed: number): ValidationTask {
    const random = randomStream(seed, "early stop");
    const X = matrix(
      rows,
      columns,
      Float64Array.from({ length: rows * columns }, () => random.normal()),
    );
    const y = Float64Array.from({ length: rows }, (_, i) => {
      const value = Math.abs(X.data[i * columns]) - 0.7 + noise * random.normal();
      return loss === "squared" ? value : value > 0 ? 1 : -1;
    });
    const patterns = { kind: "generated" } as const;
    const problem = { X, loss, scaling: "mean", bias: "column", program: "relu", patterns } as const;
    const posed = poseApart(problem, matrix(rows, 1, y), ["y"]);
    const solve = { compute, now };
    return {
      ...{ posed, labels: loss === "squared" ? null : y.map((t) => (t > 0 ? 1 : 0)), gridTop: 1, seed, solve },
      betaMax: posed.betaMax(solve),
      seconds: 1e6,
      deadline: now() + 1e6,
      onProgress: () => {},
    };
  }

  /** All betas of the grid on all folds, whatever is found on the way. */
  function wholePath({ posed, labels, seed, betaMax, solve }: ValidationTask): ValidationPoint[] {
    const rows = randomStream(seed, "validation rows").permutation(posed.X.rows);
    const drawn = labels === null ? null : Float64Array.from(rows, (i) => labels[i]!);
    const folds = makeFolds(rows.length, drawn, randomStream(seed, "validation")).map((fold) => ({
      kept: posed.take(rowsOutside(rows.length, fold).map((k) => rows[k]!)),
      held: posed.take(fold.map((k) => rows[k]!)),
      start: undefined as TwoLayerNetwork | undefined,
    }));
    return BETA_RATIOS.map((ratio) => {
      const losses = folds.flatMap((fold) => {
        const options = { ...solve, tolerance: 1e-2, certify: false, seed };
        const { network } = drive(
          fold.kept.parts[0]!,
          ratio * betaMax,
          fold.start === undefined ? options : { ...options, start: fold.start },
        );
        fold.start = network;
        return [...fold.held.rowLosses(forward(network, fold.held.X))];
      });
      return validationPoint(ratio, losses);
    });
  }

  /** The points up to the first that has clearly risen. */
  const untilRisen = (points: readonly ValidationPoint[]): ValidationPoint[] => {
    const first = points.findIndex((_, k) => hasRisen(points.slice(0, k + 1)));
    return first === -1 ? [...points] : points.slice(0, first + 1);
  };

  test("validateBeta chooses the beta that the whole path would have chosen", { timeout: 120_000 }, () => {
    const ends = new Map<ValidationEnd, number>();
    let spared = 0;
    const cases: readonly (readonly [LossName, number])[] = [
      ...Array.from({ length: 8 }, () => ["squared", 4] as const),
      ...Array.from({ length: 2 }, () => ["hinge", 0] as const),
      ["hinge", 1],
      ["logistic", 1],
    ];
    for (const [k, [loss, noise]] of cases.entries()) {
      const one = task(loss, 16 + (k % 4) * 6, 1 + (k % 2), noise, k);
      const { ratio, points, end } = validateBeta(one);
      const whole = wholePath(one);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      expect(points).toEqual(whole.slice(0, points.length));
      if (end === "risen" && !hasRisen(points)) {
        spared++;
        expect(hasRisen(whole.slice(0, points.length + 1))).toBe(true);
      }
      expect(ratio, `${loss} ${k} ${end}`).toBe(chooseRatio(untilRisen(whole)));
    }
    expect(spared).toBeGreaterThan(0);
    expect(ends.get("settled")).toBeGreaterThan(0);
  });
});
