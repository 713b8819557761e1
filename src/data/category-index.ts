/**
 * Numbers the distinct cells of a column in order of appearance, comparing bytes: a cell is decoded once, not once a
 * row. Open addressing over FNV-1a hashes.
 */
export class CategoryIndex {
  readonly #bytes: Uint8Array;
  /** Slot -> code + 1; 0 = free. */
  #slots = new Int32Array(256);
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #quoted: boolean[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The number of the cell `start` .. `end`, a new one when it was not seen before. */
  code(start: number, end: number, quoted: boolean): number {
    if (2 * this.#starts.length >= this.#slots.length) this.#grow();
    const slot = this.#find(start, end);
    const found = this.#slots[slot]!;
    if (found > 0) return found - 1;
    this.#starts.push(start);
    this.#ends.push(end);
    this.#quoted.push(quoted);
    this.#slots[slot] = this.#starts.length;
    return this.#starts.length - 1;
  }

  /** The distinct cells in order of their numbers, as `decode` makes them. */
  decoded(decode: (start: number, end: number, quoted: boolean) => string): string[] {
    return this.#starts.map((start, code) => decode(start, this.#ends[code]!, this.#quoted[code]!));
  }

  #find(start: number, end: number): number {
    const bytes = this.#bytes;
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.#slots[slot]! > 0 && !this.#equals(this.#slots[slot]! - 1, start, end)) slot = (slot + 1) & mask;
    return slot;
  }

  #equals(code: number, start: number, end: number): boolean {
    const from = this.#starts[code]!;
    const length = end - start;
    if (this.#ends[code]! - from !== length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== this.#bytes[start + i]) return false;
    return true;
  }

  #grow(): void {
    this.#slots = new Int32Array(4 * this.#slots.length);
    this.#starts.forEach((start, code) => {
      this.#slots[this.#find(start, this.#ends[code]!)] = code + 1;
    });
  }
}
