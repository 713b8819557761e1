import { existsSync, readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { matrix } from "../../src/base/matrix.ts";
import { randomStream } from "../../src/base/random.ts";
import { ProofWriter } from "../../src/certificate/index.ts";
import { type Compute, createCompute } from "../../src/compute/index.ts";
import { Lanes } from "../../src/convex/bounds/lanes.ts";
import type { BoundSearch, SideProblem } from "../../src/convex/bounds/search.ts";
import { JointDual, transportSearch } from "../../src/convex/bounds/transport/index.ts";
import { certifyIterate } from "../../src/convex/certify.ts";
import { solveConvex } from "../../src/convex/index.ts";
import { lossByName } from "../../src/convex/losses/index.ts";
import { iterateOf } from "../../src/convex/programs/column-generation.ts";
import { programContext } from "../../src/convex/programs/context.ts";
import { reduce } from "../../src/convex/reduction.ts";
import type { ConvexProblem, Solution } from "../../src/convex/types.ts";
import { checkSignTree } from "./transport-proof.ts";

let compute: Compute;
beforeAll(async () => {
  compute = await createCompute({ threads: 2, backend: "wasm" });
});
afterAll(async () => {
  await compute.close();
});

const never = (): boolean => false;
const now = (): number => performance.now() / 1000;

/** A side large enough for other threads to help. */
function largeSide(seed: number, n = 150, r = 6): SideProblem {
  const random = randomStream(seed, "lanes-test");
  const Z = Float64Array.from({ length: n * r }, () => random.normal());
  return { n, r, Z, v: Float64Array.from({ length: n }, () => random.normal()) };
}

function proofOf(search: BoundSearch): Uint8Array {
  const out = new ProofWriter();
  search.writeProof(out);
  return out.bytes();
}

/** Threads that end at a request instead of answering it. */
function dyingLane(last: number): URL {
  process.env.DYING_LANE_LAST = String(last);
  return new URL("./dying-lane.mjs", import.meta.url);
}

/** Works until the search has seen so many nodes, in slices of so many polls of `stop`. */
function work(search: BoundSearch, nodes: number, slice: number): void {
  while (search.nodes < nodes && !search.finished) {
    let left = slice;
    search.advance(Number.NEGATIVE_INFINITY, () => search.nodes >= nodes || left-- <= 0);
  }
}

/** Threads of this process; null where that cannot be seen. */
function threads(): number | null {
  return existsSync("/proc/self/task") ? readdirSync("/proc/self/task").length : null;
}

/** The same once those of earlier tests have ended: when it has not changed for half a second. */
async function threadsAtRest(): Promise<number | null> {
  let count = threads();
  for (let same = 0; same < 10; same++) {
    await pause(50);
    const now = threads();
    if (now !== count) same = -1;
    count = now;
  }
  return count;
}

describe("Lanes", () => {
  it("solve the same nodes as one thread, in slices of any length, with the same proof", () => {
    const side = largeSide(1);
    const alone = transportSearch(compute, side, 0, null);
    work(alone, 25, 1000);
    for (const slice of [1000, 3]) {
      const lanes = new Lanes(compute, now);
      try {
        const search = transportSearch(compute, side, 0, lanes);
        work(search, 25, slice);
        expect(lanes.count).toBe(2);
        expect(search.nodes).toBe(alone.nodes);
        expect(search.bound).toBe(alone.bound);
        expect(proofOf(search)).toEqual(proofOf(alone));
      } finally {
        lanes.close();
      }
    }
    checkSignTree(proofOf(alone), side, alone.bound * (1 + 1e-9));
  });

  it("may be gone in the middle of a search, which goes on without them", () => {
    const side = largeSide(2);
    const lanes = new Lanes(compute, now);
    const search = transportSearch(compute, side, 0, lanes);
    work(search, 9, 1000);
    const before = search.bound;
    lanes.close();
    expect(lanes.count).toBe(0);
    work(search, 25, 1000);
    expect(search.bound).toBeLessThan(before);
    checkSignTree(proofOf(search), side, search.bound * (1 + 1e-9));
  });

  it.each([1, 2, 4])("that end unanswered at request %i are noticed: TransportSearch goes on alone", (last) => {
    const side = largeSide(4);
    const alone = transportSearch(compute, side, 0, null);
    work(alone, 15, 1000);
    const lanes = new Lanes(compute, now, dyingLane(last));
    const search = transportSearch(compute, side, 0, lanes);
    // No limit but the number of nodes: only the end of the thread can end the wait.
    search.advance(Number.NEGATIVE_INFINITY, () => search.nodes >= 15);
    work(search, 15, 1000);
    expect(lanes.count).toBe(0);
    expect(search.nodes).toBe(alone.nodes);
    expect(search.bound).toBe(alone.bound);
    checkSignTree(proofOf(search), side, search.bound * (1 + 1e-9));
  });

  it("are none when their threads end before they are ready", () => {
    const began = now();
    expect(new Lanes(compute, now, new URL("./no-such-lane.mjs", import.meta.url)).count).toBe(0);
    expect(new Lanes(compute, now, new URL("./failing-lane.mjs", import.meta.url)).count).toBe(0);
    expect(now() - began).toBeLessThan(60);
  });

  it("are none with one thread, or on the naive backend", async () => {
    for (const options of [{ backend: "wasm", threads: 1 }, { backend: "js" }] as const) {
      const other = await createCompute(options);
      expect(new Lanes(other, now).count).toBe(0);
      await other.close();
    }
  });

  it("end when they are closed", async () => {
    const before = await threadsAtRest();
    if (before === null) return;
    const lanes = new Lanes(compute, now);
    expect(lanes.count).toBe(2);
    expect(threads()).toBeGreaterThanOrEqual(before + 2);
    lanes.close();
    for (let k = 0; k < 200 && (threads() as number) > before; k++) await pause(50);
    expect(threads()).toBeLessThanOrEqual(before);
  });
});

describe("JointDual", () => {
  it("finds with lanes what it finds without them, up to the order of sums, with a proof", () => {
    const { n, r, Z, v } = largeSide(3, 60, 5);
    const y = v;
    const lanes = new Lanes(compute, now);
    try {
      const [alone, helped] = [null, lanes].map((used) => {
        const joint = new JointDual(compute, { loss: lossByName("squared"), y, beta: 3, Z, n, r, v }, 0, used, () => 0);
        for (let round = 0; round < 24; round++) expect(joint.round(never)).toBe(true);
        return joint.result();
      });
      expect(helped!.lowerBound / alone!.lowerBound).toBeCloseTo(1, 2);
      for (const [at, search] of helped!.searches.entries()) {
        const weights = at === 0 ? helped!.v : helped!.v.map((t) => -t);
        const out = new ProofWriter();
        search.writeProof(out);
        checkSignTree(out.bytes(), { n, r, Z, v: weights }, search.bound * (1 + 1e-9));
      }
    } finally {
      lanes.close();
    }
  });
});

describe("JointDual and certifyIterate", () => {
  const { n, r, Z, v } = largeSide(3, 60, 5);
  const problem = { loss: lossByName("squared"), y: v, beta: 3, Z, n, r, v };

  it.each([1, 2, 3, 40])("JointDual says when its threads have ended, at request %i, and stops", (last) => {
    const lanes = new Lanes(compute, now, dyingLane(last));
    const joint = new JointDual(compute, problem, 0, lanes, () => 0);
    let rounds = 0;
    while (joint.round(() => rounds >= 40)) rounds += 1;
    expect(joint.lost).toBe(true);
    expect(joint.result()).toBeNull();
    expect(rounds).toBeLessThan(40);
  });

  it("certifyIterate goes on with one thread, and proves what it finds", () => {
    const { n, r, Z, v } = largeSide(3, 150, 7);
    const full: ConvexProblem = {
      ...{ X: matrix(n, r, Z), y: v, loss: "squared", scaling: "sum", bias: "none", program: "relu" },
      ...{ patterns: { kind: "generated" }, beta: 3 },
    };
    const context = programContext(reduce(full), full, false);
    const iterate = iterateOf(context, [], 0);
    const lanes = new Lanes(compute, now, dyingLane(12));
    const [alone, helped] = [null, lanes].map((used) => {
      let looks = 0;
      const certifying = certifyIterate(compute, context, iterate, {
        ...{ tolerance: 1e-9, seed: 0, now, lanes: used, repair: () => false, left: () => Number.POSITIVE_INFINITY },
        stop: () => looks >= 40,
      });
      let step = certifying.next();
      for (; step.done !== true; step = certifying.next()) looks += 1;
      return step.value.bound;
    });
    expect(lanes.count).toBe(0);
    // How far either gets in so many looks depends on the machine.
    expect(Math.abs(helped!.value / alone!.value - 1)).toBeLessThan(0.25);
    expect(helped!.proof?.()).not.toBeNull();
  });
});

describe("solveConvex", () => {
  const random = randomStream(5, "lanes-problem");
  const X = matrix(160, 6);
  for (let k = 0; k < X.data.length; k++) X.data[k] = random.normal();
  const y = Float64Array.from({ length: 160 }, (_, i) => Math.sign(X.data[6 * i] + 0.5 * random.normal()));
  const problem: ConvexProblem = {
    ...{ X, y, loss: "squared", scaling: "sum", bias: "column", program: "relu" },
    ...{ patterns: { kind: "generated" }, beta: 30 },
  };

  const solve = (): Solution => {
    const solving = solveConvex(problem, { compute, now, seed: 0, tolerance: 1e-7 });
    let step = solving.next();
    while (step.done !== true) step = solving.next();
    return step.value;
  };

  it("closes the gap with lanes to the same numbers twice", () => {
    const [first, second] = [solve(), solve()];
    expect(first.status).toBe("optimal");
    expect(second.objective).toBe(first.objective);
    expect(Math.abs(second.lowerBound - first.lowerBound)).toBeLessThanOrEqual(1e-7 * first.objective);
  });

  it("leaves no thread when its generator is given up", async () => {
    const before = await threadsAtRest();
    if (before === null) return;
    const solving = solveConvex({ ...problem, beta: 2 }, { compute, now, seed: 0, tolerance: 1e-12 });
    for (let k = 0; k < 40; k++) solving.next();
    solving.return(undefined as never);
    for (let k = 0; k < 200 && (threads() as number) > before; k++) await pause(50);
    expect(threads()).toBeLessThanOrEqual(before);
  });
});
