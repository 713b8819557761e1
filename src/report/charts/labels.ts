/** Estimated width of one character set at `size` px in a system sans-serif; ideographs are square. */
function characterWidth(character: string, size: number): number {
  return ((character.codePointAt(0) as number) >= 0x1100 ? 1 : 0.58) * size;
}

/** Estimated width of text set at `size` px in a system sans-serif. */
export function textWidth(text: string, size: number): number {
  let width = 0;
  for (const character of text) width += characterWidth(character, size);
  return width;
}

/** The label on one line, cut with an ellipsis when it would be wider than `width` px. */
export function fitLabel(label: string, width: number, size: number): string {
  // Control characters are not allowed in XML and would break lines.
  const clean = label.replace(/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}\u2028\u2029]+/gu, " ").trim();
  if (textWidth(clean, size) <= width) return clean;
  let short = "";
  let taken = characterWidth("…", size);
  for (const character of clean) {
    taken += characterWidth(character, size);
    if (taken > width) break;
    short += character;
  }
  return `${short.trimEnd()}…`;
}

/**
 * Moves label positions apart until neighbours are at least `distance` px from each other, keeping their order and
 * staying within [low, high] as long as they fit there.
 */
export function spreadLabels(
  positions: readonly number[],
  distance: number,
  [low, high]: readonly [number, number],
): number[] {
  const order = positions.map((_, index) => index).sort((a, b) => (positions[a] as number) - (positions[b] as number));
  // 1. Merge overlapping labels into blocks, each centred on the mean of its members' wishes.
  const blocks: { members: number[]; start: number }[] = [];
  const place = (members: number[]) => {
    const height = (members.length - 1) * distance;
    const mean = members.reduce((sum, index) => sum + (positions[index] as number), 0) / members.length;
    return Math.max(low, Math.min(high - height, mean - height / 2));
  };
  for (const index of order) {
    let block = { members: [index], start: place([index]) };
    for (let last = blocks.at(-1); last !== undefined; last = blocks.at(-1)) {
      if (last.start + last.members.length * distance <= block.start) break;
      blocks.pop();
      const members = [...last.members, ...block.members];
      block = { members, start: place(members) };
    }
    blocks.push(block);
  }
  // 2. Lay every block out.
  const result = positions.slice();
  for (const { members, start } of blocks) {
    members.forEach((index, rank) => {
      result[index] = start + rank * distance;
    });
  }
  return result;
}
