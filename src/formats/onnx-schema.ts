/**
 * The part of the ONNX schema that our graphs use, as a protobuf descriptor. Names and field numbers are those of
 * onnx.proto3 (ONNX, https://github.com/onnx/onnx); fields left out here are skipped when a file is read.
 */
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";

/** ONNX TensorProto.DataType. */
export const FLOAT = 1;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;
export const DOUBLE = 11;
/** ONNX AttributeProto.AttributeType. */
export const FLOAT_ATTRIBUTE = 1;
export const INT_ATTRIBUTE = 2;
export const INTS_ATTRIBUTE = 7;

export interface Attribute extends Message<"onnx.AttributeProto"> {
  name: string;
  f: number;
  i: bigint;
  s: Uint8Array;
  t?: Initializer;
  floats: number[];
  ints: bigint[];
  type: number;
}

export interface Node extends Message<"onnx.NodeProto"> {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  attribute: Attribute[];
  domain: string;
}

/** A tensor of numbers, by itself or inside of an attribute. */
export interface Initializer extends Message<"onnx.TensorProto"> {
  dims: bigint[];
  dataType: number;
  name: string;
  floatData: number[];
  int32Data: number[];
  int64Data: bigint[];
  doubleData: number[];
  rawData: Uint8Array;
  externalData: StringPair[];
  dataLocation: number;
}

interface StringPair extends Message<"onnx.StringStringEntryProto"> {
  key: string;
  value: string;
}

interface Dimension extends Message<"onnx.TensorShapeProto.Dimension"> {
  dimValue: bigint;
  dimParam: string;
}

interface Shape extends Message<"onnx.TensorShapeProto"> {
  dim: Dimension[];
}

interface TensorType extends Message<"onnx.TypeProto.Tensor"> {
  elemType: number;
  shape?: Shape;
}

interface ValueType extends Message<"onnx.TypeProto"> {
  tensorType?: TensorType;
}

export interface ValueInfo extends Message<"onnx.ValueInfoProto"> {
  name: string;
  type?: ValueType;
}

export interface Graph extends Message<"onnx.GraphProto"> {
  node: Node[];
  name: string;
  initializer: Initializer[];
  input: ValueInfo[];
  output: ValueInfo[];
}

interface OperatorSet extends Message<"onnx.OperatorSetIdProto"> {
  domain: string;
  version: bigint;
}

export interface Model extends Message<"onnx.ModelProto"> {
  irVersion: bigint;
  producerName: string;
  graph?: Graph;
  opsetImport: OperatorSet[];
  metadataProps: StringPair[];
}

const scalars = new Map([
  ["string", Type.STRING],
  ["bytes", Type.BYTES],
  ["int32", Type.INT32],
  ["int64", Type.INT64],
  ["float", Type.FLOAT],
  ["double", Type.DOUBLE],
]);

/** `name: [number, type]`; a type is a scalar or the path of a message, followed by `[]` when the field is repeated. */
type Fields = Record<string, readonly [number, string]>;

interface MessageDescriptor {
  readonly name: string;
  readonly field: { name: string; number: number; label: Label; type: Type; typeName?: string }[];
  readonly nestedType: MessageDescriptor[];
}

function message(name: string, fields: Fields, nestedType: MessageDescriptor[] = []): MessageDescriptor {
  const field = Object.entries(fields).map(([fieldName, [number, type]]) => {
    const base = type.replace("[]", "");
    const label = base === type ? Label.OPTIONAL : Label.REPEATED;
    const scalar = scalars.get(base);
    if (scalar !== undefined) return { name: fieldName, number, label, type: scalar };
    return { name: fieldName, number, label, type: Type.MESSAGE, typeName: `.onnx.${base}` };
  });
  return { name, field, nestedType };
}

