import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { initialize, networkModel, symmetricModel } from "../../src/network/deep/index.ts";
import { taylorModel } from "../../src/tangent/index.ts";
import {
  curvatureOperator,
  gaussNewtonNorm,
  PLAIN,
  sampleOrder,
  stableRate,
  subsetOf,
  Trainer,
  type UpdateRule,
} from "../../src/training/index.ts";
import { distance, problem, settings, trainerIn, trainerOf } from "./trainings.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 1 });
});
afterAll(() => compute.close());

const SMOOTH = problem("dense(5, b=0.3) tanh dense(4) erf dense(3)", [4], 13, "cross-entropy");
const RULES: readonly UpdateRule[] = [
  PLAIN,
  { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0.01 },
  { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0 },
  { kind: "adam", beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 },
];

describe("Trainer", () => {
  test("step: the fused step of plain descent is the gradient of the objective times the rate", () => {
    for (const reduction of ["mean", "sum"] as const) {
      compute.scope((scope) => {
        const trainer = trainerOf(compute, scope, SMOOTH, { reduction });
        const before = trainer.theta.slice();
        const gradient = scope.f64(before.length);
        const { loss } = trainer.evaluate(trainer.theta, gradient);
        const result = trainer.step();
        expect(result.loss).toBeCloseTo(loss, 12);
        const want = before.map((w, k) => w - 0.1 * gradient[k]);
        expect(distance(trainer.theta, want)).toBeLessThan(1e-14);
      });
    }
  });

  test("evaluate: its gradient is the central difference of the objective", () => {
    compute.scope((scope) => {
      const trainer = trainerOf(compute, scope, SMOOTH);
      const gradient = scope.f64(trainer.theta.length);
      trainer.evaluate(trainer.theta, gradient);
      const { normal } = randomStream(1, "direction");
      const direction = gradient.map(normal);
      const at = (t: number): number =>
        trainer.evaluate(scope.copy(trainer.theta.map((w, k) => w + t * direction[k]))).loss;
      const slope = gradient.reduce((sum, g, k) => sum + g * direction[k], 0);
      expect(slope).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 7);
    });
  });

  test("step: samples in several chunks make the same step as all together", () => {
    for (const rule of RULES) {
      compute.scope((scope) => {
        const [whole, parts] = [13, 5].map((samples) => {
          const trainer = trainerOf(compute, scope, SMOOTH, { rule, batch: 11 }, { samples });
          for (let k = 0; k < 7; k++) trainer.step();
          return trainer;
        });
        expect(distance(parts!.theta, whole!.theta)).toBeLessThan(1e-12);
      });
    }
  });

  test("step: an epoch sees each sample once, in the order of its seed and number", () => {
    compute.scope((scope) => {
      const seen: number[] = [];
      const { loss } = SMOOTH.data;
      const data = {
        ...SMOOTH.data,
        loss: {
          ...loss,
          evaluate: (...given: Parameters<typeof loss.evaluate>) => {
            seen.push(...Array.from(given[0]));
            return loss.evaluate(...given);
          },
        },
      };
      const trainer = trainerOf(compute, scope, { ...SMOOTH, data }, { batch: 5 });
      expect(trainer.stepsPerEpoch).toBe(3);
      const sizes = Array.from({ length: 6 }, () => trainer.step().samples);
      expect(sizes).toEqual([5, 5, 3, 5, 5, 3]);
      expect(seen).toEqual([...sampleOrder(4, 0, 13), ...sampleOrder(4, 1, 13)]);
      expect(seen.slice(0, 13).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 13 }, (_, i) => i));
      expect(seen.slice(0, 13)).not.toEqual(seen.slice(13));
    });
  });

  test.each(RULES)(
    "restore: %j goes on bit by bit from a checkpoint, batches, noise and statistics included",
    (rule) => {
      const text = "dense(6) batchnorm relu dense(2)";
      const set = { rule, batch: 4, noise: 0.01, schedule: { rate: 0.05, factor: 0.5, drops: [6] } };
      for (const isSingle of [false, true]) {
        compute.scope((scope) => {
          const make = () =>
            isSingle
              ? trainerIn(compute.f32, (length) => scope.f32(length), problem(text, [3], 10), set)
              : trainerIn(compute, (length) => scope.f64(length), problem(text, [3], 10), set);
          const [straight, first, second] = [make(), make(), make()];
          for (let k = 0; k < 11; k++) straight.step();
          for (let k = 0; k < 5; k++) first.step();
          second.restore(first.checkpoint());
          for (let k = 5; k < 11; k++) second.step();
          expect(second.theta).toEqual(straight.theta);
          expect(second.model.state).toEqual(straight.model.state);
          expect(second.steps).toBe(11);
        });
      }
    },
  );

  test("restore refuses the checkpoint of another rule", () => {
    compute.scope((scope) => {
      const plain = trainerOf(compute, scope, SMOOTH);
      const other = trainerOf(compute, scope, SMOOTH, { rule: RULES[1]! });
      expect(() => plain.restore(other.checkpoint())).toThrow(RangeError);
    });
  });

  test.each(RULES)("step: %j moves trained layers only, and as if all were", (rule) => {
    compute.scope((scope) => {
      const isTrained = ({ place }: { place: string }): boolean => place === "3";
      const some = trainerOf(compute, scope, SMOOTH, { rule }, { trained: isTrained });
      const all = trainerOf(compute, scope, SMOOTH, { rule });
      const before = some.theta.slice();
      some.step();
      all.step();
      const { from, count } = SMOOTH.graph.nodes.find(isTrained)!.parameters;
      some.theta.forEach((w, k) => {
        if (k >= from && k < from + count) expect(w).toBeCloseTo(all.theta[k], 14);
        else expect(w).toBe(before[k]);
      });
      expect(some.theta.subarray(from, from + count)).not.toEqual(before.subarray(from, from + count));
    });
  });

  test("noise is drawn for trained parameters alone and adds up to its deviation", () => {
    compute.scope((scope) => {
      const wide = problem("dense(60) relu dense(1)", [40], 5);
      const [noisy, plain] = [0.5, 0].map((noise) => {
        const trainer = trainerOf(compute, scope, wide, { noise });
        trainer.step();
        return trainer.theta;
      });
      const n = noisy!.length;
      const square = noisy!.reduce((sum, w, k) => sum + (w - plain![k]) ** 2, 0) / n;
      expect(Math.sqrt(square) / (0.1 * 0.5)).toBeCloseTo(1, 1);
    });
  });

  test("evaluate takes other samples, and outside training batches are not looked at", () => {
    compute.scope((scope) => {
      const trainer = trainerOf(compute, scope, SMOOTH);
      const rows = Uint32Array.of(3, 7);
      const part = trainer.evaluate(trainer.theta, null, subsetOf(SMOOTH.data, rows));
      const rest = Uint32Array.from({ length: 13 }, (_, i) => i).filter((i) => !rows.includes(i));
      const other = trainer.evaluate(trainer.theta, null, subsetOf(SMOOTH.data, rest));
      const all = trainer.evaluate();
      expect((2 * part.loss + 11 * other.loss) / 13).toBeCloseTo(all.loss, 12);
      expect(part.correct + other.correct).toBe(all.correct);
    });
  });

  test("Trainer refuses data and settings that make no sense", () => {
    compute.scope((scope) => {
      const make = (changes: object, data = SMOOTH.data) => trainerOf(compute, scope, { ...SMOOTH, data }, changes);
      expect(() => make({}, { ...SMOOTH.data, n: 12 })).toThrow("52 inputs for 12 samples of 4");
      expect(() => make({}, { ...SMOOTH.data, n: 0 })).toThrow(RangeError);
      expect(() => make({ batch: 0 })).toThrow(RangeError);
      expect(() => make({ noise: -1 })).toThrow(RangeError);
    });
  });

  test("one sample, one parameter: descent on (w x - y)^2 / 2 is the recursion of its error", () => {
    compute.scope((scope) => {
      const one = problem("dense(1)", [1], 1);
      const trainer = trainerOf(compute, scope, one);
      const x = one.data.inputs[0];
      const losses = Array.from({ length: 5 }, () => trainer.step().loss);
      losses.slice(1).forEach((loss, k) => {
        expect(loss / losses[k]!).toBeCloseTo((1 - 0.1 * x * x) ** 2, 12);
      });
    });
  });
});

