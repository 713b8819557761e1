import { execute } from "./jobs";
import { at } from "./simd";
import { axpy } from "./vector";

/**
 * The thread team. All threads share a control block: words for the hand-over, then the arguments of one job, eight
 * bytes each. The caller is thread 0. The layout is mirrored in src/compute/team.ts.
 */
const GENERATION = 0;
const PENDING = 4;
const STOP = 8;
const JOB = 12;

/** Polls before a thread goes to sleep: some ten microseconds, the gap between kernels of an iterative solver. */
const POLLS = 4096;

/** Runs the posted job on `count` threads; 1 does not wake the others. The caller is thread 0. */
export function run(control: usize, count: i32, spaces: usize): void {
  if (count == 1) {
    execute(load<i32>(control, JOB), control, 0, 1, spaces);
    return;
  }
  atomic.store<i32>(control, count - 1, PENDING);
  atomic.add<i32>(control, 1, GENERATION);
  atomic.notify(control + GENERATION, count - 1);
  execute(load<i32>(control, JOB), control, 0, count, spaces);
  for (let poll = 0; poll < POLLS; poll++) if (atomic.load<i32>(control, PENDING) == 0) return;
  let left = atomic.load<i32>(control, PENDING);
  while (left != 0) {
    atomic.wait<i32>(control + PENDING, left, -1);
    left = atomic.load<i32>(control, PENDING);
  }
}

/** Adds the partial vectors of threads 1 .. count - 1 to y, in that order. */
export function addPartials<T extends number>(n: i32, count: i32, partials: usize, y: usize): void {
  for (let t = 1; t < count; t++) axpy<T>(n, <T>1, at<T>(partials, n, t - 1, 0), y);
}

/** Serves jobs as thread `id` of `count`, beginning with the first after generation `seen`, until told to stop. */
export function serve(control: usize, id: i32, count: i32, spaces: usize, seen: i32): void {
  while (true) {
    for (let poll = 0; poll < POLLS; poll++) if (atomic.load<i32>(control, GENERATION) != seen) break;
    while (atomic.load<i32>(control, GENERATION) == seen) atomic.wait<i32>(control + GENERATION, seen, -1);
    if (atomic.load<i32>(control, STOP) != 0) return;
    seen += 1;
    execute(load<i32>(control, JOB), control, id, count, spaces);
    finish(control);
  }
}

/** Counts one thread as done and wakes the caller when it was the last. */
export function finish(control: usize): void {
  if (atomic.sub<i32>(control, 1, PENDING) == 1) atomic.notify(control + PENDING, 1);
}
