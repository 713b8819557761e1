import type { Side } from "./linear-form.ts";
import { MOST_REMEMBERED, type ProofReader } from "./reader.ts";
import { type Mark, Region } from "./region.ts";
import { checkTransport } from "./transport.ts";

const SPLIT = 0;
const TRANSPORT = 1;
const LINEAR = 2;
const RANGE = 3;
const CLOSE = 4;
const EMPTY = 5;

/**
 * Reads a sign tree and checks that it shows G(u) <= T |u| for all u: no u of the unit ball has G(u) > T. At a split both signs
 * of z_i'u are followed, and each path must end in a leaf that leaves nothing.
 *
 * @throws Rejection when it does not.
 */
export function checkSignTree(reader: ProofReader, side: Side): void {
  const region = new Region(side);
  /** Splits whose second side is still to come. */
  const open: { readonly row: number; readonly mark: Mark }[] = [];
  for (;;) {
    const kind = reader.u8();
    if (kind === SPLIT) {
      const row = reader.index(side.n, "row");
      if (16 * open.length > MOST_REMEMBERED) reader.fail("the tree is too deep");
      open.push({ row, mark: region.mark() });
      region.raiseLow(row, 0, reader);
      continue;
    }
    if (kind === LINEAR) {
      region.readBound(reader);
      region.addCap(reader);
      continue;
    }
    if (kind === RANGE) {
      region.readRanges(reader);
      continue;
    }
    if (kind === CLOSE) {
      const bound = region.readBound(reader).bound();
      if (!(bound <= side.T)) reader.fail(`a leaf bounds by ${bound}, above ${side.T}`);
    } else if (kind === TRANSPORT) checkTransport(reader, region);
    else if (kind !== EMPTY) reader.fail(`a node of unknown kind ${kind}`);
    else if (!region.isEmpty()) reader.fail("a region that is not empty");
    reader.report();
    const split = open.pop();
    if (split === undefined) return;
    region.undo(split.mark);
    region.lowerHigh(split.row, 0, reader);
  }
}
