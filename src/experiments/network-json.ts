import { type Matrix, matrix } from "../base/matrix.ts";
import type { NetworkJson } from "../certificate/index.ts";
import { checkShapes, type TwoLayerNetwork } from "../network/index.ts";

/** The weights as plain JSON; every double survives, being written in its shortest decimal. */
export function networkToJson({ activation, U, b, W, c0, gates }: TwoLayerNetwork): NetworkJson {
  const plain = ({ rows, cols, data }: Matrix) => ({ rows, cols, data: [...data] });
  return {
    activation,
    U: plain(U),
    b: [...b],
    W: plain(W),
    c0: [...c0],
    gates: gates === null ? null : { G: plain(gates.G), h: [...gates.h] },
  };
}

/**
 * The network of its JSON form.
 *
 * @throws RangeError or TypeError when the arrays do not fit together.
 */
export function networkFromJson({ activation, U, b, W, c0, gates }: NetworkJson): TwoLayerNetwork {
  const dense = (m: NetworkJson["U"]) => matrix(m.rows, m.cols, Float64Array.from(m.data));
  const network: TwoLayerNetwork = {
    kind: "two-layer",
    activation,
    U: dense(U),
    b: Float64Array.from(b),
    W: dense(W),
    c0: Float64Array.from(c0),
    gates: gates === null ? null : { G: dense(gates.G), h: Float64Array.from(gates.h) },
  };
  checkShapes(network);
  return network;
}
