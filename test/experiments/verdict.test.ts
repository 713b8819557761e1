import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FitJson } from "../../src/experiments/fit-types.ts";
import { gapText, roundDown, roundUp } from "../../src/experiments/rounding.ts";
import { judge, NONNEGATIVE, scopeText, type VerdictInput, verdict } from "../../src/experiments/verdict.ts";

const problem: FitJson["problem"] = {
  rows: 766,
  features: 27,
  outputs: 1,
  loss: "logistic",
  scaling: "mean",
  beta: 0.03,
  betaMax: 0.3,
  bias: "column",
  program: "relu",
};

const result: FitJson["result"] = {
  status: "bounded",
  objective: 0.29304,
  lowerBound: 0.27029,
  gap: (0.29304 - 0.27029) / 0.29304,
  scope: "all-patterns",
  method: "shor",
  neurons: 23,
  patterns: 212,
  iterations: 9,
  seconds: 6,
  listed: null,
};

interface Change {
  problem?: Partial<FitJson["problem"]>;
  result?: Partial<FitJson["result"]>;
  perClass?: FitJson["perClass"];
  tolerance?: number;
}

function input(change: Change): VerdictInput {
  return {
    problem: { ...problem, ...change.problem },
    result: { ...result, ...change.result },
    tolerance: change.tolerance ?? 1e-6,
    ...(change.perClass === undefined ? {} : { perClass: change.perClass }),
  };
}

function say(change: Change): string[] {
  return verdict(input(change));
}

const closed = { status: "optimal", objective: 0.2931, lowerBound: 0.29309998, gap: 7e-8 } as const;

