import { keepSyncWorkers } from "./sync-workers.ts";

/** Entry of the thread that starts the others and watches them. */
keepSyncWorkers();
