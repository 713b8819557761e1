import { expect, test } from "vitest";
import type { DualKind } from "../../src/compute/duals.ts";
import { dualReference } from "../../src/compute/reference-duals.ts";
import { PAIR_STEPS } from "../../src/compute/types.ts";
import { difference, onEveryPrecision, uniform } from "./backends.ts";
import { precise } from "./precise.ts";

const { affine, piecewise, normalize, save, exchange, add, erf } = PAIR_STEPS;
const mean = 0.5;
const factor = 1 / (2 * Math.PI);

/** All kinds of steps, six numbers each. */
const PROGRAM = [
  [affine, 2, 0.1, 1, 0.5, 0.25],
  [save, 1, 0, 0, 0, 0],
  [piecewise, mean, factor, 0, 0, 0],
  [exchange, 1, 0, 0, 0, 0],
  [affine, 0.7, 0, 1, 0, 0],
  [normalize, 0, 0, 0, 0, 0],
  [erf, 2 / Math.PI, 2, 0.1, 0, 0],
  [add, 1, 0, 0, 0, 0],
].flat();
const STEPS = PROGRAM.length / 6;

/** The same for one entry, written down a second time. */
function byHand(k0: number, p: readonly number[], q: readonly number[]): [number, number] {
  const both = (s: number, which: 0 | 1): number => p[2 * s + which]! * q[2 * s + which]!;
  const clamp = (x: number): number => Math.max(-1, Math.min(1, x));
  const k1 = 2 * k0 + 0.1;
  const t1 = k1 + 0.5 * k0 + 0.25;
  const angle = Math.acos(clamp(k1 * both(2, 1)));
  const slope = mean - factor * angle;
  const [mainK, mainT] = [slope * k1 + factor * both(2, 0) * Math.sin(angle), slope * t1];
  const k2 = 0.7 * k1;
  const t2 = 0.7 * t1 + k2;
  const [k3, t3] = [clamp(k2 * both(5, 1)), t2 * both(5, 1)];
  const u = clamp(2 * k3 * both(6, 1));
  const [P, Q] = [p[13]!, q[13]!];
  const root = Math.sqrt(Math.max(1 - u * u, P * P + Q * Q - P * P * Q * Q));
  return [(2 / Math.PI) * Math.asin(u) + 0.1 + mainK, (t3 * ((2 / Math.PI) * 2 * both(6, 1))) / root + mainT];
}

