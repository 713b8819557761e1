import { describe, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { readCheckpoint } from "../../src/experiments/checkpoint.ts";
import { startFit } from "../../src/experiments/fit.ts";
import { FitCancelled, type FitEvent, fitJsonSchema } from "../../src/experiments/fit-types.ts";
import { smallFit } from "./tables.ts";

// These tests run the built worker (dist/): `npm test` builds first.

/** Keeps a solver busy for longer than a test. */
const LONG = { rows: 500, columns: 20, time: 300, betaRatio: 0.002, tolerance: 1e-12 } as const;

async function first(events: AsyncIterable<FitEvent>, wanted: (event: FitEvent) => boolean): Promise<void> {
  for await (const event of events) if (wanted(event)) return;
}

describe("startFit", () => {
  test("startFit runs in a worker: events arrive, then the outcome with its files", async () => {
    const job = startFit(smallFit("two", { betaRatio: 0.1 }));
    const kinds = new Set<string>();
    for await (const event of job.events) kinds.add(event.kind);
    const outcome = await job.outcome;
    expect([...kinds]).toEqual(expect.arrayContaining(["data", "backend", "progress"]));
    expect(fitJsonSchema.safeParse(outcome.json).success).toBe(true);
    expect(outcome.files.every(({ bytes }) => bytes instanceof Uint8Array)).toBe(true);
    // Harmless after the end.
    job.cancel();
    job.cancel();
  });

  test("startFit: a mistake of the user arrives as the DataError that it is", async () => {
    const job = startFit({ ...smallFit("two"), target: "targte" });
    const error: unknown = await job.outcome.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ code: "column-not-found", hint: 'did you mean "target"?', place: { line: 1 } });
    for await (const event of job.events) expect(event).toBeUndefined();
  });

  test("startFit: cancel() while the solver is busy ends it with a checkpoint, and its events", async () => {
    const job = startFit(smallFit("number", LONG));
    await first(job.events, (event) => event.kind === "progress" && event.stage === "train" && event.neurons > 0);
    job.cancel();
    const outcome = await job.outcome;
    expect(outcome.interrupted).toBe(true);
    const checkpoint = outcome.files.find(({ name }) => name === "checkpoint.json")!;
    expect(readCheckpoint(checkpoint.bytes, checkpoint.name).outputs).toHaveLength(1);
  });

  test("startFit: a second cancel() ends it at once, whatever it does", async () => {
    const job = startFit(smallFit("number", LONG));
    await first(job.events, (event) => event.kind === "progress" && event.stage === "train");
    job.cancel();
    job.cancel();
    await expect(job.outcome).rejects.toBeInstanceOf(FitCancelled);
  });

  test("startFit: cancel() at once, with nobody reading the events, does not hang", async () => {
    const job = startFit(smallFit("number", LONG));
    job.cancel();
    await expect(job.outcome).rejects.toBeInstanceOf(FitCancelled);
  });
});
