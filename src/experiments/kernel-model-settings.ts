import { z } from "zod";
import { type FitSettings, fitSettingsSchema, setting } from "./config.ts";

/** Three weighted layers with biases: of a few depths and biases the one of least leave-one-out error on a dozen small tables. */
export const DEFAULT_ARCHITECTURE = "dense(512, b=1) relu dense(512, b=1) relu dense(1, b=1)";

/** The settings of a fit that choose kernel regression, and say which; each may be left out. */
export const kernelModelSettings = {
  model: setting(z.enum(["relu", "ntk", "nngp"]).optional(), {
    group: "Problem",
    description: "relu (default), or kernel regression: tangent kernel (ntk) or covariance (nngp) of a wide network",
  }),
  arch: setting(z.string().min(1).optional(), {
    group: "Problem",
    description: "with ntk and nngp: the network, such as the default three dense layers with relu",
    value: "SPEC|FILE.json",
  }),
  ridge: setting(z.union([z.number().nonnegative(), z.literal("auto")]).optional(), {
    group: "Problem",
    description: "with ntk and nngp: added to the kernel's diagonal; auto (default): by leave-one-out",
    value: "NUMBER|auto",
  }),
};

/** Settings of a fit by kernel regression. */
export interface KernelFitSettings extends FitSettings {
  readonly model: "ntk" | "nngp";
  /** Text of an architecture, or name of a JSON file; absent: {@link DEFAULT_ARCHITECTURE}. */
  readonly arch?: string | undefined;
  readonly ridge?: number | "auto" | undefined;
}

/** Settings of a fit before it is known which kind it is. */
type AnyFitSettings = FitSettings & { readonly [key in keyof typeof kernelModelSettings]?: unknown };

/** Settings that only the training of ReLU networks has a use for. */
const RELU_SETTINGS = [
  "beta",
  "betaRatio",
  "bias",
  "gates",
  "huber",
  "outputNorm",
  "patterns",
  "program",
  "requireGap",
  "scaling",
  "tolerance",
] as const;

/**
 * What contradicts itself in the settings of a fit with {@link kernelModelSettings}: the setting and why, or null.
 *
 * @param resumes whether the fit is to go on from an interrupted one.
 */
export function findContradiction(
  settings: AnyFitSettings,
  resumes: boolean,
): { readonly key: string; readonly message: string } | null {
  const { model = "relu", loss } = settings;
  if (model === "relu") {
    const key = (["arch", "ridge"] as const).find((name) => settings[name] !== undefined);
    return key === undefined ? null : { key, message: "is about kernel regression: add --model ntk" };
  }
  const without = (key: string, why: string) => ({ key, message: `has no meaning with --model ${model}: ${why}` });
  const defaults: Record<string, unknown> = fitSettingsSchema.parse({ data: settings.data });
  const odd = RELU_SETTINGS.find((key) => settings[key] !== defaults[key]);
  if (odd === "beta" || odd === "betaRatio") return without(odd, "its penalty is --ridge");
  if (odd !== undefined) return without(odd, "it is solved in closed form");
  if (loss !== "auto" && loss !== "squared") return without("loss", "kernel regression has the squared loss");
  return resumes ? without("resume", "it has no checkpoints") : null;
}
