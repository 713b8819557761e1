import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/base/errors.ts";
import { type Matrix, matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { parseArchitecture, type Shape } from "../../src/network/architecture/index.ts";
import { initialize, type NetworkGraph, networkGraph, Tape } from "../../src/network/deep/index.ts";
import {
  EMPIRICAL_METHODS,
  type EmpiricalOptions,
  type EmpiricalPlan,
  empiricalNtk,
  type FiniteNetwork,
  planEmpirical,
  type Trained,
} from "../../src/tangent/index.ts";

let compute: Compute;
let reference: Compute;
beforeAll(async () => {
  [compute, reference] = await Promise.all([createCompute(), createCompute({ backend: "js" })]);
});
afterAll(() => Promise.all([compute.close(), reference.close()]));

const NETWORKS: readonly (readonly [text: string, input: Shape])[] = [
  ["dense(3)", [4]],
  ["dense(6, b=0.5) relu dense(3, b=0.2)", [4]],
  ["dense(5, b=0.5, parametrization=standard) tanh dense(2, b=1, parametrization=standard)", [4]],
  ["dense(4) gelu [dense(4, b=1) erf | dense(4)] softplus dense(2)", [3]],
  ["dense(6) layernorm tanh dense(4) batchnorm erf dense(3, b=0.1)", [4]],
  ["conv(3, 3, b=0.3) relu conv(2, 2x3, s=2, pad=valid) erf flatten dense(2)", [5, 6, 2]],
  ["conv(3, 3, pad=circular) tanh avgpool(2) [conv(3, 3) | conv(3, 1)] gap dense(2)", [6, 6, 1]],
  ["conv(3, 3, s=2) layernorm sumpool(2, s=1, pad=same) layernorm(all) gsp dense(2)", [5, 5, 2]],
  ["conv(4, 3, b=1) relu maxpool(2) conv(8, 3, b=1) relu maxpool(2) flatten dense(3, b=1)", [4, 4, 1]],
  ["conv(3, 3) batchnorm relu dense(2, b=1) batchnorm tanh gap dense(2)", [4, 4, 2]],
  ["conv(4, 3) [relu conv(4, 3) relu conv(4, 3, b=0.1)]x2 relu gap dense(3, b=0.1)", [4, 4, 3]],
  ["[conv(2, 3) batchnorm | conv(2, 1)] abs conv(3, 3, s=2, pad=valid, parametrization=standard)", [5, 5, 2]],
];
const ROWS = 5;
const COLS = 3;

function samples(name: string, count: number, size: number): Matrix {
  const { normal } = randomStream(1, name);
  return matrix(count, size, Float64Array.from({ length: count * size }, normal));
}

/** A network with random gains, shifts and running statistics too. */
function network(text: string, input: Shape): FiniteNetwork {
  const graph = networkGraph(parseArchitecture(text), input);
  const theta = new Float64Array(graph.parameters);
  initialize(graph, 3, theta);
  const { normal } = randomStream(2, "moved");
  for (let k = 0; k < theta.length; k++) theta[k] = theta[k]! + 0.1 * normal();
  const state = new Float64Array(graph.state);
  for (const node of graph.nodes) {
    const { from, count } = node.state;
    for (let k = 0; k < count; k++) state[from + k] = k === 0 ? 5 : 0.5 + Math.abs(normal());
  }
  return { graph, theta, state };
}

/** The parameters of the first and the last weighted layer, and of those in between. */
function isTrained(graph: NetworkGraph, trained: Trained): (parameter: number) => boolean {
  const weighted = graph.nodes.filter(({ operation }) => ["dense", "conv"].includes(operation.name));
  const [first, last] = [weighted[0]!.parameters, weighted.at(-1)!.parameters];
  const inside = (k: number, { from, count }: typeof first): boolean => k >= from && k < from + count;
  if (trained === "all") return () => true;
  return (k) => (trained === "last" ? inside(k, last) : !inside(k, first) && !inside(k, last));
}

const jacobians = new WeakMap<FiniteNetwork, Map<string, Float64Array[]>>();

/** {@link gradients} of a network on inputs, made once. */
function jacobian(net: FiniteNetwork, X: Matrix, trained: Trained): Float64Array[] {
  const ofNet = jacobians.get(net) ?? new Map<string, Float64Array[]>();
  jacobians.set(net, ofNet);
  const key = `${X.data.join()} ${trained}`;
  const made = ofNet.get(key) ?? gradients(net, X, trained);
  ofNet.set(key, made);
  return made;
}

/** All derivatives of all outputs, one backward pass of one sample each: samples x outputs rows. */
function gradients({ graph, theta, state }: FiniteNetwork, X: Matrix, trained: Trained): Float64Array[] {
  const outputs = graph.sizes[graph.outputValue]!;
  const keep = isTrained(graph, trained);
  return reference.scope((scope) => {
    const tape = new Tape({ graph, kernels: reference, allocate: (length) => scope.f64(length), samples: 1 });
    tape.state.set(state!);
    const own = scope.copy(theta);
    return Array.from({ length: X.rows * outputs }, (_, row) => {
      const i = Math.floor(row / outputs);
      tape.input[0]!.set(X.data.subarray(i * X.cols, (i + 1) * X.cols));
      tape.forward(1, [own]);
      tape.outputAdjoint[0]!.fill(0);
      tape.outputAdjoint[0]![row % outputs] = 1;
      const gradient = scope.f64(graph.parameters);
      tape.backward(1, [own], [gradient]);
      return Float64Array.from(gradient, (value, k) => (keep(k) ? value : 0));
    });
  });
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * b[k]!, 0);

function naive(
  net: FiniteNetwork,
  X1: Matrix,
  X2: Matrix,
  { trained = "all", outputs = "average" }: EmpiricalOptions,
): Float64Array {
  const [J1, J2] = [jacobian(net, X1, trained), jacobian(net, X2, trained)];
  if (outputs === "full") return Float64Array.from(J1.flatMap((a) => J2.map((b) => dot(a, b))));
  const c = J1.length / X1.rows;
  return Float64Array.from({ length: X1.rows * X2.rows }, (_, at) => {
    const [i, j] = [Math.floor(at / X2.rows), at % X2.rows];
    let sum = 0;
    for (let o = 0; o < c; o++) sum += dot(J1[i * c + o]!, J2[j * c + o]!) / c;
    return sum;
  });
}

const largest = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function distance(got: Float64Array, want: Float64Array): number {
  expect(got.length).toBe(want.length);
  return largest(got.map((value, k) => value - want[k]!)) / Math.max(largest(want), 1e-300);
}

describe.each(NETWORKS)("empiricalNtk of %s", (text, input) => {
  const net = network(text, input);
  const X1 = samples("rows", ROWS, net.graph.sizes[0]!);
  const X2 = samples("cols", COLS, net.graph.sizes[0]!);

  it.each(["average", "full"] as const)(
    "all methods agree with products of single gradients to 1e-12: %s",
    (outputs) => {
      for (const method of [...EMPIRICAL_METHODS, "auto"] as const) {
        const options = { method, outputs };
        const cross = empiricalNtk(compute, net, X1, X2, options);
        expect([cross.rows, cross.cols]).toEqual(
          outputs === "full" ? [ROWS, COLS].map((n) => n * net.graph.sizes[net.graph.outputValue]!) : [ROWS, COLS],
        );
        expect(distance(cross.values, naive(net, X1, X2, options))).toBeLessThan(1e-12);
        const gram = empiricalNtk(compute, net, X1, null, options);
        expect(distance(gram.values, naive(net, X1, X1, options))).toBeLessThan(1e-12);
        if (method !== "auto") expect(cross.plan.method).toBe(method);
      }
    },
  );

  it("trained hidden and last are sums over their parameters alone", () => {
    const weighted = net.graph.nodes.filter(({ operation }) => ["dense", "conv"].includes(operation.name)).length;
    for (const trained of ["hidden", "last"] as const) {
      for (const method of EMPIRICAL_METHODS) {
        const options = { trained, method, outputs: "full" } as const;
        if (trained === "hidden" && weighted < 3 && !text.includes("batchnorm")) {
          expect(() => empiricalNtk(compute, net, X1, null, options)).toThrow(/none of \d weighted layers? is trained/);
        } else {
          expect(
            distance(empiricalNtk(compute, net, X1, null, options).values, naive(net, X1, X1, options)),
          ).toBeLessThan(1e-12);
        }
      }
    }
  });

  it("kernels of one set are exactly symmetric and positive semidefinite", () => {
    const { rows, values } = empiricalNtk(compute, net, X1, null, { outputs: "full" });
    for (let i = 0; i < rows; i++) for (let j = 0; j < i; j++) expect(values[i * rows + j]).toBe(values[j * rows + i]);
    const eigenvalues = compute.scope((scope) => {
      const found = scope.f64(rows);
      compute.symmetricEigen(rows, scope.copy(values), rows, found);
      return found.slice();
    });
    expect(eigenvalues[0]!).toBeGreaterThan(-1e-13 * eigenvalues.at(-1)!);
  });

  it("f32 agrees with f64 to 1e-5", () => {
    for (const method of EMPIRICAL_METHODS) {
      for (const outputs of ["average", "full"] as const) {
        const options = { method, outputs };
        const exact = empiricalNtk(compute, net, X1, X2, options).values;
        const single = empiricalNtk(compute, net, X1, X2, { ...options, precision: "f32" }).values;
        expect(distance(single, exact)).toBeLessThan(1e-5);
      }
    }
  });
});

it.each([8, 10, 11])(
  "empiricalNtk in little memory: blocks, or one layer after another, make the same kernel (%i)",
  (which) => {
    const [text, input] = NETWORKS[which]!;
    const net = network(text, input);
    const [X1, X2] = [samples("rows", 7, net.graph.sizes[0]!), samples("cols", 4, net.graph.sizes[0]!)];
    for (const method of ["structured", "jacobian"] as const) {
      const options = { method, outputs: "full" } as const;
      const [cross, gram] = [X2, null].map((other) => empiricalNtk(compute, net, X1, other, options).values);
      const seen = new Set<string>();
      for (let limitBytes = planEmpirical(net.graph, 7, 4, options).bytes; ; limitBytes *= 0.85) {
        const limited = { ...options, limitBytes };
        let plan: EmpiricalPlan;
        try {
          plan = planEmpirical(net.graph, 7, 4, limited);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect(() => empiricalNtk(compute, net, X1, X2, limited)).toThrow(/does not fit into/);
          break;
        }
        expect(plan.bytes).toBeLessThanOrEqual(limitBytes);
        seen.add(`${plan.block} ${plan.layerByLayer}`);
        expect(distance(empiricalNtk(compute, net, X1, X2, limited).values, cross!)).toBeLessThan(1e-12);
        expect(distance(empiricalNtk(compute, net, X1, null, limited).values, gram!)).toBeLessThan(1e-12);
      }
      expect(seen.size).toBeGreaterThan(2);
    }
  },
);

describe("empiricalNtk", () => {
  it("refuses batch normalization while training, and says what to use instead", () => {
    const net = network("[dense(4) | dense(4) batchnorm] relu dense(1)", [4]);
    const X = samples("rows", ROWS, 4);
    try {
      empiricalNtk(compute, net, X, null, { training: true });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).message).toMatch(
        /layer 1\.shortcut\.2, batchnorm, .* ties the outputs of all samples/,
      );
      expect((error as ConfigError).hint).toMatch(/evaluation mode.*layernorm/);
    }
    const plain = network("dense(4) relu layernorm dense(1)", [4]);
    expect(empiricalNtk(compute, plain, X, null, { training: true }).values).toEqual(
      empiricalNtk(compute, plain, X).values,
    );
  });

  it("a fresh network is the one with zeros for running statistics", () => {
    const net = network("dense(4) batchnorm relu dense(1)", [4]);
    const X = samples("rows", ROWS, 4);
    const fresh = empiricalNtk(compute, { graph: net.graph, theta: net.theta }, X).values;
    const zeros = empiricalNtk(compute, { ...net, state: new Float64Array(net.graph.state) }, X).values;
    expect(fresh).toEqual(zeros);
    expect(distance(empiricalNtk(compute, net, X).values, fresh)).toBeGreaterThan(1e-3);
  });

  it("equal inputs have equal rows; the kernel of none is empty; a network that is zero has the kernel of its last layer", () => {
    const net = network("conv(3, 3) relu flatten dense(2)", [4, 4, 1]);
    const X = samples("rows", 2, 16);
    X.data.copyWithin(16, 0, 16);
    const { values } = empiricalNtk(compute, net, X);
    expect(values[1]).toBeCloseTo(values[0]!, 12);
    expect(empiricalNtk(compute, net, matrix(0, 16), X)).toMatchObject({
      rows: 0,
      cols: 2,
      values: new Float64Array(0),
    });
    const zero = { graph: net.graph, theta: new Float64Array(net.graph.parameters) };
    expect(empiricalNtk(compute, zero, X).values.every((value) => value === 0)).toBe(true);
  });

  it("refuses inputs and parameters of another network, and values that are not finite", () => {
    const net = network("dense(3, b=1) exp dense(1)", [4]);
    const X = samples("rows", 2, 4);
    expect(() => empiricalNtk(compute, net, samples("rows", 2, 5))).toThrow(/inputs of 5 numbers for a network on 4/);
    expect(() => empiricalNtk(compute, { ...net, theta: new Float64Array(3) }, X)).toThrow(
      /3 parameters for a network of 18/,
    );
    expect(() => empiricalNtk(compute, { ...net, state: new Float64Array(3) }, X)).toThrow(RangeError);
    const odd = samples("rows", 2, 4);
    odd.data[5] = Number.NaN;
    expect(() => empiricalNtk(compute, net, X, odd)).toThrow(/input 2 has an entry that is not a finite number/);
    expect(() => empiricalNtk(compute, net, matrix(1, 4, new Float64Array(4).fill(1e4)))).toThrow(ConfigError);
  });
});

