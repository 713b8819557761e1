import { type Rounding, roundDecimals, roundDigits } from "../base/rounding.ts";

/**
 * A number in four significant digits, whole numbers in full, in the shorter of the two notations.
 *
 * @param rounding down for a lower bound, up for an objective: what is shown is then still true.
 */
export function formatNumber(value: number, rounding: Rounding = "nearest"): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0) return String(value);
  if (size >= 1e6 || size < 1e-4) return roundDigits(value, 4, rounding).toExponential().replace("e+", "e");
  if (Number.isInteger(value)) return String(value);
  return String(size >= 1000 ? roundDecimals(value, 0, rounding) : roundDigits(value, 4, rounding));
}

/** A share of one, as a percentage: 0.984 -> `98.4 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A relative gap, rounded up: per cent while that is readable, a power of ten below. */
export function formatGap(gap: number): string {
  if (gap <= 0) return "0";
  if (gap < 1e-3) return roundDigits(gap, 1, "up").toExponential();
  // 100 x 0.07 is 7.000000000000001, which must not become 7.1.
  return `${roundDigits(Number((100 * gap).toPrecision(15)), gap >= 1 ? 3 : 2, "up")} %`;
}

/** A duration in its two largest units: `6 s`, `1 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** A size in bytes, in the unit that keeps it below 1024. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toPrecision(3)} ${units[unit]}`;
}

/** An architecture as it is shown: `dense(64, w=1.4142135623730951)` with four digits of each weight. */
export function formatArchitecture(spec: string): string {
  return spec.replace(/\d+\.\d{4,}(e-?\d+)?/g, (number) => formatNumber(Number(number)));
}

/** "1 row", "2 rows". */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}

/** Breaks `text` at spaces into lines of at most `width` characters; `first` opens the first line, `rest` the others. */
export function wrap(text: string, width: number, first = "", rest = first): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ")) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines.join("\n");
}

/** Columns padded to their widest cell; a column whose cells are all numbers (or `-`) is set to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((name, k) => Math.max(name.length, ...rows.map((cells) => (cells[k] ?? "").length)));
  const right = head.map(
    (_, k) => rows.length > 0 && rows.every((cells) => /^(-|[-+]?\d+(\.\d+)?(e[-+]?\d+)?( %)?)$/.test(cells[k] ?? "")),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, k) => (right[k] ? cell.padStart(widths[k] ?? 0) : cell.padEnd(widths[k] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(head), ...rows.map(line)];
}
