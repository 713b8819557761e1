import { describe, expect, test } from "vitest";
import { ConfigError, DataError, UsageError, UserError } from "../../src/base/errors.ts";
import { packError, unpackError } from "../../src/experiments/crossing.ts";
import { eventQueue } from "../../src/experiments/event-queue.ts";
import { FitCancelled } from "../../src/experiments/fit-types.ts";

const cross = (error: unknown): Error => unpackError(structuredClone(packError(error)));

describe("packError and unpackError", () => {
  test.each([DataError, ConfigError, UsageError, UserError])(
    "packError keeps %o with code, hint and place",
    (Class) => {
      const original = new Class("what is wrong", {
        code: "a-code",
        hint: "do this",
        place: { file: "a.csv", line: 3 },
      });
      const restored = cross(original) as UserError;
      expect(restored.constructor).toBe(Class);
      expect(restored).toMatchObject({
        name: Class.name,
        message: "what is wrong",
        code: "a-code",
        hint: "do this",
        place: { file: "a.csv", line: 3 },
        stack: original.stack,
      });
      expect(cross(new Class("bare", { code: "b" }))).toMatchObject({ hint: undefined, place: undefined });
    },
  );

  test("packError keeps name, message and stack of a program's mistake, and takes anything thrown", () => {
    const original = new RangeError("3 x 4 against 5");
    const restored = cross(original);
    expect(restored).not.toBeInstanceOf(UserError);
    expect(restored).toMatchObject({ name: "RangeError", message: "3 x 4 against 5", stack: original.stack });
    expect(cross("just text").message).toBe("just text");
    expect(cross(new FitCancelled())).toBeInstanceOf(FitCancelled);
  });
});

describe("eventQueue", () => {
  test("eventQueue gives everything in order, before and after the reader waits, and ends", async () => {
    const queue = eventQueue<number>();
    queue.push(1);
    queue.push(2);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of queue.items) seen.push(item);
    })();
    await new Promise((resolve) => setImmediate(resolve));
    queue.push(3);
    queue.push(4);
    queue.end();
    queue.push(5);
    await reading;
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test("eventQueue lets a reader leave early", async () => {
    const queue = eventQueue<number>();
    queue.push(1);
    queue.push(2);
    for await (const item of queue.items) if (item === 1) break;
    queue.push(3);
    const rest: number[] = [];
    for await (const item of queue.items) rest.push(item);
    expect(rest).toEqual([]);
  });
});
