/** The transport bound with branch and bound on signs, and the dual point that serves it best. */
export { JointDual, type JointPoint } from "./joint-dual.ts";
export { transportSearch } from "./search.ts";
