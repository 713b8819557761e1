import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { ProofWriter } from "../../src/certificate/index.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { weightedRows } from "../../src/convex/bounds/rows.ts";
import type { BoundSearch, SideProblem } from "../../src/convex/bounds/search.ts";
import { maximizeExactly } from "../../src/convex/bounds/sphere.ts";
import { JointDual, transportSearch } from "../../src/convex/bounds/transport/index.ts";
import { dualBound, lossByName } from "../../src/convex/losses/index.ts";
import { searchDirections } from "../../src/convex/patterns/local-search.ts";
import { checkSignTree } from "./transport-proof.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1, backend: "wasm" });
});
afterAll(async () => {
  await compute.close();
});

const never = (): boolean => false;

/** Stops after `steps` polls, so that runs are equal on every machine. */
function polls(steps: number): () => boolean {
  let left = steps;
  return () => left-- <= 0;
}

function run(side: SideProblem, target: number, steps: number, seed = 0): BoundSearch {
  const search = transportSearch(compute, side, seed);
  search.advance(target, polls(steps));
  return search;
}

function exactMaximum({ Z, n, r, v }: SideProblem): number {
  return maximizeExactly(weightedRows(Z, n, r, v), never)?.value ?? Number.NaN;
}

function gainAt({ Z, n, r, v }: SideProblem, u: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let z = 0;
    for (let k = 0; k < r; k++) z += Z[i * r + k] * u[k];
    if (z > 0) sum += v[i] * z;
  }
  return sum;
}

/** What rounding can do to a sum over the rows. */
function rounding({ Z, n, r, v }: SideProblem): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.abs(v[i]!) * Math.hypot(...Z.subarray(i * r, (i + 1) * r));
  return 1e-13 * sum;
}

/** Random instances; a third has small integers (ties, duplicates, zero and parallel rows), some tiny or huge units. */
function instance(seed: number, ranks: readonly number[], largest: number): SideProblem {
  const random = randomStream(seed, "transport-test");
  const r = ranks[random.integer(ranks.length)]!;
  const n = 1 + random.integer(largest);
  const kind = random.integer(3);
  const draw = (): number => (kind === 0 ? random.integer(5) - 2 : random.normal());
  const Z = Float64Array.from({ length: n * r }, draw);
  const v = Float64Array.from({ length: n }, () => (random.integer(8) === 0 ? 0 : draw()));
  if (kind === 1) for (let i = 0; i < n; i++) Z[i * r + r - 1] = 1;
  const unit = [1, 1, 1, 2 ** -300, 2 ** 200][random.integer(5)]!;
  if (random.integer(2) === 0) for (let k = 0; k < n * r; k++) Z[k] *= unit;
  else for (let k = 0; k < n; k++) v[k] *= unit;
  return { n, r, Z, v };
}

describe("transportSearch", () => {
  it("is never below the exact maximum, and its proofs say what it says", () => {
    let closed = 0;
    let total = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const side = instance(seed, [1, 2, 3], 14);
      const exact = exactMaximum(side);
      const steps = [0, 1, 5, 40, 400][seed % 5]!;
      const search = run(side, exact * (1 + 1e-7), steps, seed);
      expect(search.bound, `seed ${seed}`).toBeGreaterThanOrEqual(exact - rounding(side));
      expect(search.witness.value, `seed ${seed}`).toBeLessThanOrEqual(exact + rounding(side));
      expect(Math.abs(gainAt(side, search.witness.u) - search.witness.value)).toBeLessThanOrEqual(rounding(side));
      const out = new ProofWriter();
      search.writeProof(out);
      checkSignTree(out.bytes(), side, search.bound * (1 + 1e-9) + rounding(side));
      if (steps < 400) continue;
      total += 1;
      if (search.bound <= exact * (1 + 1e-6) + 1e6 * rounding(side)) closed += 1;
    }
    expect(closed).toBeGreaterThan(0.85 * total);
  });

  it("is never below what a local search finds in higher rank, and gets close to it", () => {
    let close = 0;
    const count = 24;
    for (let seed = 0; seed < count; seed++) {
      const side = instance(seed + 5000, [4, 6, 9], 40);
      const random = randomStream(seed, "starts");
      const found = searchDirections(compute, { ...side, p: side.r }, random, { starts: 200, refine: 12 }, []);
      const value = Math.max(0, found[0]?.value ?? 0);
      const search = run(side, value * (1 + 1e-6), 1500);
      expect(search.bound, `seed ${seed}`).toBeGreaterThanOrEqual(value - rounding(side));
      if (search.bound <= value * (1 + 1e-3)) close += 1;
      const out = new ProofWriter();
      search.writeProof(out);
      checkSignTree(out.bytes(), side, search.bound * (1 + 1e-9));
    }
    expect(close).toBeGreaterThan(0.7 * count);
  });

  it("never lets the bound rise, is the same in slices as in one go, and ends", () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 30 }), (seed, slice) => {
        const side = instance(seed, [2, 3, 4], 16);
        const whole = run(side, 0, 200);
        const search = transportSearch(compute, side, 0);
        let before = search.bound;
        for (let done = 0; done < 200; done += slice) {
          search.advance(0, polls(Math.min(slice, 200 - done)));
          expect(search.bound).toBeLessThanOrEqual(before);
          before = search.bound;
        }
        expect(search.bound).toBe(whole.bound);
        expect(search.nodes).toBe(whole.nodes);
      }),
      { numRuns: 20 },
    );
  });

  it("returns a witness above a target that cannot be reached", () => {
    const side: SideProblem = { n: 3, r: 2, Z: Float64Array.of(1, 0, 0, 1, 1, 1), v: Float64Array.of(1, 1, -0.25) };
    const exact = exactMaximum(side);
    const search = transportSearch(compute, side, 0);
    search.advance(0.9 * exact, never);
    expect(search.finished).toBe(true);
    expect(search.witness.value).toBeGreaterThan(0.9 * exact);
    search.advance(exact * (1 + 1e-9), never);
    expect(search.bound).toBeLessThanOrEqual(exact * (1 + 1e-9));
  });

  it("copes with degenerate sides", () => {
    const cases: SideProblem[] = [
      { n: 0, r: 2, Z: new Float64Array(0), v: new Float64Array(0) },
      { n: 1, r: 1, Z: Float64Array.of(3), v: Float64Array.of(2) },
      { n: 1, r: 3, Z: Float64Array.of(1, 2, 2), v: Float64Array.of(-1) },
      { n: 2, r: 2, Z: new Float64Array(4), v: Float64Array.of(1, -1) },
      { n: 2, r: 2, Z: Float64Array.of(1, 2, 1, 2), v: Float64Array.of(1, -1) },
      { n: 2, r: 2, Z: Float64Array.of(1, 2, -1, -2), v: Float64Array.of(1, 1) },
      { n: 3, r: 2, Z: Float64Array.of(1, 0, 1e-300, 0, 0, 1), v: Float64Array.of(1, -1, -1) },
      { n: 2, r: 2, Z: Float64Array.of(1e300, 0, 0, 1e300), v: Float64Array.of(1, -1) },
      { n: 2, r: 2, Z: Float64Array.of(5e-324, 0, 0, 5e-324), v: Float64Array.of(1, -1) },
    ];
    for (const [at, side] of cases.entries()) {
      const exact = exactMaximum(side);
      const search = run(side, exact * (1 + 1e-7), 2000);
      expect(search.bound, `case ${at}`).toBeGreaterThanOrEqual(exact - rounding(side));
      expect(search.bound, `case ${at}`).toBeLessThanOrEqual(exact * (1 + 1e-6) + 1e4 * rounding(side));
    }
  });
});

