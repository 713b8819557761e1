/**
 * Checks a rows x cols matrix argument of the algorithm `what`.
 *
 * @throws RangeError for sizes that are not non-negative integers, rows that overlap, or an array that is too short.
 */
export function requireMatrix(
  what: string,
  name: string,
  rows: number,
  cols: number,
  array: ArrayLike<number>,
  distance: number,
): void {
  for (const size of [rows, cols, distance]) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new RangeError(`${what}: sizes of ${name} must be non-negative integers, got ${size}`);
    }
  }
  if (rows > 0 && distance < cols) {
    throw new RangeError(`${what}: rows of ${name} (${rows} x ${cols}) are ${cols} long but ${distance} apart`);
  }
  const length = rows === 0 || cols === 0 ? 0 : (rows - 1) * distance + cols;
  if (array.length < length) {
    const shape = `${rows} x ${cols} with rows ${distance} apart`;
    throw new RangeError(`${what}: ${name} (${shape}) needs ${length} entries, the array has ${array.length}`);
  }
}
