import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RandomStream, randomStream } from "../../src/base/random.ts";
import { type Certificate, joinProofs, ProofWriter } from "../../src/certificate/index.ts";
import { type Verification, verifyCertificate } from "../../src/verify/index.ts";
import { type Case, copyOf, type LossName, lossAt, makeCase, plainObjective, xorCase } from "./cases.ts";
import { writeOutput, writeSignTree } from "./prover.ts";

const verify = ({ certificate, proof, data }: Case): Verification => verifyCertificate(certificate, proof, data);

/** Why a case is not accepted, as `step: reason`; "accepted" when it is. */
function verdict(one: Case): string {
  const { rigorous, failure } = verify(one);
  expect(rigorous).toBe(failure === null);
  return failure === null ? "accepted" : `${failure.step}: ${failure.reason}`;
}

const LOSSES = ["squared", "logistic", "hinge", "huber"] as const;
const WEIGHTS = [1, 2, 0.5, 1.5];

describe("verifyCertificate", () => {
  const optimum: Record<LossName, number> = {
    squared: 4 * (0.3 * Math.SQRT1_2 - 0.3 ** 2 / 4),
    huber: 4 * (0.3 * Math.SQRT1_2 - 0.3 ** 2 / 4),
    hinge: 4 * 0.3 * Math.SQRT1_2,
    logistic: 4 * [0.3 * Math.SQRT1_2].reduce((_, p) => -p * Math.log(p) - (1 - p) * Math.log(1 - p), 0),
  };

  test.each(LOSSES)("verifyCertificate closes the gap of XOR, %s loss, where the optimum is known", (loss) => {
    for (const bias of ["none", "column"] as const) {
      const { rigorous, total } = verify(xorCase(loss, { bias }));
      expect(rigorous).toBe(true);
      expect(total!.gap).toBeLessThan(1e-9);
      expect(total!.lower).toBeLessThanOrEqual(optimum[loss] * (1 + 1e-15));
      expect(total!.upper).toBeGreaterThanOrEqual(optimum[loss] * (1 - 1e-15));
    }
  });

  test.each(LOSSES)("verifyCertificate closes the gap of XOR with sample weights and the mean, %s loss", (loss) => {
    const { rigorous, total, failure } = verify(xorCase(loss, { scaling: "mean", weights: [4, 5, 3, 6] }));
    expect(failure).toBeNull();
    expect(rigorous).toBe(true);
    expect(total!.gap).toBeLessThan(1e-9);
  });

  /** Any network of any quality with the dual point of its own predictions. */
  function randomCase(random: RandomStream): Case {
    const loss = LOSSES[random.integer(4)]!;
    const bias = (["none", "column", "output"] as const)[random.integer(3)]!;
    const scaling = (["sum", "mean"] as const)[random.integer(2)]!;
    const [n, d, m] = [4 + random.integer(3), 1 + random.integer(2), random.integer(4)];
    const isClass = loss === "logistic" || loss === "hinge";
    const outputs = isClass && random.integer(3) === 0 ? 3 : 1;
    const normals = (count: number) => Array.from({ length: count }, () => random.normal());
    const X = Array.from({ length: n }, () => normals(d));
    const y = Array.from({ length: n }, () => (isClass ? random.integer(outputs === 1 ? 2 : 3) : random.normal()));
    const weights = random.integer(2) === 0 ? undefined : Array.from({ length: n }, () => random.uniform() + 0.1);
    const beta = 0.1 + random.uniform();
    const U = Array.from({ length: m }, () => normals(d));
    const b = bias === "none" ? U.map(() => 0) : normals(m);
    const W = U.map(() => normals(outputs));
    const c0 = new Array(outputs).fill(0).map(() => (bias === "output" ? random.normal() : 0));
    const v = Array.from({ length: outputs }, (_, q) => {
      const slopes = X.map((x, i) => {
        const f = U.reduce(
          (sum, u, j) =>
            sum +
            W[j]![q]! *
              Math.max(
                0,
                u.reduce((z, t, k) => z + t * x[k]!, b[j]!),
              ),
          c0[q]!,
        );
        const target = !isClass ? y[i]! : (outputs === 1 ? y[i]! > 0 : y[i] === q) ? 1 : -1;
        return (weights?.[i] ?? 1) * lossAt(loss, 0.7, f, target).slope;
      });
      // Free biases: on a grid, so that the sum is zero without rounding, by shrinking the heavier sign.
      if (bias !== "output") return slopes;
      const grid = slopes.map((t) => Math.trunc(t * 1024));
      for (;;) {
        const sum = grid.reduce((total, t) => total + t, 0);
        if (sum === 0) return grid.map((t) => t / 1024);
        const at = grid.findIndex((t) => t * sum > 0);
        grid[at]! -= Math.sign(sum) * Math.min(Math.abs(sum), Math.abs(grid[at]!));
      }
    });
    const problem = { loss, scaling, beta, bias, ...(loss === "huber" ? { huber: 0.7 } : {}) };
    const coding = isClass ? "minus-plus-one" : "number";
    // At the ends of the domain of the Huber conjugate, a product of threshold and weight need not be exact.
    const alpha = 1 - 1e-14;
    return makeCase({ X, y, ...(weights === undefined ? {} : { weights }), problem, coding, U, b, W, c0, v, alpha });
  }

  test("verifyCertificate accepts true certificates of any network, loss, bias form, scaling, weights and classes", () => {
    for (let seed = 0; seed < 80; seed++) {
      const one = randomCase(randomStream(seed, "any network"));
      expect(`${seed} ${verdict(one)}`).toBe(`${seed} accepted`);
      const { total, outputs } = verify(one);
      expect(total!.lower).toBeLessThanOrEqual(total!.upper);
      outputs.forEach(({ upper }, q) => {
        expect(upper).toBeGreaterThanOrEqual(plainObjective(one, q) * (1 - 1e-13));
        expect(upper).toBeLessThanOrEqual(plainObjective(one, q) * (1 + 1e-11));
      });
    }
  });

  test("verifyCertificate shows the trivial bound 0 without a dual point, and nothing with one but no proof", () => {
    const one = copyOf(xorCase("squared"));
    expect(verdict({ ...one, proof: null as never })).toBe("proof: there is no proof of the maxima");
    one.certificate.outputs[0]!.dual = null;
    one.certificate.outputs[0]!.lower = 0;
    one.certificate.total.lower = 0;
    expect(verdict({ ...one, proof: null as never })).toBe("accepted");
    expect(verdict(one)).toContain("wrong number of outputs");
    one.certificate.total.lower = 1e-300;
    expect(verdict({ ...one, proof: null as never })).toContain("claimed lower bound");
  });
});

