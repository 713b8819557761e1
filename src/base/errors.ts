/** Where a user's mistake sits: a file, and a 1-based line and column when known. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** What every user-facing error carries besides its message. */
export interface ErrorDetails {
  /** Stable machine-readable name, e.g. `column-not-found`. */
  readonly code: string;
  /** One sentence that says what to do about it. */
  readonly hint?: string;
  readonly place?: Place;
}

/** A mistake of the user, not of the program: reported as a message, a hint and a place, never as a stack trace. */
export class UserError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly place: Place | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message);
    this.name = new.target.name;
    this.code = details.code;
    this.hint = details.hint;
    this.place = details.place;
  }
}

/** Something is wrong with a data or model file. */
export class DataError extends UserError {}

/** Something is wrong with the settings of a job: values that contradict each other or the data. */
export class ConfigError extends UserError {}

/** Something is wrong with how a command was called. */
export class UsageError extends UserError {}
