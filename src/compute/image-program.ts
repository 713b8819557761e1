import { DUAL_STEPS, type DualKind, dualNumbers } from "./duals.ts";

/**
 * The programs of {@link Kernels.imagePairs}: lists of steps, {@link IMAGE_STEP_SIZE} numbers each.
 *
 * A step acts on two tensors, the covariances k and the tangent kernel theta of the pixels of two images: of equal places
 * only (h x w), or, when `pairs`, of all pairs of places (h x h x w x w, rows of both images first). In memory the lines of
 * w entries are {@link lineOf}(w) apart.
 */
export const IMAGE_STEP_SIZE = 20;

/** Kinds of steps, as numbered in assembly/image-step.ts. */
export const IMAGE_STEPS = {
  /** k <- w sum over channels x x'; theta <- 0. Always the first step. */
  input: 0,
  /** With S, U the sums of k, theta over equal places of the windows of both images: k <- w S + b; theta <- w U + a S + e. */
  conv: 1,
  /** The same with the sums over all pairs of places of the two windows. */
  pool: 2,
  /** As conv with a window of one pixel. */
  affine: 3,
  save: 4,
  exchange: 5,
  add: 6,
  /** From all pairs to those of equal places. */
  diagonal: 7,
  /** w times the sum over equal places, as one pixel. */
  mean: 8,
  /** w times the sum over all pairs, as one pixel. */
  total: 9,
  /** w, b, a, e: four coefficients of the polynomial before: its numbers m = 0, 1, ... in powers of v, lowest first. */
  numbers: 10,
  /** With w, b, a as A, B, C; `at` is where their numbers are. With w = 1 the variance of `normalize` is that of all pixels. */
  ...DUAL_STEPS,
} as const;

export type ImageStepKind = keyof typeof IMAGE_STEPS;

/** The numbers of a step behind its kind, in their order; those that a kind does not use are 0. */
const FIELDS = [
  ...["w", "b", "a", "e"],
  ...["height", "width", "outHeight", "outWidth", "filterHeight", "filterWidth", "strideHeight", "strideWidth"],
  ...["top", "left", "circular", "pairs", "at", "id"],
] as const;

/** A step by names; `at`: where its numbers are among those of an image, or its slot; `id`: channels, or the function. */
export interface ImageStep {
  readonly kind: ImageStepKind;
  readonly w: number;
  readonly b: number;
  readonly a: number;
  readonly e: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  /** Rows of the margin above and left of the image. */
  readonly top: number;
  readonly left: number;
  readonly circular: boolean;
  readonly pairs: boolean;
  readonly at: number;
  readonly id: number;
}

const KINDS = new Map(Object.entries(IMAGE_STEPS).map(([kind, code]) => [code as number, kind as ImageStepKind]));

/** Places for tensors put aside. */
export const IMAGE_SLOTS = 256;
/** Numbers of the table at the head of the working memory of a thread. */
const TABLE = 544;

/** The distance of lines of w entries. */
export function lineOf(w: number): number {
  return 4 * Math.ceil(w / 4);
}

export function encodeImageProgram(steps: readonly ImageStep[]): Float64Array {
  const numbers = new Float64Array(steps.length * IMAGE_STEP_SIZE);
  steps.forEach((step, s) => {
    numbers[s * IMAGE_STEP_SIZE] = IMAGE_STEPS[step.kind];
    FIELDS.forEach((name, k) => {
      numbers[s * IMAGE_STEP_SIZE + 1 + k] = Number(step[name as keyof ImageStep]);
    });
  });
  return numbers;
}

/** @throws RangeError for numbers that are no program. */
export function decodeImageProgram(numbers: Float64Array): readonly ImageStep[] {
  return Array.from({ length: Math.floor(numbers.length / IMAGE_STEP_SIZE) }, (_, s) => {
    const part = numbers.subarray(s * IMAGE_STEP_SIZE, (s + 1) * IMAGE_STEP_SIZE);
    const kind = KINDS.get(part[0]!);
    if (kind === undefined) throw new RangeError(`step ${s + 1} of an image program has the kind ${part[0]}`);
    const fields = FIELDS.map((name, k) => {
      const value = part[1 + k]!;
      return [name, name === "circular" || name === "pairs" ? value !== 0 : value];
    });
    return { kind, ...Object.fromEntries(fields) } as ImageStep;
  });
}

/** Entries of a tensor, those behind its lines included. */
export function tensorLength(height: number, width: number, pairs: boolean): number {
  return (pairs ? height * height * width : height) * lineOf(width);
}

/** Whether the numbers of a step are recorded. */
export function isRecorded(kind: ImageStepKind): kind is DualKind {
  return Object.hasOwn(DUAL_STEPS, kind);
}

/** Numbers of an image that a step records: for each of its pixels as many as {@link dualNumbers}. */
export function recordedLength(kind: DualKind, degree: number, height: number, width: number): number {
  return dualNumbers(kind, degree) * height * lineOf(width);
}

/** What a program needs: entries of its largest tensor, slots, entries of the room of its windows, numbers of an image. */
export interface ImageNeeds {
  readonly tensor: number;
  readonly slots: number;
  readonly room: number;
  readonly numbers: number;
  /** Entries of the planes of an image. */
  readonly image: number;
  /** Working memory of a thread, in numbers. */
  readonly work: number;
}

export function imageNeeds(steps: readonly ImageStep[]): ImageNeeds {
  let [tensor, slots, room, numbers] = [0, 0, 0, 0];
  for (const step of steps) {
    const { kind, height, width, outHeight, outWidth, pairs, at } = step;
    tensor = Math.max(tensor, tensorLength(height, width, pairs));
    if (kind === "save") slots = Math.max(slots, at + 1);
    if (isRecorded(kind)) numbers = Math.max(numbers, at + recordedLength(kind, step.w, height, width));
    if (kind === "conv" || kind === "pool") {
      tensor = Math.max(tensor, tensorLength(outHeight, outWidth, pairs));
      const last = (lineOf(outWidth) - 1) * step.strideWidth + step.filterWidth;
      const side = lineOf(Math.max(step.left + lineOf(width), last) + 2);
      room = Math.max(room, side * (pairs ? side : outHeight));
    }
  }
  const first = steps[0];
  const image = first === undefined ? 0 : first.id * first.height * lineOf(first.width);
  return { tensor, slots, room, numbers, image, work: TABLE + 2 * (2 + slots) * tensor + 3 * room };
}
