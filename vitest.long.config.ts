import { defineConfig } from "vitest/config";

/** Tests that are too slow for every change, or need the package registry: `npm run test:long`, `npm run test:package`. */
export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts", "test/package/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ["default", "./tools/plain-reporter.ts"],
  },
});
