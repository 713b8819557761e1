import { expect, it } from "vitest";
import { randomStream } from "../../src/base/random.ts";
import { hutchTrace, smoothedDensity, spectralDensity } from "../../src/compute/index.ts";
import { onEveryBackend } from "./backends.ts";

const diagonalOperator = (diagonal: readonly number[]) => ({
  size: diagonal.length,
  apply(x: Float64Array, out: Float64Array): void {
    diagonal.forEach((value, i) => {
      out[i] = value * x[i];
    });
  },
});

onEveryBackend("stochastic estimates", (compute) => {
  it("hutchTrace is exact for operators of low rank and for as many products as thirds of the size", () => {
    const low = [5, -3, 2, ...new Array<number>(40).fill(0)];
    const { trace, products, standardError } = hutchTrace(compute(), diagonalOperator(low), 18, randomStream(1, "low"));
    expect(trace).toBeCloseTo(4, 10);
    expect(standardError).toBeLessThan(1e-10);
    expect(products).toBeLessThanOrEqual(18);
    const full = hutchTrace(compute(), diagonalOperator([1, 2, 3]), 30, randomStream(1, "full"));
    expect(full.trace).toBeCloseTo(6, 12);
    expect(full.standardError).toBe(0);
    expect(hutchTrace(compute(), diagonalOperator([]), 3, randomStream(1, "none")).trace).toBe(0);
    expect(() => hutchTrace(compute(), diagonalOperator([1]), 2, randomStream(1, "few"))).toThrow(RangeError);
  });

  it("hutchTrace errs by its standard error, and less than plain probes where the spectrum decays", () => {
    const decaying = Array.from({ length: 200 }, (_, i) => (i + 1) ** -1.5);
    const truth = decaying.reduce((sum, value) => sum + value, 0);
    // A dense matrix with this spectrum: a reflection makes the signs' quadratic forms random.
    const v = Array.from({ length: 200 }, (_, i) => Math.sin(i + 1));
    const norm = Math.hypot(...v);
    const reflect = (x: Float64Array): Float64Array => {
      const along = x.reduce((sum, value, i) => sum + value * v[i]!, 0) / norm ** 2;
      return x.map((value, i) => value - 2 * along * v[i]!);
    };
    const operator = {
      size: 200,
      apply: (x: Float64Array, out: Float64Array) =>
        out.set(reflect(reflect(x).map((value, i) => value * decaying[i]!))),
    };
    let square = 0;
    for (let seed = 0; seed < 20; seed++) {
      const { trace, standardError } = hutchTrace(compute(), operator, 60, randomStream(seed, "decay"));
      expect(Math.abs(trace - truth)).toBeLessThan(6 * standardError);
      square += (trace - truth) ** 2 / 20;
    }
    // Plain Hutchinson has at most the variance 2 ||A||_F^2 / 60.
    expect(Math.sqrt(square)).toBeLessThan(0.2 * Math.sqrt((2 * 1.202) / 60));
  });

  it("spectralDensity finds a spectrum of few values, and its moments are those of the probes", () => {
    const diagonal = Array.from({ length: 60 }, (_, i) => (i < 30 ? -1 : i < 50 ? 2 : 7));
    const density = spectralDensity(
      compute(),
      diagonalOperator(diagonal),
      { probes: 12, steps: 10 },
      randomStream(2, "few values"),
    );
    expect(density.products).toBe(36);
    expect(density.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    const mass = (value: number) =>
      density.weights.reduce((sum, weight, k) => sum + (Math.abs(density.values[k] - value) < 1e-9 ? weight : 0), 0);
    expect(Math.abs(mass(-1) - 0.5)).toBeLessThan(0.1);
    expect(Math.abs(mass(2) - 1 / 3)).toBeLessThan(0.1);
    expect(Math.abs(mass(7) - 1 / 6)).toBeLessThan(0.1);
    expect(mass(-1) + mass(2) + mass(7)).toBeCloseTo(1, 9);
    expect([...density.values]).toEqual([...density.values].sort((a, b) => a - b));
  });

  it("smoothedDensity integrates to one", () => {
    const density = spectralDensity(
      compute(),
      diagonalOperator([0, 1, 1, 4]),
      { probes: 3, steps: 4 },
      randomStream(3, "smooth"),
    );
    const places = Array.from({ length: 801 }, (_, i) => -4 + i / 50 - 2);
    const integral = smoothedDensity(density, places, 0.3).reduce((sum, value) => sum + value / 50, 0);
    expect(integral).toBeCloseTo(1, 6);
    expect(() => smoothedDensity(density, places, 0)).toThrow(RangeError);
    expect(() =>
      spectralDensity(compute(), diagonalOperator([1]), { probes: 0, steps: 1 }, randomStream(3, "none")),
    ).toThrow(RangeError);
  });
});
