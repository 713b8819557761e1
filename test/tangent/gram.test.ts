import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import {
  checkInputs,
  gram,
  gramTiles,
  type KernelEngine,
  matrixSpectrum,
  placeTile,
  planGram,
  spectrumEnds,
  tileEntries,
} from "../../src/tangent/index.ts";
import { distance, engineOf, normalMatrix, ofRows } from "./kernels.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

/** An engine whose tiles take `bytes` an entry and `operations`, for plans. */
const planned = (bytes: number, operations: number): KernelEngine => ({
  ...engineOf("dense(4) relu dense(1)", 3),
  bytes: (rows, cols) => bytes * rows * cols,
  operations,
});

test("planGram covers every entry once, within the limit", () => {
  const size = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(size, fc.option(size), fc.integer({ min: 8, max: 4000 }), (rows, cols, limit) => {
      const plan = planGram(planned(8, 10), rows, cols, limit);
      const width = cols ?? rows;
      const seen = new Uint8Array(rows * width);
      for (const { r0, r1, c0, c1 } of plan.tiles) {
        expect(8 * (r1 - r0) * (c1 - c0)).toBeLessThanOrEqual(limit);
        for (let i = r0; i < r1; i++) for (let j = c0; j < c1; j++) seen[i * width + j]! += 1;
        if (cols === null && r0 !== c0)
          for (let i = r0; i < r1; i++) for (let j = c0; j < c1; j++) seen[j * width + i]! += 1;
      }
      expect(seen.every((count) => count === 1)).toBe(true);
      expect(plan.entries).toBe(cols === null ? (rows * (rows + 1)) / 2 : rows * cols);
    }),
  );
});

test("planGram makes small tiles of costly entries, and refuses a limit below one entry", () => {
  expect(planGram(planned(8, 5e10), 10, null, 1e9).tiles).toHaveLength(55);
  expect(() => planGram(planned(100, 1), 10, null, 99)).toThrow(/100 bytes, more than the limit of 99/);
  expect(planGram(planned(8, 1), 0, null, 100).tiles).toHaveLength(0);
});

test("gramTiles and gram give the block of the engine, equal inputs in different tiles included", () => {
  const [n, d] = [23, 4];
  const X = normalMatrix("gram", n, d);
  X.data.copyWithin(20 * d, 1 * d, 2 * d);
  const Y = normalMatrix("against", 11, d);
  const engine = engineOf("dense(9, b=0.1) relu dense(9) erf dense(1)", d);
  for (const against of [null, Y]) {
    const whole = engine.block(compute, X, against);
    const limitBytes = engine.bytes(5, 5) + 8 * n * n;
    expect(gram(compute, engine, X, against)).toEqual(whole);
    const plan = planGram({ ...engine, operations: 5e10 / 25 }, n, against?.rows ?? null, limitBytes);
    expect(plan.tiles.length).toBeGreaterThan(5);
    const out = new Float64Array(n * plan.cols);
    let entries = 0;
    for (const { tile, block } of gramTiles(compute, engine, X, against, plan)) {
      entries += tileEntries(tile, plan.symmetric);
      placeTile(block.ntk!, tile, plan.symmetric, (row, column, values) => out.set(values, row * plan.cols + column));
    }
    expect(entries).toBe(plan.entries);
    expect(distance(out, whole.ntk!)).toBeLessThan(1e-14);
    if (against === null) {
      expect(out[20 * n + 1]).toBe(out[1 * n + 1]);
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(out[i * n + j]).toBe(out[j * n + i]);
    }
  }
});

test("gramTiles goes on from a tile", () => {
  const X = normalMatrix("resume", 9, 3);
  const engine = engineOf("dense(9) relu dense(1)", 3);
  const plan = planGram({ ...engine, operations: 5e10 / 9 }, 9, null, 1e9);
  const all = [...gramTiles(compute, engine, X, null, plan)];
  expect([...gramTiles(compute, engine, X, null, plan, 4)]).toEqual(all.slice(4));
});

