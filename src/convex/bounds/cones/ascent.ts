import { PiecewiseMaximizer } from "./piecewise-maximizer.ts";
import { type SideRows, sideValue } from "./side-rows.ts";

const STEPS = 50;

/**
 * Local ascent of G: with the rows of v > 0 linear in the signs that they have at u, G is concave and its maximum over the unit ball
 * is found; G there is no smaller (difference-of-convex ascent). Ends at a point that it does not move.
 */
export class Ascent {
  readonly #side: SideRows;
  readonly #maximizer: PiecewiseMaximizer;
  readonly #negatives: Int32Array;

  constructor(side: SideRows) {
    this.#side = side;
    this.#maximizer = new PiecewiseMaximizer(side);
    this.#negatives = Int32Array.from({ length: side.count - side.positives }, (_, j) => side.positives + j);
  }

  /** Moves the unit vector u uphill, in place; returns G(u). */
  climb(u: Float64Array): number {
    const { r, positives, Z, weights } = this.#side;
    const { p } = this.#maximizer;
    let best = sideValue(this.#side, u);
    for (let step = 0; step < STEPS; step++) {
      p.fill(0);
      for (let row = 0; row < positives; row++) {
        let z = 0;
        for (let k = 0; k < r; k++) z += Z[row * r + k] * u[k];
        if (z > 0) for (let k = 0; k < r; k++) p[k] += weights[row] * Z[row * r + k];
      }
      const point = this.#maximizer.u;
      point.set(u);
      this.#maximizer.run(this.#negatives, 0, this.#negatives.length, 0, Number.POSITIVE_INFINITY);
      let squares = 0;
      for (let k = 0; k < r; k++) squares += point[k] * point[k];
      if (!(squares > 0)) break;
      const length = Math.sqrt(squares);
      for (let k = 0; k < r; k++) point[k] /= length;
      const value = sideValue(this.#side, point);
      if (!(value > best)) break;
      best = value;
      u.set(point);
    }
    return best;
  }
}
