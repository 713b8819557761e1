import { type SyncWorkers, serveSync, startSyncWorkers } from "../platform/sync-workers.ts";
import { createCompute } from "./create.ts";
import type { Compute, ComputeOptions, Scope } from "./types.ts";

/** Threads that work for a caller who does not return to the event loop, each with a {@link Compute} of one thread. */
export type Helpers = SyncWorkers;

/** Answers a message; `interrupted` tells whether to end early. */
export type Answer = (message: unknown, interrupted: () => boolean) => unknown;

/**
 * Starts a helper for each thread that `compute` may use, on the same backend; null when that is one, or the backend is the
 * naive one. The caller closes them. A helper's first answer, `true`, says that it is ready.
 *
 * @param entry the module that calls {@link serveHelper}
 */
export function startHelpers(compute: Compute, entry: URL): Helpers | null {
  const { name, threads, simd } = compute.info;
  if (simd === "none" || threads < 2) return null;
  const options: ComputeOptions = { backend: name, threads: 1, simd, memoryLimit: compute.memoryLimit };
  return startSyncWorkers(entry, threads, options);
}

/** The loop of a helper: `open` makes what answers its messages; arrays of its scope live as long as the helper. */
export function serveHelper(open: (compute: Compute, scope: Scope) => Answer): Promise<void> {
  return serveSync(async (data) => {
    const compute = await createCompute(data as ComputeOptions);
    return {
      serve: (loop) => compute.scope((scope) => loop(open(compute, scope))),
      close: () => compute.close(),
    };
  });
}
