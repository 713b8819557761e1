/** A piece of HTML that is safe to insert as it stands; made only by `html` and `trusted`. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand inside an `html` template; strings and numbers are escaped, null is nothing. */
export type Content = string | number | null | Markup | readonly Markup[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for an HTML element or a quoted attribute. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

function contentText(content: Content): string {
  if (content === null) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "object") return content.map((part) => part.text).join("");
  return escapeText(String(content));
}

/** Template tag: everything inserted is escaped unless it is `Markup` already. Attributes must be double-quoted. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  let text = strings[0] as string;
  contents.forEach((content, index) => {
    text += contentText(content) + strings[index + 1];
  });
  return new Markup(text);
}

/** Declares text to be markup already; for serialized DOM trees and constants of this layer, never for input. */
export function trusted(text: string): Markup {
  return new Markup(text);
}
