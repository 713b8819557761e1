import { ConfigError } from "../../base/errors.ts";
import type { AffineOperation, GraphNode, NetworkGraph } from "../../network/deep/index.ts";
import { requireTrained, trainedMask } from "../trained.ts";
import type { Trained } from "../types.ts";

/** The affine operation of a node; null for others. */
export function affineOf({ operation }: GraphNode): AffineOperation | null {
  return "kind" in operation && operation.kind === "affine" ? (operation as AffineOperation) : null;
}

/**
 * The nodes whose parameters are trained, in order. Of normalizations, `hidden` trains all and `last` none.
 *
 * @throws ConfigError when there are none, or while `training` a layer ties samples together.
 */
export function trainedNodes(graph: NetworkGraph, trained: Trained, training: boolean): readonly GraphNode[] {
  const batches = graph.nodes.find(({ operation }) => operation.name === "batch-norm");
  if (training && batches !== undefined) {
    throw new ConfigError(
      `layer ${batches.place}, batchnorm, has no tangent kernel while training: it ties the outputs of all samples of a batch together`,
      {
        code: "kernel-undefined",
        hint: "take the network in evaluation mode, with its running statistics, or use layernorm",
      },
    );
  }
  const mask = trainedMask(graph.nodes.filter((node) => affineOf(node) !== null).length, trained);
  let weighted = 0;
  const nodes = graph.nodes.filter((node) => {
    if (affineOf(node) !== null) return mask[weighted++];
    return node.parameters.count > 0 && trained !== "last";
  });
  if (nodes.length === 0) requireTrained(mask, trained);
  return nodes;
}