type Edit = (one: Case & { certificate: Certificate }) => unknown;
const EDITS: readonly (readonly [string, Edit, string])[] = [
  ["a digit of the data", ({ data }) => (data.X.data[2] = -1.1), ""],
  ["a target", ({ data }) => (data.y[0] = 1.2), "output"],
  ["a data entry that is NaN", ({ data }) => (data.X.data[2] = Number.NaN), "problem: the data have an entry"],
  [
    "an infinite data entry",
    ({ data }) => (data.X.data[2] = Number.POSITIVE_INFINITY),
    "problem: the data have an entry",
  ],
  ["a target that is NaN", ({ data }) => (data.y[0] = Number.NaN), "problem: bad targets"],
  ["a hidden weight", ({ certificate: { network } }) => (network.U.data[0]! *= 1.001), "output 0: the objective"],
  ["an output weight", ({ certificate: { network } }) => (network.W.data[1]! *= 0.999), "output 0: the objective"],
  [
    "an output weight that is NaN",
    ({ certificate: { network } }) => (network.W.data[1] = Number.NaN),
    "certificate: its network.W",
  ],
  [
    "a hidden bias that the problem does not have",
    ({ certificate: { network } }) => (network.b[0] = 1e-9),
    "problem: a network with hidden",
  ],
  [
    "an output bias that the problem does not have",
    ({ certificate: { network } }) => (network.c0[0] = 1e-9),
    "problem: a network with output",
  ],
  ["a dual value", ({ certificate: { outputs } }) => (outputs[0]!.dual!.v[0]! *= 1.0001), ""],
  ["a dual value that is missing", ({ certificate: { outputs } }) => outputs[0]!.dual!.v.pop(), "dual weights"],
  ["alpha", ({ certificate: { outputs } }) => (outputs[0]!.dual!.alpha *= 1 + 1e-9), "output 0: alpha"],
  [
    "a smaller alpha",
    ({ certificate: { outputs } }) => (outputs[0]!.dual!.alpha *= 0.999),
    "output 0: the claimed lower",
  ],
  ["a negative alpha", ({ certificate: { outputs } }) => (outputs[0]!.dual!.alpha *= -1), "certificate: its outputs"],
  ["maxBound", ({ certificate: { outputs } }) => (outputs[0]!.dual!.maxBound *= 1 - 1e-9), "output 0: the maximum"],
  ["beta, lower", ({ certificate: { problem } }) => (problem.beta *= 0.999), "output 0: alpha"],
  ["beta, higher", ({ certificate: { problem } }) => (problem.beta *= 1.001), "output 0: the objective"],
  ["the scaling", ({ certificate: { problem } }) => (problem.scaling = "mean"), ""],
  ["the loss", ({ certificate: { problem } }) => (problem.loss = "hinge"), ""],
  ["the bias form", ({ certificate: { problem } }) => (problem.bias = "column"), "rank 2 without a rotation of 3"],
  ["free biases", ({ certificate: { problem } }) => (problem.bias = "output"), "pivots"],
  ["the number of rows", ({ certificate: { problem } }) => (problem.rows = 5), "not as certified"],
  ["a gated program", ({ certificate: { problem } }) => (problem.program = "gated"), "not gated"],
  ["the scope", ({ certificate: { outputs } }) => (outputs[0]!.scope = "listed-patterns"), "listed patterns"],
  ["upper", ({ certificate: { outputs } }) => (outputs[0]!.upper *= 1 - 1e-9), "output 0: the objective"],
  ["lower", ({ certificate: { outputs } }) => (outputs[0]!.lower *= 1 + 1e-9), "output 0: the claimed lower"],
  ["the upper total", ({ certificate: { total } }) => (total.upper *= 1 - 1e-9), "total: the objective"],
  ["the lower total", ({ certificate: { total } }) => (total.lower *= 1 + 1e-9), "total: the claimed lower"],
  ["the format", ({ certificate }) => ((certificate.formatVersion as number) = 1), "certificate: its formatVersion"],
];

