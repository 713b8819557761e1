import { create, toBinary } from "@bufbuild/protobuf";
import { FLOAT, INT_ATTRIBUTE, ModelSchema } from "../../src/formats/onnx-schema.ts";

/** A network as PyTorch keeps it: hidden weights m x d, output weights c x m, all as nested lists. */
export interface Mlp {
  readonly U: readonly (readonly number[])[];
  readonly b: readonly number[];
  readonly W: readonly (readonly number[])[];
  readonly c0: readonly number[];
}

/** Gemm, Relu, Gemm on raw features, as PyTorch exports a two-layer network. */
export function mlpOnnx({ U, b, W, c0 }: Mlp): Uint8Array {
  const constants = { U, b: [b], W, c0: [c0] };
  const value = (name: string, columns: number) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: [{ dimParam: "N" }, { dimValue: BigInt(columns) }] } } },
  });
  const gemm = (input: readonly string[], output: string) => ({
    opType: "Gemm",
    input: [...input],
    output: [output],
    attribute: [{ name: "transB", type: INT_ATTRIBUTE, i: 1n }],
  });
  return toBinary(
    ModelSchema,
    create(ModelSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }],
      graph: {
        name: "main_graph",
        node: [
          gemm(["x", "U", "b"], "h"),
          { opType: "Relu", input: ["h"], output: ["a"] },
          gemm(["a", "W", "c0"], "y"),
        ],
        initializer: Object.entries(constants).map(([name, rows]) => ({
          name,
          dataType: FLOAT,
          dims: (name === "U" || name === "W" ? [rows.length, rows[0]!.length] : [rows[0]!.length]).map(BigInt),
          floatData: rows.flat(),
        })),
        input: [value("x", U[0]!.length)],
        output: [value("y", W.length)],
      },
    }),
  );
}
