import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RandomStream, randomStream } from "../../src/base/random.ts";
import { ProofWriter } from "../../src/certificate/index.ts";
import { accept, attained } from "./acceptance.ts";
import { maximum, type TreeWriter, transportBound, writeConeTree, writeOutput, writeSignTree } from "./prover.ts";

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

function prove(X: Rows, v: readonly number[], tree: TreeWriter, slack: number, freeBiases = false): Uint8Array {
  const out = new ProofWriter();
  writeOutput(out, X, v, tree, slack, freeBiases);
  return out.bytes().slice();
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
