import { readFileSync } from "node:fs";

/** Values of test/fixtures/convex-theory.json: fractions are strings. */
export interface TheoryGolden {
  readonly named: {
    readonly A1: {
      readonly problem: { readonly a: number[]; readonly y: number[] };
      readonly expected_optimum: string;
      readonly solutions: readonly { readonly u: number[]; readonly b: string[]; readonly w: string[] }[];
      readonly dual_v: number[];
    };
    readonly A2: {
      readonly a: number[];
      readonly y: number[];
      readonly beta: string;
      readonly expected_optimum: string;
      readonly expected_l1: string;
      readonly solutions: readonly {
        readonly name: string;
        readonly c: string;
        readonly u: number[];
        readonly b: string[];
        readonly w: string[];
      }[];
    };
    readonly A4c: {
      readonly a: number[];
      readonly y: number[];
      readonly table: readonly { readonly beta: string; readonly without: string; readonly with: string }[];
    };
    readonly whitened: readonly {
      readonly id: string;
      readonly X: number[][];
      readonly y: number[];
      readonly beta: number;
      readonly expected_optimum: number;
      readonly tolerance: number;
      readonly neuron_weights?: { readonly plus: number; readonly minus: number };
    }[];
    readonly one_hot: readonly {
      readonly sizes: number[];
      readonly beta: number;
      readonly expected_optimum: number;
      readonly deaths: number[];
    }[];
    readonly spike_free: readonly {
      readonly id: string;
      readonly X: number[][];
      readonly y: number[];
      readonly beta: number;
      readonly expected_optimum: number;
      readonly program: number;
    }[];
    readonly arrangements: readonly {
      readonly X: number[][];
      readonly cells: number;
      readonly formula: number;
      readonly patterns: string[];
    }[];
  };
  readonly squared: readonly {
    readonly id: string;
    readonly X: number[][];
    readonly y: number[];
    readonly beta: number;
    readonly expected_optimum: number;
    readonly tolerance: number;
  }[];
}

const path = new URL("../../fixtures/convex-theory.json", import.meta.url);
export const golden = JSON.parse(readFileSync(path, "utf8")) as TheoryGolden;

/** A fraction such as "-3/4" or "8". */
export function fraction(text: string): number {
  const [over, under = "1"] = text.split("/");
  return Number(over) / Number(under);
}

export const f64 = (values: ArrayLike<number>): Float64Array => Float64Array.from(values);
