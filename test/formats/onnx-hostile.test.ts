import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { readOnnx, writeOnnx } from "../../src/formats/index.ts";
import { type Graph, type Initializer, type Model, ModelSchema } from "../../src/formats/onnx-schema.ts";
import { sample } from "./models.ts";
import { refusal } from "./refusal.ts";

const written = writeOnnx(sample);

/** What is said of the sample after a change of its message. */
function refusalOf(change: (model: Model, graph: Graph) => void): string {
  const model = fromBinary(ModelSchema, written.slice());
  change(model, model.graph as Graph);
  return refusal(() => readOnnx(toBinary(ModelSchema, model), "file"));
}

describe("readOnnx of a changed graph", () => {
  test("readOnnx reads the file when nothing is changed", () => {
    expect(readOnnx(toBinary(ModelSchema, fromBinary(ModelSchema, written)), "file")).toEqual(sample);
  });

  const graph = "its graph is not that of a two-layer network";
  const version = "it is not of ONNX IR version 8 and operator set 17";
  const input = '"features" is not declared as N x 5';
  const size = (model: Model, k: number) => model.graph?.input[0]?.type?.tensorType?.shape?.dim[k];

  test.each<[string, string, (model: Model, graph: Graph) => void]>([
    ["no graph", "it has no graph", (model) => Reflect.deleteProperty(model, "graph")],
    ["another operator set", version, (model) => Object.assign(model.opsetImport[0]!, { version: 7n })],
    ["operators of another domain", version, (model) => Object.assign(model.opsetImport[0]!, { domain: "ai.onnx.ml" })],
    ["two operator sets", version, (model) => model.opsetImport.push(model.opsetImport[0]!)],
    ["another IR version", version, (model) => Object.assign(model, { irVersion: 3n })],
    ["an unknown operator", graph, (_, { node }) => Object.assign(node[3]!, { opType: "Conv" })],
    ["an operator of another domain", graph, (_, { node }) => Object.assign(node[3]!, { domain: "com.example" })],
    ["one node less", graph, (_, { node }) => node.pop()],
    ["one node more", graph, (_, { node }) => node.push(node[0]!)],
    ["nodes in another order", graph, (_, { node }) => node.reverse()],
    ["nodes wired differently", graph, (_, { node }) => node[3]!.input.splice(0, 1, "shifted")],
    ["another attribute", graph, (_, { node }) => Object.assign(node[3]!.attribute[0]!, { i: 0n })],
    ["no inputs", input, (_, { input }) => input.pop()],
    ["two inputs", input, (_, { input }) => input.push(input[0]!)],
    ["another input", input, (_, { input }) => Object.assign(input[0]!, { name: "x" })],
    ["an input of another width", input, (model) => Object.assign(size(model, 1)!, { dimValue: 4n })],
    ["an input of one row", input, (model) => Object.assign(size(model, 0)!, { dimValue: 1n })],
    [
      "an output of another type",
      '"output" is not declared as N x 1',
      (_, { output }) => Object.assign(output[0]!.type!.tensorType!, { elemType: 11 }),
    ],
    [
      "the graph of the other activation",
      "its graph is not that of a two-layer network",
      (_, { node }) => node.splice(4, 2),
    ],
  ])("readOnnx refuses %s", (_, message, change) => {
    expect(refusalOf(change)).toContain(message);
  });
});

describe("readOnnx of changed tensors", () => {
  const tensor = (name: string, change: (tensor: Initializer) => unknown) => (graph: Graph) =>
    change(graph.initializer.find((initializer) => initializer.name === name)!);
  const shapeOfU = (dims: bigint[]) => tensor("U", (t) => Object.assign(t, { dims }));

  test.each<[string, string, (graph: Graph) => unknown]>([
    [
      "weights in another file",
      '"U" is kept in another file',
      tensor("U", (t) => Object.assign(t, { dataLocation: 1 })),
    ],
    ["a negative dimension", '"U" has shape [-2,-5] and 40 bytes', shapeOfU([-2n, -5n])],
    ["huge dimensions", '"U" has shape [4611686018427387904,4', shapeOfU([1n << 62n, 1n << 62n])],
    ["dimensions whose product wraps", '"U" has shape [4294967296,4294967296]', shapeOfU([1n << 32n, 1n << 32n])],
    ["a huge empty dimension", '"U" has shape [0,1152921504606846976]', shapeOfU([0n, 1n << 60n])],
    ["many dimensions", '"U" has shape [4611686018427387904,4', shapeOfU(Array(1000).fill(1n << 62n))],
    ["a vector for a matrix", '"U" has 1 dimensions', shapeOfU([10n])],
    ["transposed weights", "b must be 5 x 1 beside U, which is 5 x 2", shapeOfU([5n, 2n])],
    [
      "too few bytes",
      '"W" has shape [2,1] and 4 bytes',
      tensor("W", (t) => Object.assign(t, { rawData: new Uint8Array(4) })),
    ],
    ["another data type", '"b" has data type 11', tensor("b", (t) => Object.assign(t, { dataType: 11 }))],
    [
      "integer weights",
      '"mean" has data type 6',
      (graph) => graph.initializer.map((initializer) => Object.assign(initializer, { dataType: 6 })),
    ],
    ["a tensor twice", '"mean" appears twice', (graph) => graph.initializer.push(graph.initializer[0]!)],
    ["an unknown tensor", 'no tensor "h"', tensor("h", (t) => Object.assign(t, { name: "H" }))],
    ["a tensor more", 'unknown tensor "V"', (graph) => graph.initializer.push({ ...graph.initializer[0]!, name: "V" })],
    ["no tensors", 'no tensor "mean"', (graph) => graph.initializer.splice(0)],
    [
      "no gates",
      "its weights are not those of a gated network",
      (graph) => Object.assign(graph, { initializer: graph.initializer.filter(({ name }) => !/[Gh]/.test(name)) }),
    ],
    ["a weight that is not a number", "weights that are not finite", tensor("U", (t) => t.rawData.fill(255, 0, 4))],
    ["another mean", '"mean" is not what its metadata say', tensor("mean", (t) => t.rawData.fill(1, 0, 1))],
    ["another remainder of the mean", '"mean_low" is not', tensor("mean_low", (t) => t.rawData.fill(1, 0, 1))],
    ["a threshold that is not zero", '"zero" is not', tensor("zero", (t) => t.rawData.fill(63, 3))],
    [
      "a huge name that commands the terminal",
      'unknown tensor "??[31m',
      (graph) => graph.initializer.push({ ...graph.initializer[0]!, name: `\u001b\u202e[31m${"x".repeat(1e6)}` }),
    ],
  ])("readOnnx refuses %s", (_, message, change) => {
    const said = refusalOf((_, graph) => change(graph));
    expect(said).toContain(message);
    expect(said.length).toBeLessThan(400);
  });
});