const whole = (most: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: most });
const bias = fc.constantFrom("", ", b=0.3", ", parametrization=standard", ", w=0.7, b=1, parametrization=standard");
const between = fc.constantFrom(
  "relu",
  "erf",
  "tanh",
  "layernorm",
  "batchnorm",
  "layernorm relu",
  "gelu batchnorm",
  "identity",
  "",
);
/** Two normalized features are 1 and -1: at least three, so that derivatives are no rounding errors. */
const widths = fc.integer({ min: 3, max: 6 });
const dense = fc.tuple(widths, bias).map(([width, rest]) => `dense(${width}${rest})`);
const conv = fc
  .tuple(widths, whole(3), whole(3), whole(2), fc.constantFrom("same", "circular"), bias)
  .map(([width, a, b, stride, pad, rest]) => `conv(${width}, ${a}x${b}, s=${stride}, pad=${pad}${rest})`);
const pool = fc
  .tuple(fc.constantFrom("avgpool", "sumpool", "maxpool"), whole(3), whole(2))
  .map(([kind, window, stride]) => `${kind}(${window}, s=${stride}, pad=same)`);
/** Branches that end with the same width. */
const residual = fc
  .tuple(between, widths, bias, fc.boolean())
  .map(([first, width, rest, isLong]) => `[${first} dense(${width}${rest})${isLong ? " erf" : ""} | dense(${width})]`);
