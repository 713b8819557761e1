import { describe, expect, test } from "vitest";
import { ProofWriter } from "../../src/certificate/index.ts";
import { checkMaximum } from "../../src/verify/maximum.ts";
import { ProofReader, Rejection } from "../../src/verify/reader.ts";
import { accept, attained, inputsOf } from "./acceptance.ts";

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
