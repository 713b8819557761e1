export { capSearch } from "./search.ts";
