import type { RealArray } from "../../compute/types.ts";

/** out_i <- a_i b_i for i < count. */
export function setProduct<A extends RealArray>(count: number, a: A, b: A, out: A): void {
  for (let i = 0; i < count; i++) out[i] = a[i] * b[i];
}

/** out_i <- out_i + a_i b_i for i < count. */
export function addProduct<A extends RealArray>(count: number, a: A, b: A, out: A): void {
  for (let i = 0; i < count; i++) out[i] += a[i] * b[i];
}

/** out_i <- out_i + factor a_i b_i for i < count. */
export function addScaledProduct<A extends RealArray>(count: number, factor: number, a: A, b: A, out: A): void {
  for (let i = 0; i < count; i++) out[i] += factor * a[i] * b[i];
}

/** out_i <- factor out_i + shift for i < count. */
export function scalePlane(count: number, factor: number, shift: number, out: RealArray): void {
  for (let i = 0; i < count; i++) out[i] = factor * out[i] + shift;
}