describe("verdict", () => {
  test("verdict of a bounded fit: how far, over what, and that it is open", () => {
    const lines = say({});
    expect(lines[0]).toBe(
      "Bounded within 7.8 %: no two-layer ReLU network of any width has a training objective below 0.2702; this one has 0.2931.",
    );
    expect(lines[1]).toBe("The lowest possible objective lies between these two numbers; where, was not decided.");
    expect(lines.join(" ")).not.toMatch(/certified|optimal/i);
    expect(lines.at(-1)).toContain(
      "mean logistic loss + beta (|U|^2 + |w|^2)/2, beta = 0.03, with hidden biases penalized",
    );
    expect(lines.at(-1)).toContain("not a rigorous proof");
  });

  test("verdict of an optimal fit says so, and does not call the gap open", () => {
    const lines = say({ result: closed });
    expect(lines[0]).toBe(
      "Certified globally optimal: no two-layer ReLU network of any width has a training objective more than 7e-8 (relative) below this one's, 0.2931.",
    );
    expect(lines.join(" ")).not.toContain("not decided");
  });

  test("judge calls a gap certified up to a thousandth, bounded above, whatever was asked for", () => {
    const objective = 0.2931;
    fc.assert(
      fc.property(
        fc.double({ min: 1e-12, max: 0.9, noNaN: true }),
        fc.constantFrom(1e-9, 1e-6, 1e-3, 0.5),
        fc.constantFrom("optimal", "bounded", "stalled"),
        (gap, tolerance, status) => {
          const { standing, label, details } = judge(
            input({ tolerance, result: { status, objective, lowerBound: objective * (1 - gap), gap } }),
          );
          expect(standing).toBe(gap <= 1e-3 ? "certified" : "bounded");
          expect(label.startsWith("Certified globally optimal")).toBe(gap <= Math.min(1e-3, tolerance));
          expect(label.startsWith("Bounded within")).toBe(gap > 1e-3);
          expect(details.some((line) => line.includes("was not decided"))).toBe(gap > 1e-3);
          // What was asked for and missed is said.
          const asked = details.some((line) =>
            /tolerance .* was not reached|before it reached the tolerance/.test(line),
          );
          if (gap > tolerance && (gap <= 1e-3 || status === "stalled")) expect(asked).toBe(true);
        },
      ),
    );
    expect(judge(input({ result: { gap: 5.1e-4 } })).label).toBe("Certified within 0.051 %");
  });

  test("verdict of the zero network gives beta_max as the reason only when beta reaches it", () => {
    const zero = { ...closed, neurons: 0, patterns: 0, method: "exact-rank-2" };
    expect(say({ problem: { beta: 0.31 }, result: zero })[1]).toBe(
      "The network is zero: beta is not below beta_max = 0.3, from where on no neuron is worth its penalty.",
    );
    expect(say({ problem: { beta: 0.29 }, result: zero }).join(" ")).not.toContain("beta_max");
    expect(say({ problem: { bias: "output" }, result: zero })[1]).toContain("The network is a constant");
  });

  test("verdict of an interrupted fit claims no more than its bound", () => {
    expect(say({ result: { status: "interrupted" } })[0]).toBe(
      "Interrupted, bounded within 7.8 %: no two-layer ReLU network of any width has a training objective below 0.2702; this one has 0.2931.",
    );
    const none = say({ result: { status: "interrupted", method: NONNEGATIVE, lowerBound: 0, gap: 1 } });
    expect(none[0]).toBe(
      "Interrupted, not bounded: the training objective so far is 0.2931; there is no lower bound yet, so how much better another network could be is not known.",
    );
    expect(none.join(" ")).not.toMatch(/certified|no two-layer/i);
  });

  test("verdict without a bound says that nothing is certified", () => {
    const lines = say({ result: { method: NONNEGATIVE, lowerBound: 0, gap: 1 } });
    expect(lines[0]).toMatch(/^Not bounded: the training objective is 0\.2931; the time was used up/);
    expect(lines.join(" ")).not.toMatch(/certified|no two-layer|between these two/i);
    expect(say({ result: { status: "stalled", method: NONNEGATIVE, lowerBound: 0, gap: 1 } })[0]).toContain(
      "the solver made no more progress before",
    );
    expect(judge(input({ result: { method: NONNEGATIVE, lowerBound: 0, gap: 1 } })).standing).toBe("unbounded");
  });

  test("verdict of a stalled fit is no alarm when its own patterns are solved to the tolerance", () => {
    const listed = { patterns: 64, lowerBound: 0.2930399, gap: 3e-8 };
    const calm = say({ result: { status: "stalled", listed } });
    expect(calm[0]).toMatch(/^Bounded within 7\.8 %: /);
    expect(calm.join(" ")).not.toContain("progress");
    expect(say({ result: { status: "stalled", listed: { ...listed, gap: 3e-5 } } })).toContain(
      "The solver made no more progress before it reached the tolerance 1e-6.",
    );
  });

  test("verdict over listed patterns claims nothing beyond them", () => {
    const lines = say({ result: { ...closed, scope: "listed-patterns", method: "listed", patterns: 50 } });
    expect(lines[0]).toMatch(/^Certified optimal: /);
    expect(lines[0]).toContain("no two-layer ReLU network over the 50 activation patterns listed");
    expect(lines.join(" ")).not.toMatch(/globally|any width/);
    expect(lines[1]).toContain("Nothing is claimed about networks with other activation patterns");
  });

  test("verdict of a gated program does not speak for ReLU networks", () => {
    const lines = say({
      problem: { program: "gated" },
      result: { ...closed, scope: "listed-patterns", method: "listed", patterns: 500 },
    });
    expect(lines[0]).toContain("no gated two-layer network over 500 fixed gates");
    expect(lines.join(" ")).not.toMatch(/globally|any width/);
    expect(lines[1]).toContain("neither other gates nor ReLU networks");
    expect(lines.at(-1)).toContain("beta sum |u_j|");
  });

  test("verdict of one-against-rest: separate networks, the widest class, the bound over own patterns", () => {
    const one = { ...result, gap: 0.02, listed: null };
    const lines = say({
      problem: { outputs: 3 },
      result: { listed: { patterns: 212, lowerBound: 0.2931, gap: 1e-9 } },
      perClass: [
        { class: "a", ...one },
        { class: "b", ...one, gap: 0.31 },
      ],
    });
    expect(lines[0]).toContain("no set of 3 separate two-layer ReLU networks of any width, one a class, has");
    expect(lines).toContain(
      "Over their own 212 activation patterns they are optimal to 1e-9: only networks with other patterns could be better, by at most 7.8 %.",
    );
    expect(lines).toContain("The numbers are sums over the classes; the widest gap is that of class b, 31 %.");
    const open = say({ result: { listed: { patterns: 1, lowerBound: 0.28, gap: 0.0444 } } });
    expect(open).toContain("Over its own 1 activation pattern it is within 4.5 % of the best.");
  });

  test("verdict says nothing of its own patterns where the bound over all patterns says more", () => {
    const lines = say({ result: { gap: 0.33, listed: { patterns: 139, lowerBound: 0.05, gap: 0.81 } } });
    expect(lines.join(" ")).not.toContain("Over its own");
  });

  test("verdict never says more than the numbers: printed bound <= bound, printed objective >= objective, gap likewise", () => {
    const positive = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
    // Products with smaller shares are subnormal, and have fewer digits than are printed.
    const share = fc.oneof(
      fc.constant(0),
      fc.double({ min: 1e-200, max: 1, noNaN: true }),
      fc.double({ min: 0.99, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(
        positive,
        share,
        fc.constantFrom("optimal", "bounded", "stalled", "interrupted"),
        (objective, part, status) => {
          const lowerBound = objective * part;
          const gap = (objective - lowerBound) / objective;
          const headline = say({ result: { status, objective, lowerBound, gap } })[0]!;
          const numberAfter = (words: RegExp): number => Number(words.exec(headline)![1]!.replace(/[;,.]+$/, ""));
          const has = numberAfter(/(?:this one has|this one's,) (\S+)/);
          expect(has).toBeGreaterThanOrEqual(objective);
          // Within one unit of the fourth digit, so that the text is of use.
          expect(has).toBeLessThanOrEqual(objective * (1 + 1.001e-3));
          if (headline.includes("objective below")) {
            const below = numberAfter(/objective below (\S+)/);
            expect(below).toBeLessThanOrEqual(lowerBound);
            expect(below).toBeGreaterThanOrEqual(lowerBound * (1 - 1.001e-3));
          }
          for (const [, percent] of headline.matchAll(/([\d.e-]+) %/g)) {
            expect(Number(percent) / 100).toBeGreaterThanOrEqual(gap - 1e-15);
          }
          const relative = /more than (\S+) \(relative\)/.exec(headline)?.[1];
          if (relative !== undefined) expect(Number(relative)).toBeGreaterThanOrEqual(gap);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("scopeText names every network that the bound covers", () => {
    expect(scopeText(problem, result)).toBe("every two-layer ReLU network of any width");
    expect(scopeText({ ...problem, bias: "none", outputs: 2 }, result)).toBe(
      "every set of 2 separate bias-free two-layer ReLU networks of any width, one a class",
    );
  });
});

describe("rounding", () => {
  test("roundDown and roundUp enclose the value within one unit of the last digit", () => {
    const size = fc.double({ min: -1e12, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 6 }), (value, digits) => {
        fc.pre(value === 0 || Math.abs(value) > 1e-290);
        const [low, high] = [Number(roundDown(value, digits)), Number(roundUp(value, digits))];
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
        expect(high - low).toBeLessThanOrEqual(Math.abs(value) * 10 ** (1 - digits) * (1 + 1e-9));
      }),
      { numRuns: 2000 },
    );
  });

  test("roundDown, roundUp and gapText of chosen values", () => {
    expect([0.27029, 1, 123456, 9.9999, 0, 2.34567e-7].map((value) => roundDown(value))).toEqual([
      "0.2702",
      "1",
      "123400",
      "9.999",
      "0",
      "2.345e-7",
    ]);
    expect([0.29304, 9.9999, 2.34567e-7, -1.23456].map((value) => roundUp(value))).toEqual([
      "0.2931",
      "10",
      "2.346e-7",
      "-1.234",
    ]);
    expect([0.0776, 0.07, 0.99999, 0, 3.1e-9].map(gapText)).toEqual(["7.8 %", "7 %", "100 %", "0 %", "4e-9"]);
  });
});
