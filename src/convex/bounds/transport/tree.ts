import type { ProofWriter } from "../../../certificate/index.ts";
import { type Leaf, writeLeaf } from "./leaf.ts";
import type { SignedRow } from "./relaxation.ts";
import type { ScaledSide } from "./scaled-side.ts";

/** A node of the sign tree: a leaf of the proof until it is split. */
export interface TreeNode {
  readonly path: readonly SignedRow[];
  /** Dropped when the node is split. */
  leaf: Leaf | null;
  bound: number;
  /** Step of the multipliers to go on with. */
  rho: number;
  /** The row whose sign is to be fixed next; -1 when none is worth it. */
  branch: number;
  /** Children: row >= 0, row <= 0. */
  children: readonly [TreeNode, TreeNode] | null;
}

/** Open nodes by falling bound (a binary heap). */
export class OpenNodes {
  readonly #nodes: TreeNode[] = [];

  get top(): TreeNode | undefined {
    return this.#nodes[0];
  }

  [Symbol.iterator](): Iterator<TreeNode> {
    return this.#nodes[Symbol.iterator]();
  }

  push(node: TreeNode): void {
    const nodes = this.#nodes;
    let at = nodes.push(node) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (nodes[up]!.bound >= node.bound) break;
      nodes[at] = nodes[up]!;
      at = up;
    }
    nodes[at] = node;
  }

  pop(): TreeNode | undefined {
    const nodes = this.#nodes;
    const first = nodes[0];
    const last = nodes.pop();
    if (first === undefined || last === undefined || nodes.length === 0) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= nodes.length) break;
      if (down + 1 < nodes.length && nodes[down + 1]!.bound > nodes[down]!.bound) down += 1;
      if (nodes[down]!.bound <= last.bound) break;
      nodes[at] = nodes[down]!;
      at = down;
    }
    nodes[at] = last;
    return first;
  }
}

/** Writes the nodes below `node` in the grammar of docs/certificates.md. */
export function writeTree(out: ProofWriter, side: ScaledSide, root: TreeNode): void {
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.children !== null) {
      out.u8(0);
      out.u32(node.branch);
      stack.push(node.children[1], node.children[0]);
    } else if (node.leaf !== null) writeLeaf(out, side, node.path, node.leaf);
  }
}