describe("curvatureOperator", () => {
  test.each(["squared", "cross-entropy"] as const)(
    "hessian: %s equals differences of gradients, is symmetric",
    (loss) => {
      const small = problem("dense(4, b=0.2) tanh dense(3)", [3], 6, loss);
      compute.scope((scope) => {
        const trainer = trainerOf(compute, scope, small);
        const P = trainer.theta.length;
        const gradientAt = (theta: Float64Array): Float64Array => {
          const gradient = scope.f64(P);
          trainer.evaluate(scope.copy(theta), gradient);
          return gradient;
        };
        const setup = {
          ...small,
          kernels: compute,
          allocate: (l: number) => scope.f64(l),
          reduction: "mean",
          samples: 4,
        } as const;
        const operator = curvatureOperator("hessian", setup, trainer.theta);
        const columns = Array.from({ length: P }, (_, k) => {
          const unit = scope.f64(P);
          unit[k] = 1;
          const out = scope.f64(P);
          operator.apply(unit, out);
          const h = 1e-5;
          const [up, down] = [h, -h].map((t) => gradientAt(trainer.theta.map((w, j) => (j === k ? w + t : w))));
          expect(
            distance(
              out,
              up!.map((g, j) => (g - down![j]) / (2 * h)),
            ),
          ).toBeLessThan(1e-7);
          return out;
        });
        columns.forEach((column, k) => {
          for (let j = 0; j < k; j++) expect(column[j]).toBeCloseTo(columns[j]![k], 13);
        });
      });
    },
  );

  test("gauss-newton: of a model that is linear in its parameters it is the Hessian; its norm is that of the kernel", () => {
    const linear = problem("dense(2)", [3], 5);
    compute.scope((scope) => {
      const theta = scope.f64(linear.graph.parameters);
      initialize(linear.graph, 1, theta);
      const setup = {
        ...linear,
        kernels: compute,
        allocate: (l: number) => scope.f64(l),
        reduction: "sum",
        samples: 5,
      } as const;
      const { normal } = randomStream(2, "x");
      const x = scope.copy(theta.map(normal));
      const [a, b] = (["hessian", "gauss-newton"] as const).map((kind) => {
        const out = scope.f64(theta.length);
        curvatureOperator(kind, setup, theta).apply(x, out);
        return out;
      });
      expect(distance(a!, b!)).toBeLessThan(1e-13);
      // Outputs do not share parameters: the largest eigenvalue is that of X'X / fan-in, by many products.
      const { inputs } = linear.data;
      let v = [1, 1, 1];
      let norm = 0;
      for (let k = 0; k < 500; k++) {
        const u = Array.from({ length: 5 }, (_, i) => v.reduce((sum, vj, j) => sum + inputs[i * 3 + j] * vj, 0));
        v = v.map((_, j) => u.reduce((sum, ui, i) => sum + inputs[i * 3 + j] * ui, 0));
        norm = Math.hypot(...v);
        v = v.map((one) => one / norm);
      }
      const all = [{ from: 0, count: theta.length }];
      expect(gaussNewtonNorm(compute, setup, theta, all, 0)).toBeCloseTo(norm / 3, 8);
    });
  });
});

