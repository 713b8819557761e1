import { addPartials } from "./team";
import { axpy, dot, norm1, normInf } from "./vector";

export { projectOnBalls, stepOnBalls } from "./balls";
export { choleskyBlock, clearUpper } from "./triangular";
export { threadWorkBytes } from "./gated";
export { finish, run, serve } from "./team";
export { blockSoftThreshold, norm2F64, norm2F32 } from "./vector";

// Generic functions cannot be exported as such.
export function addPartialsF64(n: i32, count: i32, partials: usize, y: usize): void {
  addPartials<f64>(n, count, partials, y);
}
export function addPartialsF32(n: i32, count: i32, partials: usize, y: usize): void {
  addPartials<f32>(n, count, partials, y);
}
export function axpyF64(n: i32, alpha: f64, x: usize, y: usize): void {
  axpy<f64>(n, alpha, x, y);
}
export function axpyF32(n: i32, alpha: f32, x: usize, y: usize): void {
  axpy<f32>(n, alpha, x, y);
}
export function dotF64(n: i32, x: usize, y: usize): f64 {
  return dot<f64>(n, x, y);
}
export function dotF32(n: i32, x: usize, y: usize): f32 {
  return dot<f32>(n, x, y);
}
export function norm1F64(n: i32, x: usize): f64 {
  return norm1<f64>(n, x);
}
export function norm1F32(n: i32, x: usize): f32 {
  return norm1<f32>(n, x);
}
export function normInfF64(n: i32, x: usize): f64 {
  return normInf<f64>(n, x);
}
export function normInfF32(n: i32, x: usize): f32 {
  return normInf<f32>(n, x);
}
