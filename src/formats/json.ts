import { z } from "zod";

/** Longest JSON text that is read or written, in UTF-16 units: bounds what a hostile file makes the parser allocate. */
const MAX_LENGTH = 1 << 23;

/**
 * JSON text that {@link parseJson} reads.
 *
 * @throws RangeError when it would be too long to be read again.
 */
export function formatJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (text.length > MAX_LENGTH)
    throw new RangeError(`${text.length} characters of JSON; at most ${MAX_LENGTH} are read`);
  return text;
}

/**
 * Parses JSON and refuses what `JSON.parse` lets pass: an object that names a key twice.
 *
 * @throws SyntaxError when the text is not JSON, is too long, or repeats a key.
 */
export function parseJson(text: string): unknown {
  if (text.length > MAX_LENGTH) throw new SyntaxError(`it has ${text.length} characters`);
  const value: unknown = JSON.parse(text);
  // The text is valid from here on, so brackets match, and a string is a key exactly when a colon follows it.
  const keys: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "{") keys.push(new Set());
    else if (char === "[") keys.push(null);
    else if (char === "}" || char === "]") keys.pop();
    else if (char === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
      let next = i + 1;
      while (/\s/.test(text.charAt(next))) next++;
      if (text[next] !== ":") continue;
      const key = JSON.parse(text.slice(start, i + 1)) as string;
      const seen = keys.at(-1);
      if (seen?.has(key)) throw new SyntaxError(`the key ${JSON.stringify(key)} appears twice`);
      seen?.add(key);
    }
  }
  return value;
}

/** The schema of an array of `item`; the first wrong element ends the check, where zod alone reports every one. */
export function listOf<T>(item: z.ZodType<T>) {
  return z.array(z.unknown()).transform((values, context): T[] => {
    const list: T[] = [];
    for (const input of values) {
      const checked = item.safeParse(input);
      if (!checked.success) {
        const message = firstIssue(checked.error);
        context.issues.push({ code: "custom", message, input, path: [list.length] });
        return z.NEVER;
      }
      list.push(checked.data);
    }
    return list;
  });
}

/** Where a value departs from its schema, and how, in a few words. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined || issue.path.length === 0) return issue?.message ?? error.message;
  return `${issue.path.map(String).join(".")}: ${issue.message}`;
}
