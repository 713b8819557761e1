export { type JointPoint, type JointProblem, jointDual } from "./joint-dual.ts";
export { TransportSearch, transportSearch } from "./search.ts";
