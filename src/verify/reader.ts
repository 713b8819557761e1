/** Why a certificate is not accepted. */
export class Rejection extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Rejection";
  }
}

/** Numbers of all paths together that a proof may make the checker remember: 128 MiB. */
export const MOST_REMEMBERED = 2 ** 24;

/**
 * Reads a proof (docs/certificates.md) from its bytes, in order, and never beyond their end. Counts are checked before
 * anything is made of their size, and numbers must be finite.
 */
export class ProofReader {
  readonly #view: DataView;
  readonly #progress: (share: number) => void;
  #at = 0;

  constructor(bytes: Uint8Array, progress: (share: number) => void = () => {}) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#progress = progress;
  }

  /** @throws Rejection naming the place. */
  fail(what: string): never {
    throw new Rejection(`${what} (before byte ${this.#at} of the proof)`);
  }

  /** Tells how far the reading is. */
  report(): void {
    this.#progress(this.#at / this.#view.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f64(): number {
    return this.#finite(this.#view.getFloat64(this.#take(8), true));
  }

  f32(): number {
    return this.#finite(this.#view.getFloat32(this.#take(4), true));
  }

  /** A count of things that take at least `bytes` each, at most `most`. */
  count(most: number, bytes: number): number {
    const count = this.u32();
    if (count > most) this.fail(`a count of ${count} where ${most} is the most`);
    if (count * bytes > this.#view.byteLength - this.#at) this.fail(`a count of ${count} beyond the end`);
    return count;
  }

  /** An index below `end`. */
  index(end: number, what: string): number {
    const index = this.u32();
    if (index >= end) this.fail(`${what} ${index} of ${end}`);
    return index;
  }

  /** A number >= 0. */
  nonnegative(what: string): number {
    const value = this.f64();
    if (value < 0) this.fail(`a negative ${what}`);
    return value;
  }

  /** `count` numbers. */
  f64s(count: number): Float64Array {
    if (count * 8 > this.#view.byteLength - this.#at) this.fail(`${count} numbers beyond the end`);
    const out = new Float64Array(count);
    for (let k = 0; k < count; k++) out[k] = this.f64();
    return out;
  }

  end(): void {
    if (this.#at < this.#view.byteLength) this.fail("bytes after the end");
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#view.byteLength) this.fail("the proof ends too early");
    this.#at = at + bytes;
    return at;
  }

  #finite(value: number): number {
    if (!Number.isFinite(value)) this.fail("a number that is not finite");
    return value;
  }
}
