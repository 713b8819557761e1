/** A naive reader of sign trees with transport leaves (docs/certificates.md): every inequality in plain loops. */
import { expect } from "vitest";
import type { SideProblem } from "../../src/convex/bounds/search.ts";

/** Fails the test unless the bytes prove G(u) <= T |u| on the side. */
export function checkSignTree(bytes: Uint8Array, side: SideProblem, T: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const skip = (size: number): number => {
    at += size;
    return at - size;
  };
  const u8 = (): number => view.getUint8(skip(1));
  const u32 = (): number => view.getUint32(skip(4), true);
  const f64 = (): number => view.getFloat64(skip(8), true);
  const f32 = (): number => view.getFloat32(skip(4), true);
  const { n, r, Z, v } = side;
  const largest = (x: Float64Array): number => x.reduce((m, t) => Math.max(m, Math.abs(t)), 0) || 1;
  // Everything is checked in units in which rows and weights are at most about one.
  const [zUnit, vUnit] = [largest(Z), largest(v)];
  const row = (i: number): number[] => Array.from(Z.subarray(i * r, (i + 1) * r), (z) => z / zUnit);
  const weight = (i: number): number => v[i]! / vUnit;
  const unit = (x: number, by: readonly number[]): number => by.reduce((t, b) => t / b, x);

  const leaf = (signs: ReadonlyMap<number, number>): void => {
    const state = (i: number): number => signs.get(i) ?? (row(i).every((z) => z === 0) ? 1 : 0);
    const mu = unit(f64(), [zUnit, vUnit]);
    const pu = Array.from({ length: u32() }, u32);
    const s = pu.map(() => unit(f64(), [zUnit, vUnit]));
    const nu = Array.from({ length: u32() }, u32);
    const t = nu.map(() => unit(f64(), [vUnit]));
    for (let i = 0; i < n; i++) {
      if (weight(i) > 0 && state(i) === 0) expect(pu).toContain(i);
      if (weight(i) < 0 && state(i) === 0) expect(nu).toContain(i);
    }
    expect(new Set(pu).size).toBe(pu.length);
    expect(new Set(nu).size).toBe(nu.length);
    expect(pu.every((i) => weight(i) > 0) && nu.every((j) => weight(j) < 0)).toBe(true);
    expect(s.every((x) => x > 0) && mu >= 0).toBe(true);
    const Pi = pu.map(() => nu.map(() => 0));
    const kind = u8();
    if (kind === 1) for (const line of Pi) for (let j = 0; j < nu.length; j++) line[j] = unit(f32(), [vUnit]);
    if (kind === 2) {
      for (const line of Pi) {
        for (let count = u32(); count > 0; count--) {
          const j = u32();
          line[j] = unit(f32(), [vUnit]);
        }
      }
    }
    const a = new Array<number>(r).fill(0);
    const add = (to: number[], x: readonly number[], by: number): void => {
      x.forEach((z, k) => {
        to[k]! += by * z;
      });
    };
    for (let count = u32(); count > 0; count--) {
      const i = u32();
      const lam = f64();
      expect(state(i)).not.toBe(0);
      expect(lam).toBeGreaterThanOrEqual(0);
      add(a, row(i), unit(lam, [vUnit]) * state(i));
    }
    for (let i = 0; i < n; i++) {
      if (weight(i) > 0 && !pu.includes(i) && state(i) > 0) add(a, row(i), weight(i));
      if (weight(i) < 0 && !nu.includes(i) && state(i) > 0) add(a, row(i), weight(i));
    }
    for (const i of pu) add(a, row(i), weight(i) / 2);
    const Q = a.map(() => new Array<number>(r).fill(0));
    const square = (x: readonly number[], by: number): void =>
      x.forEach((z, k) => {
        add(Q[k]!, x, by * z);
      });
    nu.forEach((j, c) => {
      const q = -weight(j);
      add(a, row(j), -(q + t[c]!) / 2);
      const w = q - pu.reduce((sum, _, i) => sum + Math.abs(Pi[i]![c]!), 0) - Math.abs(t[c]!);
      expect(w).toBeGreaterThanOrEqual(0);
      const length = Math.hypot(...row(j));
      if (length > 1e-150) square(row(j), -w / (2 * length));
    });
    pu.forEach((i, at_) => {
      const R = row(i).map((z) => weight(i) * z);
      nu.forEach((j, c) => {
        add(R, row(j), -Pi[at_]![c]!);
      });
      square(R, 1 / (4 * s[at_]!));
    });
    const c = s.reduce((sum, x) => sum + x / 4, 0);
    // [[mu I - Q, -a/2], [-a'/2, T - c - mu]] by Cholesky.
    const A = Q.map((line, k) => [...line.map((x, m) => (k === m ? mu - x : -x)), -a[k]! / 2]);
    A.push([...a.map((x) => -x / 2), unit(T, [zUnit, vUnit]) - c - mu]);
    const slack = 1e-13 * (mu + c + 1);
    for (let k = 0; k <= r; k++) {
      for (let m = 0; m <= k; m++) {
        let sum = A[k]![m]!;
        for (let e = 0; e < m; e++) sum -= A[k]![e]! * A[m]![e]!;
        if (k === m) {
          expect(sum).toBeGreaterThan(-slack);
          A[k]![k] = Math.sqrt(Math.max(sum, 0));
        } else A[k]![m] = A[m]![m]! > 0 ? sum / A[m]![m]! : 0;
      }
    }
  };

  const node = (signs: ReadonlyMap<number, number>): void => {
    const kind = u8();
    if (kind === 0) {
      const i = u32();
      node(new Map(signs).set(i, 1));
      node(new Map(signs).set(i, -1));
    } else {
      expect(kind).toBe(1);
      leaf(signs);
    }
  };
  expect(u8()).toBe(0);
  node(new Map());
  expect(at).toBe(bytes.length);
}
