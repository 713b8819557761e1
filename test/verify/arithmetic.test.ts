import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { above, down, EPS, ETA, normAbove, sumsToZero, up, weightedSumAbove } from "../../src/verify/arithmetic.ts";
import { LinearForm, makeRows } from "../../src/verify/linear-form.ts";
import { entropyBelow, logarithm, softplusAbove } from "../../src/verify/logarithm.ts";
import { isPositiveSemidefinite, QuadraticForm } from "../../src/verify/quadratic-form.ts";
import { Rejection } from "../../src/verify/reader.ts";
import { BITS, exact, exactDot, exp, fixed, ln } from "./exact.ts";

/** Doubles of all sizes, tiny and huge ones, and whole numbers that cancel. */
const anyDouble = fc.double({ noNaN: true, noDefaultInfinity: true });
const middling = fc.double({ noNaN: true, min: -1e3, max: 1e3 });
const wild = fc.oneof(
  anyDouble,
  middling,
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom(0, -0, ETA, -ETA, 2 ** -1022),
);
/** Numbers whose products and sums do not overflow. */
const tame = fc.oneof(
  middling,
  fc.integer({ min: -9, max: 9 }),
  fc.double({ noNaN: true, min: -1e-150, max: 1e-150 }),
  fc.double({ noNaN: true, min: -1e100, max: 1e100 }),
  fc.constantFrom(ETA, -ETA, 2 ** -540),
);
const runs = { numRuns: 3000 };

/** Whether a double bounds the quotient of exact numbers from above. */
const isAtLeast = (x: number, numerator: bigint, denominator: bigint): boolean =>
  x === Number.POSITIVE_INFINITY || exact(x) * denominator >= numerator;

describe("up and down", () => {
  test("up and down enclose the exact sum, difference, product, quotient and root", () => {
    fc.assert(
      fc.property(wild, wild, (a, b) => {
        const unit = exact(1);
        const cases: [number, bigint, bigint][] = [
          [a + b, exact(a) + exact(b), 1n],
          [a - b, exact(a) - exact(b), 1n],
          [a * b, exact(a) * exact(b), unit],
        ];
        if (b > 0) cases.push([a / b, exact(a) * unit, exact(b)]);
        for (const [rounded, numerator, denominator] of cases) {
          if (!Number.isFinite(rounded)) continue;
          expect(isAtLeast(up(rounded), numerator, denominator)).toBe(true);
          expect(isAtLeast(-down(rounded), -numerator, denominator)).toBe(true);
        }
        const size = Math.abs(a);
        expect(exact(up(Math.sqrt(size))) ** 2n >= exact(size) * unit).toBe(true);
      }),
      runs,
    );
  });

  test("up moves by a few spacings only, and overflow never turns into a bound", () => {
    for (const x of [1, -1, 1.5, -3e200, 5e-300]) {
      expect(up(x)).toBeGreaterThan(x);
      expect(up(x) - x).toBeLessThanOrEqual(2 * EPS * Math.abs(x));
      expect(down(x)).toBe(-up(-x));
    }
    expect(up(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(down(Number.POSITIVE_INFINITY)).toBeNaN();
    expect(up(0)).toBe(ETA);
  });
});

describe("sums", () => {
  test("above bounds sums of products, normAbove norms, weightedSumAbove weighted sums, for every size of numbers", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(wild, wild), { maxLength: 40 }), (pairs) => {
        const a = Float64Array.from(pairs, ([x]) => x);
        const b = Float64Array.from(pairs, ([, y]) => Math.abs(y));
        const sizes = a.map(Math.abs);
        let sum = 0;
        for (let k = 0; k < a.length; k++) sum += sizes[k]! * b[k]!;
        expect(isAtLeast(above(sum, a.length + 3), exactDot(sizes, b), exact(1))).toBe(true);
        expect(isAtLeast(weightedSumAbove(a, b), exactDot(sizes, b), exact(1))).toBe(true);
        const norm = normAbove(a, 0, a.length);
        expect(norm === Number.POSITIVE_INFINITY || exact(norm) ** 2n >= exactDot(a, a)).toBe(true);
      }),
      runs,
    );
  });

  test("normAbove is tight", () => {
    expect(normAbove(Float64Array.of(9, 3, 4, 9), 1, 2)).toBeLessThan(5 * (1 + 10 * EPS));
    expect(normAbove(new Float64Array(1000).fill(1), 0, 1000) / Math.sqrt(1000)).toBeLessThan(1 + 1100 * EPS);
  });

  test("sumsToZero knows exact zeros from sums that only round to zero", () => {
    expect(sumsToZero(Float64Array.of(1, 2 ** -60, -1))).toBe(false);
    expect(sumsToZero(Float64Array.of(1, 2 ** -60, -1, -(2 ** -60)))).toBe(true);
    expect(sumsToZero(Float64Array.of(1e300, ETA, -1e300))).toBe(false);
    expect(sumsToZero(Float64Array.of(0.1, 0.2, -0.3))).toBe(false);
    expect(sumsToZero(new Float64Array(0))).toBe(true);
    fc.assert(
      fc.property(fc.array(wild), (values) => {
        const exactly = values.reduce((sum, t) => sum + exact(t), 0n) === 0n;
        expect(sumsToZero(Float64Array.from(values))).toBe(exactly);
        expect(sumsToZero(Float64Array.from([...values, ...values.map((t) => -t)]))).toBe(true);
      }),
    );
  });
});

