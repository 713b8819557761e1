import { type RandomStream, randomStream } from "../../src/base/random.ts";
import type {
  ConvergencePoint,
  ConvergenceSeries,
  CurvePicture,
  NeuronPanel,
  RegionsPicture,
  RocCurve,
  RunReport,
} from "../../src/report/index.ts";

/** A decreasing objective and a rising bound, noiseless and smooth in log-time. */
export function history(count: number, shape: Partial<HistoryShape> = {}): ConvergencePoint[] {
  const { start, end, bound, seconds, boundAfter } = { ...DEFAULTS, ...shape };
  return Array.from({ length: count }, (_, k) => {
    const share = count === 1 ? 1 : k / (count - 1);
    const time = 0.02 * (seconds / 0.02) ** share;
    return {
      seconds: time,
      objective: end + (start - end) * Math.exp(-6 * share),
      bound:
        bound === null || share < boundAfter
          ? null
          : bound - 0.4 * Math.abs(bound) * Math.exp(-7 * (share - boundAfter)),
      neurons: Math.round(4 + 40 * share),
    };
  });
}

interface HistoryShape {
  readonly start: number;
  readonly end: number;
  readonly bound: number | null;
  readonly seconds: number;
  /** Share of the points before the first bound. */
  readonly boundAfter: number;
}

const DEFAULTS: HistoryShape = { start: 0.69, end: 0.2931, bound: 0.2702, seconds: 58, boundAfter: 0.3 };

function series(label: string, shape: Partial<HistoryShape>): ConvergenceSeries {
  return { label, points: history(60, shape) };
}

/** Actual values of two rough groups, predictions with noise. */
function pairs(count: number, random: RandomStream): { actual: number[]; predicted: number[] } {
  const actual = Array.from({ length: count }, () => 22 + 9 * random.normal());
  return { actual, predicted: actual.map((value) => value + 3 * random.normal()) };
}

const BASE: RunReport = {
  title: "tic-tac-toe.csv: outcome",
  subtitle: "958 rows x 27 features, 2 classes, 20 % held out, seed 0",
  verdict: [
    "No ReLU network of any width has a training objective below 0.2702; this one has 0.2931, within 7.8 %.",
    "Over its own 212 activation patterns it is optimal to 1e-9. Smallest beta that closes completely in the time: 0.031.",
  ],
  badge: "Bounded within 7.8 %",
  status: "bounded",
  scope: "every ReLU network of any width",
  convergence: [{ label: "outcome", points: history(60) }],
  validation: null,
  part: "held-out",
  predictions: null,
  confusion: null,
  roc: null,
  neurons: null,
  picture: null,
  tables: [
    {
      title: "Test metrics",
      columns: ["model", "accuracy", "log loss", "area under ROC"],
      rows: [
        ["this network", 0.984375, 0.08123, 0.9991],
        ["logistic regression", 0.6510416, 0.6234, 0.6123],
        ["ridge", 0.6458333, Number.NaN, 0.6098],
      ],
      note: "192 held-out rows, the same for every model.",
    },
  ],
  reproduce: ["npm ci", "npx overparam fit examples/tic-tac-toe.csv --target outcome --beta 0.0125 --seed 0"],
  footer: "overparam 0.1.0, backend blas (OpenBLAS 0.3.21, 2 threads), run 2026-11-21-tic-tac-toe-7f3a9c",
};

/** One report for each kind of run the program knows. */
export function reports(): Record<
  "binary" | "regression" | "classes" | "letters" | "interrupted" | "certified",
  RunReport
