import { DataError } from "../base/errors.ts";

/** Bytes of an image: planes of red, green and blue, 32 x 32 each, row by row. */
const SIDE = 32;
const PLANE = SIDE * SIDE;
const PIXELS = 3 * PLANE;

const NAMES_10 = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");

/** Images with their labels: `images` has n x 32 x 32 x 3 bytes, channels last. */
export interface CifarImages {
  readonly n: number;
  readonly images: Uint8Array;
  readonly labels: Uint32Array;
  /** Names of the classes; numbers for the hundred of CIFAR-100. */
  readonly classes: readonly string[];
}

/** The label bytes of a record: one in CIFAR-10; coarse and fine in CIFAR-100, whose fine one is read; 0: not such a file. */
function labelBytes(bytes: Uint8Array): 0 | 1 | 2 {
  const fits = (count: number, most: readonly number[]): boolean => {
    const record = count + PIXELS;
    if (bytes.length === 0 || bytes.length % record !== 0) return false;
    for (let at = 0; at < bytes.length; at += record) {
      if (most.some((limit, k) => bytes[at + k] >= limit)) return false;
    }
    return true;
  };
  if (fits(1, [10])) return 1;
  return fits(2, [20, 100]) ? 2 : 0;
}

/** Whether the bytes may be CIFAR records: a whole number of them, with labels in range. */
export function isCifar(bytes: Uint8Array): boolean {
  return labelBytes(bytes) > 0;
}

/**
 * Reads the binary version of CIFAR-10 or CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): records of one label
 * byte (two in CIFAR-100) and 3,072 bytes of pixels.
 *
 * @param file named in errors.
 * @throws DataError when the length does not fit, or a label is out of range.
 */
export function readCifar(bytes: Uint8Array, file: string): CifarImages {
  const count = labelBytes(bytes);
  if (count === 0) {
    throw new DataError(`damaged CIFAR file: ${bytes.length} bytes are no whole records with labels in range`, {
      code: "damaged-cifar",
      hint: "records have 1 label byte and 3072 pixels (CIFAR-10), or 2 and 3072 (CIFAR-100): copy it again",
      place: { file },
    });
  }
  const record = count + PIXELS;
  const n = bytes.length / record;
  const images = new Uint8Array(n * PIXELS);
  const labels = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    labels[i] = bytes[i * record + count - 1];
    const from = i * record + count;
    for (let pixel = 0; pixel < PLANE; pixel++) {
      for (let c = 0; c < 3; c++) images[i * PIXELS + 3 * pixel + c] = bytes[from + c * PLANE + pixel];
    }
  }
  const classes = count === 1 ? NAMES_10 : Array.from({ length: 100 }, (_, k) => String(k));
  return { n, images, labels, classes };
}