describe("LinearForm", () => {
  test("LinearForm: what it adds to the offset covers the distance of the rounded vector from the exact one", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(
          fc.tuple(tame, fc.double({ min: 0, max: 1, noNaN: true }), fc.array(tame, { minLength: 4, maxLength: 4 })),
          {
            minLength: 1,
            maxLength: 30,
          },
        ),
        (r, terms) => {
          const Z = Float64Array.from(terms.flatMap(([, , z]) => z.slice(0, r)));
          const rows = makeRows(terms.length, r, Z);
          const form = new LinearForm(rows);
          for (const [i, [v, k]] of terms.entries()) form.add(v * k, i);
          form.settle();
          // In units of 2^-3222.
          const unit = exact(1);
          let distance = 0n;
          for (let q = 0; q < r; q++) {
            let sum = 0n;
            terms.forEach(([v, k], i) => {
              sum += exact(v) * exact(k) * exact(Z[i * r + q]!);
            });
            distance += (sum - exact(form.c[q]!) * unit * unit) ** 2n;
          }
          expect(form.offset === Number.POSITIVE_INFINITY || (exact(form.offset) * unit * unit) ** 2n >= distance).toBe(
            true,
          );
        },
      ),
      runs,
    );
  });

  test("LinearForm: its errors are small, and overflow makes the bound useless", () => {
    const form = new LinearForm(makeRows(1, 3, Float64Array.of(1, 2, 2)));
    for (let k = 0; k < 100; k++) form.add(0.1, 0);
    form.settle();
    expect(form.offset).toBeLessThan(30 * 110 * EPS);
    form.add(Number.MAX_VALUE, 0);
    form.settle();
    expect(form.bound() <= Number.MAX_VALUE).toBe(false);
    expect(() => makeRows(1, 1, Float64Array.of(1e200))).toThrow(Rejection);
    expect(() => makeRows(1, 1, Float64Array.of(Number.NaN))).toThrow(Rejection);
  });
});

/** Whether an integer matrix is positive semidefinite: no principal minor is negative (tiny orders). */
function isSemidefiniteExactly(A: readonly (readonly bigint[])[]): boolean {
  const m = A.length;
  const minor = (rows: readonly number[]): bigint => {
    const [first, ...rest] = rows;
    if (first === undefined) return 1n;
    // Laplace along the first row of the submatrix.
    const expand = (top: readonly number[], columns: readonly number[]): bigint => {
      const [row, ...others] = top;
      if (row === undefined) return 1n;
      return columns.reduce((sum, column, k) => {
        const cofactor = expand(
          others,
          columns.filter((c) => c !== column),
        );
        return sum + (k % 2 === 0 ? 1n : -1n) * A[row]![column]! * cofactor;
      }, 0n);
    };
    return expand([first, ...rest], rows);
  };
  for (let set = 1; set < 2 ** m; set++) {
    if (minor(Array.from({ length: m }, (_, k) => k).filter((k) => (set >> k) & 1)) < 0n) return false;
  }
  return true;
}

