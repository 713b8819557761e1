import { ConfigError, DataError, type Place, UsageError, UserError } from "../base/errors.ts";
import { FitCancelled } from "./fit-types.ts";

/** An error as plain data, which survives the way between threads; classes do not. */
export type CrossingError =
  | {
      readonly kind: "user";
      readonly name: string;
      readonly message: string;
      readonly code: string;
      readonly hint: string | undefined;
      readonly place: Place | undefined;
      readonly stack: string | undefined;
    }
  | { readonly kind: "cancelled" }
  | { readonly kind: "other"; readonly name: string; readonly message: string; readonly stack: string | undefined };

const USER_ERRORS = [DataError, ConfigError, UsageError];

/** The plain data of anything thrown. */
export function packError(error: unknown): CrossingError {
  if (error instanceof FitCancelled) return { kind: "cancelled" };
  if (error instanceof UserError) {
    const { name, message, code, hint, place, stack } = error;
    return { kind: "user", name, message, code, hint, place, stack };
  }
  if (error instanceof Error) {
    return { kind: "other", name: error.name, message: error.message, stack: error.stack };
  }
  return { kind: "other", name: "Error", message: String(error), stack: undefined };
}

/** The error that was packed: of its own class for a user's mistake, else an Error with the first one's name and stack. */
export function unpackError(packed: CrossingError): Error {
  if (packed.kind === "cancelled") return new FitCancelled();
  if (packed.kind === "user") {
    const UserErrorClass = USER_ERRORS.find(({ name }) => name === packed.name) ?? UserError;
    const { code, hint, place } = packed;
    const details = { code, ...(hint === undefined ? {} : { hint }), ...(place === undefined ? {} : { place }) };
    return restore(new UserErrorClass(packed.message, details), packed.stack);
  }
  const error = new Error(packed.message);
  error.name = packed.name;
  return restore(error, packed.stack);
}

function restore(error: Error, stack: string | undefined): Error {
  if (stack !== undefined) error.stack = stack;
  return error;
}
