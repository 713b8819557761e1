import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { makeUpdate, rateAt, type UpdateRule } from "../../src/training/index.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ backend: "js" });
});
afterAll(() => compute.close());

const { normal } = randomStream(1, "updates");
const START = Float64Array.from({ length: 6 }, normal);
const GRADIENTS = Array.from({ length: 5 }, () => Float64Array.from({ length: 6 }, normal));
const RATE = 0.1;
const ALL = [{ from: 0, count: 6 }];

/** Parameters after the gradients, one a step. */
function applied(rule: UpdateRule, trained = ALL): Float64Array {
  return compute.scope((scope) => {
    const update = makeUpdate(rule, compute, 6, trained, (length) => scope.f64(length));
    const theta = scope.copy(START);
    GRADIENTS.forEach((gradient, k) => {
      update.apply(theta, scope.copy(gradient), RATE, k + 1);
    });
    return theta.slice();
  });
}

/** The same by a recursion for one parameter. */
const expected = (recursion: (w: number, g: readonly number[]) => number): number[] =>
  Array.from(START, (w, i) =>
    recursion(
      w,
      GRADIENTS.map((gradient) => gradient[i]),
    ),
  );
const close = (got: Float64Array, want: readonly number[]): void =>
  got.forEach((value, k) => {
    expect(value).toBeCloseTo(want[k]!, 13);
  });
const sgd = (momentum: number, nesterov = false, weightDecay = 0): UpdateRule => ({
  kind: "sgd",
  momentum,
  nesterov,
  weightDecay,
});

describe("makeUpdate", () => {
  test("sgd: w <- w - rate (g + decay w)", () => {
    close(
      applied(sgd(0, false, 0.2)),
      expected((w, g) => g.reduce((at, one) => at - RATE * (one + 0.2 * at), w)),
    );
  });

  test("heavy ball: w_{t+1} = w_t - rate g_t + momentum (w_t - w_{t-1})", () => {
    close(
      applied(sgd(0.9)),
      expected((w, g) => {
        let [before, now] = [w, w];
        for (const one of g) [before, now] = [now, now - RATE * one + 0.9 * (now - before)];
        return now;
      }),
    );
  });

  test("Nesterov: w moves by the gradient and by momentum times the new velocity", () => {
    close(
      applied(sgd(0.8, true, 0.1)),
      expected((start, g) => {
        let [w, v] = [start, 0];
        for (const one of g) {
          const slope = one + 0.1 * w;
          v = 0.8 * v + slope;
          w -= RATE * (slope + 0.8 * v);
        }
        return w;
      }),
    );
  });

  test("Adam: moments without bias, decay apart from the gradient", () => {
    const [beta1, beta2, epsilon] = [0.9, 0.99, 1e-8];
    close(
      applied({ kind: "adam", beta1, beta2, epsilon, weightDecay: 0.05 }),
      expected((start, g) => {
        let [w, m, v] = [start, 0, 0];
        g.forEach((one, k) => {
          m = beta1 * m + (1 - beta1) * one;
          v = beta2 * v + (1 - beta2) * one ** 2;
          const [mean, square] = [m / (1 - beta1 ** (k + 1)), v / (1 - beta2 ** (k + 1))];
          w = w - RATE * 0.05 * w - (RATE * mean) / (Math.sqrt(square) + epsilon);
        });
        return w;
      }),
    );
  });

  test.each([sgd(0), sgd(0.9), { kind: "adam", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 } as const])(
    "makeUpdate %j leaves parameters that are not trained alone",
    (rule) => {
      const trained = [
        { from: 1, count: 2 },
        { from: 5, count: 1 },
      ];
      const [some, all] = [applied(rule, trained), applied(rule)];
      for (const k of [0, 3, 4]) expect(some[k]).toBe(START[k]);
      for (const k of [1, 2, 5]) expect(some[k]).toBe(all[k]);
    },
  );

  test("makeUpdate refuses settings out of range", () => {
    for (const rule of [
      sgd(1),
      sgd(-0.1),
      sgd(0, false, -1),
      { kind: "adam", beta1: 1, beta2: 0.9, epsilon: 1, weightDecay: 0 } as const,
      { kind: "adam", beta1: 0.9, beta2: 0.9, epsilon: 0, weightDecay: 0 } as const,
    ]) {
      expect(() => applied(rule)).toThrow(RangeError);
    }
  });
});

test("rateAt drops behind the steps that are named", () => {
  const schedule = { rate: 0.1, factor: 0.1, drops: [80, 120] };
  expect(rateAt(schedule, 1)).toBe(0.1);
  expect(rateAt(schedule, 80)).toBe(0.1);
  expect(rateAt(schedule, 81)).toBeCloseTo(0.01, 15);
  expect(rateAt(schedule, 121)).toBeCloseTo(0.001, 15);
});
