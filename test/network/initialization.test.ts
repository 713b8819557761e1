import { describe, expect, test } from "vitest";
import { architectureText, parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { INITIALIZATIONS, initializedAs } from "../../src/network/architecture/initialization.ts";
import { initialize, networkGraph } from "../../src/network/deep/index.ts";
import { convergenceNetwork } from "../../src/training/presets.ts";

/** Standard deviations of what multiplies inputs, block by block, from wide layers. */
function deviations(text: string, how: (typeof INITIALIZATIONS)[number], input: Shape): number[] {
  const graph = networkGraph(initializedAs(parseArchitecture(text), how, input), input);
  const theta = new Float64Array(graph.parameters);
  initialize(graph, 1, theta);
  return graph.nodes.flatMap(({ operation, parameters }) => {
    if (!("scale" in operation)) return [];
    const { scale, width, fanIn } = operation as unknown as { scale: number; width: number; fanIn: number };
    const weights = theta.subarray(parameters.from, parameters.from + width * fanIn);
    return [scale * Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length)];
  });
}

describe("initializedAs", () => {
  const TEXT = "dense(300) relu dense(200) relu dense(40)";

  test.each<[(typeof INITIALIZATIONS)[number], number[]]>([
    ["he", [2 / 50, 2 / 300, 1 / 200]],
    ["ntk", [2 / 50, 2 / 300, 1 / 200]],
    ["mean-field", [2 / 50, 2 / 300, 1 / 200 ** 2]],
    ["convergence", [2 / 300, 2 / 200, 1 / 40]],
    ["generalization", [1 / 300, 1 / 200, 1]],
  ])("initializedAs %s draws weights of the variances of its paper", (how, variances) => {
    deviations(TEXT, how, [50]).forEach((deviation, k) => {
      expect(deviation / Math.sqrt(variances[k]!)).toBeCloseTo(1, 1);
    });
  });

  test("initializedAs convergence is the preset of the paper", () => {
    const { architecture, input } = convergenceNetwork({ inputs: 7, width: 32, depth: 2, outputs: 3 });
    const text = "dense(32, w=3, b=1) relu dense(32) relu dense(32) relu dense(3)";
    expect(architectureText(initializedAs(parseArchitecture(text), "convergence", input))).toBe(
      architectureText(architecture),
    );
  });

  test("initializedAs reaches into residual blocks, counts taps of convolutions, and knows the last layer", () => {
    const text = "conv(16, 3) relu [conv(16, 3) relu conv(16, 1)]x2 gap dense(5)";
    const variances = [2 / (9 * 16), ...[2 / (9 * 16), 2 / 16, 2 / (9 * 16), 2 / 16], 1 / 5];
    deviations(text, "convergence", [6, 6, 40]).forEach((deviation, k) => {
      expect(deviation / Math.sqrt(variances[k]!)).toBeCloseTo(1, 0);
    });
    for (const how of INITIALIZATIONS) {
      const changed = initializedAs(parseArchitecture(text), how, [6, 6, 40]);
      expect(changed.map(({ kind }) => kind)).toEqual(parseArchitecture(text).map(({ kind }) => kind));
      expect(parseArchitecture(architectureText(changed))).toEqual(changed);
    }
  });
});
