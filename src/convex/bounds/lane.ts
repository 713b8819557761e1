import { serveHelper } from "../../compute/helpers.ts";
import { JointShard, type ShardRequest } from "./transport/joint-shard.ts";
import { type NodeRequest, NodeShard } from "./transport/node-shard.ts";

/** What the threads of {@link Lanes} are asked. */
export type LaneRequest =
  | { readonly to: "joint"; readonly request: ShardRequest }
  | { readonly to: "nodes"; readonly request: NodeRequest };

/** Entry of such a thread. */
await serveHelper((compute) => {
  const joint = new JointShard(compute);
  const nodes = new NodeShard(compute);
  return (message, interrupted) => {
    const { to, request } = message as LaneRequest;
    return to === "joint" ? joint.answer(request, interrupted) : nodes.answer(request, interrupted);
  };
});
