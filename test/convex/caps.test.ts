import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProofWriter } from "../../src/certificate/index.ts";
import { capSearch } from "../../src/convex/bounds/caps/index.ts";
import { scaleSide } from "../../src/convex/bounds/caps/side.ts";
import { SignTree } from "../../src/convex/bounds/caps/tree.ts";
import { weightedRows } from "../../src/convex/bounds/rows.ts";
import type { BoundSearch, SideProblem } from "../../src/convex/bounds/search.ts";
import { maximizeExactly } from "../../src/convex/bounds/sphere.ts";
import { checkSigns } from "./caps-checker.ts";
import { bruteMaximum, draws, gaussian, integers, response, useCompute } from "./problems.ts";

const compute = useCompute();
const never = (): boolean => false;

function side(X: readonly (readonly number[])[], v: readonly number[], r: number): SideProblem {
  return { n: X.length, r, Z: Float64Array.from(X.flat()), v: Float64Array.from(v) };
}

/** sum |v_i| ||z_i||, the size that rounding errors of G are relative to. */
function size({ n, r, Z, v }: SideProblem): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.abs(v[i]) * Math.hypot(...Z.subarray(i * r, (i + 1) * r));
  return sum;
}

function search(problem: SideProblem): BoundSearch {
  return capSearch(compute(), problem);
}

function proofOf(found: BoundSearch): Uint8Array {
  const out = new ProofWriter();
  found.writeProof(out);
  return out.bytes();
}

/** Rows with ties, parallel, antipodal and zero rows, or rows in general position; weights of both signs, some 0. */
function draw(seed: number, n: number, r: number): { X: number[][]; v: number[] } {
  const stream = draws("caps", seed);
  const X = (seed % 3 === 0 ? integers : gaussian)(stream, n, r);
  if (seed % 4 === 1) for (let i = 1; i < n; i += 2) X[i] = X[i - 1].map((t) => t * [1, -1, 2][i % 3]);
  const v = X.map(() => (seed % 2 === 0 ? stream.integer(5) - 2 : stream.normal()));
  return { X, v };
}

/** g(v): by the exact sweeps up to rank 3. */
function exact({ n, r, Z, v }: SideProblem): number {
  return maximizeExactly(weightedRows(Z, n, r, v), never)?.value ?? Number.NaN;
}

/** g(v) to nine digits: raises the target to every witness above it until it is reached. */
function maximum(problem: SideProblem): number {
  const found = search(problem);
  for (let target = 0; found.bound > target; ) {
    target = found.witness.value * (1 + 1e-9);
    found.advance(target, never);
  }
  return found.witness.value;
}

/** Bound, witness and proof of a search for `target` are what they should be, given the true maximum. */
function checkAgainst(problem: SideProblem, truth: number, target: number): BoundSearch {
  const slack = 1e-11 * size(problem);
  const found = search(problem);
  expect(found.bound).toBeGreaterThanOrEqual(truth - slack);
  found.advance(target, never);
  expect(found.finished).toBe(true);
  expect(found.bound).toBeGreaterThanOrEqual(truth - slack);
  const { u, value } = found.witness;
  expect(Math.hypot(...u)).toBeLessThanOrEqual(1 + 1e-12);
  expect(value).toBeLessThanOrEqual(truth + slack);
  const rows = Array.from({ length: problem.n }, (_, i) => [...problem.Z.subarray(i * problem.r, (i + 1) * problem.r)]);
  expect(Math.abs(value - response(rows, problem.v, u))).toBeLessThanOrEqual(slack);
  if (target >= truth + 1e-9 * size(problem)) expect(found.bound).toBeLessThanOrEqual(target);
  if (target < truth - slack) expect(value).toBeGreaterThan(target);
  checkSigns(proofOf(found), problem, found.bound);
  return found;
}

