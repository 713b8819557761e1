/**
 * Makes the tables in `examples/`: `npm run examples`. Two are drawn from seeded random streams, one follows from the
 * rules of a game; a test checks that the committed files are what this program makes.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { randomStream } from "../src/base/random.ts";
import { writeFileAtomic } from "../src/platform/index.ts";

const ROWS = 200;
const DIGITS = 4;
const BLANK = "b";

const SQUARES = ["top", "middle", "bottom"].flatMap((row) =>
  ["left", "middle", "right"].map((column) => `${row}-${column}`),
);

const LINES = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7, 8],
  [0, 3, 6],
  [1, 4, 7],
  [2, 5, 8],
  [0, 4, 8],
  [2, 4, 6],
];

function hasWon(board: readonly string[], player: string): boolean {
  return LINES.some((line) => line.every((square) => board[square] === player));
}

function csv(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, ...rows].map((cells) => `${cells.join(",")}\n`).join("");
}

/**
 * Every position in which a game of tic-tac-toe can end when x moves first, sorted; the outcome is positive where x
 * has three in a row.
 */
export function ticTacToe(): string {
  const ends = new Map<string, string[]>();
  const seen = new Set<string>();
  const play = (board: readonly string[], player: "x" | "o"): void => {
    const position = board.join(",");
    if (seen.has(position)) return;
    seen.add(position);
    const xWon = hasWon(board, "x");
    if (xWon || hasWon(board, "o") || !board.includes(BLANK)) {
      ends.set(position, [...board, xWon ? "positive" : "negative"]);
      return;
    }
    board.forEach((mark, square) => {
      if (mark === BLANK) play(board.with(square, player), player === "x" ? "o" : "x");
    });
  };
  play(new Array<string>(9).fill(BLANK), "x");
  const rows = [...ends.keys()].sort().map((position) => ends.get(position)!);
  return csv([...SQUARES, "outcome"], rows);
}

/** Two interleaved half circles with noise of standard deviation 0.15: a two-class problem that no line separates. */
export function twoMoons(): string {
  const stream = randomStream(0, "two-moons");
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const upper = i % 2 === 0;
    const angle = Math.PI * stream.uniform();
    const x = (upper ? Math.cos(angle) : 1 - Math.cos(angle)) + 0.15 * stream.normal();
    const y = (upper ? Math.sin(angle) : 0.5 - Math.sin(angle)) + 0.15 * stream.normal();
    return [x.toFixed(DIGITS), y.toFixed(DIGITS), upper ? "upper" : "lower"];
  });
  return csv(["x", "y", "moon"], rows);
}

/** y = sin(2 x) on [-3, 3] with noise of standard deviation 0.2: a regression with one feature. */
export function noisySine(): string {
  const stream = randomStream(0, "noisy-sine");
  const rows = Array.from({ length: ROWS }, () => {
    const x = 6 * stream.uniform() - 3;
    const y = Math.sin(2 * x) + 0.2 * stream.normal();
    return [x.toFixed(DIGITS), y.toFixed(DIGITS)];
  });
  return csv(["x", "y"], rows);
}

/** File name -> content of every example. */
export function examples(): ReadonlyMap<string, string> {
  return new Map([
    ["tic-tac-toe.csv", ticTacToe()],
    ["two-moons.csv", twoMoons()],
    ["noisy-sine.csv", noisySine()],
  ]);
}

const here = fileURLToPath(import.meta.url);
if (process.argv.slice(1).some((argument) => resolve(argument) === here)) {
  const folder = fileURLToPath(new URL("../examples/", import.meta.url));
  for (const [name, content] of examples()) writeFileAtomic(resolve(folder, name), content);
}
