import type { Command } from "./command.ts";

/** A command as the program knows it before loading it. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Says at once that it has started, for it may take a while. */
  readonly announce: boolean;
  load(): Promise<Command>;
}

/** Every command; a command's module is only read when it is called. */
export const commands: readonly CommandEntry[] = [
  {
    name: "fit",
    summary: "train a ReLU network to a certified global optimum",
    announce: true,
    load: async () => (await import("./commands/fit.ts")).fitCommand,
  },
  {
    name: "predict",
    summary: "apply a saved network to new rows",
    announce: false,
    load: async () => (await import("./commands/predict.ts")).predictCommand,
  },
  {
    name: "runs ls",
    summary: "list the saved runs",
    announce: false,
    load: async () => (await import("./commands/runs-ls.ts")).runsListCommand,
  },
  {
    name: "runs show",
    summary: "show one saved run",
    announce: false,
    load: async () => (await import("./commands/runs-show.ts")).runsShowCommand,
  },
  {
    name: "doctor",
    summary: "show which machinery is used, and how fast it is",
    announce: false,
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "demo",
    summary: "fit a small made-up data set, in a few seconds",
    announce: true,
    load: async () => (await import("./commands/demo.ts")).demoCommand,
  },
];
