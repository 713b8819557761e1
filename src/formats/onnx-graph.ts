import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import type { Preprocessing } from "../data/index.ts";
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
 * The mean is subtracted in two parts, its nearest float32 and the rest. One float32 would be wrong by up to
 * 6e-8 |mean|, which division by a small scale magnifies (a column of years: 1e-5 of its standard deviation); with two
 * parts a standardized value is right to float32 rounding whenever the feature itself is a float32. Folding the
 * standardization into U and b instead would cancel digits: b - U mean / scale is much larger than the result.
 */
export function graphNodes(activation: Activation): Node[] {
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
    gemm("hidden", "W", "c0", OUTPUT, false),
  ].map((node) => create(NodeSchema, node));
}

/** The activation whose graph these nodes are; null when they are no graph of ours. */
export function activationOf(nodes: readonly Node[]): Activation | null {
  const matches = (activation: Activation): boolean => {
    const ours = graphNodes(activation);
    return ours.length === nodes.length && ours.every((node, k) => equals(NodeSchema, node, nodes[k] as Node));
  };
  return (["relu", "gated"] as const).find(matches) ?? null;
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
