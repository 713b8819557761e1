import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { readOnnx, readSafetensors, type SavedModel, writeOnnx, writeSafetensors } from "../../src/formats/index.ts";
import { sample } from "./models.ts";
import { refusal } from "./refusal.ts";

const formats = [
  { name: "readOnnx float32", bytes: writeOnnx(sample), read: readOnnx, write: (m: SavedModel) => writeOnnx(m) },
  {
    name: "readOnnx float64",
    bytes: writeOnnx(sample, { precision: "float64" }),
    read: readOnnx,
    write: (m: SavedModel) => writeOnnx(m, { precision: "float64" }),
  },
  { name: "readSafetensors", bytes: writeSafetensors(sample), read: readSafetensors, write: writeSafetensors },
] as const;

describe.each(formats)("$name of damaged bytes", ({ bytes, read, write }) => {
  /** A changed digit of a weight cannot be noticed; what is read must then at least be a sound model. */
  const refusedOrSound = (changed: Uint8Array): boolean => {
    let model: SavedModel;
    try {
      model = read(changed, "file");
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      return false;
    }
    expect(read(write(model), "file")).toEqual(model);
    return true;
  };

  test("every truncation is refused", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(() => read(bytes.slice(0, length), "file"))).toMatch(/^file /);
    }
  });

  test("every changed byte is refused or read as a sound model", () => {
    let sound = 0;
    for (let position = 0; position < bytes.length; position++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = bytes.slice();
        changed[position] ^= flip;
        if (refusedOrSound(changed)) sound++;
      }
    }
    // Weights and names are less than half of the bytes; nearly all others matter.
    expect(sound).toBeLessThan(1.5 * bytes.length);
  });

  test("random edits are refused or read as a sound model", () => {
    const edit = fc.record({
      at: fc.nat(bytes.length),
      remove: fc.nat(6),
      insert: fc.uint8Array({ maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const changed = [...bytes];
        for (const { at, remove, insert } of edits) changed.splice(at, remove, ...insert);
        refusedOrSound(Uint8Array.from(changed));
      }),
      { numRuns: 2000 },
    );
  });

  test("random bytes are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        expect(refusal(() => read(noise, "file"))).toMatch(/^file /);
      }),
    );
  });
});
