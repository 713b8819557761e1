/** Exit codes of the program; their meaning is fixed. */
export const EXIT = {
  ok: 0,
  /** Input or usage error. */
  userError: 1,
  /** A mistake of the program itself. */
  bug: 2,
  /** Finished, but the requested guarantee was not reached. */
  notReached: 3,
  /** Interrupted by a signal. */
  interrupted: 130,
} as const;