describe("stableRate", () => {
  const grows = (rule: UpdateRule, rate: number): boolean => {
    let diverged = false;
    compute.scope((scope) => {
      const one = problem("dense(1)", [1], 1);
      const trainer = trainerOf(compute, scope, one, { rule, schedule: { rate, factor: 1, drops: [] } });
      const start = trainer.step().loss;
      let last = 0;
      for (let k = 0; k < 4000; k++) last = trainer.step().loss;
      diverged = !(last < start);
    });
    return diverged;
  };
  test.each([
    PLAIN,
    { kind: "sgd", momentum: 0.5, nesterov: false, weightDecay: 0 } as const,
    { kind: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 } as const,
    { kind: "sgd", momentum: 0.7, nesterov: true, weightDecay: 0 } as const,
  ])("stableRate: %j converges just below and diverges just above", (rule) => {
    const x = problem("dense(1)", [1], 1).data.inputs[0];
    const rate = stableRate(rule, x * x)!;
    expect(grows(rule, 0.99 * rate)).toBe(false);
    expect(grows(rule, 1.01 * rate)).toBe(true);
  });

  test("stableRate is null for Adam and where nothing bends", () => {
    expect(stableRate(RULES[3]!, 1)).toBeNull();
    expect(stableRate(PLAIN, 0)).toBeNull();
  });
});

