import { workerSide } from "../platform/worker.ts";
import { FAILED_WORD, type KernelExports, type ThreadStart } from "./team.ts";

/** Entry of a helper thread: the same module on the same memory, serving jobs until the team stops. */
const side = workerSide();
const { module, memory, control, id, count, spaces } = side.data as ThreadStart;
const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
const kernels = exports as unknown as KernelExports;
const words = new Int32Array(memory.buffer, control);

side.post("ready");
let seen = 0;
for (let stopped = false; !stopped; ) {
  try {
    kernels.serve(control, id, count, spaces, seen);
    stopped = true;
  } catch {
    // A trap in a kernel: the caller reports it, and this thread must not leave it waiting.
    Atomics.store(words, FAILED_WORD, 1);
    seen = Atomics.load(words, 0);
    kernels.finish(control);
  }
}
