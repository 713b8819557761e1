import { z } from "zod";
import { setting } from "../experiments/config.ts";

/** `0.13`, or `0.49,0.48,0.45`. */
const list = z.preprocess(
  (value) => (typeof value === "number" ? [value] : typeof value === "string" ? value.split(",").map(Number) : value),
  z.array(z.number("write numbers with commas between, such as 0.49,0.48,0.45")).min(1),
);

/** How pixels become what a network of another program was trained on. */
export const pixelSettings = {
  pixelMean: setting(list.optional(), {
    group: "Data",
    description: "of each image channel, subtracted from pixels as shares of 255, such as 0.4914,0.4822,0.4465",
    value: "NUMBERS",
  }),
  pixelStd: setting(list.pipe(z.array(z.number().positive())).optional(), {
    group: "Data",
    description: "of each image channel, which pixels are divided by then",
    value: "NUMBERS",
  }),
  channels: setting(z.enum(["first", "last"]).optional(), {
    group: "Data",
    description: "how images were made vectors, where the network takes vectors; default: as its program does it",
  }),
};
