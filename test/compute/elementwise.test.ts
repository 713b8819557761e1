import { expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { ELEMENTWISE, type ElementwiseName } from "../../src/compute/types.ts";
import { onEveryPrecision, PRECISIONS, type Precision, uniform } from "./backends.ts";
import { type PreciseName, precise, preciseAngle, type Target, ulps } from "./precise.ts";

const COUNT = 60;
const { uniform: draw } = randomStream(3, "elementwise");
const between = (low: number, high: number): number => low + (high - low) * draw();
const many = (make: () => number): number[] => Array.from({ length: COUNT }, make);
/** Any size down to the least numbers, of either sign. */
const anySize = (): number => between(-1, 1) * 2 ** -between(0, 1080);
const grid = (low: number, high: number): number[] =>
  Array.from({ length: COUNT + 1 }, (_, k) => low + ((high - low) * k) / COUNT);
/** Both sides of a place where a kernel or a format changes its ways. */
const around = (...places: number[]): number[] =>
  places.flatMap((place) => [-4, -1, 0, 1, 4].map((k) => place * (1 + k * 2 ** -52)));
const powers = (low: number, high: number): number[] => around(...grid(low, high).map((e) => 2 ** Math.round(e)));
const signed = (values: number[]): number[] => [...values, ...values.map((value) => -value)];

/** Near the multiples of pi / 2 below 1e5, where most digits of the argument cancel. */
const nearQuarters = (): number[] => {
  const multiples = [1, 2, 3, 4, 5, 22, 355, 710, 63661, ...many(() => Math.ceil(between(0, 63661)))];
  return signed(around(...multiples.map((k) => (k * Math.PI) / 2)));
};
const angles = [...grid(-4, 4), ...nearQuarters(), ...many(() => between(-1e5, 1e5)), ...many(anySize)];
const beyond = [1e5, 100001, 1e8, 2 ** 60, 1e22, 1e300];

const ARGUMENTS: Readonly<Record<PreciseName, readonly number[]>> = {
  exp: [
    ...grid(-750, 720),
    ...grid(-2, 2),
    ...many(anySize),
    ...around(709.782712893384, 709.782712893385, 88.72283905206835, -708.3964185322641, -745.1332191019411, -103.97),
    ...around(...grid(-200, 200).map((k) => (Math.round(k) + 0.5) * Math.LN2)),
  ],
  log1p: [
    ...grid(-0.999, 4),
    ...many(anySize).filter((x) => x > -1),
    ...powers(-60, 1000),
    ...grid(1, 53).map((k) => -1 + 2 ** -Math.round(k)),
    ...around(Math.SQRT1_2 - 1, Math.SQRT2 - 1, 2 * Math.SQRT2 - 1, 1e-17, -1e-17),
  ],
  softplus: [...grid(-745, 800), ...grid(-40, 40), ...grid(-2, 2), ...many(anySize), ...around(-745.13, -36.7, 36.7)],
  tanh: [...grid(-25, 25), ...grid(-1, 1), ...many(anySize), ...signed(powers(-30, 5)), ...signed(around(0.55))],
  erf: [...grid(-7, 7), ...grid(-1.2, 1.2), ...many(anySize), ...signed(powers(-30, 3)), ...signed(around(1, 6))],
  sin: [...angles, ...signed(beyond)],
  cos: [...angles, ...signed(beyond)],
};

/** The arguments of a function in a precision, and its true values there. */
function cases(name: PreciseName, precision: Precision): { arguments: readonly number[]; targets: readonly Target[] } {
  const rounded = Array.from(precision.round(ARGUMENTS[name])).filter(
    (x) => Number.isFinite(x) && x !== 0 && (name !== "log1p" || x > -1),
  );
  return { arguments: rounded, targets: rounded.map((x) => precise(name, x, precision.name)) };
}
const names = Object.keys(ARGUMENTS) as PreciseName[];
const known = new Map(
  PRECISIONS.map((precision) => [
    precision.name,
    new Map(names.map((name) => [name, cases(name, precision)] as const)),
  ]),
);

const points = [
  ...many(() => between(-1, 1)).map((y) => [y, between(-1, 1)] as const),
  ...many(() => between(-1, 1)).map((y) => [y, y * between(1.99, 2.01)] as const),
  ...many(() => between(-1, 1)).map((y) => [y * between(-1.01, 1.01), y] as const),
  ...many(() => 2 ** between(-30, 30)).map((y) => [y, 2 ** between(-30, 30)] as const),
  ...([
    [1e308, 1e308],
    [-1.7e308, 1e308],
    [1e-310, 1e-310],
    [3e-320, -1e-310],
    [1e-300, 1e300],
    [1e-5, -1e20],
  ] as const),
] as const;
const knownAngles = new Map(
  PRECISIONS.map((precision) => {
    const rounded = points
      .map(([y, x]) => precision.round([y, x]))
      .filter((pair) => pair.every((value) => Number.isFinite(value) && value !== 0))
      .map((pair) => [pair[0]!, pair[1]!] as const);
    return [precision.name, rounded.map(([y, x]) => ({ y, x, target: preciseAngle(y, x, precision.name) }))];
  }),
);

const nan = Number.NaN;
const inf = Number.POSITIVE_INFINITY;
const SPECIAL: Readonly<Record<ElementwiseName, readonly (readonly [x: number, value: number])[]>> = {
  relu: [
    [0, 0],
    [-0, 0],
    [-1, 0],
    [2, 2],
    [inf, inf],
    [-inf, 0],
    [nan, nan],
  ],
  exp: [
    [0, 1],
    [-0, 1],
    [inf, inf],
    [-inf, 0],
    [nan, nan],
    [1000, inf],
    [-1000, 0],
    [1e300, inf],
    [-1e300, 0],
  ],
  log1p: [
    [0, 0],
    [-0, -0],
    [-1, -inf],
    [-1.5, nan],
    [-inf, nan],
    [inf, inf],
    [nan, nan],
  ],
  softplus: [
    [inf, inf],
    [-inf, 0],
    [nan, nan],
    [1e30, 1e30],
    [-1e30, 0],
  ],
  tanh: [
    [0, 0],
    [-0, -0],
    [inf, 1],
    [-inf, -1],
    [nan, nan],
    [1e30, 1],
    [-1e30, -1],
  ],
  erf: [
    [0, 0],
    [-0, -0],
    [inf, 1],
    [-inf, -1],
    [nan, nan],
    [1e30, 1],
    [-1e30, -1],
  ],
  sin: [
    [0, 0],
    [-0, -0],
    [inf, nan],
    [-inf, nan],
    [nan, nan],
  ],
  cos: [
    [0, 1],
    [-0, 1],
    [inf, nan],
    [-inf, nan],
    [nan, nan],
  ],
};

onEveryPrecision("elementwise functions", (kernels, precision, compute) => {
  const { copy, round, name: format } = precision;
  /** The `js` backend is the naive formula on the engine's own functions. */
  const allowed = (): number => (format === "f32" || compute().info.name === "js" ? 4 : 2);
  const apply = (name: ElementwiseName, x: ArrayLike<number>): number[] =>
    compute().scope((scope) => {
      const out = copy(scope, new Float64Array(x.length).fill(nan));
      kernels()[name](x.length, copy(scope, x), out);
      return Array.from(out);
    });

  it.each(names)("%s is within its bound of the true value", (name) => {
    const { arguments: x, targets } = known.get(format)!.get(name)!;
    let worst = 0;
    let at = nan;
    for (const [i, value] of apply(name, x).entries()) {
      const error = ulps(value, targets[i]!);
      if (error > worst) [worst, at] = [error, x[i]!];
    }
    expect(worst, `ulp at ${at}`).toBeLessThanOrEqual(allowed());
  });

  it("atan2 is within its bound of the true value", () => {
    const all = knownAngles.get(format)!;
    compute().scope((scope) => {
      const y = copy(
        scope,
        all.map((point) => point.y),
      );
      const x = copy(
        scope,
        all.map((point) => point.x),
      );
      kernels().atan2(all.length, y, x, y);
      for (const [i, { y: py, x: px, target }] of all.entries()) {
        expect(ulps(y[i]!, target), `${py} ${px}`).toBeLessThanOrEqual(allowed());
      }
    });
  });

  it.each(ELEMENTWISE)("%s of zeros, infinities and NaN", (name) => {
    const special = SPECIAL[name].map(([x, value]) => [round([x])[0]!, round([value])[0]!] as const);
    const values = apply(
      name,
      special.map(([x]) => x),
    );
    for (const [i, [x, value]] of special.entries()) expect(values[i], `${name} ${x}`).toBe(value);
  });

  it("atan2 of zeros, infinities and NaN", () => {
    const values = [0, -0, 1, -1, inf, -inf, nan];
    const pairs = values.flatMap((y) => values.map((x) => [y, x] as const));
    compute().scope((scope) => {
      const out = copy(scope, new Float64Array(pairs.length));
      const y = copy(
        scope,
        pairs.map(([first]) => first),
      );
      kernels().atan2(
        pairs.length,
        y,
        copy(
          scope,
          pairs.map(([, second]) => second),
        ),
        out,
      );
      for (const [i, [py, px]] of pairs.entries()) {
        expect(out[i], `atan2(${py}, ${px})`).toBe(round([Math.atan2(py, px)])[0]);
      }
    });
  });

  it("reluMask keeps g where x is positive, and closes the gate to NaN", () => {
    const x = [1, 0, -0, -1, nan, inf, 2, -inf, 3];
    const g = [5, 5, 5, nan, 5, -5, nan, inf, 7];
    compute().scope((scope) => {
      const out = copy(scope, x);
      kernels().reluMask(x.length, out, copy(scope, g), out);
      expect(Array.from(out)).toEqual([5, 0, 0, 0, 0, -5, nan, 0, 7]);
    });
  });

  it.each([0, 1, 2, 3, 5, 17, 40_003])(
    "elementwise functions of %i entries do not depend on position or length",
    (n) => {
      const x = round(uniform("x", n + 1));
      for (const name of ELEMENTWISE) {
        const whole = apply(name, x);
        compute().scope((scope) => {
          // In place, one entry further, and with the entry behind the last left alone.
          const moved = copy(scope, [9, ...x]);
          kernels()[name](n, moved.subarray(1), moved.subarray(1));
          expect(Array.from(moved.subarray(1, n + 1)), name).toEqual(whole.slice(0, n));
          expect(moved[n + 1], name).toBe(x[n]);
          expect(moved[0], name).toBe(9);
        });
      }
      compute().scope((scope) => {
        const [y, g] = [copy(scope, uniform("y", n)), copy(scope, x)];
        const [one, two] = [copy(scope, new Float64Array(n + 1).fill(9)), copy(scope, new Float64Array(n + 1).fill(9))];
        kernels().atan2(n, y, g, one);
        kernels().reluMask(n, y, g, two);
        for (const i of [0, 1, n - 2, n - 1].filter((k) => k >= 0 && k < n)) {
          const single = copy(scope, [0]);
          kernels().atan2(1, y.subarray(i), g.subarray(i), single);
          expect(one[i]).toBe(single[0]);
          expect(two[i]).toBe(y[i]! > 0 ? g[i] : 0);
        }
        expect([one[n], two[n]]).toEqual([9, 9]);
      });
    },
  );
});
