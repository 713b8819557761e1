import { imageEngine } from "./images/index.ts";
import type { EngineOptions, KernelProblem, MakeEngine } from "./types.ts";
import { vectorEngine } from "./vectors.ts";

/** The engine of a problem by the shape of its inputs. */
export const makeEngine = ((problem: KernelProblem, options: EngineOptions = {}) =>
  problem.input.length === 1 ? vectorEngine(problem, options) : imageEngine(problem, options)) as MakeEngine;