test("gram by tiles refuses matrices above its limit", () => {
  const engine = engineOf("dense(9) relu dense(1)", 3);
  const X = normalMatrix("limit", 200, 3);
  expect(() => gram(compute, engine, X, null, { limitBytes: 300_000 })).toThrow(/320000 bytes is above the limit/);
  expect(gram(compute, engine, X, null, { limitBytes: 1e7 }).ntk).toHaveLength(40_000);
});

test("matrixSpectrum knows the ends of a spectrum, and the shift that makes a matrix semidefinite", () => {
  const diagonal = (values: readonly number[]) => {
    const out = matrix(values.length, values.length);
    values.forEach((value, i) => {
      out.data[i * values.length + i] = value;
    });
    return matrixSpectrum(compute, out);
  };
  expect(diagonal([3, 1, 2])).toMatchObject({ largest: 3, smallest: 1, condition: 3, shift: 0, method: "eigenvalues" });
  const indefinite = diagonal([3, -0.5, 2]);
  expect(indefinite.shift).toBeCloseTo(0.5, 14);
  expect(indefinite.condition).toBeNull();
  expect(diagonal([2, 0]).condition).toBeNull();
});

test("spectrumEnds finds the same ends in memory and from outside by products alone", () => {
  const n = 60;
  const { ntk } = engineOf("dense(9) relu dense(1)", 5).block(compute, normalMatrix("ends", n, 5), null);
  let reads = 0;
  const readRows = (from: number, count: number): Float64Array => {
    reads += 1;
    return ntk!.subarray(from * n, (from + count) * n);
  };
  const inside = spectrumEnds(compute, n, readRows, Number.POSITIVE_INFINITY);
  expect(reads).toBe(1);
  const outside = spectrumEnds(compute, n, readRows, 8 * n);
  expect(outside.method).toBe("lanczos");
  expect(outside.converged).toBe(true);
  expect(outside.largest / inside.largest).toBeCloseTo(1, 10);
  expect(outside.smallest).toBeCloseTo(inside.smallest, 7);
});

test("matrixSpectrum of a larger kernel is proved positive definite by its factor", () => {
  const n = 1300;
  const { nngp } = engineOf("dense(9, b=0.5) relu dense(1, b=0.1)", 30).block(
    compute,
    normalMatrix("large", n, 30),
    null,
  );
  const { method, shift, largest, smallest } = matrixSpectrum(compute, matrix(n, n, nngp!));
  expect(method).toBe("lanczos");
  expect(shift).toBe(0);
  expect(smallest).toBeGreaterThan(0);
  expect(largest).toBeLessThanOrEqual(nngp!.reduce((sum, value, at) => (at % (n + 1) === 0 ? sum + value : sum), 0));
});

test("checkInputs finds zero, equal and parallel rows", () => {
  const X = ofRows([
    [1, 2],
    [0, 0],
    [2, 4],
    [3, -1],
    [1, 2],
    [-6, 2],
    [-0, 0],
    [1, 2],
    [1, 2.1],
  ]);
  expect(checkInputs(X)).toEqual({
    zero: [1, 6],
    equal: {
      count: 3,
      first: [
        [0, 4],
        [1, 6],
        [0, 7],
      ],
    },
    parallel: {
      count: 2,
      first: [
        [0, 2],
        [3, 5],
      ],
    },
  });
});

test("checkInputs finds planted multiples of any size and sign, and nothing else", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 30 }),
      fc.integer({ min: 2, max: 9 }),
      fc.double({ min: -90, max: 90, noNaN: true }),
      (n, d, power) => {
        const X = normalMatrix(`parallel ${n} ${d}`, n, d);
        expect(checkInputs(X).parallel.count).toBe(0);
        const factor = (power < 0 ? -1 : 1) * 2 ** power;
        fc.pre(factor !== 1);
        for (let j = 0; j < d; j++) X.data[(n - 1) * d + j] = factor * X.data[j]!;
        expect(checkInputs(X).parallel).toEqual({ count: 1, first: [[0, n - 1]] });
      },
    ),
  );
});