onEveryPrecision("pairRecursion", (kernels, precision, compute) => {
  /** Inputs at which every correlation is inside (-0.9, 0.9). */
  const numbersOf = (name: string, count: number, stride: number): Float64Array =>
    uniform(name, 2 * STEPS * stride).map((value, at) => (at % stride < count ? 0.6 + 0.1 * value : 0));

  test.each([
    [1, 1],
    [3, 7],
    [5, 256],
    [4, 513],
    [40, 300],
  ])("pairRecursion takes %i x %i entries through all kinds of steps", (rows, cols) => {
    compute().scope((scope) => {
      const [rowStride, colStride] = [rows + 1, 4 * Math.ceil(cols / 4) + 2];
      const rowNumbers = numbersOf("rows", rows, rowStride);
      const colNumbers = numbersOf("cols", cols, colStride);
      const k0 = precision.round(uniform("entries", rows * (cols + 1)));
      const k = precision.copy(scope, k0);
      const theta = precision.copy(scope, new Float64Array(rows * (cols + 2)).fill(9));
      const numbers = [scope.copy(rowNumbers), rowStride, scope.copy(colNumbers), colStride] as const;
      kernels().pairRecursion(false, rows, cols, scope.copy(PROGRAM), ...numbers, k, cols + 1, theta, cols + 2);
      const column = (all: Float64Array, stride: number, i: number): number[] =>
        Array.from({ length: 2 * STEPS }, (_, s) => all[s * stride + i]!);
      const expectedK = Array.from(k0);
      const expectedTheta = new Array<number>(rows * (cols + 2)).fill(9);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++) {
          const at = i * (cols + 1) + j;
          const row = column(rowNumbers, rowStride, i);
          [expectedK[at], expectedTheta[i * (cols + 2) + j]] = byHand(k0[at]!, row, column(colNumbers, colStride, j));
        }
      }
      // Between the rows nothing is touched.
      expect(difference(k, expectedK)).toBeLessThan(40 * precision.epsilon);
      expect(difference(theta, expectedTheta)).toBeLessThan(40 * precision.epsilon);
    });
  });

  test("pairRecursion of a lower triangle leaves the upper one alone, with theta or without", () => {
    compute().scope((scope) => {
      const n = 301;
      const numbers = numbersOf("rows", n, n + 3);
      const k0 = precision.round(uniform("triangle", n * n));
      const [whole, lower, alone] = [precision.copy(scope, k0), precision.copy(scope, k0), precision.copy(scope, k0)];
      const [wholeTheta, theta] = [precision.copy(scope, k0), precision.copy(scope, k0)];
      const both = [scope.copy(numbers), n + 3, scope.copy(numbers), n + 3] as const;
      const program = scope.copy(PROGRAM);
      kernels().pairRecursion(false, n, n, program, ...both, whole, n, wholeTheta, n);
      kernels().pairRecursion(true, n, n, program, ...both, lower, n, theta, n);
      kernels().pairRecursion(true, n, n, program, ...both, alone, n, null, n);
      expect(difference(alone, lower)).toBe(0);
      const below = (all: ArrayLike<number>): number[] =>
        Array.from(all, (value, at) => (at % n <= Math.floor(at / n) ? value : k0[at]!));
      expect(difference(lower, below(whole))).toBe(0);
      expect(difference(theta, below(wholeTheta))).toBe(0);
    });
  });

  test("pairRecursion knows the angle of a correlation to 3 units of its largest value, and exactly at the ends", () => {
    if (precision.name === "f32") return;
    compute().scope((scope) => {
      const near = Array.from({ length: 120 }, (_, k) => 2 ** -((k % 53) + 1) * (1 + (k % 7) / 9));
      const inside = [...uniform("correlations", 600), ...near, ...near.map((x) => 1 - x / 2)];
      const c = [1, -1, 0, 1 - 2 ** -52, 2 ** -52 - 1, ...inside, ...inside.map((x) => -x)];
      const n = c.length;
      const ones = scope.copy(new Float64Array(4 * Math.ceil(n / 4) * 4).fill(1));
      const [k, theta] = [precision.copy(scope, c), precision.copy(scope, c)];
      // theta = 1, and then minus the angle.
      const program = scope.copy([affine, 1, 0, 0, 0, 1, piecewise, 0, 1, 0, 0, 0]);
      const stride = ones.length / 4;
      kernels().pairRecursion(false, 1, n, program, ones, stride, ones, stride, k, n, theta, n);
      // As near to the ends as rounding brings equal and opposite inputs: at them.
      expect([...theta.subarray(0, 5)].map(Math.abs)).toEqual([0, Math.PI, Math.PI / 2, 0, Math.PI]);
      let worst = 0;
      for (let i = 5; i < n; i++) {
        const angle = -theta[i]!;
        if (1 - Math.abs(c[i]!) <= 2 ** -50) continue;
        // cos(angle + error) = cos(angle) - sin(angle) error; small angles by the series of 2 asin(sqrt(h)), to an ulp.
        const { nearest, ulp, rest } = precise("cos", angle, "f64");
        const h = (1 - Math.abs(c[i]!)) / 2;
        const series = 2 * Math.sqrt(h) * (1 + h / 6 + (3 * h * h) / 40);
        const exact = c[i]! < 0 ? Math.PI - series : series;
        const error = h < 1e-8 ? angle - exact : (c[i]! - nearest - rest * ulp) / Math.sin(angle);
        worst = Math.max(worst, Math.abs(error) / 2 ** -51);
      }
      expect(worst).toBeGreaterThan(0);
      expect(worst).toBeLessThanOrEqual(3);
    });
  });

  /** A step of each kind with its parameters, and the numbers of an input of variance v. */
  const DUALS: readonly (readonly [DualKind, readonly number[], (v: number) => number[]])[] = [
    ["piecewise", [0.52, 0.36 / (2 * Math.PI)], (v) => [Math.sqrt(v), 1 / Math.sqrt(v)]],
    ["erf", [2 / Math.PI, 2, 0.1], (v) => [0, 1 / Math.sqrt(1 + 2 * v)]],
    ["normalize", [], (v) => [0, 1 / Math.sqrt(v)]],
    ["gelu", [], (v) => [Math.sqrt(v), 1 / Math.sqrt(1 + v)]],
    ["exponential", [0.5, -0.2, -0.5], (v) => [v, 0]],
    ["exponential", [1.5, 0, 0.3], (v) => [v, 0]],
    ["gaussian", [2, 0, -1.4], (v) => [1 + 1.4 * v, 0]],
    ["sign", [], (v) => [0, 1 / Math.sqrt(v)]],
    ["rectified", [1], (v) => [Math.sqrt(v), 1 / Math.sqrt(v)]],
    ["rectified", [3], (v) => [Math.sqrt(v), 1 / Math.sqrt(v)]],
    ["polynomial", [0], () => [0.7]],
    ["polynomial", [3], (v) => [0.4 + 0.1 * v, 1, -0.3 + v, 0.5]],
  ];

  test.each(DUALS)(
    "pairRecursion takes pairs through %s %o as the naive formula does",
    (kind, parameters, numbersOf) => {
      compute().scope((scope) => {
        const [rows, cols] = [7, 261];
        const variances = (name: string, count: number): number[] =>
          Array.from(uniform(name, count), (x, i) => (i === 0 ? 4 : 0.2 + 1.5 * (x + 1)));
        const [v, w] = [variances("rows", rows), variances("cols", cols)];
        // Parallel, opposite and orthogonal pairs among them.
        const c = uniform("correlations", rows * cols).map((x, p) => [1, -1, 0][p] ?? x);
        const k0 = precision.round(c.map((x, p) => x * Math.sqrt(v[Math.floor(p / cols)]!) * Math.sqrt(w[p % cols]!)));
        const room = new Array<number>(6).fill(0);
        const program = [affine, 1, 0, 0, 0, 1.5, PAIR_STEPS[kind], ...parameters, ...room].slice(0, 12);
        const extra = [PAIR_STEPS.numbers, ...room.slice(1)];
        const stride = 264;
        const table = (all: number[]): Float64Array => {
          const out = scope.f64(6 * stride);
          all.forEach((variance, i) => {
            numbersOf(variance).forEach((value, m) => {
              out[(2 + m) * stride + i] = value;
            });
          });
          return out;
        };
        const [k, theta] = [precision.copy(scope, k0), precision.copy(scope, k0)];
        const code = scope.copy([...program, ...extra]);
        kernels().pairRecursion(false, rows, cols, code, table(v), stride, table(w), stride, k, cols, theta, cols);
        let worst = 0;
        for (let p = 0; p < rows * cols; p++) {
          const [i, j] = [Math.floor(p / cols), p % cols];
          const dual = dualReference(kind, parameters, k0[p]!, numbersOf(v[i]!), numbersOf(w[j]!));
          const size = Math.max(1, Math.abs(dual.k), Math.abs(1.5 * dual.slope));
          worst = Math.max(worst, Math.abs(k[p]! - dual.k) / size, Math.abs(theta[p]! - 1.5 * dual.slope) / size);
        }
        expect(worst).toBeLessThan(150 * precision.epsilon);
      });
    },
  );

  test("pairRecursion refuses short arrays, odd triangles and slots that are not there", () => {
    compute().scope((scope) => {
      const program = scope.copy([save, 256, 0, 0, 0, 0]);
      const numbers = scope.f64(8);
      const k = precision.copy(scope, new Float64Array(4));
      const call = (lower: boolean, rows: number, cols: number, steps: Float64Array): void =>
        kernels().pairRecursion(lower, rows, cols, steps, numbers, 4, numbers, 4, k, 2, null, 2);
      expect(() => call(false, 2, 2, program)).toThrow(/slot 256 of 256/);
      expect(() => call(true, 1, 2, program.subarray(0, 0))).toThrow(/1 x 2/);
      expect(() => call(false, 3, 2, program.subarray(0, 0))).toThrow(RangeError);
      expect(() => call(false, 2, 2, new Float64Array(6))).toThrow(TypeError);
    });
  });
});
