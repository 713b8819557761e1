import fc from "fast-check";
import { expect, test } from "vitest";
import { splitRows } from "../../src/data/split.ts";

const sizes = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 5 });
const fractions = fc.double({ min: 0.01, max: 0.99, noNaN: true });

/** Groups of these sizes over 0 .. n-1, dealt in turn. */
function groupsOf(lengths: readonly number[]): Uint32Array[] {
  const groups = lengths.map((): number[] => []);
  let next = 0;
  for (let round = 0; round < Math.max(...lengths); round++) {
    lengths.forEach((length, g) => {
      if (round < length) groups[g]!.push(next++);
    });
  }
  return groups.map((group) => Uint32Array.from(group));
}

test("splitRows puts every row in one part, ascending, and keeps the share of every group", () => {
  fc.assert(
    fc.property(sizes, fractions, fc.nat(), (lengths, fraction, seed) => {
      const groups = groupsOf(lengths);
      const { train, test: held } = splitRows(groups, fraction, seed);
      const all = [...train, ...held].sort((a, b) => a - b);
      expect(all).toEqual(all.map((_, i) => i));
      expect(all.length).toBe(lengths.reduce((sum, length) => sum + length, 0));
      for (const part of [train, held]) expect([...part]).toEqual([...part].sort((a, b) => a - b));
      for (const group of groups) {
        const share = group.filter((i) => held.includes(i)).length;
        expect(Math.abs(share - group.length * fraction)).toBeLessThanOrEqual(
          share === 1 || share === group.length - 1 ? 1 : 0.5,
        );
        expect(share).toBeGreaterThanOrEqual(1);
        expect(share).toBeLessThan(group.length);
      }
    }),
  );
});

test("splitRows depends on the seed alone, and holds out every row equally often", () => {
  const groups = groupsOf([10]);
  const held = (seed: number): string => splitRows(groups, 0.2, seed).test.join();
  expect(held(7)).toBe(held(7));
  const counts = new Array<number>(10).fill(0);
  for (let seed = 0; seed < 5000; seed++) for (const i of splitRows(groups, 0.2, seed).test) counts[i]!++;
  // Each count is binomial(5000, 0.2): standard deviation 28.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
