import type { SideProblem } from "../../src/convex/bounds/search.ts";

/** m 2^e, exactly. */
interface Dyadic {
  readonly m: bigint;
  readonly e: number;
}

const ZERO: Dyadic = { m: 0n, e: 0 };
const words = new DataView(new ArrayBuffer(8));

function dyadic(x: number): Dyadic {
  if (!Number.isFinite(x)) throw new Error("not finite");
  words.setFloat64(0, x);
  const bits = words.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const m = exponent === 0 ? fraction : fraction | 0x10000000000000n;
  if (m === 0n) return ZERO;
  return { m: bits >> 63n ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

function add(a: Dyadic, b: Dyadic): Dyadic {
  if (a.m === 0n) return b;
  if (b.m === 0n) return a;
  const e = Math.min(a.e, b.e);
  return { m: (a.m << BigInt(a.e - e)) + (b.m << BigInt(b.e - e)), e };
}

const times = (a: Dyadic, b: Dyadic): Dyadic => ({ m: a.m * b.m, e: a.e + b.e });
const minus = (a: Dyadic): Dyadic => ({ m: -a.m, e: a.e });

function dot(a: readonly Dyadic[], b: readonly Dyadic[]): Dyadic {
  let sum = ZERO;
  for (let k = 0; k < a.length; k++) sum = add(sum, times(a[k]!, b[k]!));
  return sum;
}

/** A ray and its products with all rows. */
interface Ray {
  readonly w: readonly Dyadic[];
  readonly z: readonly Dyadic[];
}

/**
 * Checks a tree of cones (docs/certificates.md) in exact arithmetic: the rays are the exact combinations, every inequality is
 * decided without rounding. Returns how many leaves and bytes the tree has; throws when anything is wrong, with what it was.
 */
export function checkCones(
  bytes: Uint8Array,
  { n, r, Z, v }: SideProblem,
  T: number,
): { leaves: number; bytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const u8 = (): number => view.getUint8(at++);
  const u32 = (): number => {
    at += 4;
    return view.getUint32(at - 4, true);
  };
  const f32 = (): number => {
    at += 4;
    return view.getFloat32(at - 4, true);
  };
  const f64 = (): number => {
    at += 8;
    return view.getFloat64(at - 8, true);
  };
  const rows = Array.from({ length: n }, (_, i) => Array.from(Z.subarray(i * r, (i + 1) * r), dyadic));
  const weights = Array.from(v, dyadic);
  const ray = (w: Dyadic[]): Ray => ({ w, z: rows.map((z) => dot(z, w)) });
  const limit = times(dyadic(T), dyadic(T));
  let leaves = 0;

  const cone = (rays: readonly Ray[]): void => {
    const kind = u8();
    if (kind === 0) {
      const a = u8();
      const b = u8();
      const share = f64();
      if (!(a < r && b < r && a !== b && share > 0 && share < 1)) throw new Error("split");
      const f = dyadic(share);
      const rest = add(dyadic(1), minus(f));
      const w = ray(rays[a]!.w.map((x, k) => add(times(f, x), times(rest, rays[b]!.w[k]!))));
      cone(rays.with(b, w));
      cone(rays.with(a, w));
    } else if (kind === 1) {
      const k = u8();
      const factor = f64();
      if (!(k < r && factor > 0 && Math.log2(factor) % 1 === 0)) throw new Error("scale");
      cone(rays.with(k, ray(rays[k]!.w.map((x) => times(dyadic(factor), x)))));
    } else if (kind === 2) {
      leaves++;
      const c = Array.from({ length: r }, () => dyadic(f64()));
      const theta = new Map<number, number>();
      for (let left = u32(); left > 0; left--) {
        const row = u32();
        const value = f32();
        if (!(row < n && v[row]! < 0 && value >= 0 && value <= 1)) throw new Error("theta");
        theta.set(row, value);
      }
      if (T < 0 || add(limit, minus(dot(c, c))).m < 0n) throw new Error("|c| > T");
      for (const { w, z } of rays) {
        let needed = ZERO;
        for (let i = 0; i < n; i++) {
          const t = v[i]! > 0 ? (z[i]!.m > 0n ? 1 : 0) : (theta.get(i) ?? (rays[0]!.z[i]!.m >= 0n ? 1 : 0));
          if (t !== 0) needed = add(needed, times(times(weights[i]!, dyadic(t)), z[i]!));
        }
        if (add(dot(c, w), minus(needed)).m < 0n) throw new Error("c'w < h(w)");
      }
    } else throw new Error("kind of cone");
  };

  if (u8() !== 1) throw new Error("kind of tree");
  for (let orthant = 0; orthant < 2 ** r; orthant++) {
    cone(
      Array.from({ length: r }, (_, k) =>
        ray(Array.from({ length: r }, (_, i) => dyadic(i !== k ? 0 : (orthant >> k) & 1 ? -1 : 1))),
      ),
    );
  }
  return { leaves, bytes: at };
}
