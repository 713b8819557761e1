import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RandomStream, randomStream } from "../../src/base/random.ts";
import { ProofWriter } from "../../src/certificate/index.ts";
import { checkMaximum } from "../../src/verify/maximum.ts";
import { ProofReader, Rejection } from "../../src/verify/reader.ts";
import {
  maximum,
  type NaiveSide,
  type TreeWriter,
  transportBound,
  valueAt,
  writeConeTree,
  writeOutput,
  writeSignTree,
} from "./prover.ts";

type Rows = readonly (readonly number[])[];

/** A small instance: normal, integer (with ties, duplicates, zero rows) or badly scaled rows. */
function instance(random: RandomStream, n: number, r: number): { X: number[][]; v: number[] } {
  const kind = random.integer(4);
  const X = Array.from({ length: n }, () =>
    Array.from({ length: r }, () => {
      if (kind === 0) return random.integer(5) - 2;
      return random.normal() * (kind === 1 ? 2 ** (random.integer(20) - 10) : 1);
    }),
  );
  if (kind === 2) X[n - 1] = [...X[0]!];
  const v = Array.from({ length: n }, () => (kind === 0 ? random.integer(7) - 3 : random.normal()));
  return { X, v };
}

const inputsOf = (X: Rows) => ({ rows: X.length, cols: X[0]!.length, data: Float64Array.from(X.flat()) });

/** The bound that the checker takes from a proof; null when it refuses it. */
function accept(bytes: Uint8Array, X: Rows, v: readonly number[], freeBiases = false): number | null {
  const reader = new ProofReader(bytes);
  try {
    const bound = checkMaximum(reader, inputsOf(X), freeBiases, Float64Array.from(v));
    reader.end();
    return bound;
  } catch (error) {
    if (error instanceof Rejection) return null;
    throw error;
  }
}

function prove(X: Rows, v: readonly number[], tree: TreeWriter, slack: number, freeBiases = false): Uint8Array {
  const out = new ProofWriter();
  writeOutput(out, X, v, tree, slack, freeBiases);
  return out.bytes().slice();
}

/** M(v) from below: where enumeration attains it. */
function attained(X: Rows, v: readonly number[]): number {
  return Math.max(
    ...[1, -1].map((sign) => {
      const side: NaiveSide = { Z: X, v: v.map((t) => sign * t) };
      return valueAt(side, maximum(side).u);
    }),
  );
}

const TREES: readonly (readonly [string, TreeWriter, number])[] = [
  ["every sign of P", (out, side, T) => writeSignTree(out, side, T), 1e-9],
  ["signs, closed early", (out, side, T) => writeSignTree(out, side, T, { early: true }), 1e-9],
  ["signs with caps and ranges", (out, side, T) => writeSignTree(out, side, T, { early: true, caps: true }), 1e-9],
  ["signs and Shor leaves", (out, side, T) => writeSignTree(out, side, T, { early: true, transport: true }), 0.05],
  ["cones", (out, side, T) => writeConeTree(out, side, T), 0.1],
];

