import { ConfigError } from "../base/errors.ts";
import { showShape } from "../network/architecture/index.ts";
import type { MakeEngine } from "./types.ts";
import { vectorEngine } from "./vectors.ts";

/** The engine of a problem by the shape of its inputs. */
export const makeEngine: MakeEngine = (problem) => {
  if (problem.input.length === 1) return vectorEngine(problem);
  throw new ConfigError(`kernels of images (${showShape(problem.input)}) are not made yet`, {
    code: "kernel-images",
    hint: "flatten the inputs to vectors and use dense layers",
  });
};
