import { randomStream } from "../base/random.ts";

const ROWS = 80;
const NOISE = 0.1;

/**
 * A small made-up table as CSV: `y` is piecewise linear in `x` with three kinks, plus noise, so that no straight line
 * fits it and a handful of ReLU neurons does.
 */
export function demoCsv(seed: number): string {
  const random = randomStream(seed, "demo");
  const lines = Array.from({ length: ROWS }, () => {
    const x = 4 * random.uniform() - 2;
    const y = Math.abs(x) - 2 * Math.max(0, x - 1) + Math.max(0, -x - 1) + NOISE * random.normal();
    return `${x.toFixed(4)},${y.toFixed(4)}`;
  });
  return `${["x,y", ...lines].join("\n")}\n`;
}