describe("checkMaximum", () => {
  test.each(TREES)(
    "checkMaximum accepts valid proofs by %s, and its bound is no more than rounding above T",
    (_, tree, slack) => {
      for (let seed = 0; seed < 25; seed++) {
        const random = randomStream(seed, "trees");
        const { X, v } = instance(random, 3 + random.integer(4), 1 + random.integer(3));
        const truth = attained(X, v);
        const bound = accept(prove(X, v, tree, slack), X, v);
        expect(bound).not.toBeNull();
        expect(bound!).toBeGreaterThanOrEqual(truth);
        expect(bound!).toBeLessThanOrEqual(truth * (1 + slack) * (1 + 1e-9) + 1e-10);
      }
    },
  );

  test("checkMaximum accepts transport leaves with any Pi and t, dense or sparse, and a generous T", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = randomStream(seed, "transport");
      const { X, v } = instance(random, 4 + random.integer(4), 1 + random.integer(4));
      const sides = [1, -1].map((sign) => ({ Z: X, v: v.map((t) => sign * t) }));
      const out = new ProofWriter();
      out.f64(1);
      out.u32(X[0]!.length);
      out.u8(0);
      out.u32(0);
      const state = [1, 2].map((k) => randomStream(seed, `pi ${k}`));
      const T = Math.max(...sides.map((side, k) => transportBound(side, () => state[k]!.uniform()))) * 1.001 + 1e-9;
      expect(T).toBeGreaterThanOrEqual(attained(X, v));
      out.f64(T);
      const again = [1, 2].map((k) => randomStream(seed, `pi ${k}`));
      const proved = sides.map((side, k) =>
        writeSignTree(out, side, T, { transport: true, random: () => again[k]!.uniform() }),
      );
      expect(proved).toEqual([true, true]);
      expect(accept(out.bytes(), X, v)).toBeCloseTo(T, 6);
    }
  });

  test("checkMaximum with free biases: a part for each pivot, and weights that add up to zero exactly", () => {
    for (let seed = 0; seed < 10; seed++) {
      const random = randomStream(seed, "pivots");
      const { X } = instance(random, 4, 2);
      const v = [1, -2, 0.5, 0.5].map((t) => t * 2 ** random.integer(3));
      v[3] = -(v[0]! + v[1]! + v[2]!);
      const proof = prove(X, v, TREES[0]![1], 1e-9, true);
      const bound = accept(proof, X, v, true);
      // Random units with a bias are below it.
      expect(bound).not.toBeNull();
      for (let trial = 0; trial < 500; trial++) {
        const u = X[0]!.map(() => random.normal());
        const b = 3 * random.normal();
        const sum = X.reduce(
          (total, x, i) =>
            total +
            v[i]! *
              Math.max(
                0,
                x.reduce((s, t, k) => s + t * u[k]!, b),
              ),
          0,
        );
        expect(Math.abs(sum) / Math.hypot(...u)).toBeLessThanOrEqual(bound!);
      }
      expect(
        accept(
          proof,
          X,
          v.map((t, i) => (i === 0 ? t * (1 + 2 ** -52) : t)),
          true,
        ),
      ).toBeNull();
      expect(accept(proof, X, v)).toBeNull();
    }
  });

  test("checkMaximum with a rotation bounds M over the rows themselves, however wrong the rotation is", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = randomStream(seed, "rotation");
      // Rows near a plane of R^3, in a basis that is orthonormal up to `error`, at a scale.
      const error = [0, 1e-14, 1e-3][seed % 3]!;
      const angle = random.uniform();
      const V = [
        [Math.cos(angle), -Math.sin(angle)],
        [Math.sin(angle), Math.cos(angle)],
        [0, 0],
      ].map((row) => row.map((t) => t + error * random.normal()));
      const scale = 2 ** (random.integer(40) - 20);
      const X = Array.from({ length: 5 }, () =>
        [random.normal(), random.normal(), error * random.normal()].map((t) => t * scale),
      );
      const v = X.map(() => random.normal());
      const Z = X.map((x) => [0, 1].map((q) => x.reduce((sum, t, k) => sum + (V[k]![q]! * t) / scale, 0)));
      const out = new ProofWriter();
      out.f64(scale);
      out.u32(2);
      out.u8(1);
      out.f64s(V.flat());
      out.u32(0);
      const sides = [1, -1].map((sign) => ({ Z, v: v.map((t) => sign * t) }));
      const T = Math.max(...sides.map((side) => maximum(side).value)) * (1 + 1e-9);
      out.f64(T);
      for (const side of sides) writeSignTree(out, side, T);
      const bound = accept(out.bytes(), X, v)!;
      const truth =
        attained(
          X.map((x) => x.map((t) => t / scale)),
          v,
        ) * scale;
      expect(bound).toBeGreaterThanOrEqual(truth);
      if (error < 1e-10) expect(bound).toBeLessThan(truth * (1 + 1e-8));
    }
  });

  test.each(TREES)("checkMaximum refuses a T below the maximum, whatever the proof: %s", (_, tree, slack) => {
    const refused = fc.property(
      fc.integer({ min: 0, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (seed, share) => {
        const random = randomStream(seed, "below");
        const { X, v } = instance(random, 3 + random.integer(3), 1 + random.integer(3));
        const truth = attained(X, v);
        if (truth < 1e-6) return;
        const proof = prove(X, v, tree, slack);
        const view = new DataView(proof.buffer);
        view.setFloat64(17, truth * (1 - 10 ** (-12 * share - 1e-3)), true);
        expect(accept(proof, X, v)).toBeNull();
      },
    );
    fc.assert(refused, { numRuns: 40 });
  });
});