describe("readOnnx of changed metadata", () => {
  test("readOnnx refuses a file without metadata or with two", () => {
    expect(refusalOf((model) => model.metadataProps.pop())).toContain("it does not say how its inputs are made");
    expect(refusalOf((model) => model.metadataProps.push(model.metadataProps[0]!))).toContain(
      "its metadata appear twice",
    );
  });

  const replace = (from: string, to: string) => (text: string) => {
    expect(text).toContain(from);
    return text.replace(from, to);
  };

  test.each<[string, string, (text: string) => string]>([
    ["text that is not JSON", "not JSON", (text) => `${text}}`],
    ["text nested deeply", "not JSON", () => "[".repeat(1e6)],
    ["very long text", "not JSON (it has", (text) => text + " ".repeat(1 << 23)],
    ["a later version", "format version 2; this program reads 1", replace('"format":1', '"format":2')],
    ["no version", "malformed (format", () => "{}"],
    ["another kind of value", "malformed", () => "[1]"],
    ["a key twice", 'the key "format" appears twice', replace("{", '{"f\\u006frmat":1,')],
    ["another scale", '"scale" is not what its metadata say', replace("6.1", "6.2")],
    ["a scale of zero", "preprocessing.encodings.0: scale", replace("6.1", "0")],
    ["an infinite mean", "preprocessing.encodings.0: mean", replace("2009.3", "1e999")],
    ["a category twice", "two or more different categories", replace('"rouge"', '"bleu très foncé"')],
    ["a category less", "its columns make 3 features, it names 5", replace('"rouge",', "")],
    ["a single category", "two or more different categories", replace('"f",', "")],
    ["a category that is a number", "preprocessing.encodings.2: categories.0", replace('"f"', "0")],
    ["a feature that is a number", "preprocessing.features.0", replace('"features":["year"', '"features":[1')],
    ["a class more", "1 outputs for 3 classes", replace('"yes"', '"yes","maybe"')],
    ["a single class", "at least two classes", replace('"no",', "")],
    ["a field that nobody knows", 'Unrecognized key: "extra"', replace("{", '{"extra":1,')],
  ])("readOnnx refuses %s", (_, message, change) => {
    const said = refusalOf((model) => {
      model.metadataProps[0]!.value = change(model.metadataProps[0]!.value);
    });
    expect(said).toContain(message);
  });
});

describe("readOnnx of wire bytes that no writer makes", () => {
  /** One length-delimited record. */
  const record = (field: number, body: readonly number[]): number[] => {
    const length: number[] = [];
    let rest = body.length;
    for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    return [field * 8 + 2, ...length, rest, ...body];
  };
  const repeat = (bytes: readonly number[], times: number): number[] =>
    Array.from({ length: times }, () => bytes).flat();

  test.each<[string, string, number[]]>([
    ["too many nodes", "more than 100000 records", record(7, repeat(record(1, []), 100_001))],
    ["too many packed dimensions", "more than 100000 records", record(7, record(5, record(1, repeat([1], 100_001))))],
    ["a packed dimension that overruns", "dims is cut short", record(7, record(5, [...record(1, [0x81]), 1]))],
    ["a name that overruns its message", "GraphProto is cut short", [...record(7, [0x12, 2, 0x61]), 0x1a, 1, 0x61]],
    ["a message of the wrong wire type", "graph has wire type 0", [7 * 8, 2, 0, 0]],
    ["a name that is not UTF-8", "it is not an ONNX file", record(7, record(2, [0xff]))],
    ["groups nested deeply", "recursion depth", repeat([0x9b, 1], 1000)],
    ["a length beyond the file", "it is not an ONNX file", [0x12, 255, 255, 255, 255, 7]],
  ])("readOnnx refuses %s", (_, message, bytes) => {
    expect(refusal(() => readOnnx(Uint8Array.from(bytes), "file"))).toContain(message);
  });
});
