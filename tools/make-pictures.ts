/**
 * Makes the pictures of the documentation in `docs/pictures/`: `npx tsx tools/make-pictures.ts`, with names some of them alone. All that they
 * show is computed here, from seeded streams, on the package's own kernels without relaxed SIMD and on one thread, with a clock that counts:
 * each run makes the same files.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean } from "../src/base/did-you-mean.ts";
import { type Compute, createCompute } from "../src/compute/index.ts";
import { writeFileAtomic } from "../src/platform/index.ts";
import { convexPictures } from "./pictures/convex.ts";
import type { Picture } from "./pictures/draw.ts";
import { kernelPictures } from "./pictures/kernels.ts";
import { trainingPictures } from "./pictures/training.ts";

/** Name -> how it is drawn. */
export const pictures: ReadonlyMap<string, (compute: Compute) => Picture> = new Map(
  Object.entries({ ...convexPictures, ...kernelPictures, ...trainingPictures }),
);

/** The kernels that pictures are computed with. */
export function pictureCompute(): Promise<Compute> {
  return createCompute({ backend: "wasm", simd: "plain", threads: 1 });
}

const here = fileURLToPath(import.meta.url);
if (process.argv.slice(1).some((argument) => resolve(argument) === here)) {
  const wanted = process.argv.slice(2);
  for (const name of wanted.filter((one) => !pictures.has(one))) {
    const nearest = didYouMean(name, [...pictures.keys()]);
    process.stderr.write(`no picture "${name}"${nearest === null ? "" : `: did you mean "${nearest}"?`}\n`);
    process.exit(1);
  }
  const folder = fileURLToPath(new URL("../docs/pictures/", import.meta.url));
  const compute = await pictureCompute();
  for (const [name, draw] of pictures) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const { svg } = draw(compute);
    writeFileAtomic(resolve(folder, `${name}.svg`), svg);
    process.stdout.write(`docs/pictures/${name}.svg  ${svg.length} bytes\n`);
  }
  await compute.close();
}
