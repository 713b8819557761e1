import { describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/formats/index.ts";
import { sample } from "./models.ts";
import { refusal } from "./refusal.ts";

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: number[];
}
type Header = Record<string, Entry>;

const written = writeSafetensors(sample);
const start = 8 + Number(new DataView(written.buffer).getBigUint64(0, true));
const text = new TextDecoder().decode(written.subarray(8, start));
const data = written.subarray(start);

function build(header: string | Uint8Array, tensors = data): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + tensors.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(tensors, 8 + json.length);
  return bytes;
}

/** The sample with another entry for one tensor (undefined: without it). */
function withEntry(name: string, change: Partial<Entry> | undefined): Uint8Array {
  const header = JSON.parse(text) as Header;
  if (change === undefined) delete header[name];
  else header[name] = { ...(header[name] as Entry), ...change };
  return build(JSON.stringify(header));
}

function replaced(from: string, to: string): Uint8Array {
  expect(text).toContain(from);
  return build(text.replace(from, to));
}

describe("readSafetensors of a file that lies", () => {
  test("readSafetensors reads tensors and header keys in any order", () => {
    const header = Object.fromEntries(Object.entries(JSON.parse(text) as Header).reverse());
    expect(readSafetensors(build(JSON.stringify(header, null, 2)), "file")).toEqual(sample);
  });

  test.each<[string, string, () => Uint8Array]>([
    ["an empty file", "it has 0 bytes", () => new Uint8Array(0)],
    ["a header longer than the file", "should have 18446744073709551615 bytes", () => new Uint8Array(9).fill(255)],
    ["an empty header", "not JSON", () => build("")],
    ["a header that is no object", "its header is malformed", () => build("[]")],
    ["a header that is not UTF-8", "its header is not JSON", () => build(Uint8Array.of(0x7b, 0xff, 0x7d))],
    ["a byte order mark", "its header is not JSON", () => build(`\ufeff${text}`)],
    ["a header nested deeply", "its header is not JSON", () => build(`{"a":${"[".repeat(1e6)}`)],
    ["a header of many megabytes", "not JSON (it has", () => build(text + " ".repeat(1 << 23))],
    ["a tensor twice", 'the key "U" appears twice', () => replaced('"b":', '"U":')],
    ["a tensor twice in disguise", 'the key "U" appears twice', () => replaced('"b":', '"\\u0055" :')],
    ["no metadata", "it does not say how its inputs are made", () => withEntry("__metadata__", undefined)],
    ["metadata of another program", "it does not say", () => replaced('"overparam":', '"format":')],
    ["metadata that are not text", "not all text", () => replaced('"__metadata__":{', '"__metadata__":{"x":1,')],
    ["float32 weights", 'tensor "U" has type F32, not F64', () => withEntry("U", { dtype: "F32" })],
    ["a negative dimension", '"U" is malformed (shape.0', () => withEntry("U", { shape: [-2, -5] })],
    ["a fractional dimension", '"U" is malformed (shape.0', () => withEntry("U", { shape: [1.5, 4] })],
    ["a dimension beyond 2^53", '"U" is malformed (shape.0', () => withEntry("U", { shape: [1e300, 0] })],
    ["many dimensions", '"U" is malformed (shape', () => withEntry("U", { shape: Array(1e5).fill(2 ** 52) })],
    ["dimensions whose product wraps", "[4294967296,4294967296]", () => withEntry("U", { shape: [2 ** 32, 2 ** 32] })],
    ["a huge empty dimension", "[0,9007199254740991]", () => withEntry("U", { shape: [0, 2 ** 53 - 1] })],
    ["a shape of another size", "[2,4] and 80 bytes", () => withEntry("U", { shape: [2, 4] })],
    ["transposed weights", "b must be 5 x 1 beside U", () => withEntry("U", { shape: [5, 2] })],
    ["a vector for a matrix", '"U" has 1 dimensions', () => withEntry("U", { shape: [10] })],
    ["overlapping tensors", '"b" is at bytes 72 to 88', () => withEntry("b", { data_offsets: [72, 88] })],
    ["tensors that share bytes", '"h" is at bytes 80 to 96', () => withEntry("h", { data_offsets: [80, 96] })],
    ["offsets in the wrong order", '"U" is at bytes 80 to 0', () => withEntry("U", { data_offsets: [80, 0] })],
    ["offsets beyond the file", "ends at byte 1000000000000", () => withEntry("c0", { data_offsets: [208, 1e12] })],
    ["negative offsets", '"U" is malformed (data_offsets.0', () => withEntry("U", { data_offsets: [-80, 0] })],
    ["one offset", '"U" is malformed (data_offsets', () => withEntry("U", { data_offsets: [0] })],
    ["a hole before the data", '"b" is at bytes 80 to 96', () => withEntry("U", undefined)],
    ["a hole after the data", "tensors end at byte 208 of 216", () => withEntry("c0", undefined)],
    ["bytes after the last tensor", "byte 216 of 224", () => build(text, Uint8Array.of(...data, ...Array(8).fill(0)))],
    ["an unknown field", 'Unrecognized key: "note"', () => replaced('"dtype"', '"note":1,"dtype"')],
    [
      "an unknown tensor",
      'unknown tensor "V"',
      () => withEntry("V", { dtype: "F64", shape: [0], data_offsets: [0, 0] }),
    ],
    [
      "no tensors at all",
      'it has no tensor "U"',
      () => build(JSON.stringify({ __metadata__: JSON.parse(text).__metadata__ }), new Uint8Array(0)),
    ],
  ])("readSafetensors refuses %s", (_, message, bytes) => {
    expect(refusal(() => readSafetensors(bytes(), "file"))).toContain(message);
  });
});
