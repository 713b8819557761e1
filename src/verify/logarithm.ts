import { down, EPS, up } from "./arithmetic.ts";

const TWO_100 = Number(2n ** 100n);
/** 1 / (2j + 1) for j = 10, 9, ... 1. */
const ODD_INVERSES = Array.from({ length: 10 }, (_, j) => 1 / (21 - 2 * j));

/** Numbers that enclose an exact one. */
interface Enclosure {
  readonly low: number;
  readonly high: number;
}

/**
 * The natural logarithm of a finite double x > 0. With x = 2^k m, m in [0.71, 1.42], it is k ln 2 + L, L = 2 artanh(s),
 * s = (m - 1) / (m + 1), |s| < 0.174, by the series 2s (1 + s^2/3 + ... + s^20/21). Relative errors in units of u = 2^-53: s 2.1 (m - 1
 * is exact), the bracket 1.2 (its tail of s^2 terms is below 0.01 and carries 9; the cut-off rest is below 0.01), the last product
 * 1: L within 4.4 u |L|. Math.LN2 is within 0.3 u ln 2, k times it within 1.4 u |k| ln 2, and the sum adds u of itself: in all below 6 u (|L| + |k|). Stated:
 * 8 u, which leaves room for the rounding of the ends.
 */
export function logarithm(x: number): Enclosure {
  const bits = new DataView(new ArrayBuffer(8));
  const isSmall = x < 1e-300;
  bits.setFloat64(0, isSmall ? x * TWO_100 : x);
  const high = bits.getUint32(0);
  let k = (high >>> 20) - 1023 - (isSmall ? 100 : 0);
  bits.setUint32(0, (high & 0xfffff) | (1023 << 20));
  let m = bits.getFloat64(0);
  if (m > 1.42) {
    m /= 2;
    k += 1;
  }
  const s = (m - 1) / (m + 1);
  const t = s * s;
  let tail = 0;
  for (const inverse of ODD_INVERSES) tail = (tail + inverse) * t;
  const L = 2 * s * (1 + tail);
  const value = k * Math.LN2 + L;
  const error = 4 * EPS * (Math.abs(L) + Math.abs(k));
  return { low: value - error, high: value + error };
}

/** An upper bound of log(1 + e^s). Math.exp is not trusted: what it says is checked by the logarithm. */
export function softplusAbove(s: number): number {
  if (s > 0) return up(s + softplusAbove(-s));
  const floor = Math.max(s, -700);
  const e = Math.exp(floor) * (1 + 2 ** -48 * (1 - floor));
  const isAbove = e > 0 && e < 2 && logarithm(e).low >= floor;
  if (isAbove) return Math.min(e, logarithm(up(1 + e)).high);
  // log 2 holds for every s <= 0; NaN stays NaN.
  return s <= 0 ? logarithm(2).high : s;
}

/** A lower bound of the binary entropy -p ln p - (1 - p) ln(1 - p) over low <= p <= high within [0, 1]: it is concave. */
export function entropyBelow(low: number, high: number): number {
  return Math.min(entropyAt(low), entropyAt(high));
}

function entropyAt(p: number): number {
  const least = Math.max(0, down(1 - p));
  const most = Math.min(1, up(1 - p));
  // -(1 - p) ln(1 - p) is concave too, and at least (1 - p) p because -ln(1 - p) >= p.
  const rest = Math.max(Math.min(plogp(least), plogp(most)), down(least * p));
  return Math.max(0, down(plogp(p) + rest));
}

/** A lower bound of -p ln p. */
function plogp(p: number): number {
  return p > 0 ? Math.max(0, down(p * -logarithm(p).high)) : 0;
}
