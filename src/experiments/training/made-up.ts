import { ConfigError } from "../../base/errors.ts";
import { randomStream } from "../../base/random.ts";
import { circleInputs, randomUnitInputs } from "../../training/presets.ts";
import type { LabelledSamples, MakeArray, TrainingInputs } from "./samples.ts";

/** A family of made-up inputs. */
interface Family {
  /** Whole numbers that it is called with, and the least of each. */
  readonly least: readonly number[];
  readonly usage: string;
  /** n x the numbers of a sample. */
  make(n: number, d: number, seed: number): Float64Array;
}

/** n uniform unit vectors of d numbers. */
function directions(n: number, d: number, seed: number): Float64Array {
  const { normal } = randomStream(seed, "directions");
  const X = Float64Array.from({ length: n * d }, normal);
  for (let i = 0; i < n; i++) {
    const x = X.subarray(i * d, (i + 1) * d);
    const norm = Math.hypot(...x);
    for (let k = 0; k < d; k++) x[k] /= norm;
  }
  return X;
}

const FAMILIES: Readonly<Record<string, Family>> = {
  /** Points at equal angles: (cos, sin, 1) / sqrt(2), whose tangent kernels are circulant. */
  circle: { least: [1], usage: "circle(N)", make: (n) => circleInputs(n) },
  /** Uniform unit vectors. */
  sphere: { least: [1, 1], usage: "sphere(N, D)", make: directions },
  /** (u, 1) / sqrt(2) with uniform unit vectors u: the inputs of arXiv:1811.03962. */
  "padded-sphere": { least: [1, 2], usage: "padded-sphere(N, D)", make: randomUnitInputs },
};

const PATTERN = /^\s*([a-z][a-z-]*)\s*\(([^)]*)\)\s*$/;

/** Whether a word describes made-up samples rather than a file. */
export function isMadeUp(data: string): boolean {
  return Object.hasOwn(FAMILIES, PATTERN.exec(data)?.[1] ?? "");
}

/**
 * Made-up samples such as `circle(16)` or `sphere(100, 10)`, with targets `normal` (numbers, the default) or `labels(K)`
 * (K classes), both drawn at random.
 *
 * @throws ConfigError when they are not described in full.
 */
export function makeSamples(
  data: string,
  target: string | undefined,
  split: number,
  seed: number,
  make: MakeArray,
): TrainingInputs {
  const [, name = "", inside = ""] = PATTERN.exec(data) ?? [];
  const family = FAMILIES[name]!;
  const given = inside.split(",").map(Number);
  const isSound =
    given.length === family.least.length && given.every((v, k) => Number.isInteger(v) && v >= family.least[k]!);
  if (!isSound) {
    throw new ConfigError(`${data} is not ${family.usage}`, {
      code: "made-up-data",
      hint: `write ${family.usage} with whole numbers of at least ${family.least.join(" and ")}`,
    });
  }
  const [n = 1, d = 1] = given;
  const classes = classesOf(target);
  const held = Math.round((n * split) / (1 - split));
  // One draw for both parts: they are of the same distribution, and of different samples.
  const all = family.make(n + held, d, seed);
  const size = all.length / (n + held);
  const targets = randomStream(seed, "made-up targets");
  // In their own order when there is one part only.
  const order = held === 0 ? null : randomStream(seed, "made-up split").permutation(n + held);
  const part = (from: number, count: number): LabelledSamples => {
    const X = make(count * size);
    for (let k = 0; k < count; k++) {
      const row = order === null ? k : order[from + k]!;
      X.set(all.subarray(row * size, (row + 1) * size), k * size);
    }
    const y = Float64Array.from({ length: count }, () =>
      classes === null ? targets.normal() : targets.integer(classes.length),
    );
    return { n: count, X, y };
  };
  return {
    shape: [size],
    train: part(0, n),
    test: held === 0 ? null : part(n, held),
    inputs: { kind: "arrays" },
    target: { name: "y", task: classes === null ? "regression" : "classification", classes, scale: null },
    notes: [],
    fingerprint: JSON.stringify([name, ...given, held, classes?.length ?? 0, seed]),
  };
}

function classesOf(target: string | undefined): readonly string[] | null {
  if (target === undefined || target === "normal") return null;
  const count = Number(/^labels\((\d+)\)$/.exec(target.replaceAll(" ", ""))?.[1]);
  if (count >= 2 && count <= 10_000) return Array.from({ length: count }, (_, k) => String(k));
  throw new ConfigError(`made-up samples have no target "${target}"`, {
    code: "made-up-target",
    hint: 'use --target normal, or --target "labels(K)" for K random classes',
  });
}