describe("isPositiveSemidefinite", () => {
  test("isPositiveSemidefinite accepts only what is positive semidefinite, also at the edge", () => {
    let accepted = 0;
    const entries = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(
        entries,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: -60, max: 0 }),
        fc.boolean(),
        (b, m, power, plus) => {
          // B'B of rank m - 1 or so, moved by +- 2^power.
          const shift = (plus ? 1 : -1) * 2 ** power;
          const A = Array.from({ length: m }, (_, i) =>
            Array.from({ length: m }, (_, j) => {
              let sum = i === j ? shift : 0;
              for (let k = 0; k < m - 1; k++) sum += b[4 * k + i]! * b[4 * k + j]!;
              return sum;
            }),
          );
          const isIt = isSemidefiniteExactly(A.map((row) => row.map(exact)));
          const says = isPositiveSemidefinite(Float64Array.from(A.flat()), m);
          if (says) accepted += 1;
          expect(says && !isIt).toBe(false);
          if (plus && power > -30) expect(says).toBe(true);
        },
      ),
      runs,
    );
    expect(accepted).toBeGreaterThan(500);
  });

  test("isPositiveSemidefinite refuses NaN, overflow, negative and zero pivots", () => {
    const refused = (...entries: number[]): boolean =>
      !isPositiveSemidefinite(Float64Array.from(entries), Math.sqrt(entries.length));
    expect(refused(1)).toBe(false);
    expect(refused(2, 0, -1, 2)).toBe(false);
    expect(refused(2, 0, Number.NaN, 2)).toBe(true);
    expect(refused(Number.NaN, 0, 0, 1)).toBe(true);
    expect(refused(1e308, 0, 0, 1e308)).toBe(true);
    expect(refused(1, 0, Number.POSITIVE_INFINITY, 1)).toBe(true);
    expect(refused(0)).toBe(true);
    expect(refused(1, 0, 1.0000001, 1)).toBe(true);
    expect(refused(4 * ETA)).toBe(true);
  });
});

describe("QuadraticForm", () => {
  test("QuadraticForm.isBelow never accepts a budget that a point of the ball exceeds", () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.array(
          fc.tuple(fc.double({ min: -2, max: 2, noNaN: true }), fc.array(middling, { minLength: 3, maxLength: 3 })),
          { maxLength: 9 },
        ),
        fc.array(middling, { minLength: 3, maxLength: 3 }),
        fc.array(middling, { minLength: 3, maxLength: 3 }),
        fc.double({ min: 0, max: 1.1, noNaN: true }),
        fc.double({ min: 0.5, max: 2, noNaN: true }),
        (r, vectors, a, direction, muShare, share) => {
          const form = new QuadraticForm(r);
          let size = 1e-3;
          for (const [coef, y] of vectors) {
            const head = Float64Array.from(y.slice(0, r));
            const norm = normAbove(head, 0, r);
            form.add(coef, head, norm);
            size += Math.abs(coef) * norm ** 2;
          }
          const linear = Float64Array.from(a.slice(0, r));
          const mu = muShare * size;
          const budget = share * (mu + Math.hypot(...linear) ** 2 / (4 * size));
          const error = form.error();
          expect(error).toBeLessThan(1e-14 * size);
          if (!form.isBelow(linear, mu, budget)) return;
          accepted += 1;
          const length = Math.hypot(...direction.slice(0, r)) || 1;
          const u = direction.slice(0, r).map((t) => t / length);
          for (const t of [1, 0.5, -0.5, -1, (Math.hypot(...linear) / size) * 0.5]) {
            if (t > 1) continue;
            const at = u.map((x) => t * x);
            let value = at.reduce((sum, x, k) => sum + x * linear[k]!, 0);
            for (const [coef, y] of vectors) value += coef * at.reduce((sum, x, k) => sum + x * y[k]!, 0) ** 2;
            expect(value).toBeLessThanOrEqual(budget + 1e-13 * (size + budget));
          }
        },
      ),
      runs,
    );
    expect(accepted).toBeGreaterThan(200);
  });

  test("QuadraticForm.isBelow decides one dimension to the last digits", () => {
    // The maximum of a u + q u^2 over [-1, 1] is |a| + q for |a| > -2 q, else a^2 / (4 |q|).
    for (const [a, q, mu, maximum] of [
      [1, 2, 2.5, 3],
      [3, -1, 0.5, 2],
      [1, -2, 0, 0.125],
    ] as const) {
      const says = (budget: number): boolean => {
        const form = new QuadraticForm(1);
        form.add(q, Float64Array.of(1), 1);
        return form.isBelow(Float64Array.of(a), mu, budget);
      };
      expect(says(maximum * (1 - 1e-15))).toBe(false);
      expect(says(maximum * (1 + 1e-13))).toBe(true);
    }
  });
});

