import {
  ELEMENTWISE,
  type ElementwiseKernels,
  type ElementwiseName,
  type RealArray,
  type RealKernels,
} from "./types.ts";

/** erf x = 2 / sqrt(pi) sum (-1)^k x^(2k+1) / (k! (2k+1)) near zero; 1 - erfc x by its continued fraction elsewhere. */
function erf(x: number): number {
  const z = x * x;
  if (Math.abs(x) < 1) {
    let sum = 0;
    for (let k = 24; k > 0; k--) sum = 1 / (2 * k + 1) - (z / (k + 1)) * sum;
    return (2 / Math.sqrt(Math.PI)) * x * (1 - z * sum);
  }
  if (Math.abs(x) > 6 || Number.isNaN(x)) return Math.sign(x);
  let fraction = 0;
  for (let k = 400; k > 0; k--) fraction = k / 2 / (Math.abs(x) + fraction);
  return Math.sign(x) * (1 - Math.exp(-z) / (Math.sqrt(Math.PI) * (Math.abs(x) + fraction)));
}

const FORMULAS: Readonly<Record<ElementwiseName, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  exp: Math.exp,
  log1p: Math.log1p,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  tanh: Math.tanh,
  erf,
  sin: Math.sin,
  cos: Math.cos,
};

const loops = ELEMENTWISE.map((name) => {
  const formula = FORMULAS[name];
  return [
    name,
    (n: number, x: RealArray, out: RealArray): void => {
      for (let i = 0; i < n; i++) out[i] = formula(x[i]!);
    },
  ];
});

/** The elementwise functions by the engine's own Math, or by their definition. */
export const elementwiseReference: ElementwiseKernels<RealArray> &
  Pick<RealKernels<RealArray>, "reluMask" | "atan2" | "add"> = {
  ...(Object.fromEntries(loops) as ElementwiseKernels<RealArray>),
  reluMask(n, x, g, out) {
    for (let i = 0; i < n; i++) out[i] = x[i]! > 0 ? g[i]! : 0;
  },
  add(n, x, y, out) {
    for (let i = 0; i < n; i++) out[i] = x[i]! + y[i]!;
  },
  atan2(n, y, x, out) {
    for (let i = 0; i < n; i++) out[i] = Math.atan2(y[i]!, x[i]!);
  },
};
