import { z } from "zod";
import { measurementSchema } from "./types.ts";

const lineSchema = z.object({
  step: z.number(),
  epoch: z.number(),
  rate: z.number(),
  loss: z.number().nullish(),
  accuracy: z.number().nullish(),
  testLoss: z.number().nullish(),
  testAccuracy: z.number().nullish(),
  measurements: z.array(measurementSchema).default([]),
});

/** A line of a history; numbers that were not finite are null. */
export type HistoryLine = z.infer<typeof lineSchema>;

/** The lines of a history as it is written to disk. */
export function readHistory(history: Uint8Array): HistoryLine[] {
  return new TextDecoder()
    .decode(history)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => lineSchema.parse(JSON.parse(line)));
}
