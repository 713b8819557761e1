/**
 * The certificate file: its schema and types, format version 1. This layer knows what a certificate says; it must not
 * know how one is made or checked, so that the code that checks shares nothing with the code that wrote it.
 */
export { type Certificate, certificateSchema, type NetworkJson, networkSchema } from "./schema.ts";
export { ProofWriter } from "./stream.ts";