describe("checkMaximum and damaged proofs", () => {
  const random = randomStream(3, "damage");
  const cases = TREES.map(([name, tree, slack]) => {
    const X = Array.from({ length: 6 }, () => [random.normal(), random.normal()]);
    const v = X.map((_, i) => (i % 2 === 0 ? 1 : -1) * (0.5 + random.uniform()));
    return { name, X, v, proof: prove(X, v, tree, slack), truth: attained(X, v) };
  });

  test.each(cases)("checkMaximum refuses each truncation and every longer proof: $name", ({ X, v, proof }) => {
    expect(accept(proof, X, v)).not.toBeNull();
    for (let length = 0; length < proof.length; length++) expect(accept(proof.subarray(0, length), X, v)).toBeNull();
    expect(accept(Uint8Array.of(...proof, 0), X, v)).toBeNull();
  });

  test.each(cases)(
    "checkMaximum never takes a bound below the maximum from flipped bits or moved bytes: $name",
    ({ X, v, proof, truth }) => {
      let accepted = 0;
      const edits = fc.array(fc.tuple(fc.nat({ max: proof.length - 1 }), fc.nat({ max: 255 }), fc.nat({ max: 2 })), {
        minLength: 1,
        maxLength: 3,
      });
      fc.assert(
        fc.property(edits, (list) => {
          let changed = proof.slice();
          for (const [at, value, kind] of list) {
            if (kind === 0) changed[at] = changed[at]! ^ (1 << (value & 7));
            else if (kind === 1) changed[at] = value;
            else
              changed = Uint8Array.of(
                ...changed.subarray(0, at),
                ...changed.subarray(at + (value % 9)),
                ...changed.subarray(at, at + (value % 9)),
              );
          }
          const bound = accept(changed, X, v);
          if (bound === null) return;
          accepted += 1;
          expect(bound).toBeGreaterThanOrEqual(truth * (1 - 1e-13));
        }),
        { numRuns: 1500 },
      );
      // Digits far behind the comma change nothing; so this is not refusal of everything.
      expect(accepted).toBeGreaterThan(10);
    },
  );

  test.each(cases)(
    "checkMaximum refuses changed data and changed weights when the old bound is false: $name",
    ({ X, v, proof }) => {
      let refused = 0;
      for (let i = 0; i < X.length; i++) {
        for (const factor of [-1, 0.9, 1.1, 3]) {
          for (const what of ["x", "v"] as const) {
            const Y = X.map((x, k) => (what === "x" && k === i ? x.map((t) => t * factor) : x));
            const w = v.map((t, k) => (what === "v" && k === i ? t * factor : t));
            const bound = accept(proof, Y, w);
            if (bound === null) refused += 1;
            else expect(bound).toBeGreaterThanOrEqual(attained(Y, w) * (1 - 1e-13));
          }
        }
      }
      expect(refused).toBeGreaterThan(5);
    },
  );

  test("checkMaximum refuses a cover with a hole: a split whose sides are of different rows, a missing orthant", () => {
    const { X, v, proof } = cases[0]!;
    // The bytes of the first split name its row; every other row must be refused.
    const view = new DataView(proof.buffer, proof.byteOffset);
    const at = 8 + 4 + 1 + 4 + 8 + 1 + 1;
    const row = view.getUint32(at, true);
    let holes = 0;
    for (let other = 0; other < X.length; other++) {
      const changed = proof.slice();
      new DataView(changed.buffer).setUint32(at, other, true);
      if (other !== row && accept(changed, X, v) === null) holes += 1;
    }
    expect(holes).toBeGreaterThan(0);
    // A tree that is a leaf where it should be a split.
    const out = new ProofWriter();
    out.raw(proof.subarray(0, at - 1));
    out.u8(5);
    expect(accept(out.bytes(), X, v)).toBeNull();
    const cones = cases[4]!;
    const start = 8 + 4 + 1 + 4 + 8 + 1;
    const without = Uint8Array.of(...cones.proof.subarray(0, start), ...cones.proof.subarray(start + 40));
    expect(accept(without, cones.X, cones.v)).toBeNull();
  });
});