describe("logarithm", () => {
  test("the constants that logarithm trusts are what they should be", () => {
    expect(2 ** 100).toBe(Number(1n << 100n));
    const error = ln(2n << BITS) - fixed(Math.LN2);
    expect(Number(error) / Number(1n << BITS)).toBeCloseTo(2.32e-17, 19);
  });

  test("logarithm encloses the exact logarithm within about 1e-15 relative to it and to 1", () => {
    const positive = fc.oneof(
      fc.double({ min: 1e-100, max: 1e100, noNaN: true }),
      fc.double({ min: 0.5, max: 2, noNaN: true }),
      fc.integer({ min: 1, max: 52 }).map((k) => 1 + 2 ** -k),
      fc.integer({ min: 1, max: 53 }).map((k) => 1 - 2 ** -k),
      fc.constantFrom(1, 1.42, 1.4200000000000002, 2, 0.5),
    );
    fc.assert(
      fc.property(positive, (x) => {
        const { low, high } = logarithm(x);
        const truth = ln(fixed(x));
        expect(fixed(low) <= truth + (1n << 60n)).toBe(true);
        expect(fixed(high) >= truth - (1n << 60n)).toBe(true);
        expect(high - low).toBeLessThanOrEqual(
          20 * EPS * Math.abs(low) + 20 * EPS * Math.abs(Math.log(x)) + 10 * EPS * (Math.abs(x - 1) > 0.3 ? 1 : 0),
        );
      }),
      { numRuns: 1500 },
    );
  });

  test("logarithm reaches the ends of the range", () => {
    for (const x of [ETA, 3 * ETA, 2 ** -1022, 2 ** -1000, 1e-300, Number.MAX_VALUE]) {
      const { low, high } = logarithm(x);
      expect(low).toBeLessThan(Math.log(x));
      expect(high).toBeGreaterThan(Math.log(x));
      expect(high - low).toBeLessThan(4e-12);
    }
    expect(logarithm(1)).toEqual({ low: 0, high: 0 });
  });
});

describe("softplusAbove", () => {
  test("softplusAbove is above log(1 + e^s) and near it", () => {
    const one = 1n << BITS;
    fc.assert(
      fc.property(fc.double({ min: -60, max: 60, noNaN: true }), (s) => {
        const bound = softplusAbove(s);
        const truth = ln(one + exp(fixed(s)));
        expect(fixed(bound) >= truth).toBe(true);
        expect(bound).toBeLessThanOrEqual((Number(truth >> 200n) / 2 ** 200) * (1 + 1e-12) + 1e-18);
      }),
      { numRuns: 600 },
    );
    expect(softplusAbove(0)).toBeGreaterThanOrEqual(Math.LN2);
    for (const s of [-1e300, -1000, -745, -700]) expect(softplusAbove(s)).toBeGreaterThan(0);
    expect(softplusAbove(-1e300)).toBeLessThan(1e-300);
    expect(softplusAbove(1e300)).toBeGreaterThan(1e300);
    expect(softplusAbove(Number.NaN)).toBeNaN();
    expect(softplusAbove(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("entropyBelow", () => {
  test("entropyBelow is below the entropy everywhere in its interval, and near it", () => {
    const one = 1n << BITS;
    const plogp = (p: bigint): bigint => (p === 0n ? 0n : -(p * ln(p)) >> BITS);
    const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1e-9, noNaN: true }));
    fc.assert(
      fc.property(
        share,
        fc.double({ min: 0, max: 1e-9, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (p, w, t) => {
          const low = p < 1e-100 ? 0 : p;
          const high = Math.min(1, low * (1 + w));
          const bound = entropyBelow(low, high);
          const inside = fixed(low) + (((fixed(high) - fixed(low)) * fixed(t)) >> BITS);
          const truth = plogp(inside) + plogp(one - inside);
          expect(fixed(bound) <= truth + 1n).toBe(true);
          expect(bound).toBeGreaterThan((Number(truth >> 200n) / 2 ** 200) * (1 - 1e-7) - 1e-12);
        },
      ),
      { numRuns: 600 },
    );
    expect(entropyBelow(0.5, 0.5)).toBeCloseTo(Math.LN2, 14);
    expect(entropyBelow(0, 0)).toBe(0);
    expect(entropyBelow(1, 1)).toBe(0);
    expect(entropyBelow(1e-12, 1e-12) / (1e-12 * (1 - Math.log(1e-12)))).toBeCloseTo(1, 11);
  });
});
