import type { Architecture } from "../network/architecture/index.ts";
import type { InputChecks } from "../tangent/index.ts";

/**
 * What will make a kernel matrix singular, in sentences.
 *
 * @param numbered whether inputs are named by their numbers: a person must know them.
 */
export function singularityWarnings(
  { zero, equal, parallel }: InputChecks,
  architecture: Architecture,
  numbered: boolean,
): string[] {
  const pairs = (list: readonly (readonly [number, number])[]): string =>
    numbered ? ` (${list.map(([i, j]) => `${i + 1} and ${j + 1}`).join(", ")})` : "";
  const out: string[] = [];
  if (equal.count > 0) {
    const rows = equal.count === 1 ? "1 input repeats an earlier one" : `${equal.count} inputs repeat an earlier one`;
    out.push(`${rows}${pairs(equal.first)}: their kernel matrix is singular`);
  }
  const isUnbiased = (layers: Architecture): boolean =>
    layers.every((layer) => {
      if (layer.kind === "residual") return isUnbiased(layer.main) && isUnbiased(layer.shortcut);
      return (layer.kind !== "dense" && layer.kind !== "conv") || layer.bStd === 0;
    });
  if (!isUnbiased(architecture)) return out;
  if (parallel.count > 0) {
    const rows =
      parallel.count === 1 ? "1 input is a multiple of another" : `${parallel.count} inputs are multiples of others`;
    out.push(
      `${rows}${pairs(parallel.first)}: a network without biases may not tell them apart; its kernel may be singular`,
    );
  }
  if (zero.length > 0) {
    const rows =
      zero.length === 1
        ? `${numbered ? `input ${zero[0]! + 1}` : "1 input"} is zero`
        : `${zero.length} inputs are zero`;
    out.push(`${rows}: networks without biases give zero there`);
  }
  return out;
}