describe("JointDual", () => {
  it("has valid bounds, with proofs, at improving dual points inside the domain of the conjugate", () => {
    const improved: number[] = [];
    for (let seed = 0; seed < 12; seed++) {
      const random = randomStream(seed, "joint");
      const name = (["squared", "logistic", "hinge", "huber"] as const)[seed % 4] ?? "squared";
      const loss = lossByName(name);
      const r = 2 + (seed % 2);
      const n = 6 + random.integer(14);
      const Z = Float64Array.from({ length: n * r }, () => random.normal());
      const y = Float64Array.from({ length: n }, () =>
        name === "squared" || name === "huber" ? random.normal() : random.integer(2) * 2 - 1,
      );
      const v = new Float64Array(n);
      loss.negativeGradient(new Float64Array(n), y, v);
      const beta = 0.5 * Math.max(exactMaximum({ n, r, Z, v }), exactMaximum({ n, r, Z, v: v.map((t) => -t) }));
      const joint = new JointDual(compute, { loss, y, beta, Z, n, r, v }, seed, null, () => 0);
      const values: number[] = [];
      for (let round = 0; round < 26; round++) {
        joint.round(never);
        if (joint.best !== null) values.push(joint.best.lowerBound);
      }
      const result = joint.result();
      if (result === null) continue;
      const sides: SideProblem[] = [result.v, result.v.map((t) => -t)].map((weights) => ({ n, r, Z, v: weights }));
      for (const [at, side] of sides.entries()) {
        const search = result.searches[at]!;
        expect(search.bound, `seed ${seed}`).toBeGreaterThanOrEqual(exactMaximum(side) - rounding(side));
        expect(search.bound).toBeLessThanOrEqual(result.maximum * (1 + 1e-12));
        const out = new ProofWriter();
        expect(search.writeProof(out)).toBe(true);
        checkSignTree(out.bytes(), side, search.bound * (1 + 1e-9));
      }
      expect(result.lowerBound).toBe(dualBound(loss, result.v, y, beta, result.maximum));
      expect(result.lowerBound).toBeLessThanOrEqual(loss.value(new Float64Array(n), y));
      expect(values).toEqual(values.toSorted((a, b) => a - b));
      if (result.lowerBound > values[0]!) improved.push(seed);
    }
    expect(improved.length).toBeGreaterThan(6);
  });

  it("keeps its best point when it is interrupted", () => {
    const side = instance(4, [4], 30);
    const { n, r, Z } = side;
    const random = randomStream(4, "joint-stop");
    const y = Float64Array.from({ length: n }, () => random.normal());
    const joint = new JointDual(
      compute,
      { loss: lossByName("squared"), y, beta: 0.1, Z, n, r, v: y },
      0,
      null,
      () => 0,
    );
    expect(joint.round(never)).toBe(true);
    const before = joint.best;
    expect(joint.round(polls(3))).toBe(false);
    expect(joint.best).toBe(before);
    expect(joint.result()?.lowerBound).toBe(before?.lowerBound);
  });

  it("does nothing where one sign is missing", () => {
    const problem = { loss: lossByName("squared"), beta: 1, Z: Float64Array.of(1, 2), n: 2, r: 1 };
    const v = Float64Array.of(1, 3);
    const joint = new JointDual(compute, { ...problem, y: v, v }, 0, null, () => 0);
    expect(joint.round(never)).toBe(false);
    expect(joint.result()).toBeNull();
  });
});
