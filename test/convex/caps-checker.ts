import type { SideProblem } from "../../src/convex/bounds/search.ts";

/** What a proof may miss by, relative to sum |v_i| ||z_i||: plain doubles stand in for directed rounding. */
const TOLERANCE = 1e-11;

interface Node {
  low: number[];
  high: number[];
  caps: { c: number[]; offset: number }[];
}

interface TreeCounts {
  readonly nodes: number;
  readonly closed: number;
  readonly empty: number;
  readonly ranges: number;
}

/**
 * A naive reading of the grammar of sign trees (docs/certificates.md): checks that the bytes show G(u) <= T on the unit
 * ball. Throws with the reason when they do not.
 */
export function checkSigns(bytes: Uint8Array, { n, r, Z, v }: SideProblem, limit: number): TreeCounts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const u8 = (): number => view.getUint8(at++);
  const u32 = (): number => {
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const f64 = (): number => {
    at += 8;
    return view.getFloat64(at - 8, true);
  };
  const fail = (why: string): never => {
    throw new Error(`${why} (byte ${at})`);
  };
  if (u8() !== 2) fail("not a tree of signs");
  const T = f64();
  if (!(T <= limit)) fail(`a tree for ${T}, above ${limit}`);
  const row = (): number => {
    const i = u32();
    return i < n ? i : fail(`row ${i} of ${n}`);
  };
  const within = (x: number, least: number, most: number): number =>
    x >= least && x <= most ? x : fail(`${x} is not in [${least}, ${most}]`);
  const rows = Array.from({ length: n }, (_, i) => [...Z.subarray(i * r, (i + 1) * r)]);
  const norms = rows.map((z) => Math.hypot(...z));
  const total = norms.reduce((sum, norm, i) => sum + norm * Math.abs(v[i]), 0);
  const plus = (a: readonly number[], t: number, b: readonly number[]): number[] => a.map((x, k) => x + t * b[k]);
  const counts = { nodes: 0, closed: 0, empty: 0, ranges: 0 };

  const sign = ({ low, high }: Node, i: number): number =>
    low[i] >= 0 ? 1 : high[i] <= 0 ? -1 : fail(`row ${i} is not determined`);
  const multipliers = (node: Node): number[] => {
    let sum: number[] = new Array<number>(r).fill(0);
    for (let count = u32(); count > 0; count--) {
      const i = row();
      sum = plus(sum, within(f64(), 0, Number.MAX_VALUE) * sign(node, i), rows[i]);
    }
    return sum;
  };
  const step = (node: Node): { c: number[]; offset: number } => {
    let c = multipliers(node);
    const theta: number[] = node.low.map((low) => (low >= 0 ? 1 : 0));
    for (let count = u32(); count > 0; count--) {
      const j = row();
      if (!(v[j] < 0)) fail(`theta for row ${j}`);
      theta[j] = within(f64(), 0, 1);
    }
    let offset = 0;
    for (let i = 0; i < n; i++) {
      const [low, high] = [node.low[i], node.high[i]];
      let slope = theta[i];
      if (v[i] > 0) {
        slope = low >= 0 ? 1 : high <= 0 ? 0 : high / (high - low);
        if (low < 0) offset -= v[i] * slope * low;
      }
      c = plus(c, v[i] * slope, rows[i]);
    }
    return { c, offset };
  };
  const readRange = (node: Node): void => {
    const i = row();
    const upper = u8() === 1;
    const number = u32();
    const kappa = within(f64(), 0, Number.MAX_VALUE);
    let g = plus(multipliers(node), upper ? 1 : -1, rows[i]);
    let gain = 0;
    if (number !== 0xffffffff) {
      const cap = node.caps[number] ?? fail(`cap ${number}`);
      g = plus(g, kappa, cap.c);
      gain = kappa * (T - cap.offset);
    }
    const bound = Math.hypot(...g) - gain;
    if (upper) node.high[i] = Math.min(node.high[i], bound);
    else node.low[i] = Math.max(node.low[i], -bound);
    counts.ranges += 1;
  };
  const visit = (node: Node): void => {
    for (;;) {
      const kind = u8();
      if (kind === 0) {
        const i = row();
        counts.nodes += 1;
        const active = { low: [...node.low], high: [...node.high], caps: [...node.caps] };
        active.low[i] = Math.max(0, active.low[i]);
        visit(active);
        node.high[i] = Math.min(0, node.high[i]);
      } else if (kind === 2) node.caps.push(step(node));
      else if (kind === 3) for (let count = u32(); count > 0; count--) readRange(node);
      else if (kind === 4) {
        const { c, offset } = step(node);
        const bound = Math.hypot(...c) + offset;
        if (!(bound <= T + TOLERANCE * total)) fail(`a leaf bounds by ${bound}, above ${T}`);
        counts.closed += 1;
        return;
      } else if (kind === 5) {
        if (!node.low.some((low, i) => low > node.high[i])) fail("a region that is not empty");
        counts.empty += 1;
        return;
      } else fail(`a node of kind ${kind}`);
    }
  };
  visit({ low: norms.map((t) => -t), high: [...norms], caps: [] });
  if (at !== bytes.length) fail(`${bytes.length - at} bytes are left over`);
  return counts;
}
