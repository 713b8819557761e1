import { decodeImageProgram, IMAGE_SLOTS, imageNeeds } from "./image-program.ts";
import type { ElementwiseKernels, Kernels, RealArray, RealKernels, StreamKey, WindowShape } from "./types.ts";
import { ELEMENTWISE, lineSizes, PAIR_SLOTS, PAIR_STEP_SIZE, PAIR_STEPS, patternWords, windowSizes } from "./types.ts";

/** Throws unless a kernel may use the array: it is in the memory of the kernels and not released. */
export type Ownership = (array: RealArray | Uint32Array, kernel: string, name: string) => void;

/** The checks of the arguments of the kernels on one kind of array. */
interface Checks<A extends RealArray> {
  sizes(kernel: string, named: Readonly<Record<string, number>>): void;
  vector(kernel: string, name: string, length: number, array: A): void;
  dense(kernel: string, name: string, rows: number, cols: number, array: A, ld: number): void;
}

function checksOf<A extends RealArray>(own: Ownership, kind: new (length: number) => A): Checks<A> {
  const size = (kernel: string, name: string, value: number): void => {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${kernel}: ${name} must be a non-negative integer, got ${value}`);
    }
  };
  const vector = (kernel: string, name: string, length: number, array: A): void => {
    if (!(array instanceof kind)) throw new TypeError(`${kernel}: ${name} must be a ${kind.name}`);
    own(array, kernel, name);
    if (array.length < length) {
      throw new RangeError(`${kernel}: ${name} needs ${length} entries, the array has ${array.length}`);
    }
  };
  return {
    vector,
    sizes(kernel, named) {
      for (const name in named) size(kernel, name, named[name]!);
    },
    dense(kernel, name, rows, cols, array, ld) {
      size(kernel, `the row distance of ${name}`, ld);
      if (ld < cols && rows > 0) {
        throw new RangeError(`${kernel}: rows of ${name} (${rows} x ${cols}) are ${cols} long but ${ld} apart`);
      }
      const length = rows === 0 || cols === 0 ? 0 : (rows - 1) * ld + cols;
      if (array instanceof kind && array.length < length) {
        const shape = `${rows} x ${cols} with rows ${ld} apart`;
        throw new RangeError(`${kernel}: ${name} (${shape}) needs ${length} entries, the array has ${array.length}`);
      }
      vector(kernel, name, 0, array);
    },
  };
}

function checkedReal<A extends RealArray>(
  raw: RealKernels<A>,
  { sizes, vector, dense }: Checks<A>,
  doubles: Checks<Float64Array>,
): RealKernels<A> {
  const elementwise = ELEMENTWISE.map((name) => [
    name,
    (n: number, x: A, out: A): void => {
      sizes(name, { n });
      vector(name, "x", n, x);
      vector(name, "out", n, out);
      raw[name](n, x, out);
    },
  ]);
  const windows = (name: string, n: number, shape: WindowShape, images: A, patches: A): void => {
    const { circular: _, top, left, ...counts } = shape;
    sizes(name, { n, top, left, ...counts });
    const each = windowSizes(shape);
    vector(name, "images", n * each.image, images);
    vector(name, "patches", n * each.patches, patches);
  };
  const pools = (name: string, n: number, shape: WindowShape, images: A, values: A): void => {
    const { circular: _, top, left, ...counts } = shape;
    sizes(name, { n, top, left, ...counts });
    vector(name, "images", n * windowSizes(shape).image, images);
    vector(name, "values", n * shape.outHeight * shape.outWidth * shape.channels, values);
  };
  const entries = (
    name: string,
    n: number,
    size: number,
    imageSize: number,
    ...[places, images, values]: A[]
  ): void => {
    sizes(name, { n, size, imageSize });
    vector(name, "places", n * size, places!);
    vector(name, "images", n * imageSize, images!);
    vector(name, "values", n * size, values!);
  };
  return {
    ...(Object.fromEntries(elementwise) as ElementwiseKernels<A>),
    gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) {
      sizes("gemm", { m, n, k });
      dense("gemm", "A", transA ? k : m, transA ? m : k, a, lda);
      dense("gemm", "B", transB ? n : k, transB ? k : n, b, ldb);
      dense("gemm", "C", m, n, c, ldc);
      raw.gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    },
    syrk(trans, n, k, alpha, a, lda, beta, c, ldc) {
      sizes("syrk", { n, k });
      dense("syrk", "A", trans ? k : n, trans ? n : k, a, lda);
      dense("syrk", "C", n, n, c, ldc);
      raw.syrk(trans, n, k, alpha, a, lda, beta, c, ldc);
    },
    gemv(trans, m, n, alpha, a, lda, x, beta, y) {
      sizes("gemv", { m, n });
      dense("gemv", "A", m, n, a, lda);
      vector("gemv", "x", trans ? m : n, x);
      vector("gemv", "y", trans ? n : m, y);
      raw.gemv(trans, m, n, alpha, a, lda, x, beta, y);
    },
    normalProduct(m, n, a, lda, x, y) {
      sizes("normalProduct", { m, n });
      dense("normalProduct", "A", m, n, a, lda);
      vector("normalProduct", "x", n, x);
      vector("normalProduct", "y", n, y);
      raw.normalProduct(m, n, a, lda, x, y);
    },
    dot(n, x, y) {
      sizes("dot", { n });
      vector("dot", "x", n, x);
      vector("dot", "y", n, y);
      return raw.dot(n, x, y);
    },
    axpy(n, alpha, x, y) {
      sizes("axpy", { n });
      vector("axpy", "x", n, x);
      vector("axpy", "y", n, y);
      raw.axpy(n, alpha, x, y);
    },
    norm2(n, x) {
      sizes("norm2", { n });
      vector("norm2", "x", n, x);
      return raw.norm2(n, x);
    },
    normInf(n, x) {
      sizes("normInf", { n });
      vector("normInf", "x", n, x);
      return raw.normInf(n, x);
    },
    norm1(n, x) {
      sizes("norm1", { n });
      vector("norm1", "x", n, x);
      return raw.norm1(n, x);
    },
    reluMask(n, x, g, out) {
      sizes("reluMask", { n });
      vector("reluMask", "x", n, x);
      vector("reluMask", "g", n, g);
      vector("reluMask", "out", n, out);
      raw.reluMask(n, x, g, out);
    },
    gatherWindows(n, shape, images, patches) {
      windows("gatherWindows", n, shape, images, patches);
      raw.gatherWindows(n, shape, images, patches);
    },
    scatterWindows(n, shape, patches, images) {
      windows("scatterWindows", n, shape, images, patches);
      raw.scatterWindows(n, shape, patches, images);
    },
    copyLines(mode, layout, from, to) {
      const { images, height, length, fromLine, fromImage, toLine, toImage } = layout;
      sizes("copyLines", { images, height, length, fromLine, fromImage, toLine, toImage });
      const apart = (line: number, image: number): boolean =>
        (height < 2 || line >= length) && (images < 2 || image >= (height - 1) * line + length);
      // With zeros behind the last line of an image there must be room for them.
      const fits = mode !== "frame" || toImage >= (height - 1) * toLine + length;
      if (images * height > 0 && !(apart(fromLine, fromImage) && apart(toLine, toImage) && fits)) {
        throw new RangeError(`copyLines: lines overlap: ${JSON.stringify(layout)}`);
      }
      const reach = lineSizes(layout, mode);
      vector("copyLines", "from", reach.from, from);
      vector("copyLines", "to", reach.to, to);
      raw.copyLines(mode, layout, from, to);
    },
    largestOfWindows(n, shape, images, out, places) {
      pools("largestOfWindows", n, shape, images, out);
      pools("largestOfWindows", n, shape, images, places);
      raw.largestOfWindows(n, shape, images, out, places);
    },
    sumsOfWindows(n, shape, factor, images, out) {
      pools("sumsOfWindows", n, shape, images, out);
      raw.sumsOfWindows(n, shape, factor, images, out);
    },
    spreadOverWindows(n, shape, factor, values, images) {
      pools("spreadOverWindows", n, shape, images, values);
      raw.spreadOverWindows(n, shape, factor, values, images);
    },
    entriesAt(n, size, imageSize, places, images, values) {
      entries("entriesAt", n, size, imageSize, places, images, values);
      raw.entriesAt(n, size, imageSize, places, images, values);
    },
    addEntriesAt(n, size, imageSize, places, values, images) {
      entries("addEntriesAt", n, size, imageSize, places, images, values);
      raw.addEntriesAt(n, size, imageSize, places, values, images);
    },
    add(n, x, y, out) {
      sizes("add", { n });
      vector("add", "x", n, x);
      vector("add", "y", n, y);
      vector("add", "out", n, out);
      raw.add(n, x, y, out);
    },
    atan2(n, y, x, out) {
      sizes("atan2", { n });
      vector("atan2", "y", n, y);
      vector("atan2", "x", n, x);
      vector("atan2", "out", n, out);
      raw.atan2(n, y, x, out);
    },
    pairRecursion(lower, rows, cols, program, rowNumbers, rowStride, colNumbers, colStride, k, ldk, theta, ldt) {
      const name = "pairRecursion";
      sizes(name, { rows, cols });
      const steps = Math.floor(program.length / PAIR_STEP_SIZE);
      doubles.vector(name, "program", 0, program);
      doubles.dense(name, "rowNumbers", 2 * steps, rows, rowNumbers, rowStride);
      doubles.dense(name, "colNumbers", 2 * steps, 4 * Math.ceil(cols / 4), colNumbers, colStride);
      if (lower && rows !== cols) throw new RangeError(`${name}: the lower half of a ${rows} x ${cols} matrix`);
      for (let s = 0; s < steps; s++) {
        const [kind, slot] = program.subarray(s * PAIR_STEP_SIZE);
        const uses = kind === PAIR_STEPS.save || kind === PAIR_STEPS.exchange || kind === PAIR_STEPS.add;
        if (uses && !(Number.isInteger(slot) && slot! >= 0 && slot! < PAIR_SLOTS)) {
          throw new RangeError(`${name}: slot ${slot} of ${PAIR_SLOTS}`);
        }
      }
      dense(name, "K", rows, cols, k, ldk);
      if (theta !== null) dense(name, "theta", rows, cols, theta, ldt);
      raw.pairRecursion(lower, rows, cols, program, rowNumbers, rowStride, colNumbers, colStride, k, ldk, theta, ldt);
    },
  };
}

/**
 * The kernels behind argument checks, so that no backend hands a bad pointer to WebAssembly or to a C library.
 *
 * @throws TypeError for an array from elsewhere, RangeError for a bad shape or a short array (when called).
 */
export function checkedKernels(raw: Kernels, own: Ownership): Kernels {
  const checks = checksOf<Float64Array>(own, Float64Array);
  const singles = checksOf<Float32Array>(own, Float32Array);
  const { sizes, vector, dense } = checks;
  const words = (kernel: string, name: string, length: number, array: Uint32Array): void => {
    if (!(array instanceof Uint32Array)) throw new TypeError(`${kernel}: ${name} must be a Uint32Array`);
    own(array, kernel, name);
    if (array.length < length) {
      throw new RangeError(`${kernel}: ${name} needs ${length} words, the array has ${array.length}`);
    }
  };
  const packed = (kernel: string, n: number, p: number, array: Uint32Array): void =>
    words(kernel, `patterns (${p} of ${n} rows)`, p * patternWords(n), array);
  const stream = (kernel: string, key: StreamKey, first: number, n: number): void => {
    sizes(kernel, { n, first, "2 (first + n)": 2 * (first + n) });
    for (const word of key) {
      if (word >>> 0 !== word) throw new RangeError(`${kernel}: key words must be integers in [0, 2^32), got ${word}`);
    }
  };

  return {
    ...checkedReal(raw, checks, checks),
    f32: checkedReal(raw.f32, singles, checks),
    gatedForward(n, d, p, x, patterns, v, out) {
      sizes("gatedForward", { n, d, p });
      dense("gatedForward", "X", n, d, x, d);
      packed("gatedForward", n, p, patterns);
      dense("gatedForward", "V", p, d, v, d);
      vector("gatedForward", "out", n, out);
      raw.gatedForward(n, d, p, x, patterns, v, out);
    },
    gatedAdjoint(n, d, p, x, patterns, r, out) {
      sizes("gatedAdjoint", { n, d, p });
      dense("gatedAdjoint", "X", n, d, x, d);
      packed("gatedAdjoint", n, p, patterns);
      vector("gatedAdjoint", "r", n, r);
      dense("gatedAdjoint", "out", p, d, out, d);
      raw.gatedAdjoint(n, d, p, x, patterns, r, out);
    },
    activationPatterns(n, d, p, x, g, out) {
      sizes("activationPatterns", { n, d, p });
      dense("activationPatterns", "X", n, d, x, d);
      dense("activationPatterns", "G", p, d, g, d);
      packed("activationPatterns", n, p, out);
      raw.activationPatterns(n, d, p, x, g, out);
    },
    blockSoftThreshold(p, d, v, tau) {
      sizes("blockSoftThreshold", { p, d });
      dense("blockSoftThreshold", "V", p, d, v, d);
      if (!(tau >= 0)) throw new RangeError(`blockSoftThreshold: tau must be non-negative, got ${tau}`);
      raw.blockSoftThreshold(p, d, v, tau);
    },
    projectOnBalls(rows, cols, b, radii, levels, gains) {
      sizes("projectOnBalls", { rows, cols });
      dense("projectOnBalls", "B", rows, cols, b, cols);
      vector("projectOnBalls", "radii", rows, radii);
      vector("projectOnBalls", "levels", rows, levels);
      vector("projectOnBalls", "gains", rows, gains);
      raw.projectOnBalls(rows, cols, b, radii, levels, gains);
    },
    stepOnBalls(rows, cols, rates, h, mean, square, slopes, slack, radii, along) {
      sizes("stepOnBalls", { rows, cols });
      for (const [name, array] of Object.entries({ h, mean, square })) {
        singles.dense("stepOnBalls", name, rows, cols, array, cols);
      }
      dense("stepOnBalls", "slopes", rows, cols, slopes, cols);
      for (const [name, array] of Object.entries({ slack, radii, along })) vector("stepOnBalls", name, rows, array);
      raw.stepOnBalls(rows, cols, rates, h, mean, square, slopes, slack, radii, along);
    },
    cholesky(n, a, lda) {
      sizes("cholesky", { n });
      dense("cholesky", "A", n, n, a, lda);
      return raw.cholesky(n, a, lda);
    },
    solveLower(trans, n, nrhs, l, ldl, b, ldb) {
      sizes("solveLower", { n, nrhs });
      dense("solveLower", "L", n, n, l, ldl);
      dense("solveLower", "B", n, nrhs, b, ldb);
      raw.solveLower(trans, n, nrhs, l, ldl, b, ldb);
    },
    symmetricEigen(n, a, lda, values) {
      sizes("symmetricEigen", { n });
      dense("symmetricEigen", "A", n, n, a, lda);
      vector("symmetricEigen", "values", n, values);
      raw.symmetricEigen(n, a, lda, values);
    },
    imagePairs(record, lower, rows, cols, program, images1, images2, numbers1, numbers2, nngp, ntk) {
      const name = "imagePairs";
      sizes(name, { rows, cols });
      vector(name, "program", 0, program);
      const { slots, image, numbers } = imageNeeds(decodeImageProgram(program));
      if (slots > IMAGE_SLOTS) throw new RangeError(`${name}: ${slots} of ${IMAGE_SLOTS} slots`);
      if (lower && rows !== cols) throw new RangeError(`${name}: the lower half of a ${rows} x ${cols} matrix`);
      vector(name, "images1", rows * image, images1);
      vector(name, "numbers1", rows * numbers, numbers1);
      vector(name, "images2", record ? 0 : cols * image, images2);
      vector(name, "numbers2", record ? 0 : cols * numbers, numbers2);
      for (const out of [nngp, ntk]) if (out !== null) vector(name, "a result", record ? 0 : rows * cols, out);
      raw.imagePairs(record, lower, rows, cols, program, images1, images2, numbers1, numbers2, nngp, ntk);
    },
    randomBits(key, first, n, out) {
      stream("randomBits", key, first, n);
      words("randomBits", "out", n, out);
      raw.randomBits(key, first, n, out);
    },
    randomUniform(key, first, n, out) {
      stream("randomUniform", key, first, n);
      vector("randomUniform", "out", n, out);
      raw.randomUniform(key, first, n, out);
    },
    randomNormal(key, first, n, out) {
      stream("randomNormal", key, first, n);
      vector("randomNormal", "out", n, out);
      raw.randomNormal(key, first, n, out);
    },
  };
}
