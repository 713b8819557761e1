/** Architectures as data: layers, their text and JSON forms, shapes and counts of parameters. */
export { architectureOf } from "./json.ts";
export * from "./layers.ts";
export { outputShape, parameterCount, shapesOf, showShape, sizeOf } from "./shapes.ts";
export { architectureText, layerText, parseArchitecture } from "./text.ts";
