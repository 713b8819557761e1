import fc from "fast-check";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import type { Encoding, Preprocessing, Target } from "../../src/data/types.ts";
import type { SavedModel } from "../../src/formats/index.ts";
import { type NetworkOptions, networks } from "../network/networks.ts";

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 5 }), fc.constantFrom("__proto__", '"', "\\", "\ud800"));
// JSON has no negative zero.
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

const encodings: fc.Arbitrary<Encoding> = fc.oneof(
  fc.record({
    kind: fc.constant("number" as const),
    column: text,
    mean: number,
    scale: fc.double({ min: 5e-324, max: 1e300, noNaN: true }),
    fill: number,
  }),
  fc.record({
    kind: fc.constant("one-hot" as const),
    column: text,
    categories: fc.uniqueArray(fc.oneof(text, fc.constant(null)), { minLength: 2, maxLength: 4 }),
  }),
);

/** Of two categories only the second is a feature. */
const indicators = ({ categories }: Encoding & { kind: "one-hot" }) =>
  categories.slice(categories.length === 2 ? 1 : 0);

export function preprocessingOf(encoded: readonly Encoding[]): Preprocessing {
  const features = encoded.flatMap((encoding) =>
    encoding.kind === "number" ? [encoding.column] : indicators(encoding).map((name) => `${encoding.column}=${name}`),
  );
  return { encodings: encoded, features };
}

/** Models of any weights and any column statistics that a file can hold. */
export function models(options: Pick<NetworkOptions, "weights"> = {}): fc.Arbitrary<SavedModel> {
  return fc
    .record({ encoded: fc.array(encodings, { minLength: 1, maxLength: 3 }), name: text, classes: fc.nat(3) })
    .chain(({ encoded, name, classes }) => {
      const preprocessing = preprocessingOf(encoded);
      const target: Target =
        classes < 2
          ? { name, task: "regression", classes: null }
          : { name, task: "classification", classes: ["no", "yes", "maybe"].slice(0, classes) };
      const c = classes < 3 ? 1 : 3;
      return networks({ ...options, d: preprocessing.features.length, c }).map((network) => ({
        network,
        preprocessing,
        target,
      }));
    });
}

/** Any finite weights, negative zero and subnormal numbers included. */
export const anyWeights = fc.double({ noNaN: true, noDefaultInfinity: true });

/** Features as `predict` standardizes them, in f64. */
export function standardize(preprocessing: Preprocessing, X: Matrix): Matrix {
  const columns = statistics(preprocessing);
  return matrix(
    X.rows,
    X.cols,
    X.data.map((value, k) => (value - columns[k % X.cols]!.mean) / columns[k % X.cols]!.scale),
  );
}

/** The inverse of {@link standardize}, up to rounding. */
export function unstandardize(preprocessing: Preprocessing, X: Matrix): Matrix {
  const columns = statistics(preprocessing);
  return matrix(
    X.rows,
    X.cols,
    X.data.map((value, k) => value * columns[k % X.cols]!.scale + columns[k % X.cols]!.mean),
  );
}

function statistics({ encodings }: Preprocessing): { mean: number; scale: number }[] {
  return encodings.flatMap((encoding) =>
    encoding.kind === "number" ? [encoding] : indicators(encoding).map(() => ({ mean: 0, scale: 1 })),
  );
}

/** A small gated classifier over a number and two columns of categories, for tests that change its bytes. */
export const sample: SavedModel = {
  network: {
    kind: "two-layer",
    activation: "gated",
    U: matrix(2, 5, Float64Array.of(1.5, -2, 3, -1, 0.25, 1, 2, 5, -6, 7)),
    b: Float64Array.of(0.5, -0.75),
    W: matrix(2, 1, Float64Array.of(1, -2)),
    c0: Float64Array.of(0.125),
    gates: { G: matrix(2, 5, Float64Array.of(1, 2, -3, 4, 5, 6, -7, 8, 9, 10)), h: Float64Array.of(7, -8) },
  },
  preprocessing: preprocessingOf([
    { kind: "number", column: "year", mean: 2009.3, scale: 6.1, fill: 2010 },
    { kind: "one-hot", column: "colour", categories: ["rouge", "bleu très foncé", null] },
    { kind: "one-hot", column: "sex", categories: ["f", "m"] },
  ]),
  target: { name: "outcome", task: "classification", classes: ["no", "yes"] },
};
