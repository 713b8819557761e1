/** Seconds since an arbitrary start, never running backwards. */
export function now(): number {
  return performance.now() / 1000;
}

/** Today's date where the user is, as `YYYY-MM-DD`. */
export function today(): string {
  const date = new Date();
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The present moment in UTC, ISO 8601 (`2026-11-21T09:30:00.000Z`). */
export function isoTime(): string {
  return new Date().toISOString();
}
