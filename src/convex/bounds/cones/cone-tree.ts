/** Value of {@link ConeTree.edge} at a node that has no children. */
export const LEAF = -1;

/**
 * The nodes of a forest of simplicial cones, in flat arrays that grow. A node is split at a point of one of its edges into
 * two children; roots are made first.
 */
export class ConeTree {
  readonly #r: number;
  #count = 0;
  /** First child; the second follows. */
  first = new Int32Array(0);
  /** The split edge (a, b), as a r + b, or LEAF. */
  edge = new Int16Array(0);
  /** The new ray is share w_a + (1 - share) w_b; child 0 has it in place of ray b, child 1 in place of ray a. */
  share = new Float64Array(0);
  /** The bound that the node's own multipliers prove; infinite before they are known. */
  own = new Float64Array(0);
  /** The smaller of `own` and the larger of the children's bounds. */
  bound = new Float64Array(0);
  /** Where the search for the node's multipliers starts, in multiples of its rays, r a node. */
  start = new Float64Array(0);

  constructor(r: number) {
    this.#r = r;
  }

  get count(): number {
    return this.#count;
  }

  /** Appends a leaf and returns its number. */
  add(): number {
    const node = this.#count++;
    if (node >= this.first.length) this.#grow();
    this.first[node] = -1;
    this.edge[node] = LEAF;
    this.own[node] = Number.POSITIVE_INFINITY;
    this.bound[node] = Number.POSITIVE_INFINITY;
    return node;
  }

  /** Makes two children of a leaf. */
  split(node: number, a: number, b: number, share: number): void {
    const first = this.add();
    this.add();
    this.first[node] = first;
    this.edge[node] = a * this.#r + b;
    this.share[node] = share;
  }

  /** Takes the bounds of its children into a node's. */
  update(node: number): void {
    const first = this.first[node];
    const below = first < 0 ? this.own[node] : Math.max(this.bound[first], this.bound[first + 1]);
    this.bound[node] = Math.min(this.own[node], below);
  }

  #grow(): void {
    const capacity = Math.max(64, 2 * this.first.length);
    const longer = <A extends Float64Array | Int32Array | Int16Array>(array: A, length: number): A => {
      const grown = new (array.constructor as new (length: number) => A)(length);
      grown.set(array);
      return grown;
    };
    this.first = longer(this.first, capacity);
    this.edge = longer(this.edge, capacity);
    this.share = longer(this.share, capacity);
    this.own = longer(this.own, capacity);
    this.bound = longer(this.bound, capacity);
    this.start = longer(this.start, capacity * this.#r);
  }
}
