/** One point of a solver's history. */
export interface ConvergencePoint {
  readonly seconds: number;
  readonly objective: number;
  /** Best valid lower bound so far; null before the first one. */
  readonly bound: number | null;
  readonly neurons: number;
}

/** The history of one solve; a run that solves one problem for each class has several. */
export interface ConvergenceSeries {
  readonly label: string;
  /** In the order of time. */
  readonly points: readonly ConvergencePoint[];
}

/** Validation loss at one beta. */
export interface ValidationPoint {
  readonly beta: number;
  readonly loss: number;
  /** Of `loss` over the folds; NaN when there is only one. */
  readonly standardError: number;
  readonly chosen: boolean;
}

/** Leave-one-out error of a kernel regression with one ridge. */
export interface RidgePoint {
  readonly ridge: number;
  readonly error: number;
  readonly chosen: boolean;
}

/** The eigenvalues of a kernel matrix. */
export interface KernelSpectrum {
  /** Positive, largest first. */
  readonly values: readonly number[];
  readonly ridge: number;
}

/** Predictions of a regression, pair by pair. */
export interface Predictions {
  readonly actual: readonly number[];
  readonly predicted: readonly number[];
  /** What is predicted: the name of the target. */
  readonly name: string;
}

/** Predictions of a classification: rows = true class, columns = predicted class. */
export interface Confusion {
  readonly labels: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

/** How one class is told from the rest as the threshold on its score moves. */
export interface RocCurve {
  /** The class that counts as positive. */
  readonly label: string;
  /** Area under the curve, over all rows (the points may be thinned out). */
  readonly auc: number;
  /** From (0, 0) to (1, 1), both rates non-decreasing. */
  readonly points: readonly { readonly falsePositives: number; readonly truePositives: number }[];
}

/** One hidden neuron. */
export interface NeuronRow {
  /** The output that it feeds, when there are several; empty otherwise. */
  readonly output: string;
  /** Training rows on which it is active. */
  readonly active: number;
  /** Its share of the penalty, in [0, 1]. */
  readonly share: number;
  /** One a feature of the panel: the change of the output for one standard deviation of the feature, while active. */
  readonly effects: readonly number[];
}

/** The hidden neurons with the largest shares of the penalty, and the features that they use most. */
export interface NeuronPanel {
  /** Training rows. */
  readonly rows: number;
  /** Neurons of the whole network, of which `neurons` are the first. */
  readonly total: number;
  /** Features of the whole network, of which `features` are the first. */
  readonly totalFeatures: number;
  /** Most used first. */
  readonly features: readonly string[];
  /** Largest share first. */
  readonly neurons: readonly NeuronRow[];
}

/** A network of one feature, in the units of the file. */
export interface CurvePicture {
  readonly kind: "curve";
  readonly feature: string;
  /** What the network's output is, as the label of an axis. */
  readonly output: string;
  /** Class names, or null for a regression. */
  readonly classes: readonly string[] | null;
  /** Rows of the file; `value` is the target, or the index of the class. */
  readonly points: readonly { readonly x: number; readonly value: number; readonly heldOut: boolean }[];
  /** The piecewise linear outputs, vertex by vertex from left to right; several vertices may share an x (a jump). */
  readonly curves: readonly {
    readonly label: string;
    readonly vertices: readonly { readonly x: number; readonly y: number; readonly kink: boolean }[];
  }[];
}

/** A network of two features, in the units of the file. */
export interface RegionsPicture {
  readonly kind: "regions";
  readonly features: readonly [string, string];
  /** What the network's output is, in words. */
  readonly output: string;
  readonly classes: readonly string[] | null;
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** Points of the grid along each axis, the ends of `x` and `y` included. */
  readonly size: number;
  /** One grid an output: entry `j * size + i` is at the i-th x and the j-th y, both rising. */
  readonly grids: readonly (readonly number[])[];
  /** Rows of the file; `value` is the target, or the index of the class. */
  readonly points: readonly {
    readonly x: number;
    readonly y: number;
    readonly value: number;
    readonly heldOut: boolean;
  }[];
  /** Where a neuron changes between active and not active, inside the picture. */
  readonly kinks: readonly { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number }[];
}

/** A function over a plane, such as a loss around a network. */
export interface PlanePicture {
  /** What the two axes are. */
  readonly labels: readonly [string, string];
  /** What the values are, in a word. */
  readonly what: string;
  /** Both rising, in equal steps. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Entry `j * x.length + i` is at x[i], y[j]; not finite ones are drawn as the highest. */
  readonly values: readonly number[];
}

/** A table of names and numbers or words. */
export interface ReportTable {
  readonly title: string;
  readonly columns: readonly string[];
  /** As many cells a row as there are columns; NaN, and null (NaN in JSON), are shown as a dash. */
  readonly rows: readonly (readonly (string | number | null)[])[];
  /** One sentence under the table. */
  readonly note?: string;
}

/** An axis of a {@link LineFigure}; `log`: logarithmic where its values are positive and far apart. */
export interface LineAxis {
  readonly label: string;
  readonly log?: boolean;
}

/** Lines over a common axis, such as what a training measured step by step. */
export interface LineFigure {
  /** Short name, for a file. */
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly x: LineAxis;
  readonly y: LineAxis;
  readonly lines: readonly {
    readonly label: string;
    /** For bounds. */
    readonly dashed?: boolean;
    /** Points alone, without a line through them. */
    readonly dots?: boolean;
    /** Pairs (x, y); a y that is not finite, null in JSON, is left out. */
    readonly points: readonly (readonly [number, number])[];
  }[];
  /** Shaded regions behind the lines: triples (x, low, high). */
  readonly bands?: readonly {
    readonly label: string;
    readonly points: readonly (readonly [number, number, number])[];
  }[];
}

/** Everything a run's HTML report shows: plain JSON, no knowledge of how it was made. */
export interface RunReport {
  readonly title: string;
  readonly subtitle: string;
  /** The verdict in a few words, e.g. "Bounded within 7.8 %". */
  readonly badge: string;
  /**
   * What kind of verdict it is: the gap is closed, it is open, there is no bound, the run was stopped early, or the problem has a solution
   * in closed form; a training came to its end, or left the numbers.
   */
  readonly status: "certified" | "bounded" | "unbounded" | "interrupted" | "exact" | "finished" | "diverged";
  /** What the badge means: one short paragraph a line; the first is the headline. */
  readonly verdict: readonly string[];
  /** What the lower bound speaks of, in words, e.g. "every ReLU network of any width"; empty when there is nothing to bound. */
  readonly scope: string;
  readonly convergence: readonly ConvergenceSeries[];
  /** Validation loss along the grid of beta, when beta was chosen by validation. */
  readonly validation: readonly ValidationPoint[] | null;
  /** Leave-one-out errors of a kernel regression, by ridge. */
  readonly leaveOneOut?: readonly RidgePoint[];
  /** Of its kernel matrix, where it was computed. */
  readonly spectrum?: KernelSpectrum | null;
  /** The rows that `predictions`, `confusion` and `roc` show: the training rows when none were held out. */
  readonly part: "held-out" | "training";
  readonly predictions: Predictions | null;
  readonly confusion: Confusion | null;
  readonly roc: readonly RocCurve[] | null;
  readonly neurons: NeuronPanel | null;
  /** The network drawn over its features, when there are one or two. */
  readonly picture: CurvePicture | RegionsPicture | null;
  /** Figures of a training, in front of the others. */
  readonly lines?: readonly LineFigure[];
  readonly tables: readonly ReportTable[];
  /** Shell commands that repeat the run. */
  readonly reproduce: readonly string[];
  readonly footer: string;
}
