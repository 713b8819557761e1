import { imageEngine } from "./images/index.ts";
import type { MakeEngine } from "./types.ts";
import { vectorEngine } from "./vectors.ts";

/** The engine of a problem by the shape of its inputs. */
export const makeEngine: MakeEngine = (problem) =>
  problem.input.length === 1 ? vectorEngine(problem) : imageEngine(problem);
