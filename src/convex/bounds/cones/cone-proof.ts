import type { ProofWriter } from "../../../certificate/index.ts";
import { ConeLeaf } from "./cone-leaf.ts";
import { ConeStack, NAMED } from "./cone-stack.ts";
import { type ConeTree, LEAF } from "./cone-tree.ts";
import type { SideRows } from "./side-rows.ts";

const CONES = 1;
const SPLIT = 0;
const LEAF_CODE = 2;

/**
 * Writes the tree of kind 1 (cones, docs/certificates.md) that proves G(u) <= limit |u| (scaled rows). Leaves' multipliers are not
 * stored in the tree: they are found again from the same start, which gives the same numbers.
 */
export function writeConeProof(out: ProofWriter, side: SideRows, tree: ConeTree, limit: number): void {
  const { r } = side;
  const stack = new ConeStack(side);
  const leaf = new ConeLeaf(side);
  out.u8(CONES);
  for (let orthant = 0; orthant < 2 ** r; orthant++) {
    stack.pushOrthant(orthant, orthant);
    while (stack.depth > 0) {
      const level = stack.depth - 1;
      const node = stack.node[level];
      const stage = stack.stage[level];
      if (stage === 2) {
        stack.pop();
        continue;
      }
      if (stage === 0) {
        if (tree.own[node] <= limit || tree.edge[node] === LEAF) {
          leaf.solve(stack, tree.start, node * r, Number.POSITIVE_INFINITY);
          writeLeaf(out, side, stack, leaf);
          stack.pop();
          continue;
        }
        const a = Math.floor(tree.edge[node] / r);
        const b = tree.edge[node] % r;
        out.u8(SPLIT);
        out.u8(a);
        out.u8(b);
        out.f64(tree.share[node]);
        stack.cut(a, b, tree.share[node]);
      }
      stack.stage[level]++;
      const replaced = stage === 0 ? tree.edge[node] % r : Math.floor(tree.edge[node] / r);
      stack.pushChild(replaced, tree.first[node] + stage);
    }
  }
}

function writeLeaf(out: ProofWriter, side: SideRows, stack: ConeStack, leaf: ConeLeaf): void {
  const { r, norms, index, unit } = side;
  const level = stack.depth - 1;
  out.u8(LEAF_CODE);
  for (let k = 0; k < r; k++) out.f64(unit * leaf.c[k]);
  const { middle, to, rows, products } = stack;
  /** Whether a checker would not take theta from the first ray. */
  const named = (at: number): boolean => {
    const z = products[at * (r + 1)];
    const theta = leaf.theta[at - middle[level]];
    return Math.abs(z) <= NAMED * norms[rows[at]] || theta !== (z >= 0 ? 1 : 0);
  };
  let count = 0;
  for (let at = middle[level]; at < to[level]; at++) if (named(at)) count++;
  out.u32(count);
  for (let at = middle[level]; at < to[level]; at++) {
    if (!named(at)) continue;
    out.u32(index[rows[at]]);
    out.f32s([leaf.theta[at - middle[level]]]);
  }
}
