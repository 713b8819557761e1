import fc from "fast-check";
import { expect, test } from "vitest";
import { didYouMean } from "../../src/base/did-you-mean.ts";

test.each([
  ["prise", ["price", "size", "rooms"], "price"],
  ["pirce", ["size", "price"], "price"],
  ["Outcome", ["outcome"], "outcome"],
  ["targt", ["target", "task"], "target"],
  ["ft", ["fit", "demo"], "fit"],
  ["price", ["bedrooms", "area"], null],
  ["x", ["y", "z"], null],
  ["a", [], null],
])("didYouMean(%j, %j) is %j", (word, candidates, expected) => {
  expect(didYouMean(word, candidates)).toBe(expected);
});

test("didYouMean undoes any single typing error in a word of four letters or more", () => {
  const word = fc.stringMatching(/^[a-z]{4,12}$/);
  fc.assert(
    fc.property(word, fc.nat(), fc.constantFrom("drop", "swap", "insert", "replace"), (name, at, error) => {
      const i = at % (name.length - 1);
      const typed = {
        drop: name.slice(0, i) + name.slice(i + 1),
        swap: name.slice(0, i) + name[i + 1] + name[i] + name.slice(i + 2),
        insert: `${name.slice(0, i)}_${name.slice(i)}`,
        replace: `${name.slice(0, i)}_${name.slice(i + 1)}`,
      }[error]!;
      expect(didYouMean(typed, ["0000000000000", name])).toBe(name);
    }),
  );
});
