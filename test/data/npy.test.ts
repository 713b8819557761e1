import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/data/npy.ts";
import { userError } from "./helpers.ts";

/** An npy file put together by hand. */
function npy(header: string, body: Uint8Array, version = 1): Uint8Array {
  const length =
    version === 1 ? [header.length & 255, header.length >> 8] : [header.length & 255, header.length >> 8, 0, 0];
  return new Uint8Array([
    0x93,
    ...Buffer.from("NUMPY"),
    version,
    0,
    ...length,
    ...Buffer.from(header, "latin1"),
    ...body,
  ]);
}

function dict(descr: string, shape: string, fortran = "False"): string {
  return `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
}

test("readNpy reads back what writeNpy wrote, bit by bit", () => {
  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
  const array = shape.chain((lengths) => {
    const count = lengths.reduce((product, length) => product * length, 1);
    return fc.tuple(fc.constant(lengths), fc.float64Array({ minLength: count, maxLength: count }));
  });
  fc.assert(
    fc.property(array, ([lengths, data]) => {
      const bytes = writeNpy({ shape: lengths, data });
      expect((bytes.length - 8 * data.length) % 64).toBe(0);
      const back = readNpy(bytes, "a.npy");
      expect(back.shape).toEqual(lengths);
      expect(back.data).toEqual(data);
    }),
  );
  expect(() => writeNpy({ shape: [2], data: new Float64Array(3) })).toThrow(RangeError);
});

describe("readNpy, types", () => {
  const values = [0, 1, 2, 100];
  const types: [string, (view: DataView, at: number, value: number, little: boolean) => void][] = [
    ["f4", (view, at, value, little) => view.setFloat32(at, value, little)],
    ["f8", (view, at, value, little) => view.setFloat64(at, value, little)],
    ["i1", (view, at, value) => view.setInt8(at, value)],
    ["i2", (view, at, value, little) => view.setInt16(at, value, little)],
    ["i4", (view, at, value, little) => view.setInt32(at, value, little)],
    ["i8", (view, at, value, little) => view.setBigInt64(at, BigInt(value), little)],
    ["u1", (view, at, value) => view.setUint8(at, value)],
    ["u2", (view, at, value, little) => view.setUint16(at, value, little)],
    ["u4", (view, at, value, little) => view.setUint32(at, value, little)],
    ["u8", (view, at, value, little) => view.setBigUint64(at, BigInt(value), little)],
  ];
  test.each(types)("readNpy reads %s in both byte orders and all three format versions", (type, set) => {
    for (const order of ["<", ">", "|", "="]) {
      for (const version of [1, 2, 3]) {
        const size = Number(type[1]);
        const view = new DataView(new ArrayBuffer(4 * size));
        values.forEach((value, i) => {
          set(view, i * size, value, order !== ">");
        });
        const bytes = npy(dict(order + type, "(4,)"), new Uint8Array(view.buffer), version);
        expect([...readNpy(bytes, "a.npy").data]).toEqual(values);
      }
    }
  });

  test("readNpy reads negative integers and booleans", () => {
    expect([...readNpy(npy(dict("|i1", "(2,)"), new Uint8Array([255, 128])), "a").data]).toEqual([-1, -128]);
    expect([...readNpy(npy(dict("|b1", "(3,)"), new Uint8Array([0, 1, 2])), "a").data]).toEqual([0, 1, 1]);
  });

  test("readNpy puts Fortran order in C order", () => {
    const body = Uint8Array.from({ length: 24 }, (_, i) => i);
    const { data } = readNpy(npy(dict("|u1", "(2, 3, 4)", "True"), body), "a.npy");
    for (let i = 0; i < 2; i++) {
      for (let j = 0; j < 3; j++) {
        for (let k = 0; k < 4; k++) expect(data[(i * 3 + j) * 4 + k]).toBe(i + 2 * j + 6 * k);
      }
    }
  });

  test("readNpy refuses a 64-bit integer that f64 cannot hold", () => {
    const body = new Uint8Array(new BigInt64Array([2n ** 53n, 2n ** 53n + 1n]).buffer);
    expect(userError(() => readNpy(npy(dict("<i8", "(2,)"), body), "a.npy")).code).toBe("inexact-integer");
  });
});

describe("readNpy, hostile files", () => {
  const eight = new Uint8Array(8);
  test.each([
    ["damaged-npy", npy(dict("<f8", "(2,)"), eight)],
    ["damaged-npy", npy(dict("<f8", "(0,)"), eight)],
    ["damaged-npy", npy(dict("<f8", "(999999999999999999999,)"), eight)],
    ["damaged-npy", npy(dict("<f8", "(4294967296, 4294967296, 4294967296)"), eight)],
    ["damaged-npy", npy(dict("<f8", "(-1,)"), eight)],
    ["damaged-npy", npy(dict("<f8", "(1 1,)"), eight)],
    ["damaged-npy", npy("{'descr': '<f8'}", eight)],
    ["damaged-npy", npy("garbage", eight)],
    ["damaged-npy", npy(dict("<f8", "(1,)"), eight).subarray(0, 40)],
    ["damaged-npy", npy(dict("<f8", "(1,)"), eight).subarray(0, 9)],
    ["damaged-npy", npy(dict("<f8", "(1,)"), eight).subarray(0, 11)],
    ["damaged-npy", new Uint8Array(0)],
    ["npy-version", npy(dict("<f8", "(1,)"), eight, 9)],
    ["npy-type", npy(dict("|O", "(1,)"), eight)],
    ["npy-type", npy(dict("<c8", "(1,)"), eight)],
    ["npy-type", npy(dict("<U2", "(1,)"), eight)],
    ["npy-type", npy(dict("constructor", "(1,)"), eight)],
    ["npy-type", npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", eight)],
  ])("readNpy: %s (%#)", (code, bytes) => {
    const error = userError(() => readNpy(bytes, "a.npy"));
    expect([error.name, error.code, error.place]).toEqual(["DataError", code, { file: "a.npy" }]);
  });

  test("readNpy never fails but with a DataError", () => {
    const good = npy(dict("<f8", "(1, 1)"), eight);
    fc.assert(
      fc.property(
        fc.nat({ max: good.length - 1 }),
        fc.nat({ max: 255 }),
        fc.nat({ max: good.length }),
        (at, byte, length) => {
          const bytes = good.slice(0, length);
          if (at < length) bytes[at] = byte;
          try {
            readNpy(bytes, "a.npy");
          } catch (error) {
            expect((error as Error).name).toBe("DataError");
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
