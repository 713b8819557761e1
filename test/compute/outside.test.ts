import { expect, it } from "vitest";
import { createCompute, outsideMatrix, patternWords } from "../../src/compute/index.ts";
import { referenceKernels } from "../../src/compute/reference.ts";
import { difference, onEveryBackend, randomPatterns, uniform } from "./backends.ts";

/** Rows and columns; with the limit below a panel of 20 columns has 96 rows. */
const SHAPES = [
  [0, 3],
  [3, 0],
  [1, 1],
  [31, 2],
  [96, 20],
  [97, 20],
  [1000, 20],
  [513, 33],
  [300, 65],
] as const;
const LIMIT = 2 ** 17;
const K = 3;

const nan = (length: number): Float64Array => new Float64Array(length).fill(Number.NaN);

onEveryBackend(
  "outsideMatrix",
  (compute) => {
    const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, terms: number): void =>
      expect(difference(actual, expected)).toBeLessThan(8 * (terms + 4) * Number.EPSILON);

    it("outsideMatrix is for matrices that do not fit: its largest test does not", () => {
      expect(() => compute().scope((scope) => scope.f64(1000 * 20))).toThrow("kernel memory is full");
      expect(compute().memoryLimit).toBe(LIMIT);
    });

    it.each(SHAPES)("gemm and gemv of outsideMatrix, %i x %i, equal the naive products", (n, d) => {
      const X = uniform("X", n * d);
      const large = outsideMatrix(compute(), n, d, X);
      for (const trans of [false, true]) {
        const [from, to] = trans ? [n, d] : [d, n];
        for (const [alpha, beta] of [
          [1, 0],
          [-2, 0.5],
          [0, 3],
        ] as const) {
          for (const k of [1, K]) {
            const b = uniform("b", from * k);
            const c = beta === 0 ? nan(to * k) : uniform("c", to * k);
            const expected = c.slice();
            referenceKernels.gemm(trans, false, to, k, from, alpha, X, d, b, k, beta, expected, k);
            if (k === 1) large.gemv(trans, alpha, b, beta, c);
            else large.gemm(trans, k, alpha, b, beta, c);
            close(c, expected, from);
          }
        }
      }
      expect(compute().bytesInUse).toBe(0);
    });

    it.each(SHAPES)("gram and normalProduct of outsideMatrix, %i x %i, equal the naive sums", (n, d) => {
      const X = uniform("X", n * d);
      const large = outsideMatrix(compute(), n, d, X);
      const [gram, expected] = [nan(d * d), nan(d * d)];
      referenceKernels.gemm(true, false, d, d, n, 1, X, d, X, d, 0, expected, d);
      large.gram(gram);
      close(gram, expected, n);

      const x = uniform("x", d);
      const [y, expectedY] = [nan(d), nan(d)];
      referenceKernels.normalProduct(n, d, X, d, x, expectedY);
      large.normalProduct(x, y);
      close(y, expectedY, n * d);
      expect(compute().bytesInUse).toBe(0);
    });

    it.each(SHAPES)("gated products and patterns of outsideMatrix, %i x %i, equal the naive ones", (n, d) => {
      const p = 7;
      const X = uniform("X", n * d);
      const large = outsideMatrix(compute(), n, d, X);
      const patterns = randomPatterns("patterns", n, p);
      const [v, r] = [uniform("v", p * d), uniform("r", n)];

      const [forward, expectedForward] = [nan(n), nan(n)];
      referenceKernels.gatedForward(n, d, p, X, patterns, v, expectedForward);
      large.gatedForward(p, patterns, v, forward);
      close(forward, expectedForward, d * p);

      const [adjoint, expectedAdjoint] = [nan(p * d), nan(p * d)];
      referenceKernels.gatedAdjoint(n, d, p, X, patterns, r, expectedAdjoint);
      large.gatedAdjoint(p, patterns, r, adjoint);
      close(adjoint, expectedAdjoint, n);

      const found = new Uint32Array(p * patternWords(n)).fill(0xffffffff);
      const expectedPatterns = found.slice();
      referenceKernels.activationPatterns(n, d, p, X, v, expectedPatterns);
      large.activationPatterns(p, v, found);
      expect(found).toEqual(expectedPatterns);
      expect(compute().bytesInUse).toBe(0);
    });

    it("outsideMatrix of f32 entries computes in f64", () => {
      const [n, d] = [700, 20];
      const X = Float32Array.from(uniform("X", n * d));
      const gram = nan(d * d);
      const expected = nan(d * d);
      referenceKernels.gemm(true, false, d, d, n, 1, Float64Array.from(X), d, Float64Array.from(X), d, 0, expected, d);
      outsideMatrix(compute(), n, d, X).gram(gram);
      close(gram, expected, n);
    });

    it("outsideMatrix carries NaN and infinity of every panel into the sums", () => {
      const X = uniform("X", 1000 * 2);
      X[2 * 999] = Number.NaN;
      X[2 * 500 + 1] = Number.POSITIVE_INFINITY;
      const y = new Float64Array(2);
      outsideMatrix(compute(), 1000, 2, X).gemv(true, 1, new Float64Array(1000).fill(1), 0, y);
      expect(Array.from(y)).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
    });

    it("outsideMatrix names the shapes of what is too short, and says when even its vectors do not fit", () => {
      const X = uniform("X", 40);
      expect(() => outsideMatrix(compute(), 11, 4, X)).toThrow(/X \(11 x 4.*44 entries.* 40/);
      const large = outsideMatrix(compute(), 10, 4, X);
      const short = new Float64Array(3);
      expect(() => large.gemv(false, 1, short, 0, new Float64Array(10))).toThrow(/gemm: B \(4 x 1.*4 entries.* 3/);
      expect(() => large.gram(new Float64Array(15))).toThrow(/gram: C \(4 x 4.*16 entries.* 15/);
      expect(() => large.gatedForward(2, new Uint32Array(1), X, X)).toThrow(/patterns \(2 x 1.*2 entries.* 1/);
      const wide = outsideMatrix(compute(), 1, LIMIT, new Float64Array(LIMIT));
      expect(() => wide.gemv(false, 1, new Float64Array(LIMIT), 0, new Float64Array(1))).toThrow("memory is full");
      expect(compute().bytesInUse).toBe(0);
    });
  },
  { memoryLimit: LIMIT },
);

it("memoryLimit must be a positive number of bytes, and limits what scopes hold together", async () => {
  for (const memoryLimit of [0, -1, Number.NaN]) {
    await expect(createCompute({ backend: "js", memoryLimit })).rejects.toThrow(RangeError);
  }
  for (const backend of ["js", "wasm"] as const) {
    const compute = await createCompute({ backend, memoryLimit: 1024, threads: 1 });
    compute.scope((scope) => {
      scope.f64(64);
      compute.scope((inner) => inner.f64(64));
      expect(() => scope.u32(129)).toThrow(/asked for 516 bytes with 4\.77e-7 GiB in use of 9\.54e-7 GiB/);
      scope.u32(128);
    });
    await compute.close();
  }
});