describe("capSearch", () => {
  test("capSearch bounds the exact maximum, reaches targets above it and refutes those below", () => {
    for (let seed = 0; seed < 400; seed++) {
      const r = 1 + (seed % 3);
      const { X, v } = draw(seed, 1 + (seed % 17), r);
      const problem = side(X, v, r);
      const truth = exact(problem);
      const factor = [1 + 1e-6, 1.05, 0.97, 1 + 1e-9, 0.4][seed % 5];
      checkAgainst(problem, truth, factor * truth + (factor > 1 ? 1e-8 * size(problem) : 0));
    }
  }, 60_000);

  test("capSearch agrees with brute force over all cells at rank 4 to 6", () => {
    for (let seed = 0; seed < 40; seed++) {
      const r = 4 + (seed % 3);
      const { X, v } = draw(seed, 2 + (seed % 6), r);
      const truth = bruteMaximum(X, v, r);
      const problem = side(X, v, r);
      checkAgainst(problem, truth, truth * (seed % 2 === 0 ? 1 + 1e-7 : 0.999) + (seed % 2) * -1e-9);
    }
  }, 60_000);

  test("capSearch: a scaling of rows and weights scales everything, however large or small", () => {
    const { X, v } = draw(7, 9, 4);
    const truth = bruteMaximum(X, v, 4);
    for (const [a, b] of [
      [1e100, 1e-90],
      [1e-150, 1e140],
      [1e-200, 1e-100],
      [2 ** -20, 2 ** 9],
    ]) {
      const scaled = side(
        X.map((x) => x.map((t) => t * a)),
        v.map((t) => t * b),
        4,
      );
      const found = search(scaled);
      found.advance(truth * a * b * (1 + 1e-8), never);
      expect(found.bound / (truth * a * b)).toBeGreaterThanOrEqual(1 - 1e-10);
      expect(found.bound / (truth * a * b)).toBeLessThanOrEqual(1 + 2e-8);
      checkSigns(proofOf(found), scaled, found.bound);
    }
  });

  test("capSearch: no rows, zero rows, zero weights, one row, no positive weight", () => {
    expect(search(side([], [], 3)).bound).toBe(0);
    expect(
      search(
        side(
          [
            [0, 0],
            [0, 0],
          ],
          [1, -1],
          2,
        ),
      ).bound,
    ).toBe(0);
    expect(search(side([[1, 2]], [0], 2)).bound).toBe(0);
    const negative = search(side([[1, 2]], [-3], 2));
    expect(negative.bound).toBeLessThanOrEqual(1e-11);
    negative.advance(0, never);
    expect(negative.finished).toBe(true);
    checkSigns(proofOf(negative), side([[1, 2]], [-3], 2), negative.bound);
    const one = search(side([[3, 4]], [2], 2));
    one.advance(10 * (1 + 1e-9), never);
    expect(one.bound).toBeLessThanOrEqual(10 * (1 + 1e-9));
    expect(one.bound).toBeGreaterThanOrEqual(10);
    expect(() => search(side([[1, 2]], [1, 2], 2))).toThrow(/1 x 2|2 and 1|needs/);
    expect(() => search(side([[1, Number.NaN]], [1], 2))).toThrow(/not finite/);
    expect(() => one.advance(Number.NaN, never)).toThrow(RangeError);
  });

  test("capSearch is anytime: bounds fall only, hold at every stop, and do not depend on where it stops", () => {
    const { X, v } = draw(11, 60, 6);
    const problem = side(X, v, 6);
    const truth = maximum(problem);
    const target = truth * (1 + 1e-7);
    const whole = search(problem);
    whole.advance(target, never);
    const pieces = search(problem);
    let last = pieces.bound;
    for (let slice = 0; slice < 100_000 && !pieces.finished; slice++) {
      let looks = 0;
      pieces.advance(target, () => looks++ >= 7);
      expect(pieces.bound).toBeLessThanOrEqual(last);
      expect(pieces.bound).toBeGreaterThanOrEqual(truth * (1 - 1e-12));
      last = pieces.bound;
    }
    expect(pieces.bound).toBe(whole.bound);
    expect(pieces.nodes).toBe(whole.nodes);
    expect(proofOf(pieces)).toEqual(proofOf(whole));
    expect(whole.nodes).toBeGreaterThan(10);
  });

  test("capSearch proofs are rejected for a smaller number, cut short, or damaged", () => {
    const { X, v } = draw(23, 16, 3);
    const problem = side(X, v, 3);
    const truth = exact(problem);
    const found = search(problem);
    found.advance(truth * (1 + 1e-6), never);
    const bytes = proofOf(found);
    const counts = checkSigns(bytes, problem, found.bound);
    expect(counts.closed + counts.empty).toBe(counts.nodes + 1);
    expect(counts.ranges).toBeGreaterThan(10);
    for (const share of [0.9999, 0.9, 0.5]) expect(() => checkSigns(bytes, problem, share * truth)).toThrow();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(() => checkSigns(bytes.subarray(0, length), problem, found.bound)).toThrow();
      }),
      { numRuns: 50 },
    );
    // A damaged proof may still be one, but never of a number below the maximum.
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = bytes.slice();
        damaged[at] ^= change;
        expect(() => checkSigns(damaged, problem, 0.999 * truth)).toThrow();
      }),
      { numRuns: 200 },
    );
  });
});

describe("SignTree", () => {
  test("SignTree.determinedRows holds at every point of the node with a value above the target", () => {
    const { X, v } = draw(3, 30, 3);
    const problem = side(X, v, 3);
    const truth = exact(problem);
    const scaled = scaleSide(problem);
    const unit = scaled.rowScale * scaled.weightScale;
    const tree = new SignTree(scaled, 0.9 * truth * unit, () => 0, 1e6);
    // The root alone: its determined rows speak of the whole ball.
    for (let steps = 0; tree.nodes <= 1 && steps < 100; steps++) {
      let looks = 0;
      tree.run(() => looks++ > 0, 1);
    }
    const rows = tree.determinedRows();
    const stream = draws("points");
    let above = 0;
    for (let k = 0; k < 20_000; k++) {
      const u = [stream.normal(), stream.normal(), stream.normal()];
      const length = Math.hypot(...u);
      const unitVector = u.map((t) => t / length);
      if (response(X, v, unitVector) <= 0.9 * truth) continue;
      above += 1;
      for (const { row, sign } of rows) {
        expect(sign * X[row].reduce((sum, t, c) => sum + t * unitVector[c], 0)).toBeGreaterThanOrEqual(-1e-12);
      }
    }
    expect(above).toBeGreaterThan(10);
    expect(rows.length).toBeGreaterThan(0);
  });
});