describe("verifyCertificate and changed certificates", () => {
  test.each(EDITS)("verifyCertificate refuses a change of %s", (_, edit, message) => {
    const one = copyOf(xorCase("squared"));
    expect(verdict(one)).toBe("accepted");
    edit(one);
    const says = verdict(one);
    expect(says).not.toBe("accepted");
    expect(says).toContain(message);
  });

  test("verifyCertificate refuses changed sample weights, thresholds and classes", () => {
    const weighted = copyOf(xorCase("logistic", { weights: WEIGHTS }));
    expect(verdict(weighted)).toBe("accepted");
    weighted.data.weights![2] = 0.4;
    expect(verdict(weighted)).not.toBe("accepted");
    weighted.data.weights![2] = -0.5;
    expect(verdict(weighted)).toContain("bad sample weights");
    expect(verdict({ ...weighted, data: { ...weighted.data, weights: null } })).not.toBe("accepted");
    const huber = copyOf(xorCase("huber"));
    huber.certificate.problem.huber = 0.2;
    expect(verdict(huber)).toContain("outside the domain of the huber loss");
    huber.certificate.problem.huber = null;
    expect(verdict(huber)).toContain("threshold");
    const classes = copyOf(xorCase("hinge"));
    classes.data.y[0] = 0;
    expect(verdict(classes)).not.toBe("accepted");
  });

  test.each(["logistic", "hinge"] as const)(
    "verifyCertificate refuses a dual point of the wrong sign, %s loss",
    (loss) => {
      const one = copyOf(xorCase(loss));
      const { dual } = one.certificate.outputs[0]!;
      dual!.v = dual!.v.map((t) => -t);
      // The proof of -v: the trees of XOR in the other order.
      const out = new ProofWriter();
      writeOutput(
        out,
        [
          [1, 1],
          [-1, -1],
          [1, -1],
          [-1, 1],
        ],
        dual!.v,
        (tree, side, T) => writeSignTree(tree, side, T),
        1e-11,
      );
      expect(verdict({ ...one, proof: joinProofs([out.bytes()]) })).toContain(`outside the domain of the ${loss} loss`);
    },
  );

  test.each(["not JSON at all", null, 7, [], {}, { format: "overparam-certificate" }])(
    "verifyCertificate refuses %j as a certificate",
    (content) => {
      const { proof, data } = xorCase("squared");
      expect(verifyCertificate(content, proof, data).failure?.step).toBe("certificate");
    },
  );

  test("verifyCertificate refuses every truncation of a proof, and proofs of something else", () => {
    const one = xorCase("logistic");
    for (let length = 0; length < one.proof.length; length++) {
      expect(verdict({ ...one, proof: one.proof.subarray(0, length) })).toContain("proof: ");
    }
    expect(verdict({ ...one, proof: new TextEncoder().encode("OPPROOF2 and so on") })).toContain("not a proof");
    expect(verdict({ ...one, proof: Uint8Array.of(...one.proof, 0) })).toContain("bytes after the end");
    // Swapped trees of v and -v: here these two are alike, but the rows are not.
    const other = makeCase({ ...spec(), v: [[0.3, 0.1, -0.4, 0.2]] });
    expect(verdict(other)).toBe("accepted");
    expect(verdict({ ...other, proof: one.proof })).not.toBe("accepted");
  });

  test("verifyCertificate refuses overflow in data, weights and claims", () => {
    for (const size of [1e155, 1e300]) {
      const one = copyOf(xorCase("squared"));
      for (let k = 0; k < 8; k++) one.data.X.data[k]! *= size;
      expect(verdict(one)).not.toBe("accepted");
      const other = copyOf(xorCase("squared"));
      other.certificate.network.W.data[0] = size;
      expect(verdict(other)).not.toBe("accepted");
      other.certificate.network.W.data[0] = 1;
      other.certificate.outputs[0]!.dual!.v[0] = size;
      expect(verdict(other)).not.toBe("accepted");
    }
  });
});

