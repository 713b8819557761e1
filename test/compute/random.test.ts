import { expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { difference, onEveryBackend } from "./backends.ts";

/** The key of randomStream(seed, name): FNV-1a of the name, over the words of the seed. */
function keyOf(seed: number, name: string): readonly [number, number] {
  let hash = 0x811c9dc5n;
  for (const unit of name) hash = ((hash ^ BigInt(unit.charCodeAt(0))) * 0x01000193n) & 0xffffffffn;
  return [seed % 2 ** 32, Number(hash ^ (BigInt(seed) >> 32n))];
}

const SEED = 2 ** 40 + 12345;
const KEY = keyOf(SEED, "kernels");
const drawn = <T>(n: number, draw: (stream: ReturnType<typeof randomStream>) => T): T[] => {
  const stream = randomStream(SEED, "kernels");
  return Array.from({ length: n }, () => draw(stream));
};

onEveryBackend("random numbers", (compute) => {
  /** Numbers first .. first + n - 1 by each of the fills. */
  const fill = (key: readonly [number, number], first: number, n: number) =>
    compute().scope((scope) => {
      const bits = scope.u32(n + 1).fill(9);
      const uniforms = scope.f64(n + 1).fill(9);
      const normals = scope.f64(n + 1).fill(9);
      compute().randomBits(key, first, n, bits);
      compute().randomUniform(key, first, n, uniforms);
      compute().randomNormal(key, first, n, normals);
      expect([bits[n], uniforms[n], normals[n]]).toEqual([9, 9, 9]);
      return {
        bits: Array.from(bits.subarray(0, n)),
        uniforms: Array.from(uniforms.subarray(0, n)),
        normals: Array.from(normals.subarray(0, n)),
      };
    });

  it("randomBits has the published first block of Philox4x32-10", () => {
    // Known-answer test of the Random123 library: zero counter, zero key.
    expect(fill([0, 0], 0, 4).bits).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });

  it.each([0, 1, 2, 3, 5, 1000, 30_001])("randomBits and randomUniform draw the %i numbers of randomStream", (n) => {
    const { bits, uniforms, normals } = fill(KEY, 0, n);
    expect(bits).toEqual(drawn(n, (stream) => stream.bits()));
    expect(uniforms).toEqual(drawn(n, (stream) => stream.uniform()));
    // log, sin and cos differ by some units in the last place; normals are below 9.
    const expected = drawn(n, (stream) => stream.normal());
    expect(difference(normals, expected)).toBeLessThan(64 * Number.EPSILON);
  });

  it("a random fill may start anywhere, beyond 2^32 too", () => {
    const whole = fill(KEY, 0, 40);
    for (let first = 0; first < 9; first++) {
      for (const n of [0, 1, 2, 3, 4, 5, 31]) {
        const part = fill(KEY, first, n);
        for (const kind of ["bits", "uniforms", "normals"] as const) {
          expect(part[kind], `${kind} ${first} ${n}`).toEqual(whole[kind].slice(first, first + n));
        }
      }
    }
    const far = 2 ** 36 - 3;
    const wide = fill(KEY, far, 8);
    expect(fill(KEY, far + 5, 3).bits).toEqual(wide.bits.slice(5));
    expect(fill(KEY, far + 5, 3).normals).toEqual(wide.normals.slice(5));
    expect(new Set([...wide.bits, ...whole.bits]).size).toBe(48);
  });

  it("randomNormal has the moments of a standard normal", () => {
    const { normals } = fill(KEY, 0, 40_000);
    const moment = (power: number): number => normals.reduce((sum, x) => sum + x ** power, 0) / normals.length;
    // Within five standard deviations of each mean: sqrt(1 / n), sqrt(2 / n), sqrt(15 / n), sqrt(96 / n).
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(1 / 40_000));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / 40_000));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / 40_000));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / 40_000));
  });

  it("random fills refuse bad keys, places and arrays", () => {
    compute().scope((scope) => {
      const out = scope.f64(2);
      expect(() => compute().randomUniform([-1, 0], 0, 2, out)).toThrow(RangeError);
      expect(() => compute().randomUniform([0, 2 ** 32], 0, 2, out)).toThrow(RangeError);
      expect(() => compute().randomUniform([0, 0.5], 0, 2, out)).toThrow(RangeError);
      expect(() => compute().randomNormal([0, 0], -1, 2, out)).toThrow(RangeError);
      expect(() => compute().randomNormal([0, 0], 2 ** 53, 2, out)).toThrow(RangeError);
      expect(() => compute().randomNormal([0, 0], 0, 3, out)).toThrow(/out needs 3.* 2/);
      expect(() => compute().randomBits([0, 0], 0, 3, scope.u32(2))).toThrow(/out needs 3.* 2/);
      expect(() => compute().randomBits([0, 0], 0, 2, new Uint32Array(2))).toThrow(TypeError);
    });
  });
});
