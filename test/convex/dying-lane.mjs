// A thread like src/convex/bounds/lane.ts whose thread ends, unanswered, at the request with the number DYING_LANE_LAST.
import { serveHelper } from "../../dist/compute/helpers.js";
import { JointShard } from "../../dist/convex/bounds/transport/joint-shard.js";
import { NodeShard } from "../../dist/convex/bounds/transport/node-shard.js";

const last = Number(process.env.DYING_LANE_LAST);
let requests = 0;

await serveHelper((compute) => {
  const joint = new JointShard(compute);
  const nodes = new NodeShard(compute);
  return ({ to, request }, interrupted) => {
    requests += 1;
    if (requests === last) process.exit(1);
    return to === "joint" ? joint.answer(request, interrupted) : nodes.answer(request, interrupted);
  };
});