const vectorText = fc
  .tuple(fc.array(fc.tuple(fc.oneof(dense, residual), between), { minLength: 1, maxLength: 4 }), dense)
  .map(([layers, last]) => [...layers.flat(), last].join(" "));
const imageText = fc
  .tuple(
    fc.array(fc.tuple(fc.oneof(conv, conv, dense, residual, pool), between), { minLength: 1, maxLength: 4 }),
    fc.constantFrom("flatten dense(2)", "gap dense(3, b=1)", "gsp", "flatten", "conv(2, 2)", ""),
  )
  .map(([layers, last]) => ["conv(3, 3)", ...layers.flat(), last].join(" "));

it("empiricalNtk of any network: all methods agree to 1e-10, for any mask and number of samples", () => {
  const networks = fc.oneof(
    fc.tuple(vectorText, fc.constant([3] as const)),
    fc.tuple(imageText, fc.constantFrom([4, 4, 2] as const, [3, 5, 1] as const, [1, 1, 2] as const)),
  );
  const outputs = fc.constantFrom("average" as const, "full" as const);
  const trained = fc.constantFrom("all" as const, "all" as const, "hidden" as const, "last" as const);
  fc.assert(
    fc.property(networks, outputs, trained, whole(4), fc.integer({ min: 0, max: 4 }), (made, how, mask, rows, cols) => {
      const [text, input] = made;
      const net = network(text, input);
      const size = net.graph.sizes[0]!;
      const [X1, X2] = [samples("rows", rows, size), cols === 0 ? null : samples("cols", cols, size)];
      const options = { outputs: how, trained: mask };
      const isKept = isTrained(net.graph, mask);
      fc.pre(net.graph.nodes.some(({ parameters }) => parameters.count > 0 && isKept(parameters.from)));
      const want = naive(net, X1, X2 ?? X1, options);
      // Kernels of different inputs may vanish.
      const full = { trained: mask, outputs: "full" } as const;
      const scale = Math.max(...[X1, X2 ?? X1].map((X) => largest(naive(net, X, X, full))), 1e-300);
      for (const method of EMPIRICAL_METHODS) {
        const { values } = empiricalNtk(compute, net, X1, X2, { ...options, method });
        expect(largest(values.map((value, k) => value - want[k]!)) / scale).toBeLessThan(1e-10);
      }
    }),
    { numRuns: 40 },
  );
});

