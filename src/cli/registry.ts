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
    name: "certify",
    summary: "bound how far a trained network is from the global optimum",
    announce: true,
    load: async () => (await import("./commands/certify.ts")).certifyCommand,
  },
  {
    name: "predict",
    summary: "apply a saved network to new rows",
    announce: false,
    load: async () => (await import("./commands/predict.ts")).predictCommand,
  },
  {
    name: "verify",
    summary: "check the certificate of a run against its data",
    announce: false,
    load: async () => (await import("./commands/verify.ts")).verifyCommand,
  },
  {
    name: "report",
    summary: "draw the report of a run again, with its figures",
    announce: false,
    load: async () => (await import("./commands/report.ts")).reportCommand,
  },
  {
    name: "export",
    summary: "write the network of a run as ONNX or safetensors",
    announce: false,
    load: async () => (await import("./commands/export.ts")).exportCommand,
  },
  {
    name: "train",
    summary: "train a deep network by gradient descent, theory measured",
    announce: true,
    load: async () => (await import("./commands/train.ts")).trainCommand,
  },
  {
    name: "landscape",
    summary: "the loss around a trained network, or between two",
    announce: true,
    load: async () => (await import("./commands/landscape.ts")).landscapeCommand,
  },
  {
    name: "probe",
    summary: "measure the theory's quantities on a trained network",
    announce: true,
    load: async () => (await import("./commands/probe.ts")).probeCommand,
  },
  {
    name: "kernel",
    summary: "kernels of infinitely wide networks between samples",
    announce: true,
    load: async () => (await import("./commands/kernel.ts")).kernelCommand,
  },
  {
    name: "arch",
    summary: "draw an architecture and count its parameters",
    announce: false,
    load: async () => (await import("./commands/arch.ts")).archCommand,
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
    name: "runs rm",
    summary: "remove saved runs for good",
    announce: false,
    load: async () => (await import("./commands/runs-rm.ts")).runsRemoveCommand,
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
  {
    name: "completion",
    summary: "completion of commands and flags for a shell",
    announce: false,
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
];
