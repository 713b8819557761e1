import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import type { Preprocessing, Target } from "../data/index.ts";
import { featureWidth } from "../data/index.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import type { FloatSize } from "./floats.ts";
import { INT_ATTRIBUTE, type Node, NodeSchema } from "./onnx-schema.ts";
import type { Tensor } from "./saved-model.ts";

type Activation = TwoLayerNetwork["activation"];

export const INPUT = "features";
export const OUTPUT = "output";

/**
 * The nodes of a network's graph, from `features` (N x d: encoded, missing values filled, not yet standardized) to
 * `output` (N x c).
 *
 * ```
 * features - mean - mean_low -> / scale -> Gemm U, b -> Relu             -> Gemm W, c0 -> output
 *                                    \---> Gemm G, h -> > 0 -> Where ---/        (gated)
 * ```
 * With several target columns (`inUnits`) the outputs of the last Gemm are standardized, and are multiplied by output_scale and
 * moved by output_mean in the end.
 *
 * The mean is subtracted in two parts, its nearest float32 and the rest. One float32 would be wrong by up to
 * 6e-8 |mean|, which division by a small scale magnifies (a column of years: 1e-5 of its standard deviation); with two
 * parts a standardized value is right to float32 rounding whenever the feature itself is a float32. Folding the
 * standardization into U and b instead would cancel digits: b - U mean / scale is much larger than the result.
 */
export function graphNodes(activation: Activation, inUnits: boolean): Node[] {
  const gemm = (input: string, weights: string, bias: string, output: string, transpose: boolean) => ({
    opType: "Gemm",
    input: [input, weights, bias],
    output: [output],
    attribute: transpose ? [{ name: "transB", type: INT_ATTRIBUTE, i: 1n }] : [],
  });
  const hidden: MessageInitShape<typeof NodeSchema>[] =
    activation === "relu"
      ? [{ opType: "Relu", input: ["preactivation"], output: ["hidden"] }]
      : [
          gemm("standardized", "G", "h", "gate", true),
          { opType: "Greater", input: ["gate", "zero"], output: ["open"] },
          { opType: "Where", input: ["open", "preactivation", "zero"], output: ["hidden"] },
        ];
  return [
    { opType: "Sub", input: [INPUT, "mean"], output: ["shifted"] },
    { opType: "Sub", input: ["shifted", "mean_low"], output: ["centred"] },
    { opType: "Div", input: ["centred", "scale"], output: ["standardized"] },
    gemm("standardized", "U", "b", "preactivation", true),
    ...hidden,
    gemm("hidden", "W", "c0", inUnits ? "prediction" : OUTPUT, false),
    ...(inUnits
      ? [
          { opType: "Mul", input: ["prediction", "output_scale"], output: ["scaled"] },
          { opType: "Add", input: ["scaled", "output_mean"], output: [OUTPUT] },
        ]
      : []),
  ].map((node) => create(NodeSchema, node));
}

/** What graph of ours these nodes are; null when they are none. */
export function graphKind(
  nodes: readonly Node[],
): { readonly activation: Activation; readonly inUnits: boolean } | null {
  for (const activation of ["relu", "gated"] as const) {
    for (const inUnits of [false, true]) {
      const ours = graphNodes(activation, inUnits);
      if (ours.length === nodes.length && ours.every((node, k) => equals(NodeSchema, node, nodes[k] as Node))) {
        return { activation, inUnits };
      }
    }
  }
  return null;
}

/** What several target columns are standardized by, as constants of the graph; none for one target. */
export function targetTensors({ columns }: Target): Map<string, Tensor> {
  if (columns === undefined) return new Map();
  const vector = (values: readonly number[]): Tensor => ({ shape: [values.length], data: Float64Array.from(values) });
  return new Map([
    ["output_scale", vector(columns.map(({ scale }) => scale))],
    ["output_mean", vector(columns.map(({ mean }) => mean))],
  ]);
}

/** The standardization of the encoded features as constants of the graph, each with one entry a feature. */
export function standardizationTensors({ encodings, features }: Preprocessing, size: FloatSize): Map<string, Tensor> {
  const mean: number[] = [];
  const scale: number[] = [];
  for (const encoding of encodings) {
    const parameters = encoding.kind === "number" ? encoding : { mean: 0, scale: 1 };
    for (let k = 0; k < featureWidth(encoding); k++) {
      mean.push(parameters.mean);
      scale.push(parameters.scale);
    }
  }
  const high = size === 4 ? mean.map(Math.fround) : mean;
  const low = mean.map((value, k) => value - (high[k] as number));
  const vector = (values: number[]): Tensor => ({ shape: [features.length], data: Float64Array.from(values) });
  return new Map([
    ["mean", vector(high)],
    ["mean_low", vector(low)],
    ["scale", vector(scale)],
  ]);
}
