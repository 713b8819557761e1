export { choleskyBlock } from "./triangular";
export { threadWorkBytes } from "./gated";
export { addPartials, finish, run, serve } from "./team";
export { axpy, blockSoftThreshold, dot, norm1, norm2, normInf } from "./vector";