> {
  const random = randomStream(0, "report fixtures");
  const validation = Array.from({ length: 12 }, (_, k) => ({
    beta: 10 ** (-3.5 + 0.3 * k),
    loss: 11 + (k - 5) ** 2 * 0.31 + (k > 8 ? 4 * (k - 8) : 0),
    standardError: 0.8 + 0.05 * k,
    chosen: k === 6,
  }));
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const letterCounts = letters.map((_, i) =>
    letters.map((_, j) => (i === j ? 120 + random.integer(40) : random.uniform() < 0.12 ? random.integer(14) : 0)),
  );
  return {
    binary: {
      ...BASE,
      roc: [roc("positive", 0.93)],
      neurons: panel(23, ["top-left=x", "middle=o", "age"], ""),
      picture: regions(["negative", "positive"]),
      confusion: {
        labels: ["negative", "positive"],
        counts: [
          [65, 2],
          [1, 124],
        ],
      },
    },
    regression: {
      ...BASE,
      title: "boston_housing.csv: MEDV",
      subtitle: "506 rows x 13 features, 20 % held out, seed 0",
      status: "bounded",
      convergence: [{ label: "MEDV", points: history(300, { start: 290, end: 4.812, bound: 3.7, seconds: 41 }) }],
      validation,
      predictions: { ...pairs(101, random), name: "MEDV" },
      neurons: panel(4, ["RM"], ""),
      picture: curve(null),
      tables: [
        {
          title: "Test metrics",
          columns: ["model", "RMSE", "MAE", "R²"],
          rows: [
            ["this network", 2.91331, 2.0122, 0.8911],
            ["linear regression", 4.8273, 3.391, 0.7112],
            ["ridge", 4.83, 3.3821, 0.7109],
          ],
        },
        {
          title: "Problem",
          columns: ["setting", "value"],
          rows: [
            ["loss", "squared, mean"],
            ["beta", 0.0199],
            ["bias", "column"],
            ["patterns", 212],
          ],
        },
      ],
    },
    classes: {
      ...BASE,
      title: "iris.csv: species",
      subtitle: "150 rows x 4 features, 3 classes one against the rest",
      status: "bounded",
      roc: ["setosa", "versicolor", "virginica"].map((label, k) => roc(label, 1 - 0.1 * k)),
      neurons: panel(9, ["petal_length", "petal_width"], "versicolor"),
      picture: regions(["setosa", "versicolor", "virginica"]),
      convergence: [
        series("setosa", { start: 0.5, end: 0.0112, bound: 0.011199, seconds: 3 }),
        series("versicolor", { start: 0.5, end: 0.1332, bound: 0.1123, seconds: 21 }),
        series("virginica", { start: 0.5, end: 0.0821, bound: 0.0774, seconds: 18 }),
      ],
      confusion: {
        labels: ["setosa", "versicolor", "virginica"],
        counts: [
          [10, 0, 0],
          [0, 9, 1],
          [0, 1, 9],
        ],
      },
    },
    letters: {
      ...BASE,
      title: "letters.csv: letter",
      convergence: letters.map((letter, k) =>
        series(`letter ${letter}`, { end: 0.1 + 0.01 * k, bound: 0.099 + 0.008 * k, seconds: 10 + k }),
      ),
      confusion: { labels: letters, counts: letterCounts },
    },
    interrupted: {
      ...BASE,
      title: "ionosphere.csv: class",
      status: "interrupted",
      badge: "Interrupted, not bounded",
      verdict: [
        "Stopped after 4 s, before any lower bound: the training objective is 0.3521.",
        "Resume with --resume.",
      ],
      convergence: [{ label: "class", points: history(9, { bound: null, seconds: 4, end: 0.35 }) }],
      tables: [],
    },
    certified: {
      ...BASE,
      status: "certified",
      badge: "Certified globally optimal",
      verdict: ["Certified: no ReLU network of any width has a training objective below 0.2931 (to 1e-6)."],
      convergence: [{ label: "outcome", points: closed() }],
      predictions: { ...pairs(10_000, random), name: "the median value of owner-occupied homes, in 1000 dollars" },
    },
  };
}

/** A curve of the given area: a line from (0, 0) over (1 - auc, auc) to (1, 1) has just that. */
export function roc(label: string, auc: number): RocCurve {
  const points = [
    { falsePositives: 0, truePositives: 0 },
    { falsePositives: 1 - auc, truePositives: auc },
    { falsePositives: 1, truePositives: 1 },
  ];
  return { label, auc, points };
}

/** A panel of `total` neurons, at most five of them listed. */
export function panel(total: number, features: readonly string[], output: string): NeuronPanel {
  const neurons = Array.from({ length: Math.min(5, total) }, (_, j) => ({
    output,
    active: 300 - 50 * j,
    share: 0.3 / (j + 1),
    effects: features.map((_name, k) => (k % 2 === 0 ? 1 : -1) * (2.5 - 0.5 * j)),
  }));
  return { rows: 320, total, totalFeatures: features.length + 1, features, neurons };
}

/** Three pieces with two kinks, over rows on both parts. */
export function curve(classes: readonly string[] | null, outputs: readonly string[] = ["y"]): CurvePicture {
  return {
    kind: "curve",
    feature: "x",
    output: "y",
    classes,
    points: Array.from({ length: 30 }, (_, i) => ({ x: i / 10, value: i % 2, heldOut: i % 5 === 0 })),
    curves: outputs.map((label, q) => ({
      label,
      vertices: [
        { x: -0.2, y: q, kink: false },
        { x: 1, y: 1, kink: true },
        { x: 2, y: -1 - q, kink: true },
        { x: 3.1, y: 0.5, kink: false },
      ],
    })),
  };
}

/** f(x, y) = x + y - 1, or one score a class, on the unit square. */
export function regions(classes: readonly string[] | null): RegionsPicture {
  const size = 9;
  const outputs = classes === null || classes.length === 2 ? 1 : classes.length;
  return {
    kind: "regions",
    features: ["width", "height"],
    output: "price",
    classes,
    x: [0, 1],
    y: [0, 1],
    size,
    grids: Array.from({ length: outputs }, (_, q) =>
      Array.from({ length: size * size }, (_cell, k) => {
        const [x, y] = [(k % size) / (size - 1), Math.floor(k / size) / (size - 1)];
        return q === 0 ? x + y - 1 : q === 1 ? x - y : 0.1;
      }),
    ),
    points: Array.from({ length: 20 }, (_, i) => ({
      x: i / 19,
      y: 0.5,
      value: i % (outputs + 1),
      heldOut: i % 4 === 0,
    })),
    kinks: [{ x1: 0, y1: 1, x2: 1, y2: 0 }],
  };
}

/** A run whose gap closes to exactly zero at its end. */
function closed(): ConvergencePoint[] {
  const points = history(40, { bound: 0.2931, end: 0.2931 });
  const last = points[points.length - 1]!;
  return [...points, { ...last, seconds: last.seconds * 1.1, bound: last.objective }];
}
