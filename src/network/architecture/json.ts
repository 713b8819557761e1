import { z } from "zod";
import { didYouMean } from "../../base/did-you-mean.ts";
import { ConfigError } from "../../base/errors.ts";
import { ACTIVATIONS, type ActivationName, type Architecture, type Layer, type Padding } from "./layers.ts";

const pair = z.tuple([z.int().positive(), z.int().positive()]);
const size = z.union([
  z
    .int()
    .positive()
    .transform((n): [number, number] => [n, n]),
  pair,
]);
const padding = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.enum(["same", "valid", "circular"]));
const weighted = {
  width: z.int().positive(),
  W_std: z.number().nonnegative().default(1),
  b_std: z.number().nonnegative().nullish(),
  parametrization: z.enum(["ntk", "standard"]).optional(),
  parameterization: z.enum(["ntk", "standard"]).optional(),
};
const pool = { window: size, strides: size.optional(), padding: padding.default("valid") };

type Weights = z.infer<z.ZodObject<typeof weighted>>;

function weights({ width, W_std, b_std, parametrization, parameterization }: Weights) {
  return {
    width,
    wStd: W_std,
    bStd: b_std ?? 0,
    parametrization: parametrization ?? parameterization ?? "ntk",
  } as const;
}

const pools = (how: "average" | "sum" | "max") =>
  z
    .strictObject(pool)
    .transform(
      ({ window, strides, padding }): Layer => ({ kind: "pool", how, window, strides: strides ?? window, padding }),
    );
const nothing = (layer: Layer) => z.strictObject({}).transform((): Layer => layer);

/** What a layer's parameters become, by its name in the JSON form. */
const LAYERS: Readonly<Record<string, z.ZodType<Layer>>> = {
  Dense: z.strictObject(weighted).transform((given): Layer => ({ kind: "dense", ...weights(given) })),
  Conv: z
    .strictObject({
      ...weighted,
      filter: size,
      strides: size.default([1, 1]),
      padding: padding.default("same" as Padding),
    })
    .transform((given): Layer => {
      const { filter, strides, padding } = given;
      return { kind: "conv", filter, strides, padding, ...weights(given) };
    }),
  AvgPool: pools("average"),
  SumPool: pools("sum"),
  MaxPool: pools("max"),
  GlobalAvgPool: nothing({ kind: "global-pool", how: "average" }),
  GlobalSumPool: nothing({ kind: "global-pool", how: "sum" }),
  Flatten: nothing({ kind: "flatten" }),
  BatchNorm: nothing({ kind: "batch-norm" }),
  LayerNorm: z
    .strictObject({ over: z.enum(["channels", "all"]).default("channels") })
    .transform(({ over }): Layer => ({ kind: "layer-norm", over })),
  Residual: z.strictObject({ main: z.unknown(), shortcut: z.unknown().optional() }).transform(
    ({ main, shortcut }): Layer => ({
      kind: "residual",
      main: architectureOf(main, "Residual main"),
      // A lone Identity and no layers at all are the same shortcut.
      shortcut: architectureOf(shortcut ?? [], "Residual shortcut").filter(
        (layer) => layer.kind !== "activation" || layer.name !== "identity",
      ),
    }),
  ),
  ...Object.fromEntries(
    (Object.keys(ACTIVATIONS) as ActivationName[]).map((name) => [jsonName(name), activation(name)]),
  ),
};

/** `leaky-relu` -> `LeakyRelu`. */
function jsonName(name: string): string {
  if (name === "abrelu") return "ABRelu";
  return name.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
}

function activation(name: ActivationName): z.ZodType<Layer> {
  const defaults: Readonly<Record<string, number | readonly number[]>> = ACTIVATIONS[name];
  const shape = Object.fromEntries(
    Object.entries(defaults).map(([key, value]) => {
      const one = key === "degree" ? z.int().positive() : z.number();
      return [
        key,
        typeof value === "number"
          ? one.default(value)
          : z
              .array(z.number())
              .min(1)
              .default([...value]),
      ];
    }),
  );
  return z
    .strictObject(shape)
    .transform(
      (given): Layer => ({ kind: "activation", name, parameters: given as Record<string, number | number[]> }),
    );
}

/**
 * The architecture of a JSON value: a list of `["Dense", { "width": 64, "W_std": 1.5 }]` with the names and defaults of
 * neural-tangents' `stax` (W_std 1, b_std 0), `Residual` with `main` and `shortcut`.
 *
 * @throws ConfigError naming the layer.
 */
export function architectureOf(value: unknown, where = "architecture"): Architecture {
  const list = Array.isArray(value) ? value : (value as { layers?: unknown } | null)?.layers;
  if (!Array.isArray(list))
    throw mistake(`${where} is not a list of layers`, 'for example [["Dense", { "width": 512 }]]');
  return list.map((entry: unknown, k): Layer => {
    const [name, parameters] = Array.isArray(entry) ? (entry as unknown[]) : [entry, {}];
    const schema = typeof name === "string" && Object.hasOwn(LAYERS, name) ? LAYERS[name] : undefined;
    if (schema === undefined) {
      const near = typeof name === "string" ? didYouMean(name, Object.keys(LAYERS)) : null;
      const hint = near === null ? `the layers are ${Object.keys(LAYERS).join(", ")}` : `did you mean "${near}"?`;
      throw mistake(`${where}, layer ${k + 1}: ${JSON.stringify(name)?.slice(0, 80)} is no layer`, hint);
    }
    const read = schema.safeParse(parameters ?? {});
    if (read.success) return read.data;
    const issue = read.error.issues[0];
    throw mistake(`${where}, layer ${k + 1}, ${name}: ${issue?.path.join(".")} ${issue?.message}`, undefined);
  });
}

function mistake(message: string, hint: string | undefined): ConfigError {
  return new ConfigError(message, { code: "architecture-json", ...(hint === undefined ? {} : { hint }) });
}
