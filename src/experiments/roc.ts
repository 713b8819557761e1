import type { Matrix } from "../base/matrix.ts";
import type { RocCurve } from "../report/index.ts";
import { areaUnderCurve } from "./metrics.ts";
import { column } from "./problem.ts";

/** Steps kept along each axis: more cannot be seen. */
const STEPS = 200;

/**
 * ROC curves of scores, n x c, beside class indices: one for two classes (the second is positive), one a class against
 * the rest for more. Classes that all rows, or none, belong to are left out.
 */
export function rocCurves(scores: Matrix, labels: ArrayLike<number>, classes: readonly string[]): RocCurve[] {
  const positives = scores.cols === 1 ? [1] : classes.map((_, q) => q);
  return positives.flatMap((q) => {
    const score = column(scores, scores.cols === 1 ? 0 : q);
    const hits = Uint8Array.from(labels, (label) => (label === q ? 1 : 0));
    const auc = areaUnderCurve(score, hits);
    return auc === null ? [] : [{ label: classes[q]!, auc, points: rocPoints(score, hits) }];
  });
}

/** The curve from the highest threshold to the lowest, rows of equal score in one step, thinned to what can be seen. */
function rocPoints(score: Float64Array, hits: Uint8Array): RocCurve["points"] {
  const order = Array.from(score.keys()).sort((a, b) => score[b] - score[a]);
  const totalHits = hits.reduce((sum, hit) => sum + hit, 0);
  const totals = { hits: totalHits, others: hits.length - totalHits };
  const all = [{ falsePositives: 0, truePositives: 0 }];
  let found = 0;
  for (let k = 0; k < order.length; k++) {
    found += hits[order[k]!]!;
    if (score[order[k]!] === score[order[k + 1] ?? -1]) continue;
    all.push({ falsePositives: (k + 1 - found) / totals.others, truePositives: found / totals.hits });
  }
  // A row of steps in one direction is one line.
  const corners = all.filter(({ falsePositives, truePositives }, k) => {
    const [before, after] = [all[k - 1], all[k + 1]];
    if (before === undefined || after === undefined) return true;
    const along = (a: number, b: number, c: number): boolean => a === b && b === c;
    return (
      !along(before.falsePositives, falsePositives, after.falsePositives) &&
      !along(before.truePositives, truePositives, after.truePositives)
    );
  });
  const cell = ({ falsePositives, truePositives }: (typeof all)[number]): string =>
    `${Math.floor(falsePositives * STEPS)} ${Math.floor(truePositives * STEPS)}`;
  return corners.filter((point, k) => k === corners.length - 1 || k === 0 || cell(point) !== cell(corners[k - 1]!));
}
