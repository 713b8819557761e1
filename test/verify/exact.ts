/** Exact arithmetic for the tests: a double is a whole number of 2^-1074; products of two are of 2^-2148, and so on. */
export function exact(x: number): bigint {
  if (!Number.isFinite(x)) throw new RangeError(`${x} is not a number`);
  let size = Math.abs(x);
  let shift = 1074;
  while (!Number.isInteger(size)) {
    // Exact: a double below 2^53 times a power of two, not subnormal after the first step.
    size *= 2 ** 64;
    shift -= 64;
  }
  const units = shift >= 0 ? BigInt(size) << BigInt(shift) : BigInt(size) >> BigInt(-shift);
  return x < 0 ? -units : units;
}

export function exactDot(a: ArrayLike<number>, b: ArrayLike<number>): bigint {
  let sum = 0n;
  for (let k = 0; k < a.length; k++) sum += exact(a[k]!) * exact(b[k]!);
  return sum;
}

/** Bits of the fixed-point numbers of {@link ln} and {@link exp}. */
export const BITS = 400n;
const ONE = 1n << BITS;

/** A double as a fixed-point number (exact for doubles that are multiples of 2^-BITS, rounded down otherwise). */
export function fixed(x: number): bigint {
  return exact(x) >> (1074n - BITS);
}

/** e^x of a fixed-point number, to about 380 bits. */
export function exp(x: bigint): bigint {
  // e^x = (e^(x / 2^64))^(2^64) would lose too much; 16 halvings are enough for quick convergence.
  const halvings = 40n;
  const small = x >> halvings;
  let term = ONE;
  let sum = ONE;
  for (let k = 1n; k < 60n; k++) {
    term = (term * small) / (ONE * k);
    sum += term;
  }
  for (let k = 0n; k < halvings; k++) sum = (sum * sum) >> BITS;
  return sum;
}

/** The natural logarithm of a fixed-point number > 0, by Newton's method on {@link exp}. */
export function ln(x: bigint): bigint {
  let k = 0n;
  let m = x;
  while (m >= 2n * ONE) {
    m >>= 1n;
    k++;
  }
  while (m < ONE) {
    m <<= 1n;
    k--;
  }
  return artanhLog(m) + k * artanhLog(2n * ONE);
}

/** ln m = 2 artanh((m - 1) / (m + 1)) for 1 <= m <= 2. */
function artanhLog(m: bigint): bigint {
  const s = ((m - ONE) << BITS) / (m + ONE);
  const t = (s * s) >> BITS;
  let power = s;
  let sum = 0n;
  for (let j = 1n; power !== 0n; j += 2n) {
    sum += power / j;
    power = (power * t) >> BITS;
  }
  return 2n * sum;
}
