const FIRST = 0.9;
const SECOND = 0.999;
const TINY = 1e-8;

/** Adam (Kingma & Ba, ICLR 2015): a function that moves x, in place, by one step of the given rate along a gradient. */
export function adam(size: number): (x: Float64Array, gradient: Float64Array, rate: number) => void {
  const mean = new Float64Array(size);
  const square = new Float64Array(size);
  let steps = 0;
  return (x, gradient, rate) => {
    steps += 1;
    const scale = rate / (1 - FIRST ** steps);
    const correction = 1 / (1 - SECOND ** steps);
    for (let k = 0; k < size; k++) {
      const g = gradient[k];
      mean[k] = FIRST * mean[k] + (1 - FIRST) * g;
      square[k] = SECOND * square[k] + (1 - SECOND) * g * g;
      x[k] -= (scale * mean[k]) / (Math.sqrt(square[k] * correction) + TINY);
    }
  };
}
