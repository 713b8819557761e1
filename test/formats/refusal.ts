import { expect } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import type { SavedModel } from "../../src/formats/index.ts";

/** The message of the DataError with which a reader refuses the file named `file`. */
export function refusal(read: () => SavedModel): string {
  try {
    read();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    expect(error.place).toEqual({ file: "file" });
    expect(error.code).toBe(
      error.message.startsWith("file cannot be read: ")
        ? "model-damaged"
        : error.message.startsWith("file is not a model of overparam: ")
          ? "model-foreign"
          : "model-version",
    );
    return error.message;
  }
  throw new Error("the file was read");
}
