import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import {
  ACTIVATIONS,
  type ActivationName,
  architectureOf,
  architectureText,
  outputShape,
  parameterCount,
  parseArchitecture,
  shapesOf,
} from "../../src/network/architecture/index.ts";

describe("parseArchitecture", () => {
  it("scales weights by sqrt(2) before ReLU-like activations and by 1 elsewhere", () => {
    const layers = parseArchitecture("dense(512) relu dense(64, w=1.5, b=0.1) erf dense(10)");
    const scales = layers.flatMap((layer) => (layer.kind === "dense" ? [layer.wStd] : []));
    expect(scales).toEqual([Math.SQRT2, 1.5, 1]);
    const conv = parseArchitecture("conv(8, 3) batchnorm avgpool(2) leaky(0.1) gap dense(1)");
    expect(conv[0]).toMatchObject({ kind: "conv", filter: [3, 3], strides: [1, 1], padding: "same", wStd: Math.SQRT2 });
  });

  it("repeats residual blocks, with and without a shortcut", () => {
    const layers = parseArchitecture("dense(64) [dense(64) relu]x3 dense(1)");
    expect(layers.map(({ kind }) => kind)).toEqual(["dense", "residual", "residual", "residual", "dense"]);
    const [, block] = parseArchitecture("conv(16, 3) [relu conv(32, 3, s=2) | conv(32, 1, s=2)]");
    expect(block).toMatchObject({ shortcut: [{ kind: "conv", width: 32, strides: [2, 2] }] });
    expect(parseArchitecture("[[relu dense(4)] dense(4)]x2")).toHaveLength(2);
  });

  it("architectureText is read back as the same architecture", () => {
    const texts = [
      "dense(512) relu dense(512, w=1.5, b=0.1) relu dense(10)",
      "conv(64, 3x5, s=2x1, pad=circular) gelu [conv(64, 3) relu | conv(64, 1)]x2 maxpool(2, s=1) gsp layernorm dense(10, parametrization=standard)",
      "flatten poly(1, 0.5, -2) dense(3) abrelu(-0.5, 2) sin(1, 2, 0.3) hermite(4) layernorm(all) batchnorm sumpool(2, pad=same)",
      ...(Object.keys(ACTIVATIONS) as ActivationName[]),
    ];
    for (const text of texts) {
      const layers = parseArchitecture(text);
      expect(parseArchitecture(architectureText(layers))).toEqual(layers);
    }
  });

  it.each([
    ["", "no layers"],
    ["dens(3)", "dens"],
    ["dense", "a width"],
    ["dense(3.5)", "a width"],
    ["dense(3, q=1)", 'no "q"'],
    ["dense(3, 4)", "at most 1"],
    ["dense(3", "parenthesis"],
    ["[relu dense(3)", "bracket"],
    ["relu ]", '"]"'],
    ["conv(3, 3, pad=full)", "padding full"],
    ["hermite(0)", "degree"],
    ["erf(x)", "a must be a number"],
  ])("refuses %j", (text, words) => {
    expect(() => parseArchitecture(text)).toThrow(ConfigError);
    expect(() => parseArchitecture(text)).toThrow(words);
  });
});

describe("shapesOf", () => {
  it("counts the parameters of the networks of the benchmarks", () => {
    const mlp = parseArchitecture("dense(256, b=1) relu dense(10, b=1)");
    expect(parameterCount(mlp, [784])).toBe(784 * 256 + 256 + 2560 + 10);
    const cnn = parseArchitecture(
      "conv(32, 3, b=1) relu maxpool(2) conv(64, 3, b=1) relu maxpool(2) flatten dense(10, b=1)",
    );
    expect(parameterCount(cnn, [28, 28, 1])).toBe(50_186);
    const tangent = parseArchitecture(
      "conv(32,3,pad=valid,b=1) relu conv(32,3,pad=valid,b=1) relu conv(32,3,pad=valid,b=1) relu flatten dense(10,b=1)",
    );
    expect(outputShape(tangent.slice(0, -1), [32, 32, 3])).toEqual([21_632]);
    expect(parameterCount(tangent, [32, 32, 3])).toBe(235_722);
  });

  it("follows strides and paddings", () => {
    const shape = (text: string) => outputShape(parseArchitecture(text), [7, 5, 2]);
    expect(shape("conv(3, 3, s=2)")).toEqual([4, 3, 3]);
    expect(shape("conv(3, 3, s=2, pad=valid)")).toEqual([3, 2, 3]);
    expect(shape("avgpool(2)")).toEqual([3, 2, 2]);
    expect(shape("conv(3, 3, s=2, pad=circular)")).toEqual([4, 3, 3]);
    expect(shape("gap")).toEqual([2]);
    expect(shape("flatten")).toEqual([70]);
  });

  it.each([
    ["conv(3, 3)", [4], "layer 1"],
    ["dense(3) gap", [4], "layer 2, gap"],
    ["conv(3, 9, pad=valid)", [4, 4, 1], "larger than its input"],
    ["dense(3) [dense(4)]", [3], "adds 4 to 3"],
  ] as const)("names the layer that does not fit: %s", (text, input, words) => {
    expect(() => shapesOf(parseArchitecture(text), input)).toThrow(words);
  });
});

describe("architectureOf", () => {
  it("reads layer lists with their own defaults", () => {
    const layers = architectureOf([
      ["Dense", { width: 4 }],
      ["Erf", { a: 2 }],
      [
        "Residual",
        {
          main: [
            ["Relu", {}],
            ["Dense", { width: 4, parameterization: "standard" }],
          ],
          shortcut: [["Identity", {}]],
        },
      ],
      "Flatten",
    ]);
    expect(layers[0]).toEqual({ kind: "dense", width: 4, wStd: 1, bStd: 0, parametrization: "ntk" });
    expect(layers[1]).toEqual({ kind: "activation", name: "erf", parameters: { a: 2, b: 1, c: 0 } });
    expect(layers[2]).toMatchObject({ shortcut: [], main: [{ name: "relu" }, { parametrization: "standard" }] });
  });

  it("refuses unknown layers and parameters", () => {
    expect(() => architectureOf([["Dens", { width: 4 }]])).toThrow("is no layer");
    expect(() => architectureOf([["Dense", { width: 4, q: 1 }]])).toThrow("layer 1, Dense");
    expect(() => architectureOf({ a: 1 })).toThrow("not a list of layers");
    expect(() => architectureOf([["__proto__", {}]])).toThrow("is no layer");
  });

  const golden = new URL("../../../shared/golden/neural_tangents_nets.json", import.meta.url);
  it.skipIf(!existsSync(golden))("reads every network of the golden values", () => {
    const { nets } = JSON.parse(readFileSync(golden, "utf8")) as {
      nets: Record<string, { layers: unknown; input: string }>;
    };
    for (const { layers, input } of Object.values(nets)) {
      const architecture = architectureOf(layers);
      expect(parseArchitecture(architectureText(architecture))).toEqual(architecture);
      expect(shapesOf(architecture, input === "img" || input === "cntk" ? [8, 8, 3] : [5]).length).toBe(
        architecture.length,
      );
    }
  });
});
