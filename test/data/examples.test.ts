import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadDataset } from "../../src/data/index.ts";
import { examples, ticTacToe } from "../../tools/make-examples.ts";

const folder = new URL("../../examples/", import.meta.url);

test("examples: the committed tables are what the generator makes, byte for byte", () => {
  const made = examples();
  for (const [name, content] of made) expect(readFileSync(new URL(name, folder), "utf8")).toBe(content);
  expect(
    readdirSync(folder)
      .filter((name) => name.endsWith(".csv"))
      .sort(),
  ).toEqual([...made.keys()].sort());
});

test("ticTacToe has the 958 final positions of the game, 626 of them won by x", () => {
  const rows = ticTacToe().trimEnd().split("\n").slice(1);
  expect(new Set(rows).size).toBe(958);
  expect(rows.filter((line) => line.endsWith(",positive"))).toHaveLength(626);
  for (const line of rows) {
    const squares = line.split(",").slice(0, 9);
    const ahead = squares.filter((mark) => mark === "x").length - squares.filter((mark) => mark === "o").length;
    expect(ahead === 0 || ahead === 1).toBe(true);
  }
});

test("loadDataset reads the examples as the first page of the manual says", () => {
  const load = (name: string, target: string) => loadDataset({ file: fileURLToPath(new URL(name, folder)), target });
  const game = load("tic-tac-toe.csv", "outcome");
  expect([game.train.y.length + game.test!.y.length, game.train.X.cols]).toEqual([958, 27]);
  expect(game.target).toEqual({ name: "outcome", task: "classification", classes: ["negative", "positive"] });
  expect(load("two-moons.csv", "moon").target.classes).toEqual(["lower", "upper"]);
  expect(load("noisy-sine.csv", "y").target.task).toBe("regression");
});
