import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FLOAT, INT64, ModelSchema, type NodeSchema } from "../../src/formats/onnx-schema.ts";

/** A node of a graph that is written by hand: attributes are numbers, lists of whole numbers, or text. */
export interface Written {
  readonly op: string;
  readonly input: readonly string[];
  readonly output: string;
  readonly with?: Readonly<Record<string, number | readonly number[] | string>>;
  readonly domain?: string;
}

/** A constant: 32-bit floats, or 64-bit integers. */
export interface WrittenConstant {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly integer?: boolean;
  /** In place of the data: entries that say where they are kept. */
  readonly external?: Readonly<Record<string, string>>;
}

type AttributeInit = NonNullable<MessageInitShape<typeof NodeSchema>["attribute"]>[number];

/** The bytes of a graph from `x` (its shape behind the samples; 0: left open) to `y`. */
export function writtenOnnx(
  nodes: readonly Written[],
  constants: Readonly<Record<string, WrittenConstant>>,
  shape: readonly number[],
  outputs: readonly string[] = ["y"],
): Uint8Array {
  const value = (name: string, sizes: readonly number[]) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: { dim: [{ dimParam: "N" }, ...sizes.map((size) => ({ dimValue: BigInt(size) }))] },
      },
    },
  });
  const isWhole = (values: readonly number[]) => values.every(Number.isInteger);
  return toBinary(
    ModelSchema,
    create(ModelSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }],
      graph: {
        name: "g",
        node: nodes.map(({ op, input, output, domain = "", with: given = {} }) => ({
          opType: op,
          domain,
          input: [...input],
          output: [output],
          attribute: Object.entries(given).map(([name, one]): AttributeInit => {
            if (typeof one === "string") return { name, type: 3, s: new TextEncoder().encode(one) };
            if (typeof one === "object") return { name, type: 7, ints: one.map(BigInt) };
            return isWhole([one]) && name !== "epsilon" && name !== "alpha"
              ? { name, type: 2, i: BigInt(one), f: one }
              : { name, type: 1, f: one };
          }),
        })),
        initializer: Object.entries(constants).map(([name, { shape: dims, data, integer, external }]) => ({
          name,
          dataType: integer === true ? INT64 : FLOAT,
          dims: dims.map(BigInt),
          ...(external === undefined
            ? {
                rawData: new Uint8Array(
                  (integer === true ? BigInt64Array.from(data, BigInt) : Float32Array.from(data)).buffer,
                ),
              }
            : { dataLocation: 1, externalData: Object.entries(external).map(([key, text]) => ({ key, value: text })) }),
        })),
        input: [value("x", shape)],
        output: outputs.map((name) => value(name, [1])),
      },
    }),
  );
}
