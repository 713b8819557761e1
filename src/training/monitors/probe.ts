import type { RealArray } from "../../compute/types.ts";
import type { Measurement } from "../monitor.ts";
import { makeMonitors, monitorNames } from "./catalog.ts";
import type { MonitorSetup } from "./observation.ts";

/** Those that follow a training, and say nothing of one moment. */
const OF_TRAININGS = ["trajectories"];
/** Those that compare with where a training began, and rows of others that do. */
const SINCE_START = ["distance", "linearization"];
const ROWS_SINCE_START = ["sign-changes", "kernel-drift", "kernel-distance", "kernel-change-largest"];

/**
 * The theory report of a network as the trainer has it: one look of every monitor that says something of a single moment,
 * with those that compare with the start when `initial` parameters are given.
 */
export function probeOf<A extends RealArray>(
  setup: MonitorSetup<A>,
  names: readonly string[] = monitorNames,
): readonly Measurement[] {
  const left = [...OF_TRAININGS, ...(setup.initial === undefined ? SINCE_START : [])];
  const asked = names.filter((name) => !left.includes(name));
  const known = setup.initial === undefined ? { ...setup, initial: setup.trainer.theta } : setup;
  const rows = makeMonitors(asked, known).flatMap((monitor) => monitor.observe(setup.trainer.steps));
  return setup.initial === undefined ? rows.filter(({ name }) => !ROWS_SINCE_START.includes(name)) : rows;
}