describe("taylorModel and symmetricModel in a Trainer", () => {
  const options = (samples: number, scope: { f64(length: number): Float64Array }) => ({
    kernels: compute,
    allocate: (length: number) => scope.f64(length),
    samples,
  });
  const outputsAt = (
    model: ReturnType<typeof networkModel<Float64Array>>,
    w: Float64Array,
    inputs: ArrayLike<number>,
  ) => {
    model.input.set(inputs);
    model.forward(model.samples, w);
    return model.output.slice();
  };

  test("taylorModel of degree 1 has a constant gradient and is the derivative along a line", () => {
    compute.scope((scope) => {
      const center = scope.f64(SMOOTH.graph.parameters);
      initialize(SMOOTH.graph, 3, center);
      const { n, inputs } = SMOOTH.data;
      const linear = taylorModel(SMOOTH.graph, center, 1, options(n, scope));
      const { normal } = randomStream(4, "w");
      const [w, v] = [0, 1].map(() => scope.copy(center.map(normal)));
      const gradientAt = (at: Float64Array): Float64Array => {
        linear.input.set(inputs);
        linear.forward(n, at);
        linear.outputAdjoint.fill(1);
        const gradient = scope.f64(at.length);
        linear.backward(n, at, gradient, 1);
        return gradient;
      };
      expect(distance(gradientAt(w!), gradientAt(v!))).toBeLessThan(1e-13);
      const half = outputsAt(linear, scope.copy(w!.map((x) => x / 2)), inputs);
      const [zero, full] = [outputsAt(linear, scope.f64(w!.length), inputs), outputsAt(linear, w!, inputs)];
      expect(
        distance(
          half,
          zero.map((z, k) => (z + full[k]) / 2),
        ),
      ).toBeLessThan(1e-13);
    });
  });

  test.each([1, 2, 3])("taylorModel of degree %i: the remainder falls with one power more", (degree) => {
    compute.scope((scope) => {
      const { graph, data } = SMOOTH;
      const center = scope.f64(graph.parameters);
      initialize(graph, 3, center);
      const taylor = taylorModel(graph, center, degree, options(data.n, scope));
      const network = networkModel(graph, options(data.n, scope));
      const { normal } = randomStream(6, "direction");
      const direction = center.map(normal);
      const remainder = (t: number): number => {
        const w = scope.copy(direction.map((d) => t * d));
        const exact = outputsAt(network, scope.copy(center.map((c, k) => c + w[k])), data.inputs);
        const near = outputsAt(taylor, w, data.inputs);
        return Math.sqrt(exact.reduce((sum, f, k) => sum + (f - near[k]) ** 2, 0));
      };
      const slope = Math.log2(remainder(0.02) / remainder(0.01));
      expect(slope).toBeGreaterThan(degree + 1 - 0.15);
      expect(slope).toBeLessThan(degree + 1 + 0.15);
    });
  });

  test("taylorModel of degree 2 is exact for a quadratic form, and trains like it bit for bit or nearly", () => {
    const form = problem("dense(4) dense(2)", [3], 7);
    compute.scope((scope) => {
      const center = scope.f64(form.graph.parameters);
      initialize(form.graph, 4, center);
      const model = taylorModel(form.graph, center, 2, options(7, scope));
      const allocate = (length: number): Float64Array => scope.f64(length);
      const own = new Trainer(model, form.data, settings(), compute, allocate);
      const direct = trainerOf(compute, scope, form);
      for (let k = 0; k < 20; k++) {
        own.step();
        direct.step();
      }
      expect(
        distance(
          own.theta.map((w, k) => w + center[k]),
          direct.theta,
        ),
      ).toBeLessThan(1e-12);
    });
  });

  test("symmetricModel starts at zero, and its first step changes outputs as that of the network", () => {
    compute.scope((scope) => {
      const { graph, data } = SMOOTH;
      const allocate = (length: number): Float64Array => scope.f64(length);
      const model = symmetricModel(graph, options(data.n, scope));
      const trainer = new Trainer(
        model,
        data,
        settings({ schedule: { rate: 1e-6, factor: 1, drops: [] } }),
        compute,
        allocate,
      );
      const before = outputsAt(model, trainer.theta, data.inputs);
      expect(before.every((f) => f === 0)).toBe(true);
      trainer.step();
      const moved = outputsAt(model, trainer.theta, data.inputs);
      // J J' times minus the loss's slope at zero: by the linearized network around the same parameters, without its constant.
      const center = scope.f64(graph.parameters);
      initialize(graph, 4, center);
      const linear = taylorModel(graph, center, 1, options(data.n, scope));
      const constant = outputsAt(linear, scope.f64(graph.parameters), data.inputs);
      const adjoint = scope.f64(before.length);
      const rows = Uint32Array.from({ length: data.n }, (_, i) => i);
      data.loss.evaluate(rows, before, adjoint, 1 / data.n);
      linear.outputAdjoint.set(adjoint);
      const w = scope.f64(graph.parameters);
      linear.backward(data.n, scope.f64(graph.parameters), w, -1e-6);
      const want = outputsAt(linear, w, data.inputs).map((f, k) => f - constant[k]);
      expect(distance(moved, want)).toBeLessThan(1e-4);
    });
  });
});