const file = create(FileDescriptorProtoSchema, {
  name: "onnx.proto3",
  package: "onnx",
  syntax: "proto3",
  messageType: [
    message("ModelProto", {
      ir_version: [1, "int64"],
      producer_name: [2, "string"],
      graph: [7, "GraphProto"],
      opset_import: [8, "OperatorSetIdProto[]"],
      metadata_props: [14, "StringStringEntryProto[]"],
    }),
    message("GraphProto", {
      node: [1, "NodeProto[]"],
      name: [2, "string"],
      initializer: [5, "TensorProto[]"],
      input: [11, "ValueInfoProto[]"],
      output: [12, "ValueInfoProto[]"],
    }),
    message("NodeProto", {
      input: [1, "string[]"],
      output: [2, "string[]"],
      name: [3, "string"],
      op_type: [4, "string"],
      attribute: [5, "AttributeProto[]"],
      domain: [7, "string"],
    }),
    message("AttributeProto", {
      name: [1, "string"],
      f: [2, "float"],
      i: [3, "int64"],
      s: [4, "bytes"],
      t: [5, "TensorProto"],
      floats: [7, "float[]"],
      ints: [8, "int64[]"],
      type: [20, "int32"],
    }),
    message("TensorProto", {
      dims: [1, "int64[]"],
      data_type: [2, "int32"],
      float_data: [4, "float[]"],
      int32_data: [5, "int32[]"],
      int64_data: [7, "int64[]"],
      double_data: [10, "double[]"],
      name: [8, "string"],
      raw_data: [9, "bytes"],
      external_data: [13, "StringStringEntryProto[]"],
      data_location: [14, "int32"],
    }),
    message("ValueInfoProto", { name: [1, "string"], type: [2, "TypeProto"] }),
    message("TypeProto", { tensor_type: [1, "TypeProto.Tensor"] }, [
      message("Tensor", { elem_type: [1, "int32"], shape: [2, "TensorShapeProto"] }),
    ]),
    message("TensorShapeProto", { dim: [1, "TensorShapeProto.Dimension[]"] }, [
      message("Dimension", { dim_value: [1, "int64"], dim_param: [2, "string"] }),
    ]),
    message("OperatorSetIdProto", { domain: [1, "string"], version: [2, "int64"] }),
    message("StringStringEntryProto", { key: [1, "string"], value: [2, "string"] }),
  ],
});

const registry = createFileRegistry(file, () => undefined);

export const ModelSchema = registry.getMessage("onnx.ModelProto") as GenMessage<Model>;
export const NodeSchema = registry.getMessage("onnx.NodeProto") as GenMessage<Node>;

/** Most records (fields and packed numbers) of a file that is read; ours have about a hundred. */
const MAX_RECORDS = 100_000;

/**
 * Walks the records of an encoded model without building anything, so that a hostile file of a million empty messages
 * is refused before the decoder makes an object of each.
 *
 * @throws Error when a record is cut short, overruns its message, has the wrong wire type, or there are too many.
 */
export function checkWire(bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  let records = 0;
  const walk = (desc: DescMessage, end: number): void => {
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const field = desc.fields.find((candidate) => candidate.number === number);
      const own = field === undefined ? wireType : wireTypeOf(field);
      const packed =
        own !== WireType.LengthDelimited && field?.fieldKind === "list" && wireType === WireType.LengthDelimited;
      if (field !== undefined && !packed && wireType !== own) {
        throw new Error(`${field} has wire type ${wireType}`);
      }
      records++;
      if (field?.message !== undefined) {
        const length = reader.uint32();
        walk(field.message, reader.pos + length);
      } else if (packed) {
        const length = reader.uint32();
        const packedEnd = reader.pos + length;
        // Floats are counted with the bytes, not one by one: they are as large as what they become.
        if (own !== WireType.Varint) reader.pos = packedEnd;
        for (; reader.pos < packedEnd; records++) reader.int64();
        if (reader.pos > packedEnd) throw new Error(`${field} is cut short`);
      } else {
        reader.skip(wireType, number);
      }
      if (records > MAX_RECORDS) throw new Error(`more than ${MAX_RECORDS} records`);
    }
    if (reader.pos > end) throw new Error(`${desc} is cut short`);
  };
  walk(ModelSchema as DescMessage, bytes.length);
}

function wireTypeOf({ scalar }: DescField): WireType {
  if (scalar === ScalarType.INT32 || scalar === ScalarType.INT64) return WireType.Varint;
  if (scalar === ScalarType.FLOAT) return WireType.Bit32;
  return scalar === ScalarType.DOUBLE ? WireType.Bit64 : WireType.LengthDelimited;
}
