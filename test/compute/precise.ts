/**
 * Elementary functions in big-integer fixed point, from their series alone: the reference of the elementwise tests. A
 * value is an integer at a scale of 2^-bits; `bits` grows with what the argument needs, so that at least a hundred bits
 * of every result are right.
 */

/** digits * 2^exponent. */
interface Scaled {
  readonly digits: bigint;
  readonly exponent: number;
}

/** A true value, seen from a floating-point format: the nearest number, and the rest in units of its last place. */
export interface Target {
  readonly nearest: number;
  readonly ulp: number;
  readonly rest: number;
}

const view = new DataView(new ArrayBuffer(8));

/** The exact value of a finite number. */
function scaled(x: number): Scaled {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const digits = biased === 0 ? fraction : fraction | (1n << 52n);
  return { digits: x < 0 ? -digits : digits, exponent: Math.max(biased, 1) - 1075 };
}

const shift = (digits: bigint, by: number): bigint => (by >= 0 ? digits << BigInt(by) : digits >> BigInt(-by));
const absolute = (value: bigint): bigint => (value < 0n ? -value : value);
const bitLength = (value: bigint): number => absolute(value).toString(2).length;

/** x at a scale of 2^-bits. */
function fixed(x: number, bits: number): bigint {
  const { digits, exponent } = scaled(x);
  return shift(digits, exponent + bits);
}

/** Bits to spend on x: 300, and more where it is small or large. */
const bitsFor = (x: number): number => 300 + (x === 0 ? 0 : 2 * Math.abs(Math.ceil(Math.log2(Math.abs(x)))));

const constants = new Map<string, bigint>();
function constant(name: string, bits: number, compute: (bits: number) => bigint): bigint {
  const key = `${name} ${bits}`;
  const known = constants.get(key) ?? compute(bits + 32) >> 32n;
  constants.set(key, known);
  return known;
}

/** sum 1 / ((2 k + 1) n^(2 k + 1)), with alternating signs when `alternate`: atan(1 / n), or atanh(1 / n). */
function inverseSeries(n: bigint, bits: number, alternate: boolean): bigint {
  let sum = 0n;
  let power = (1n << BigInt(bits)) / n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += (alternate && k % 4n === 3n ? -power : power) / k;
    power /= n * n;
  }
  return sum;
}
const ln2 = (bits: number): bigint => constant("ln 2", bits, (wide) => 2n * inverseSeries(3n, wide, false));
/** Machin's formula. */
const pi = (bits: number): bigint =>
  constant("pi", bits, (wide) => 16n * inverseSeries(5n, wide, true) - 4n * inverseSeries(239n, wide, true));

function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** e^x for x at a scale of 2^-bits. */
function expOf(x: bigint, bits: number): Scaled {
  const log = ln2(bits);
  const turns = x / log;
  // e^r = (e^(r / 256))^256.
  const r = (x - turns * log) >> 8n;
  let value = 0n;
  let term = 1n << BigInt(bits);
  for (let k = 1n; term !== 0n; k++) {
    value += term;
    term = (term * r) / (k << BigInt(bits));
  }
  for (let k = 0; k < 8; k++) value = (value * value) >> BigInt(bits);
  return { digits: value, exponent: Number(turns) - bits };
}

/** log(1 + y) from an approximation: log(1 + y) = guess + log(1 + d), 1 + d = (1 + y) e^-guess, by the series in d. */
function log1pOf(y: bigint, bits: number, guess: number): Scaled {
  const start = fixed(guess, bits);
  const { digits, exponent } = expOf(-start, bits);
  const one = 1n << BigInt(bits);
  const d = shift((one + y) * digits, exponent) - one;
  let sum = 0n;
  let power = d;
  for (let k = 1n; k < 12n; k++) {
    sum += (k % 2n === 0n ? -power : power) / k;
    power = (power * d) >> BigInt(bits);
  }
  return { digits: start + sum, exponent: -bits };
}

/** sin and cos of x at a scale of 2^-bits. */
function circle(x: bigint, bits: number): { sin: bigint; cos: bigint } {
  const quarter = pi(bits + 16) >> 1n;
  const wide = x << 16n;
  const turns = (2n * wide + quarter) / (2n * quarter) - (2n * wide + quarter < 0n ? 1n : 0n);
  const r = (wide - turns * quarter) >> 16n;
  const series = (first: bigint, from: bigint): bigint => {
    let sum = 0n;
    let term = first;
    for (let k = from; term !== 0n; k += 2n) {
      sum += term;
      term = -(((term * r) >> BigInt(bits)) * r) / ((k * (k + 1n)) << BigInt(bits));
    }
    return sum;
  };
  const sin = series(r, 2n);
  const cos = series(1n << BigInt(bits), 1n);
  const quadrant = ((turns % 4n) + 4n) % 4n;
  if (quadrant === 0n) return { sin, cos };
  if (quadrant === 1n) return { sin: cos, cos: -sin };
  if (quadrant === 2n) return { sin: -sin, cos: -cos };
  return { sin: -cos, cos: sin };
}

