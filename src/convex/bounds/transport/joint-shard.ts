import type { Compute } from "../../../compute/types.ts";
import type { SideProblem } from "../search.ts";
import { type JointLeaf, JointSide, type LeafReport } from "./joint-side.ts";
import type { Leaf } from "./leaf.ts";

/** What a shard is asked to do. Sides are 0 for v and 1 for -v; `v` is always the dual point itself. */
export type ShardRequest =
  | { readonly kind: "open"; readonly problem: SideProblem; readonly seed: number }
  | { readonly kind: "plant"; readonly side: number }
  | {
      readonly kind: "step";
      readonly v: Float64Array;
      readonly share: number;
      /** Leaves whose last value is smaller rest. */
      readonly threshold: number;
      /** Width of values in which leaves count. */
      readonly width: number;
    }
  | { readonly kind: "bounds"; readonly v: Float64Array }
  | {
      readonly kind: "split";
      readonly side: number;
      readonly id: number;
      readonly row: number;
      readonly numbers: readonly [number, number];
    }
  | { readonly kind: "take"; readonly side: number; readonly id: number }
  | { readonly kind: "give"; readonly side: number; readonly leaf: JointLeaf }
  | { readonly kind: "keep" }
  | { readonly kind: "kept" };

/** Values and slopes of a step: sum over leaves of exp((value - top) / width) times (1, slopes by v). */
export interface ShardStep {
  readonly top: number;
  readonly weight: number;
  readonly rise: Float64Array;
  readonly values: readonly (readonly LeafReport[])[];
}

/** Valid bounds of the leaves of both sides by their numbers. */
export type ShardLeaves = readonly ReadonlyMap<number, Leaf>[];

/** A part of the leaves of both sides: what one thread works on. */
export class JointShard {
  readonly #compute: Compute;
  #sides: readonly JointSide[] = [];
  #kept: ShardLeaves = [];

  constructor(compute: Compute) {
    this.#compute = compute;
  }

  /** Answers a request; null when interrupted. */
  answer(request: ShardRequest, interrupted: () => boolean): unknown {
    switch (request.kind) {
      case "open": {
        const { problem, seed } = request;
        this.#sides = [problem.v, problem.v.map((t) => -t)].map(
          (v, at) => new JointSide(this.#compute, { ...problem, v }, seed, `joint/${at}`),
        );
        this.#kept = [];
        return true;
      }
      case "plant":
        this.#sides[request.side]?.plant();
        return true;
      case "step":
        return this.#step(request, interrupted);
      case "bounds":
        return this.#within(request.v, (side) => side.bounds(interrupted));
      case "split":
        this.#sides[request.side]?.split(request.id, request.row, request.numbers);
        return true;
      case "take":
        return this.#sides[request.side]?.take(request.id);
      case "give":
        this.#sides[request.side]?.give(request.leaf);
        return true;
      case "keep":
        this.#kept = this.#sides.map(({ valid }) => valid);
        return true;
      case "kept":
        return this.#kept;
    }
  }

  #step({ v, share, threshold, width }: ShardRequest & { kind: "step" }, interrupted: () => boolean): ShardStep | null {
    const done = this.#within(v, (side) => {
      for (const leaf of side.leaves) {
        if (interrupted()) return null;
        if (leaf.value >= threshold) side.step(leaf, share);
      }
      return side.leaves.map(({ id, value }) => ({ id, value, branch: -1 }));
    });
    if (done === null) return null;
    const rise = new Float64Array(v.length);
    const top = done.flat().reduce((most, { value }) => Math.max(most, value), 0);
    let weight = 0;
    for (const [at, side] of this.#sides.entries()) {
      for (const { value, slopes } of side.leaves) {
        const share = Math.exp((value - top) / width);
        weight += share;
        const signed = at === 0 ? share : -share;
        for (let i = 0; i < rise.length; i++) rise[i] += signed * slopes[i];
      }
    }
    return { top, weight, rise, values: done };
  }

  /** Calls `body` for both sides at their weights; null when it returned null. */
  #within<T>(v: Float64Array, body: (side: JointSide) => T[] | null): T[][] | null {
    return this.#compute.scope((scope) => {
      const found: T[][] = [];
      for (const [at, side] of this.#sides.entries()) {
        if (side.leaves.length > 0) side.bind(scope);
        side.setWeights(at === 0 ? v : v.map((t) => -t));
        const part = body(side);
        if (part === null) return null;
        found.push(part);
      }
      return found;
    });
  }
}
