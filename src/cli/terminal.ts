import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];
export type Environment = Readonly<Record<string, string | undefined>>;

/** A text stream of the process, as far as the program knows it. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Where a command writes: stdout for data, stderr for everything else. */
export interface Terminal {
  /** Writes a line of data. */
  out(line: string): void;
  /** Writes a line for the person who watches. */
  err(line: string): void;
  /** Shows a line on stderr that the next line of either stream replaces; nothing where lines cannot be redrawn. */
  transient(line: string): void;
  /** Removes the transient line. */
  clear(): void;
  styleOut(style: Style, text: string): string;
  styleErr(style: Style, text: string): string;
  /** Line length for wrapping on stdout; infinite when it is not a terminal. */
  readonly outColumns: number;
  /** The same for stderr. */
  readonly errColumns: number;
  /** Whether stderr is a terminal that can redraw a line. */
  readonly canRedraw: boolean;
}

/** Whether to colour a stream: `FORCE_COLOR` wins over `NO_COLOR`, then only capable terminals get colour. */
export function wantsColour(isTerminal: boolean, env: Environment): boolean {
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
  return isTerminal && env["TERM"] !== "dumb";
}

/** `styleText` without its own opinion on streams. */
function paint(style: Style, text: string): string {
  return styleText(style, text, { validateStream: false });
}

/** Terminals without a size of their own (`script`, some containers) say that they have 0 columns. */
function columnsOf({ columns }: TextStream): number {
  return columns === undefined || columns === 0 ? 80 : columns;
}

const ERASE_LINE = "\r\u001b[K";

/** The terminal over two streams and an environment. */
export function makeTerminal(stdout: TextStream, stderr: TextStream, env: Environment): Terminal {
  const outIsTerminal = stdout.isTTY === true;
  const errIsTerminal = stderr.isTTY === true;
  const outColour = wantsColour(outIsTerminal, env);
  const errColour = wantsColour(errIsTerminal, env);
  const canRedraw = errIsTerminal && env["TERM"] !== "dumb";
  let shown = false;
  const clear = (): void => {
    if (shown) stderr.write(ERASE_LINE);
    shown = false;
  };
  return {
    out(line) {
      clear();
      stdout.write(`${line}\n`);
    },
    err(line) {
      clear();
      stderr.write(`${line}\n`);
    },
    transient(line) {
      if (!canRedraw) return;
      stderr.write(`${ERASE_LINE}${line}`);
      shown = true;
    },
    clear,
    styleOut: (style, text) => (outColour ? paint(style, text) : text),
    styleErr: (style, text) => (errColour ? paint(style, text) : text),
    get outColumns() {
      return outIsTerminal ? columnsOf(stdout) : Number.POSITIVE_INFINITY;
    },
    get errColumns() {
      return errIsTerminal ? columnsOf(stderr) : Number.POSITIVE_INFINITY;
    },
    canRedraw,
  };
}