function erfOf(x: number): Scaled {
  const bits = bitsFor(x) + 100;
  const z = fixed(x, bits);
  const square = (z * z) >> BigInt(bits);
  let sum = 0n;
  let term = z;
  for (let k = 1n; term !== 0n; k++) {
    sum += term / (2n * k - 1n);
    term = -(term * square) / (k << BigInt(bits));
  }
  return { digits: (2n * sum * (1n << BigInt(bits))) / squareRoot(pi(bits) << BigInt(bits)), exponent: -bits };
}

/** The true values at finite arguments, where they are finite. */
const VALUES = {
  exp: (x: number): Scaled => expOf(fixed(x, 400), 400),
  log1p: (x: number): Scaled => log1pOf(fixed(x, bitsFor(x)), bitsFor(x), Math.log1p(x)),
  softplus: (x: number): Scaled => {
    // log(1 + e^x) = max(x, 0) + log(1 + e^-|x|).
    const bits = 300 + (x < 0 ? Math.ceil(-1.5 * x) : 0);
    const { digits, exponent } = expOf(fixed(-Math.abs(x), bits), bits);
    const tail = log1pOf(shift(digits, exponent + bits), bits, Math.log1p(Math.exp(-Math.abs(x))));
    return { digits: tail.digits + fixed(Math.max(x, 0), bits), exponent: -bits };
  },
  tanh: (x: number): Scaled => {
    // Beyond 40 it is 1 in f64.
    const a = Math.max(-40, Math.min(x, 40));
    const bits = bitsFor(a) + 100;
    const { digits, exponent } = expOf(fixed(2 * a, bits), bits);
    const e = shift(digits, exponent + bits);
    const one = 1n << BigInt(bits);
    return { digits: ((e - one) * one) / (e + one), exponent: -bits };
  },
  // Beyond 7 it is 1 in f64.
  erf: (x: number): Scaled => erfOf(Math.max(-7, Math.min(x, 7))),
  sin: (x: number): Scaled => ({ digits: circle(fixed(x, bitsFor(x)), bitsFor(x)).sin, exponent: -bitsFor(x) }),
  cos: (x: number): Scaled => ({ digits: circle(fixed(x, bitsFor(x)), bitsFor(x)).cos, exponent: -bitsFor(x) }),
} as const;

/** The angle of (x, y) from an approximation: the point turned back by the guess has a tiny angle, whose series is short. */
function angleOf(y: number, x: number): Scaled {
  const guess = Math.atan2(y, x);
  const bits = bitsFor(guess);
  const start = fixed(guess, bits);
  const { sin, cos } = circle(start, bits);
  const [a, b] = [scaled(x), scaled(y)];
  const least = Math.min(a.exponent, b.exponent);
  const [px, py] = [shift(a.digits, a.exponent - least), shift(b.digits, b.exponent - least)];
  const d = ((py * cos - px * sin) << BigInt(bits)) / (px * cos + py * sin);
  const cube = (((d * d) >> BigInt(bits)) * d) >> BigInt(bits);
  const fifth = (((cube * d) >> BigInt(bits)) * d) >> BigInt(bits);
  return { digits: start + d - cube / 3n + fifth / 5n, exponent: -bits };
}

/** Formats: digits of the significand, and the exponents of the least and (one past) the largest number. */
const FORMATS = {
  f64: { digits: 53, least: -1074, most: 1024 },
  f32: { digits: 24, least: -149, most: 128 },
} as const;

function targetOf({ digits, exponent }: Scaled, format: keyof typeof FORMATS): Target {
  const { digits: precision, least, most } = FORMATS[format];
  const place = digits === 0n ? least : Math.max(exponent + bitLength(digits) - precision, least);
  const ulp = 2 ** place;
  // 40 bits below the last place, then rounded.
  const below = shift(absolute(digits), exponent - place + 40);
  const whole = (below + (1n << 39n)) >> 40n;
  const sign = digits < 0n ? -1 : 1;
  const nearest = bitLength(whole) + place > most ? Number.POSITIVE_INFINITY : Number(whole) * ulp;
  return { nearest: sign * nearest, ulp, rest: (sign * Number(below - (whole << 40n))) / 2 ** 40 };
}

/** The functions of one variable that this module knows. */
export type PreciseName = keyof typeof VALUES;

export const precise = (name: PreciseName, x: number, format: "f64" | "f32"): Target =>
  targetOf(VALUES[name](x), format);
export const preciseAngle = (y: number, x: number, format: "f64" | "f32"): Target => targetOf(angleOf(y, x), format);

/** Distance of `value` from the true value in units in the last place. */
export function ulps(value: number, { nearest, ulp, rest }: Target): number {
  if (Object.is(value, nearest) || value === nearest) return Math.abs(rest);
  const distance = Math.abs((value - nearest) / ulp - rest);
  return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
}
