import { expect, it } from "vitest";
import { createCompute, type Scope } from "../../src/compute/index.ts";
import { onEveryBackend } from "./backends.ts";

onEveryBackend("memory", (compute) => {
  it("scope gives zeros again after its memory was used for something else", () => {
    for (let round = 0; round < 3; round++) {
      compute().scope((scope) => {
        const numbers = scope.f64(1000);
        const words = scope.u32(1001);
        const singles = scope.f32(77);
        expect(numbers.every((value) => Object.is(value, 0))).toBe(true);
        expect(words.every((value) => value === 0)).toBe(true);
        expect(singles.every((value) => Object.is(value, 0))).toBe(true);
        singles.fill(Number.NaN);
        numbers.fill(Number.NaN);
        words.fill(0xffffffff);
      });
    }
  });

  it("bytesInUse returns to its level after 10,000 scopes, nested and thrown out of", () => {
    const before = compute().bytesInUse;
    const out = new Error("out");
    let flat = true;
    for (let round = 0; round < 10_000; round++) {
      compute().scope((outer) => {
        outer.f64(100);
        const level = compute().bytesInUse;
        try {
          compute().scope((inner) => {
            inner.copy([1, 2, 3]);
            flat &&= compute().bytesInUse > level;
            throw out;
          });
        } catch (error) {
          flat &&= error === out && compute().bytesInUse === level;
        }
      });
      flat &&= compute().bytesInUse === before;
    }
    expect(flat).toBe(true);
  });

  it("arrays keep their entries while the memory grows around them", () => {
    compute().scope((scope) => {
      const early = scope.copy([1, 2, 3]);
      const large = scope.f64(3_000_000);
      large[2_999_999] = 4;
      expect(compute().dot(3, early, early)).toBe(14);
      compute().scope((inner) => expect(compute().dot(1, inner.copy([2]), large.subarray(2_999_999))).toBe(8));
      expect(Array.from(early)).toEqual([1, 2, 3]);
    });
  });

  it("scope refuses an asynchronous body and bad lengths", () => {
    expect(() => compute().scope(async () => 1)).toThrow(TypeError);
    for (const length of [-1, 0.5, Number.NaN]) {
      expect(() => compute().scope((scope) => scope.f64(length))).toThrow(RangeError);
    }
  });

  it("kernels refuse arrays from elsewhere, released arrays and arrays of the wrong kind with a TypeError", () => {
    const released = compute().scope((scope) => scope.f64(4));
    const foreign = new Float64Array(4);
    compute().scope((scope) => {
      const own = scope.f64(4);
      expect(compute().dot(4, own, own)).toBe(0);
      for (const bad of [foreign, scope.u32(8) as unknown as Float64Array]) {
        expect(() => compute().dot(4, own, bad)).toThrow(TypeError);
        expect(() => compute().gemm(false, false, 2, 2, 2, 1, own, 2, bad, 2, 0, own, 2)).toThrow(TypeError);
        expect(() => compute().cholesky(2, bad, 2)).toThrow(TypeError);
      }
      const single = scope.f32(4);
      expect(() => compute().dot(4, own, single as unknown as Float64Array)).toThrow(/y must be a Float64Array/);
      expect(() => compute().f32.exp(4, own as unknown as Float32Array, single)).toThrow(/x must be a Float32Array/);
      expect(() => compute().f32.dot(4, single, new Float32Array(4))).toThrow(TypeError);
      const patterns = new Uint32Array(1);
      expect(() => compute().gatedForward(2, 2, 1, own, patterns, own, own)).toThrow(TypeError);
    });
    expect(() => compute().norm1(4, released)).toThrow(TypeError);
  });

  it("kernels refuse short arrays, overlapping rows and negative sizes with a RangeError that names the shapes", () => {
    compute().scope((scope) => {
      const a = scope.f64(6);
      const words = scope.u32(1);
      expect(() => compute().gemm(false, false, 3, 3, 2, 1, a, 2, a, 3, 0, a, 3)).toThrow(/C \(3 x 3.*9 entries.* 6/);
      expect(() => compute().gemm(true, false, 3, 2, 2, 1, a, 2, a, 2, 0, a, 2)).toThrow(/rows of A/);
      expect(() => compute().gemv(false, 2, 3, 1, a, 3, a.subarray(4), 0, a)).toThrow(/x needs 3 entries.* 2/);
      expect(() => compute().syrk(true, 3, 2, 1, a, 2, 0, a, 3)).toThrow(/rows of A/);
      expect(() => compute().syrk(false, 3, 2, 1, a, 2, 0, a, 3)).toThrow(/C \(3 x 3.*9 entries.* 6/);
      expect(() => compute().tanh(7, a, a)).toThrow(/x needs 7 entries.* 6/);
      expect(() => compute().atan2(6, a, a, a.subarray(1))).toThrow(/out needs 6 entries.* 5/);
      expect(() => compute().reluMask(2.5, a, a, a)).toThrow(RangeError);
      expect(() => compute().dot(-1, a, a)).toThrow(RangeError);
      expect(() => compute().dot(1.5, a, a)).toThrow(RangeError);
      expect(() => compute().gatedForward(33, 0, 1, a, words, a, a)).toThrow(/needs 2 words.* 1/);
      expect(() => compute().blockSoftThreshold(1, 1, a, Number.NaN)).toThrow(RangeError);
      expect(() => compute().blockSoftThreshold(1, 1, a, -1)).toThrow(RangeError);
    });
  });
});

it("scope throws a RangeError with the sizes and a hint when the kernel memory is full, and stays usable", async () => {
  const compute = await createCompute({ backend: "wasm", threads: 1 });
  try {
    expect(() => compute.scope((scope) => scope.f64(2 ** 30))).toThrow(/full: asked for 8589934592 bytes.*use fewer/);
    const fill = (scope: Scope): void => {
      for (;;) scope.f64(2 ** 25);
    };
    expect(() => compute.scope(fill)).toThrow(RangeError);
    expect(compute.bytesInUse).toBe(0);
    compute.scope((scope) => expect(compute.norm1(2, scope.copy([1, -2]))).toBe(3));
  } finally {
    await compute.close();
  }
});
