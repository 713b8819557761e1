import { describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { randomStream } from "../../src/base/random.ts";
import { isCifar, readCifar } from "../../src/data/cifar.ts";

const PIXELS = 3072;

/** Records of random pixels with these labels. */
function records(labels: readonly (readonly number[])[]): Uint8Array {
  const { integer } = randomStream(1, "cifar");
  return Uint8Array.from(labels.flatMap((own) => [...own, ...Array.from({ length: PIXELS }, () => integer(256))]));
}

describe("readCifar", () => {
  test("readCifar puts the channels of a pixel beside each other", () => {
    const bytes = records([[3], [9]]);
    const { n, images, labels, classes } = readCifar(bytes, "a.bin");
    expect([n, ...labels]).toEqual([2, 3, 9]);
    expect(classes[3]).toBe("cat");
    for (const [i, pixel, c] of [
      [0, 0, 0],
      [0, 17, 2],
      [1, 1023, 1],
    ] as const) {
      expect(images[i * PIXELS + 3 * pixel + c]).toBe(bytes[i * (PIXELS + 1) + 1 + c * 1024 + pixel]);
    }
  });

  test("readCifar reads the fine labels of CIFAR-100", () => {
    const { n, labels, classes } = readCifar(
      records([
        [19, 99],
        [0, 7],
        [3, 50],
      ]),
      "b.bin",
    );
    expect([n, ...labels]).toEqual([3, 99, 7, 50]);
    expect(classes).toHaveLength(100);
  });

  test("readCifar refuses lengths and labels that do not fit", () => {
    const bytes = records([[3], [9]]);
    for (const wrong of [bytes.subarray(0, -1), new Uint8Array(0), records([[10]]), records([[20, 5]])]) {
      expect(isCifar(wrong)).toBe(false);
      expect(() => readCifar(wrong, "c.bin")).toThrow(DataError);
    }
    expect(isCifar(bytes)).toBe(true);
  });
});
