import { ConfigError, DataError } from "../base/errors.ts";
import { counted, listing } from "./columns.ts";
import type { Column, Target, Task } from "./types.ts";

/** Integers with at most this many distinct values, each in at least `CLASS_ROWS` rows, are read as classes. */
const MOST_INTEGER_CLASSES = 20;
const CLASS_ROWS = 5;

/** A target read from a column: `y` has one entry a table row (class index or number), NaN where it is missing. */
export interface ReadTarget {
  readonly target: Target;
  readonly y: Float64Array;
  readonly notes: readonly string[];
}

/**
 * Reads the target from its column. The classes of a classification are sorted, numbers by value; of two, the second
 * is the positive one.
 *
 * @param task `auto`: text, boolean or at most 2 distinct values is classification; integers with at most 20 distinct
 * values and at least 5 rows each too; anything else is regression.
 * @throws DataError when the target is constant or has no values, or is text for a regression.
 */
export function readTarget(column: Column, task: Task | "auto"): ReadTarget {
  const { name, place } = column;
  const counts = distinctValues(column);
  if (counts.size < 2) {
    const what = counts.size === 0 ? "has no values" : "has the same value in every row";
    throw new DataError(`target "${name}" ${what}`, {
      code: "constant-target",
      hint: "there is nothing to learn from it: is this the column to predict?",
      place,
    });
  }
  const chosen = task === "auto" ? autoTask(column, counts) : { task, note: null };
  const notes = chosen.note === null ? [] : [chosen.note];
  if (chosen.task === "regression") {
    if (column.kind === "category") {
      throw new DataError(`target "${name}" is text, such as "${column.categories[0]}", and cannot be regressed on`, {
        code: "text-target",
        hint: "use --task classification, or make every cell of it a number",
        place,
      });
    }
    return { target: { name, task: "regression", classes: null }, y: column.values, notes };
  }
  const values = [...counts.keys()].sort((a, b) => a - b);
  const classOf = new Map(values.map((value, k) => [value, k]));
  const classes = column.kind === "number" ? values.map(String) : values.map((code) => column.categories[code]!);
  const raw = column.kind === "number" ? column.values : column.codes;
  const y = Float64Array.from(raw, (value) => classOf.get(value) ?? Number.NaN);
  return { target: { name, task: "classification", classes }, y, notes };
}

/**
 * Reads a target of several columns of numbers: `y` is rows x columns, row-major.
 *
 * @throws ConfigError when classes are asked for. DataError as for one column.
 */
export function readTargets(columns: readonly Column[], task: Task | "auto"): ReadTarget {
  const name = columns.map((column) => column.name).join(",");
  if (task === "classification") {
    throw new ConfigError(
      `several targets are numbers, not classes: ${listing(columns.map((column) => column.name))}`,
      {
        code: "several-targets",
        hint: "fit one column of classes at a time",
      },
    );
  }
  const read = columns.map((column) => readTarget(column, "regression"));
  const rows = read[0]?.y.length ?? 0;
  const y = new Float64Array(rows * columns.length);
  read.forEach((column, q) => {
    for (let i = 0; i < rows; i++) y[i * columns.length + q] = column.y[i]!;
  });
  return { target: { name, task: "regression", classes: null }, y, notes: [] };
}

/** How often each value (or category code) occurs; missing cells are left out. */
function distinctValues(column: Column): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  const raw = column.kind === "number" ? column.values : column.codes;
  for (const value of raw) {
    const missing = column.kind === "number" ? Number.isNaN(value) : value < 0;
    if (!missing) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}

function autoTask(column: Column, counts: ReadonlyMap<number, number>): { task: Task; note: string } {
  const distinct = counts.size;
  const say = (what: string, task: Task, other: Task): { task: Task; note: string } => ({
    task,
    note: `target "${column.name}" ${what}: ${task} (--task ${other} changes this)`,
  });
  if (column.kind === "category") {
    const note = `target "${column.name}" is text with ${distinct} distinct values: classification`;
    return { task: "classification", note };
  }
  if (distinct <= 2) return say(`has ${distinct} distinct values`, "classification", "regression");
  const integers = [...counts.keys()].every(Number.isInteger);
  if (!integers) return say("has numbers that are not integers", "regression", "classification");
  if (distinct > MOST_INTEGER_CLASSES) return say(`has ${distinct} distinct integers`, "regression", "classification");
  const fewest = Math.min(...counts.values());
  return fewest >= CLASS_ROWS
    ? say(`has ${distinct} distinct integers, each in at least ${CLASS_ROWS} rows`, "classification", "regression")
    : say(
        `has ${distinct} distinct integers, one of them in only ${counted(fewest, "row")}`,
        "regression",
        "classification",
      );
}

/**
 * Checks that every class has the rows a split needs: one to train on and one to test on.
 *
 * @param rows the rows whose target is known.
 * @throws DataError naming the classes with a single row.
 */
export function checkClassSizes(target: Target, y: Float64Array, rows: Uint32Array, column: Column): void {
  if (target.classes === null) return;
  const counts = new Uint32Array(target.classes.length);
  for (const i of rows) counts[y[i]!]!++;
  const single = target.classes.filter((_, k) => counts[k] === 1);
  if (single.length === 0) return;
  const many = single.length > 1;
  throw new DataError(
    `${many ? `${single.length} classes` : "a class"} of target "${target.name}" ${many ? "have" : "has"} a single row, too few to train and test on: ${listing(single)}`,
    {
      code: "class-too-small",
      hint: many
        ? "is this the column to predict? Otherwise merge or remove these classes, or use --split none"
        : "merge or remove this class, or use --split none",
      place: column.place,
    },
  );
}