const spec = () => ({
  X: [
    [1, 0.5],
    [-0.3, 1],
    [0.2, -1],
    [-1, -0.4],
  ],
  y: [1, -0.5, 0.25, 2],
  problem: { loss: "squared", scaling: "sum", beta: 0.2, bias: "none" } as const,
  coding: "number" as const,
  U: [[1, 0.2]],
  W: [[0.3]],
  v: [[0.3, 0.1, -0.4, 0.2]],
});

describe("verifyCertificate and truth", () => {
  /** The lowest objective over the weights of the given neurons, by bisection on one after the other: an upper bound of the optimum. */
  function nearOptimum(one: Case): number {
    const work = copyOf(one);
    const { data } = work.certificate.network.W;
    const value = (j: number, w: number): number => {
      data[j] = w;
      return plainObjective(work);
    };
    for (let sweep = 0; sweep < 30; sweep++) {
      for (let j = 0; j < data.length; j++) {
        let [low, high] = [data[j]! - 4, data[j]! + 4];
        for (let k = 0; k < 60; k++) {
          const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
          if (value(j, a) <= value(j, b)) high = b;
          else low = a;
        }
        const found = value(j, low) <= value(j, 0) ? low : 0;
        data[j] = found;
      }
    }
    return plainObjective(work);
  }

  test.each(LOSSES)(
    "verifyCertificate: whatever number of certificate or data is changed, an accepted claim is true (%s)",
    (loss) => {
      let accepted = 0;
      const change = fc.record({
        where: fc.nat({ max: 9 }),
        index: fc.nat({ max: 7 }),
        factor: fc.oneof(
          fc.constantFrom(-1, 0, 2, 1 + 1e-12, 1 - 1e-12, 1 + 1e-6, 1 - 1e-6),
          fc.double({ min: 0.5, max: 1.5, noNaN: true }),
        ),
      });
      const weights = WEIGHTS;
      const original = xorCase(loss, { weights });
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
          const one = copyOf(original);
          const { certificate, data } = one;
          const output = certificate.outputs[0]!;
          for (const { where, index, factor } of changes) {
            const scale = (list: number[] | Float64Array): void => {
              list[index % list.length]! *= factor;
            };
            const places = [
              () => scale(data.X.data),
              () => scale(data.y),
              () => scale(data.weights!),
              () => scale(certificate.network.U.data),
              () => scale(certificate.network.W.data),
              () => scale(output.dual!.v),
              () => (output.dual!.alpha = Math.abs(output.dual!.alpha * factor)),
              () => (output.dual!.maxBound = Math.abs(output.dual!.maxBound * factor)),
              () => (certificate.problem.beta = Math.abs(certificate.problem.beta * factor) + 1e-12),
              () => {
                output.upper *= 2 - factor;
                output.lower *= factor;
                certificate.total.upper = output.upper * (1 + 1e-14);
                certificate.total.lower = output.lower * (1 - 1e-14);
              },
            ];
            places[where]!();
          }
          if (!verify(one).rigorous) return;
          accepted += 1;
          expect(plainObjective(one)).toBeLessThanOrEqual(certificate.total.upper * (1 + 1e-13));
          expect(certificate.total.lower).toBeLessThanOrEqual(nearOptimum(one) * (1 + 1e-12));
        }),
        { numRuns: 250 },
      );
      expect(accepted).toBeGreaterThan(5);
    },
  );

  test("verifyCertificate: whatever bits of the proof are flipped, an accepted claim is true", () => {
    const one = makeCase({ ...spec(), slack: 1e-3 });
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: one.proof.length - 1 }), fc.nat({ max: 7 })), { minLength: 1, maxLength: 4 }),
        (flips) => {
          const proof = one.proof.slice();
          for (const [at, bit] of flips) proof[at]! ^= 1 << bit;
          // The claim itself is moved to the edge of what is true: with maxBound a hair below M(v), no proof may be accepted.
          const certificate = copyOf(one.certificate);
          if (verify({ ...one, proof }).rigorous) accepted += 1;
          certificate.outputs[0]!.dual!.maxBound /= 1 + 1.01e-3;
          expect(verify({ ...one, certificate, proof }).rigorous).toBe(false);
        },
      ),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});
