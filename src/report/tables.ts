import { columnFormatter, DASH, formatNumber } from "./format.ts";
import { html, type Markup } from "./html.ts";
import type { ReportTable } from "./types.ts";

/** A cell that reads as a quantity: a number, nothing, or text that is one, such as `8.2 %` or `< 0.1`. */
function quantity(cell: string | number | null | undefined): boolean {
  return typeof cell !== "string" || /^[<>≤≥~]?\s?[+−–-]?[\d.,∞]*(×?10[⁻⁰¹²³⁴-⁹]+)?\s?(%|s)?$/u.test(cell);
}

/**
 * A table with numbers set right and their decimal points under each other.
 *
 * @throws RangeError when a row has not as many cells as there are columns.
 */
export function tableMarkup({ columns, rows, note }: Omit<ReportTable, "title">): Markup {
  const columnOf = columns.map((_, index) => {
    const cells = rows.map((row) => row[index]);
    const numeric = cells.every(quantity) && cells.some((cell) => typeof cell === "number" || index > 0);
    const numbers = cells.filter((cell) => typeof cell === "number");
    return { numeric, format: numeric ? columnFormatter(numbers) : formatNumber };
  });
  // A list needs no line of empty column names.
  const named = columns.some((name) => name.trim() !== "");
  const head = columns.map((name, index) =>
    columnOf[index]!.numeric ? html`<th scope="col" class="number">${name}</th>` : html`<th scope="col">${name}</th>`,
  );
  const body = rows.map((row, index) => {
    if (row.length !== columns.length) {
      throw new RangeError(`row ${index} of a table has ${row.length} cells, the table ${columns.length} columns`);
    }
    const cells = row.map((cell, column) => {
      const { numeric, format } = columnOf[column]!;
      const text = cell === null ? DASH : typeof cell === "number" ? format(cell) : cell;
      if (numeric) return html`<td class="number">${text}</td>`;
      return column === 0 ? html`<th scope="row">${text}</th>` : html`<td>${text}</td>`;
    });
    return html`<tr>${cells}</tr>`;
  });
  const grid =
    rows.length === 0
      ? html`<p class="soft">No rows.</p>`
      : html`<div class="scroll"><table>${named ? html`<thead><tr>${head}</tr></thead>` : null}<tbody>${body}</tbody></table></div>`;
  return html`${grid}${note === undefined ? null : html`<p class="note">${note}</p>`}`;
}