/** A proof head for rows in R^r: scale 1, no rotation, no pivots, T. */
function head(r: number, T: number): ProofWriter {
  const out = new ProofWriter();
  out.f64(1);
  out.u32(r);
  out.u8(0);
  out.u32(0);
  out.f64(T);
  return out;
}

describe("checkMaximum and hostile numbers", () => {
  const X = [
    [1, 0],
    [0, 1],
    [-1, -1],
  ];
  const v = [1, 1, -1];
  const refuses = (write: (out: ProofWriter) => void, T = 10): string => {
    const out = head(2, T);
    write(out);
    try {
      checkMaximum(new ProofReader(out.bytes()), inputsOf(X), false, Float64Array.from(v));
    } catch (error) {
      if (error instanceof Rejection) return error.message;
      throw error;
    }
    return "accepted";
  };
  /** A closing step: multipliers, thetas. */
  const close =
    (lam: readonly (readonly [number, number])[], theta: readonly (readonly [number, number])[]) =>
    (out: ProofWriter) => {
      for (const _ of [1, -1]) {
        out.u8(0);
        out.u8(4);
        for (const list of [lam, theta]) {
          out.u32(list.length);
          for (const [row, value] of list) {
            out.u32(row);
            out.f64(value);
          }
        }
      }
    };

  test("checkMaximum takes a plain closing step, which the next test spoils", () => {
    expect(refuses(close([], []))).toBe("accepted");
    expect(refuses(close([], []), 1)).toContain("a leaf bounds by");
  });

  test.each([
    ["a negative multiplier", close([[0, -1e-300]], []), "negative multiplier"],
    ["a multiplier that is NaN", close([[0, Number.NaN]], []), "not finite"],
    ["an infinite multiplier", close([[0, Number.POSITIVE_INFINITY]], []), "not finite"],
    ["a huge multiplier", close([[0, 1e308]], []), "a leaf bounds by"],
    ["a multiplier of a row out of range", close([[3, 1]], []), "row 3 of 3"],
    ["a theta above 1", close([], [[2, 1 + 2 ** -52]]), "theta above 1"],
    ["a negative theta", close([], [[2, -0.1]]), "negative theta"],
    ["a theta for a row of P", close([], [[0, 0.5]]), "not negative"],
    [
      "a count of 4e9",
      (out: ProofWriter) => {
        out.u8(0);
        out.u8(4);
        out.u32(4e9);
      },
      "beyond the end",
    ],
    [
      "an unknown node",
      (out: ProofWriter) => {
        out.u8(0);
        out.u8(9);
      },
      "unknown kind 9",
    ],
    ["an unknown tree", (out: ProofWriter) => out.u8(7), "unknown kind 7"],
    [
      "an empty region that is not",
      (out: ProofWriter) => {
        out.u8(0);
        out.u8(5);
      },
      "not empty",
    ],
    ["nothing", () => {}, "ends too early"],
  ])("checkMaximum refuses %s", (_, write, message) => {
    expect(refuses(write)).toContain(message);
  });

  test.each([
    [
      "a rank above the columns",
      (out: ProofWriter) => {
        out.f64(1);
        out.u32(4e9);
      },
      "rank 4000000000",
    ],
    [
      "a scale that is no power of two",
      (out: ProofWriter) => {
        out.f64(3);
      },
      "power of two",
    ],
    [
      "a scale of 0",
      (out: ProofWriter) => {
        out.f64(0);
      },
      "power of two",
    ],
    [
      "a negative scale",
      (out: ProofWriter) => {
        out.f64(-2);
      },
      "power of two",
    ],
    [
      "a scale that is NaN",
      (out: ProofWriter) => {
        out.f64(Number.NaN);
      },
      "not finite",
    ],
    [
      "a rank without rotation",
      (out: ProofWriter) => {
        out.f64(1);
        out.u32(1);
        out.u8(0);
      },
      "without a rotation",
    ],
    [
      "pivots where there are none",
      (out: ProofWriter) => {
        out.f64(1);
        out.u32(2);
        out.u8(0);
        out.u32(3);
      },
      "pivots",
    ],
    [
      "a negative T",
      (out: ProofWriter) => {
        out.f64(1);
        out.u32(2);
        out.u8(0);
        out.u32(0);
        out.f64(-1);
      },
      "negative T",
    ],
  ])("checkMaximum refuses %s", (_, write, message) => {
    const out = new ProofWriter();
    write(out);
    const check = () => checkMaximum(new ProofReader(out.bytes()), inputsOf(X), false, Float64Array.from(v));
    expect(check).toThrow(Rejection);
    expect(check).toThrow(message);
  });

  /** A transport leaf for v: Pu = {0, 1}, Nu = {2}. */
  const transport =
    (change: { mu?: number; rows?: number[]; s?: number[]; t?: number; Pi?: number[]; kind?: number }) =>
    (out: ProofWriter) => {
      const { mu = 5, rows = [0, 1], s = [1, 1], t = 0, Pi = [0, 0], kind = 1 } = change;
      out.u8(0);
      out.u8(1);
      out.f64(mu);
      out.u32(rows.length);
      for (const row of rows) out.u32(row);
      out.f64s(s);
      out.u32(1);
      out.u32(2);
      out.f64(t);
      out.u8(kind);
      if (kind === 1) out.f32s(Pi);
      out.u32(0);
      // The other side, -v, by one step: at most |z_3| = sqrt 2.
      out.u8(0);
      out.u8(4);
      out.u32(0);
      out.u32(0);
    };

  test("checkMaximum takes a plain transport leaf, which the next test spoils", () => {
    expect(refuses(transport({}), 6)).toBe("accepted");
    expect(refuses(transport({ Pi: [0.4, -0.5], t: 0.05 }), 6)).toBe("accepted");
    // The largest G is 1 (|u1| + |u2| <= sqrt 2, attained at u = (1, 1) / sqrt 2).
    for (const T of [1.41, 1]) expect(refuses(transport({}), T)).toContain("not positive semidefinite");
  });

  test.each([
    ["Pi over capacity", transport({ Pi: [40, -40] }), "not positive semidefinite"],
    ["t over capacity", transport({ t: 40 }), "not positive semidefinite"],
    ["an s of 0", transport({ s: [0, 1] }), "not positive"],
    ["a negative s", transport({ s: [-1, 1] }), "not positive"],
    ["an s so small that 1/s overflows", transport({ s: [1e-320, 1] }), "not positive semidefinite"],
    ["a row twice", transport({ rows: [0, 0] }), "row 0 twice"],
    ["a row of the wrong sign", transport({ rows: [0, 2] }), "row 2 twice, or"],
    ["a negative mu", transport({ mu: -1 }), "negative mu"],
    ["a small mu", transport({ mu: 0 }), "not positive semidefinite"],
    ["a Pi that is NaN", transport({ Pi: [Number.NaN, 0] }), "not finite"],
    ["a Pi of unknown kind", transport({ kind: 3 }), "unknown kind 3"],
    ["a row of Pi with more entries than columns", transport({ kind: 2 }), "where 1 is the most"],
  ])("checkMaximum refuses %s", (_, write, message) => {
    expect(refuses(write, 6)).toContain(message);
  });

  test("checkMaximum charges for a t over its capacity and for a multiplier of a row that no sign determines", () => {
    // Without the charge both would bound G, whose maximum is 1, by less: the first tree must be the one that fails.
    expect(refuses(transport({ t: -2, s: [0.7, 0.7], mu: 0.4 }), 0.8)).toContain("not positive semidefinite");
    const opposite = [[1], [-1]];
    const out = head(1, 0.9);
    close([[1, 0.5]], [])(out);
    expect(accept(out.bytes(), opposite, [1, 0])).toBeNull();
    const honest = head(1, 1.01);
    close([[1, 0.5]], [])(honest);
    expect(accept(honest.bytes(), opposite, [1, 0])).toBeCloseTo(1.01, 12);
  });

  test.each([
    // G(u) = u_+, and G(u) = u_+ - (-u)_+ = u, whose maxima 1 these leaves show without loss.
    ["one row", [1], [], 0, []],
    ["a row of each sign and t", [1], [-1], -1, [0]],
    ["a row of each sign and Pi", [1], [-1], 0, [-1]],
  ])("checkMaximum takes transport leaves for exactly what they show: %s", (_, positive, negative, t, Pi) => {
    const X = [...positive, ...negative].map((z) => [z]);
    const v = [...positive.map(() => 1), ...negative.map(() => -1)];
    const says = (T: number): string => {
      const out = head(1, T);
      out.u8(0);
      out.u8(1);
      out.f64(0.5);
      out.u32(1);
      out.u32(0);
      out.f64(Pi.includes(-1) ? 1e-9 : 1);
      out.u32(negative.length);
      if (negative.length > 0) out.u32(1);
      out.f64s(negative.map(() => t));
      out.u8(1);
      out.f32s(Pi);
      out.u32(0);
      // -v: G(u) = -u_+ <= 0, or G(u) = -u, by one step.
      out.u8(0);
      out.u8(4);
      out.u32(0);
      out.u32(0);
      try {
        checkMaximum(new ProofReader(out.bytes()), inputsOf(X), false, Float64Array.from(v));
      } catch (error) {
        if (error instanceof Rejection) return error.message;
        throw error;
      }
      return "accepted";
    };
    expect(says(1 + 1e-8)).toBe("accepted");
    expect(says(0.999)).toContain("not positive semidefinite");
  });

  test("checkMaximum refuses cones with a bad theta, ray, share or vector, and what overflows in them", () => {
    const rows = [
      [1, 0.5],
      [0.5, 1],
      [1, 1],
    ];
    const says = (leaf: (out: ProofWriter) => void, weights = [1, 1, -1], T = 10): string => {
      const out = head(2, T);
      for (const _ of [1, -1]) {
        out.u8(1);
        for (let orthant = 0; orthant < 4; orthant++) leaf(out);
      }
      try {
        checkMaximum(new ProofReader(out.bytes()), inputsOf(rows), false, Float64Array.from(weights));
      } catch (error) {
        if (error instanceof Rejection) return error.message;
        throw error;
      }
      return "accepted";
    };
    const leaf =
      (c: number, list: readonly (readonly [number, number])[] = []) =>
      (out: ProofWriter): void => {
        out.u8(2);
        out.f64s([c, c]);
        out.u32(list.length);
        for (const [row, theta] of list) {
          out.u32(row);
          out.f32s([theta]);
        }
      };
    // c = 0 is not above G, but x = G / |w|_1 makes up for it.
    expect(says(leaf(0))).toBe("accepted");
    expect(says(leaf(0), [1, 1, -1], 0.6)).toContain("a cone bounds by");
    expect(says(leaf(0, [[2, 1.5]]))).toContain("a theta of 1.5");
    expect(says(leaf(0, [[2, -0.5]]))).toContain("a theta of -0.5");
    expect(says(leaf(0, [[2, Number.NaN]]))).toContain("not finite");
    expect(says(leaf(0, [[0, 0.5]]))).toContain("not negative");
    expect(says(leaf(Number.NaN))).toContain("not finite");
    expect(says(leaf(1e100))).toContain("a cone bounds by");
    expect(says(leaf(1e200))).toContain("meaningless");
    expect(says(leaf(0), [1.7e308, 1.7e308, -1.7e308], 1e308)).toContain("meaningless");
    const split = (a: number, b: number, f: number) => (out: ProofWriter) => {
      out.u8(0);
      out.u8(a);
      out.u8(b);
      out.f64(f);
      leaf(0)(out);
      leaf(0)(out);
    };
    expect(says(split(0, 1, 0.5))).toBe("accepted");
    expect(says(split(0, 0, 0.5))).toContain("a ray and itself");
    expect(says(split(0, 2, 0.5))).toContain("ray 2 of 2");
    for (const f of [0, 1, -0.5, 1.5]) expect(says(split(0, 1, f))).toContain("a split at");
    const scale = (factor: number) => (out: ProofWriter) => {
      out.u8(1);
      out.u8(0);
      out.f64(factor);
      leaf(0)(out);
    };
    for (const factor of [4, 2 ** -30, 2 ** 200]) expect(says(scale(factor))).toBe("accepted");
    for (const factor of [0, -1]) expect(says(scale(factor))).toContain("a ray multiplied by");
    for (const factor of [2 ** -1060, 2 ** 1000]) expect(says(scale(factor))).not.toBe("accepted");
    const wide = head(40, 10);
    wide.u8(1);
    const zeros = [new Array<number>(40).fill(1)];
    expect(accept(wide.bytes(), zeros, [1])).toBeNull();
  });

  test("checkMaximum takes no more from a cap than it gives", () => {
    // G(u) = u_+ <= u / 2 + 1 / 2: G > T leaves u > 2 T - 1, which is not empty below T = 1.
    for (const [T, accepted] of [
      [0.996, false],
      [0.999999, false],
      [1.000001, true],
    ] as const) {
      const out = head(1, T);
      out.u8(0);
      out.u8(2);
      out.u32(0);
      out.u32(0);
      out.u8(3);
      out.u32(1);
      out.u32(0);
      out.u8(0);
      out.u32(0);
      out.f64(2);
      out.u32(0);
      out.u8(5);
      out.u8(0);
      out.u8(4);
      out.u32(0);
      out.u32(0);
      expect(accept(out.bytes(), [[1]], [1]) !== null).toBe(accepted);
    }
  });

  test("checkMaximum walks trees of any depth without recursion, and refuses what does not end", () => {
    const depth = 10_000;
    const out = head(2, 10);
    for (const _ of [1, -1]) {
      out.u8(0);
      for (let k = 0; k < depth; k++) {
        out.u8(0);
        out.u32(0);
      }
      for (let k = 0; k <= depth; k++) {
        out.u8(4);
        out.u32(0);
        out.u32(0);
      }
    }
    expect(accept(out.bytes(), X, v)).toBeCloseTo(10, 9);
    const endless = head(2, 10);
    endless.u8(0);
    for (let k = 0; k < 3_000_000; k++) {
      endless.u8(0);
      endless.u32(0);
    }
    expect(accept(endless.bytes(), X, v)).toBeNull();
    const cones = head(2, 10);
    cones.u8(1);
    for (let k = 0; k < 3_000_000; k++) {
      cones.u8(0);
      cones.u8(0);
      cones.u8(1);
      cones.f64(0.5);
    }
    expect(accept(cones.bytes(), X, v)).toBeNull();
  });

  test("checkMaximum refuses what overflows, and bounds what is tiny", () => {
    for (const size of [1e160, 1e300, Number.MAX_VALUE]) {
      const huge = X.map((x) => x.map((t) => t * size));
      expect(accept(head(2, 1).bytes(), huge, v)).toBeNull();
      const out = head(2, Number.MAX_VALUE);
      close([], [])(out);
      expect(accept(out.bytes(), huge, v)).toBeNull();
    }
    for (const size of [1e-160, 1e-300, 2 ** -1074]) {
      const tiny = X.map((x) => x.map((t) => t * size));
      const out = head(2, 10 * size);
      close([], [])(out);
      const bound = accept(out.bytes(), tiny, v);
      if (bound !== null) expect(bound).toBeGreaterThanOrEqual(attained(tiny, v));
    }
  });
});
