import { joinProofs } from "../../src/certificate/index.ts";
import { type ConvexProblem, lossOf, type Solution } from "../../src/convex/index.ts";
import type { TwoLayerNetwork } from "../../src/network/index.ts";
import { checkProof, objectiveBelow, objectivesAbove, poseProblem, Rejection, sumOf } from "../../src/verify/index.ts";

/** What alpha is kept below its limits by, so that rounding upwards does not meet them. */
const MARGIN = 1 - 2 ** -48;

/** What the checker has shown: both ends in its own arithmetic, and its bound of M(v). */
export interface Proved {
  readonly upper: number;
  readonly lower: number;
  readonly gap: number;
  readonly maximum: number;
}

/** The problem and network as a certificate poses them. */
export function posed(task: ConvexProblem, network: TwoLayerNetwork): ReturnType<typeof poseProblem> {
  const { X, y, loss, scaling, beta, bias, program, weights = null } = task;
  const plain = ({ rows, cols, data }: TwoLayerNetwork["U"]) => ({ rows, cols, data: [...data] });
  const huber = loss === "huber" ? (task.huber ?? 1) : null;
  return poseProblem(
    {
      data: { coding: "number" },
      outputs: [null],
      problem: { rows: X.rows, features: X.cols, loss, huber, scaling, beta, bias, program },
      network: {
        activation: network.activation,
        U: plain(network.U),
        b: [...network.b],
        W: plain(network.W),
        c0: [...network.c0],
        gates: null,
      },
    },
    { X, y, weights },
  );
}

/** The checker's verdict on a solution with a proof: what it shows, or the reason of its rejection. */
export function prove(task: ConvexProblem, { network, dual, proof }: Solution): Proved | string {
  try {
    const problem = posed(task, network);
    const [upper] = objectivesAbove(problem, {
      activation: "relu",
      U: { ...network.U, data: [...network.U.data] },
      b: [...network.b],
      W: { ...network.W, data: [...network.W.data] },
      c0: [...network.c0],
      gates: null,
    });
    const [maximum] = checkProof(proof === null ? null : joinProofs([proof]), problem, [dual.v]);
    if (upper === undefined || typeof maximum !== "number") return "nothing was shown";
    const most = task.scaling === "mean" ? task.beta * task.X.rows : task.beta;
    const cap = maximum > 0 ? (most / maximum) * MARGIN : Number.MAX_VALUE;
    const alpha = Math.min(cap, lossOf(task).bestScale(dual.v, task.y, cap) * MARGIN);
    const lower = objectiveBelow(problem, 0, dual.v, alpha, maximum);
    return { ...sumOf([{ upper, lower }]), maximum };
  } catch (error) {
    if (error instanceof Rejection) return error.message;
    throw error;
  }
}
