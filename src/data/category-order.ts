import type { CategoryColumn } from "./types.ts";

/**
 * The categories of a column, sorted, each once.
 *
 * @param seen the spellings that `codes` refer to, in any order, possibly one more than once.
 * @param codes one entry a row, -1 = missing.
 */
export function sortedCategories(
  seen: readonly string[],
  codes: Int32Array,
): Pick<CategoryColumn, "codes" | "categories"> {
  const categories = [...new Set(seen)].sort();
  const rank = new Map(categories.map((category, code) => [category, code]));
  const recode = seen.map((category) => rank.get(category)!);
  return { codes: codes.map((code) => (code < 0 ? -1 : recode[code]!)), categories };
}