describe("planEmpirical", () => {
  const planOf = (
    text: string,
    input: Shape,
    rows: number,
    cols: number | null,
    options?: EmpiricalOptions,
  ): EmpiricalPlan => planEmpirical(networkGraph(parseArchitecture(text), input), rows, cols, options);

  it("says how many bytes are taken", () => {
    let peak = 0;
    const see = <T>(made: T): T => {
      peak = Math.max(peak, compute.bytesInUse);
      return made;
    };
    const watched: Compute = {
      ...compute,
      memoryLimit: compute.memoryLimit,
      get bytesInUse() {
        return compute.bytesInUse;
      },
      scope: (body) =>
        compute.scope((scope) =>
          body({
            f64: (length) => see(scope.f64(length)),
            f32: (length) => see(scope.f32(length)),
            u32: (length) => see(scope.u32(length)),
            copy: (source) => see(scope.copy(source)),
          }),
        ),
    };
    const wide: typeof NETWORKS = [
      ["dense(60) layernorm tanh dense(50, b=1) batchnorm erf dense(9)", [40]],
      ["conv(8, 3, b=1) relu maxpool(2) conv(16, 3) relu flatten dense(6, b=1)", [12, 12, 3]],
      ["conv(8, 3) [relu conv(12, 3, s=2) | conv(12, 1, s=2)] batchnorm relu gap dense(5)", [8, 8, 3]],
    ];
    for (const [text, input] of wide) {
      const net = network(text, input);
      const X = samples("rows", ROWS, net.graph.sizes[0]!);
      for (const method of EMPIRICAL_METHODS) {
        for (const precision of ["f64", "f32"] as const) {
          peak = 0;
          const { plan } = empiricalNtk(watched, net, X, null, { method, precision, outputs: "full" });
          // Arrays begin at multiples of 64 bytes.
          expect(peak).toBeLessThan(1.02 * plan.bytes + 6400);
          expect(peak).toBeGreaterThan(0.8 * plan.bytes - 6400);
        }
      }
    }
  });

  it("counts the operations of a network by hand", () => {
    const [rows, cols, d, m, c] = [7, 5, 11, 13, 3];
    const { operations } = planOf(`dense(${m}) relu dense(${c})`, [d], rows, cols, { outputs: "full" });
    const layers = 2 * (d * m + m * c);
    const backward = 2 * m * c;
    // The parts that are no products count a little.
    const near = (got: number | null, want: number): void => {
      expect(got).toBeGreaterThanOrEqual(want);
      expect(got).toBeLessThan(1.5 * want);
    };
    near(operations.jacobian, (rows + cols) * (layers + c * (backward + layers)) + rows * cols * c * c * layers);
    near(
      operations.structured,
      (rows + cols) * (layers + c * backward) + rows * cols * (2 * (d + m) + c * c * 2 * (m + c)),
    );
    near(operations.products, cols * c * (2 * layers + backward) + rows * cols * c * 3 * layers);
  });

  it("chooses vectors for dense layers, Jacobians for large images, patches for wide layers on few pixels", () => {
    const by = (text: string, input: Shape, rows: number): string[] =>
      planOf(text, input, rows, null, { method: "structured" }).layers.map((layer) => `${layer.place} ${layer.by}`);
    expect(by("dense(64) relu dense(10)", [32], 20)).toEqual(["1 vectors", "3 vectors"]);
    expect(by("conv(8, 3) relu conv(8, 3) relu gap dense(10)", [16, 16, 3], 20)).toEqual([
      "1 jacobian",
      "3 jacobian",
      "6 vectors",
    ]);
    expect(by("conv(32, 3) relu avgpool(4) conv(256, 3) relu gap dense(10)", [8, 8, 3], 10)).toEqual([
      "1 jacobian",
      "4 patches",
      "7 vectors",
    ]);
  });

  it("auto takes the method with the fewest operations; products where Jacobians do not fit", () => {
    const plan = planOf("dense(64) relu dense(10)", [32], 20, null);
    expect(plan.method).toBe("structured");
    const values = Object.values(plan.operations).map((value) => value ?? Number.POSITIVE_INFINITY);
    expect(plan.operations.structured).toBe(Math.min(...values));
    const text = "conv(64, 3) relu conv(64, 3) batchnorm relu conv(64, 3) relu gap dense(100)";
    const whole = planOf(text, [8, 8, 3], 2, null, { outputs: "full" });
    const products = planOf(text, [8, 8, 3], 2, null, { outputs: "full", method: "products" });
    const jacobian = planOf(text, [8, 8, 3], 2, null, { outputs: "full", method: "jacobian" });
    expect(products.bytes).toBeLessThan(jacobian.bytes / 3);
    const little = planOf(text, [8, 8, 3], 2, null, { outputs: "full", limitBytes: products.bytes });
    expect(little.method).toBe("products");
    expect(little.operations.jacobian).toBeNull();
    expect(whole.operations.jacobian).not.toBeNull();
  });

  it("products run on few samples at a time", () => {
    const graph = networkGraph(parseArchitecture("dense(20000) relu dense(1)"), [4]);
    const theta = new Float64Array(graph.parameters);
    initialize(graph, 1, theta);
    const X = samples("many", 40, 4);
    const { plan, values } = empiricalNtk(compute, { graph, theta }, X, null, { method: "products" });
    expect(plan.batch).toBeLessThan(40);
    expect(distance(values, empiricalNtk(compute, { graph, theta }, X).values)).toBeLessThan(1e-12);
  });
});
