import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isIdx, readIdx } from "../../src/data/idx.ts";
import { loadDataset, readTable } from "../../src/data/index.ts";
import { temporaryFiles, userError, utf8 } from "./helpers.ts";

const save = temporaryFiles();

/** An idx file: two zeros, type, dimensions, their lengths, the entries. */
function idx(type: number, shape: readonly number[], entries: Uint8Array): Uint8Array {
  const lengths = new DataView(new ArrayBuffer(4 * shape.length));
  shape.forEach((length, axis) => {
    lengths.setUint32(4 * axis, length);
  });
  return new Uint8Array([0, 0, type, shape.length, ...new Uint8Array(lengths.buffer), ...entries]);
}

describe("readIdx", () => {
  const types: [string, number, number, number[], (view: DataView, at: number, value: number) => void][] = [
    ["bytes", 8, 1, [0, 7, 255], (view, at, value) => view.setUint8(at, value)],
    ["signed bytes", 9, 1, [0, -128, 127], (view, at, value) => view.setInt8(at, value)],
    ["short integers", 11, 2, [0, -32768, 300], (view, at, value) => view.setInt16(at, value)],
    ["integers", 12, 4, [0, -(2 ** 31), 70000], (view, at, value) => view.setInt32(at, value)],
    ["f4", 13, 4, [0, -0.5, 2 ** 100], (view, at, value) => view.setFloat32(at, value)],
    ["f8", 14, 8, [0.1, -1e300, 5e-324], (view, at, value) => view.setFloat64(at, value)],
  ];
  test.each(types)("readIdx reads %s, the largest byte first", (_, type, size, values, set) => {
    const view = new DataView(new ArrayBuffer(3 * size));
    values.forEach((value, i) => {
      set(view, i * size, value);
    });
    const bytes = idx(type, [3], new Uint8Array(view.buffer));
    expect(readIdx(bytes, "a")).toEqual([Float64Array.from(values)]);
  });

  test("readIdx flattens images row after row: entry (i, r, c) is in column r * width + c", () => {
    const columns = readIdx(
      idx(
        8,
        [2, 3, 4],
        Uint8Array.from({ length: 24 }, (_, k) => k),
      ),
      "a",
    );
    expect(columns).toHaveLength(12);
    for (let i = 0; i < 2; i++) {
      for (let r = 0; r < 3; r++) {
        for (let c = 0; c < 4; c++) expect(columns[r * 4 + c]![i]).toBe(12 * i + 4 * r + c);
      }
    }
  });

  test.each([
    ["damaged-idx", idx(8, [3], new Uint8Array(2))],
    ["damaged-idx", idx(8, [3], new Uint8Array(4))],
    ["damaged-idx", idx(14, [3], new Uint8Array(3))],
    ["damaged-idx", idx(8, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], new Uint8Array(8))],
    ["damaged-idx", idx(8, [1, 1], new Uint8Array(1)).subarray(0, 11)],
    ["damaged-idx", new Uint8Array([0, 0, 8, 255, 0, 0])],
    ["damaged-idx", new Uint8Array([0, 0, 7, 1])],
    ["damaged-idx", new Uint8Array(0)],
    ["empty-file", idx(8, [0], new Uint8Array(0))],
    ["empty-file", idx(8, [4, 0], new Uint8Array(0))],
  ])("readIdx: %s (%#)", (code, bytes) => {
    const error = userError(() => readIdx(bytes, "a"));
    expect([error.name, error.code, error.place]).toEqual(["DataError", code, { file: "a" }]);
    expect(error.hint).toBeTruthy();
  });

  test("readIdx never fails but with a DataError", () => {
    const good = idx(11, [2, 2], new Uint8Array(8));
    fc.assert(
      fc.property(fc.nat({ max: 11 }), fc.nat({ max: 255 }), fc.nat({ max: good.length }), (at, byte, length) => {
        const bytes = good.slice(0, length);
        if (at < length) bytes[at] = byte;
        try {
          readIdx(bytes, "a");
        } catch (error) {
          expect((error as Error).name).toBe("DataError");
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("isIdx knows idx files from text, also text in UTF-16, and from npy", () => {
    expect(isIdx(idx(8, [1], new Uint8Array(1)))).toBe(true);
    expect(isIdx(utf8("a,b\n1,2\n"))).toBe(false);
    expect(isIdx(new Uint8Array([0, 97, 0, 44, 0, 98]))).toBe(false);
    expect(isIdx(new Uint8Array([0, 0]))).toBe(false);
  });
});

describe("loadDataset of idx files", () => {
  const n = 20;
  const pixels = Uint8Array.from({ length: 4 * n }, (_, k) => (k * 7) % 256);
  const images = idx(8, [n, 2, 2], pixels);
  const labels = idx(
    8,
    [n],
    Uint8Array.from({ length: n }, (_, i) => i % 3),
  );

  test.each(["train-labels-idx1-ubyte", "train-labels.idx1-ubyte", "labels.idx"])(
    "loadDataset takes images and the labels in %s, plain and gzipped",
    (name) => {
      const file = save("train-images-idx3-ubyte", images);
      const plain = loadDataset({ file, target: save(name, labels), split: "none", standardize: "none" });
      expect(plain.target).toMatchObject({ task: "classification", classes: ["0", "1", "2"] });
      expect(plain.preprocessing.features).toEqual(["x1", "x2", "x3", "x4"]);
      expect([...plain.train.X.data]).toEqual([...pixels]);
      expect([...plain.train.y.slice(0, 4)]).toEqual([0, 1, 2, 0]);
      const packed = loadDataset({
        file: save("train-images-idx3-ubyte.gz", gzipSync(images)),
        target: save(`${name}.gz`, gzipSync(labels)),
        split: "none",
        standardize: "none",
      });
      expect(packed.train).toEqual(plain.train);
      expect(packed.target.name).toBe(plain.target.name);
    },
  );

  test("loadDataset names a column of images by x1 ..., as readTable does", () => {
    const file = save("images-idx3-ubyte", images);
    expect(readTable(file).columns.map(({ name }) => name)).toEqual(["x1", "x2", "x3", "x4"]);
    expect(loadDataset({ file, target: "x2", split: "none" }).target.name).toBe("x2");
  });

  test("loadDataset refuses labels of another number, images as a target, and a text file called idx", () => {
    const file = save("images-idx3-ubyte", images);
    const code = (target: string): string => userError(() => loadDataset({ file, target })).code;
    expect(code(save("few-idx1-ubyte", idx(8, [3], new Uint8Array(3))))).toBe("target-length");
    expect(code(save("more-idx3-ubyte", images))).toBe("npy-shape");
    expect(code(save("words-idx1-ubyte", "a\n1\n"))).toBe("not-an-array");
    expect(code("missing-idx1-ubyte")).toBe("file-not-found");
  });

  test("loadDataset prefers a column to a file of the same name", () => {
    const file = save("table.csv", "x,y.npy\n1,2.5\n2,3.5\n3,1\n");
    expect(loadDataset({ file, target: "y.npy", split: "none" }).target.name).toBe("y.npy");
  });
});
