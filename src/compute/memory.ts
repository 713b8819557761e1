import type { Ownership } from "./checks.ts";
import type { Scope } from "./types.ts";

/** Scoped arrays for kernels, and the check that an array is one of them. */
export interface KernelMemory {
  readonly bytesInUse: number;
  readonly bytesReserved: number;
  readonly limit: number;
  scope<T>(body: (scope: Scope) => T): T;
  readonly own: Ownership;
}

const ALIGNMENT = 64;
const PAGE = 65536;
const GIBIBYTE = 2 ** 30;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

const gibibytes = (bytes: number): string => `${(bytes / GIBIBYTE).toPrecision(3)} GiB`;

function checkedLength(length: number): number {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`an array length must be a non-negative integer, got ${length}`);
  }
  return length;
}

function refusePromise<T>(result: T): T {
  if (result instanceof Promise) {
    throw new TypeError("the body of a scope must not be asynchronous: its arrays are released when it returns");
  }
  return result;
}

function full(bytes: number, inUse: number, limit: number, why: string): RangeError {
  return new RangeError(
    `kernel memory is full: asked for ${bytes} bytes with ${gibibytes(inUse)} in use of ${gibibytes(limit)}${why}; ` +
      "use fewer rows or patterns, or release scopes earlier",
  );
}

/** The largest shared WebAssembly memory that the machine reserves: 4 GiB if it can, else a half, a quarter, ... */
export function reserveSharedMemory(initialPages: number): { memory: WebAssembly.Memory; limit: number } {
  for (let maximum = PAGE; ; maximum /= 2) {
    try {
      const memory = new WebAssembly.Memory({ initial: initialPages, maximum, shared: true });
      return { memory, limit: maximum * PAGE };
    } catch (error) {
      // Address space may be limited (containers, ulimit -v); below 64 MiB no useful problem fits.
      if (maximum <= 1024) throw error;
    }
  }
}

/**
 * A stack of scopes above `base` in a shared WebAssembly memory, grown on demand: an allocation moves the top of the
 * stack, the end of a scope moves it back. Arrays take at most `limit` bytes together.
 */
export function wasmMemory(memory: WebAssembly.Memory, base: number, limit: number): KernelMemory {
  let top = aligned(base);
  const bottom = top;
  // Memory above the highest top so far is zero already.
  let used = top;
  // A grown shared memory has a new buffer object; arrays over the earlier ones stay valid.
  const buffers = new WeakSet<ArrayBufferLike>();

  const allocate = (bytes: number): number => {
    const pointer = top;
    const end = pointer + aligned(bytes);
    if (end - bottom > limit) throw full(bytes, pointer - bottom, limit, "");
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) {
      // Growing by at least an eighth keeps the number of buffer objects small.
      const wanted = Math.max(missing, memory.buffer.byteLength / 8);
      const pages = Math.min(Math.ceil(wanted / PAGE), Math.ceil((bottom + limit - memory.buffer.byteLength) / PAGE));
      try {
        memory.grow(pages);
      } catch {
        try {
          memory.grow(Math.ceil(missing / PAGE));
        } catch {
          throw full(bytes, pointer - bottom, limit, ", and the machine gives no more");
        }
      }
    }
    buffers.add(memory.buffer);
    top = end;
    return pointer;
  };

  const clear = <T extends Float64Array | Float32Array | Uint32Array>(array: T): T => {
    const dirty = Math.ceil((used - array.byteOffset) / array.BYTES_PER_ELEMENT);
    if (dirty > 0) array.fill(0, 0, dirty);
    used = Math.max(used, top);
    return array;
  };

  const arrays: Scope = {
    f64(length) {
      const pointer = allocate(checkedLength(length) * 8);
      return clear(new Float64Array(memory.buffer, pointer, length));
    },
    f32(length) {
      const pointer = allocate(checkedLength(length) * 4);
      return clear(new Float32Array(memory.buffer, pointer, length));
    },
    u32(length) {
      const pointer = allocate(checkedLength(length) * 4);
      return clear(new Uint32Array(memory.buffer, pointer, length));
    },
    copy(source) {
      const pointer = allocate(source.length * 8);
      used = Math.max(used, top);
      const array = new Float64Array(memory.buffer, pointer, source.length);
      array.set(source);
      return array;
    },
  };

  return {
    get bytesInUse() {
      return top - bottom;
    },
    get bytesReserved() {
      return memory.buffer.byteLength;
    },
    limit,
    scope(body) {
      const mark = top;
      try {
        return refusePromise(body(arrays));
      } finally {
        top = mark;
      }
    },
    own(array, kernel, name) {
      if (!buffers.has(array.buffer)) {
        throw new TypeError(`${kernel}: ${name} must come from a scope of this Compute`);
      }
      if (array.byteOffset + array.byteLength > top) {
        throw new TypeError(`${kernel}: ${name} was released with its scope`);
      }
    },
  };
}

/** The same scopes over ordinary array buffers, one an array, for the reference backend. */
export function plainMemory(limit = Number.POSITIVE_INFINITY): KernelMemory {
  const live = new Map<ArrayBufferLike, number>();
  let open: ArrayBufferLike[] = [];
  let bytesInUse = 0;

  const register = <T extends Float64Array | Float32Array | Uint32Array>(array: T): T => {
    const bytes = aligned(array.byteLength);
    if (bytesInUse + bytes > limit) throw full(array.byteLength, bytesInUse, limit, "");
    live.set(array.buffer, bytes);
    open.push(array.buffer);
    bytesInUse += bytes;
    return array;
  };
  const arrays: Scope = {
    f64: (length) => register(new Float64Array(checkedLength(length))),
    f32: (length) => register(new Float32Array(checkedLength(length))),
    u32: (length) => register(new Uint32Array(checkedLength(length))),
    copy: (source) => register(Float64Array.from(source)),
  };

  return {
    get bytesInUse() {
      return bytesInUse;
    },
    // Ordinary arrays go back to the engine.
    get bytesReserved() {
      return bytesInUse;
    },
    limit,
    scope(body) {
      const outer = open;
      open = [];
      try {
        return refusePromise(body(arrays));
      } finally {
        for (const buffer of open) {
          bytesInUse -= live.get(buffer) ?? 0;
          live.delete(buffer);
        }
        open = outer;
      }
    },
    own(array, kernel, name) {
      if (!live.has(array.buffer)) {
        throw new TypeError(`${kernel}: ${name} must come from an open scope of this Compute`);
      }
    },
  };
}
