import type { NetworkGraph, ParameterRange } from "../network/deep/index.ts";
import { theoryForm } from "../training/index.ts";
import { affineOf } from "../training/monitors/weights.ts";

/** Rows of a theory report that are left out, or that have no bound, and why. */
export interface Absent {
  readonly rows: readonly string[];
  readonly missing: "rows" | "bounds";
  readonly why: string;
}

/** What is known of a network besides its parameters. */
export interface Known {
  /** The parameters that it began with. */
  readonly hasStart: boolean;
  /** The step size of its training. */
  readonly hasRate: boolean;
}

/** Rows whose bound is a theorem of the convergence paper. */
const OF_THEOREMS = [
  "gradient-upper",
  "gradient-lower",
  "forward-norm-least",
  "forward-norm-largest",
  "separateness",
  "forward-product",
  "backward-product",
  "semi-smoothness",
];
const SINCE_START = [
  "sign-changes",
  "distance",
  "linearization",
  "kernel-drift",
  "kernel-distance",
  "kernel-change-largest",
];

/**
 * What cannot be said of a network at one moment, with reasons.
 *
 * @param names of the monitors that were asked for; empty: all.
 */
export function absentRows(
  graph: NetworkGraph,
  trained: readonly ParameterRange[],
  { hasStart, hasRate }: Known,
  names: readonly string[],
): readonly Absent[] {
  const absent: Absent[] = [];
  const isAsked = (...monitors: string[]): boolean =>
    names.length === 0 || monitors.some((name) => names.includes(name));
  if (!hasStart && isAsked("signs", "distance", "linearization", "kernel")) {
    absent.push({
      rows: SINCE_START,
      missing: "rows",
      why: "they compare with the parameters at the start of the training, which a model file does not have",
    });
  }
  if (isAsked("trajectories")) {
    absent.push({ rows: ["trajectories"], missing: "rows", why: "they follow a training, and this is one moment" });
  }
  const reasons = theoryForm(graph, trained) === null ? otherThanTheory(graph, trained) : [];
  if (reasons.length > 0 && isAsked("gradient", "forward", "products", "smoothness")) {
    absent.push({
      rows: OF_THEOREMS,
      missing: "bounds",
      why: `the theorems of arXiv:1811.03962 are about relu networks of one width (fully connected, on patches, or residual) as they draw them, and this one ${reasons.join(", ")}`,
    });
  }
  if (!hasRate && isAsked("sharpness")) {
    absent.push({
      rows: ["sharpness"],
      missing: "bounds",
      why: "the edge of stability is at 2 over the step size (--rate)",
    });
  }
  if (isAsked("products") && graph.nodes.some(({ operation }) => operation.name === "add")) {
    absent.push({
      rows: ["forward-product", "backward-product"],
      missing: "rows",
      why: "something passes by the layers inside of residual blocks: those of others are there",
    });
  }
  return absent;
}

/** How a network differs from that of the convergence paper. */
function otherThanTheory(graph: NetworkGraph, trained: readonly ParameterRange[]): string[] {
  const names = new Set(graph.nodes.map(({ operation }) => operation.name));
  const affine = graph.nodes.flatMap((node) => affineOf(node) ?? []);
  const hidden = affine.slice(0, -1);
  const others = [...names].filter((name) => !["dense", "relu", "conv", "add", "pad", "scale"].includes(name));
  const trainsAll = affine.length > 0 && trained.reduce((sum, { count }) => sum + count, 0) === graph.parameters;
  return [
    ...(names.has("conv") ? ["has convolutions"] : []),
    ...(names.has("add") ? ["adds values (residual blocks)"] : []),
    ...(others.length > 0 ? [`has ${others.join(", ")}`] : []),
    ...(affine.some(({ hasBias }) => hasBias) ? ["has biases"] : []),
    ...(new Set(hidden.map(({ width }) => width)).size > 1 ? ["has layers of several widths"] : []),
    ...(affine.length < 3 ? [`has ${affine.length} weighted layers, not at least 3`] : []),
    ...(trainsAll ? ["trains all layers (--train hidden)"] : []),
    "has weights of other variances than 2/m and 1/c",
  ];
}
