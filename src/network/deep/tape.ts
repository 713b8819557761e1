import type { RealArray, RealKernels } from "../../compute/types.ts";
import type { GraphNode, NetworkGraph } from "./graph.ts";
import type { Frame, Series } from "./operation.ts";

/** What a {@link Tape} is made for. */
export interface TapeOptions<A extends RealArray> {
  readonly graph: NetworkGraph;
  readonly kernels: RealKernels<A>;
  /** Zeros in the memory of the kernels: `(length) => scope.f64(length)`, or `f32`. */
  readonly allocate: (length: number) => A;
  /** Samples that it has room for. */
  readonly samples: number;
  /** Most coefficients of the power series that it is run on; default 1: values and gradients. */
  readonly orders?: number;
  /** `none`: forward only; `parameters` (default); `inputs`: the gradient with respect to inputs as well. */
  readonly backward?: "none" | "parameters" | "inputs";
  /** Whether the parameters of a node are trained; default: all. Nothing is computed for others. */
  readonly trained?: (node: GraphNode) => boolean;
}

/** A node with all that its operation is called with. */
interface Step<A extends RealArray> {
  readonly node: GraphNode;
  readonly saved: A;
  readonly isTrained: boolean;
  /** Inputs whose adjoint is wanted, and whether another node has written to it before. */
  readonly wants: readonly boolean[];
  readonly accumulate: readonly boolean[];
}

/**
 * Room for the values of a network on a batch, and the passes over it. Write inputs to `input`, call `forward`, read
 * `output`; write the cotangent of the outputs to `outputAdjoint` and call `backward`. All arrays are power series in one
 * variable (see {@link Operation}): with `orders` = 1 plain values.
 */
export class Tape<A extends RealArray> {
  readonly graph: NetworkGraph;
  readonly samples: number;
  /** values[v][k]: coefficient k of value v, samples x sizes[v]; adjoints likewise (empty where not needed). */
  readonly values: readonly Series<A>[];
  readonly adjoints: readonly Series<A>[];
  /** Numbers that are not trained: running statistics of batch normalization. */
  readonly state: A;
  /** Use statistics of the batch, and update the running ones (batch normalization); else the running ones. */
  training = false;

  readonly #kernels: RealKernels<A>;
  readonly #steps: readonly Step<A>[];
  readonly #scratch: A;
  readonly #ones: A;
  #theta: Series<A> = [];
  #slices: readonly Series<A>[] = [];
  #gradient: readonly (A | null)[] = [];
  #gradientSlices: readonly (readonly (A | null)[])[] = [];

  /** @throws RangeError when the memory of the kernels has no room for it. */
  constructor(options: TapeOptions<A>) {
    const { graph, kernels, allocate, samples, orders = 1, backward = "parameters", trained = () => true } = options;
    this.graph = graph;
    this.samples = samples;
    this.#kernels = kernels;
    const series = (size: number): A[] => Array.from({ length: orders }, () => allocate(samples * size));
    this.values = graph.sizes.map(series);

    // A value needs an adjoint when a trained parameter, or the input if that is asked for, has a part in it.
    const needed = graph.sizes.map(() => false);
    needed[0] = backward === "inputs";
    const isTrained = graph.nodes.map((node) => backward !== "none" && node.parameters.count > 0 && trained(node));
    graph.nodes.forEach(({ inputs, output }, k) => {
      needed[output] = isTrained[k] === true || inputs.some((value) => needed[value]);
    });
    if (backward !== "none") needed[graph.outputValue] = true;
    this.adjoints = graph.sizes.map((size, value) => (needed[value] ? series(size) : []));

    const written = graph.sizes.map(() => false);
    const accumulate = graph.nodes.map((): boolean[] => []);
    for (let k = graph.nodes.length - 1; k >= 0; k--) {
      graph.nodes[k]!.inputs.forEach((value, input) => {
        accumulate[k]![input] = written[value] === true;
        if (needed[graph.nodes[k]!.output] && needed[value]) written[value] = true;
      });
    }
    this.#steps = graph.nodes.map((node, k) => ({
      node,
      saved: allocate(samples * node.operation.saved(orders)),
      isTrained: isTrained[k]!,
      wants: node.inputs.map((value) => needed[value]!),
      accumulate: accumulate[k]!,
    }));
    this.state = allocate(graph.state);
    this.#scratch = allocate(Math.max(0, ...graph.nodes.map(({ operation }) => operation.scratch(samples, orders))));
    this.#ones = allocate(samples * Math.max(0, ...graph.nodes.map(({ operation }) => operation.rows)));
    this.#ones.fill(1);
  }

  /** Coefficients of the inputs, samples x input size; those above the first are zero until written. */
  get input(): Series<A> {
    return this.values[0]!;
  }

  get output(): Series<A> {
    return this.values[this.graph.outputValue]!;
  }

  get outputAdjoint(): Series<A> {
    return this.adjoints[this.graph.outputValue]!;
  }

  /** Gradient with respect to the inputs, after {@link backward} of a tape made with `backward: "inputs"`. */
  get inputAdjoint(): Series<A> {
    return this.adjoints[0]!;
  }

  /**
   * Values of the first n samples at parameters theta(t), up to t^(orders - 1); `known`: so many coefficients are there from
   * the last pass, which was at the same theta[0] and inputs (whatever its direction theta[1] was, when `known` is 1).
   *
   * @throws RangeError when n or orders is more than there is room for, or theta has the wrong length.
   */
  forward(n: number, theta: Series<A>, orders = this.input.length, known = 0): void {
    this.#check(n, theta, orders, known);
    const slices = this.#slicesOf(theta);
    this.#steps.forEach((step, k) => {
      const { node } = step;
      const inputs = node.inputs.map((value) => this.values[value]!.slice(0, orders));
      node.operation.forward(
        this.#frame(step, n, known),
        slices[k]!,
        inputs,
        this.values[node.output]!.slice(0, orders),
      );
    });
  }

  /**
   * Takes `outputAdjoint` back through the network: `scale` times the gradient with respect to parameters is added to
   * `gradient` (null, the whole or a coefficient: not wanted), coefficient by coefficient. Call it after {@link forward} with the same n, theta, orders; coefficients below `known` of the
   * cotangent are those of the last pass.
   * With one coefficient `gradient` may be theta itself: gradient descent with step -scale, no other memory needed.
   */
  backward(
    n: number,
    theta: Series<A>,
    gradient: readonly (A | null)[] | null,
    scale = 1,
    orders = this.input.length,
    known = 0,
  ): void {
    this.#check(n, theta, orders, known);
    const slices = this.#slicesOf(theta);
    const into = gradient === null ? null : this.#gradientSlicesOf(gradient);
    for (let k = this.#steps.length - 1; k >= 0; k--) {
      const step = this.#steps[k]!;
      const { node, isTrained, wants } = step;
      if (!isTrained && !wants.includes(true)) continue;
      const few = (series: Series<A>): Series<A> => series.slice(0, orders);
      node.operation.backward(this.#frame(step, n, known), slices[k]!, {
        x: node.inputs.map((value) => few(this.values[value]!)),
        y: few(this.values[node.output]!),
        dy: few(this.adjoints[node.output]!),
        dx: node.inputs.map((value, input) => (wants[input] ? few(this.adjoints[value]!) : null)),
        accumulate: step.accumulate,
        gradient: isTrained && into !== null ? into[k]! : null,
        scale,
      });
    }
  }

  #frame(step: Step<A>, n: number, known: number): Frame<A> {
    const { from, count } = step.node.state;
    return {
      kernels: this.#kernels,
      n,
      scratch: this.#scratch,
      saved: step.saved,
      known,
      state: this.state.subarray(from, from + count) as A,
      training: this.training,
      ones: this.#ones,
    };
  }

  #check(n: number, theta: Series<A>, orders: number, known: number): void {
    if (!(n >= 0 && n <= this.samples)) throw new RangeError(`${n} samples on a tape for ${this.samples}`);
    if (!(orders >= 1 && orders <= this.input.length)) {
      throw new RangeError(`${orders} coefficients on a tape for ${this.input.length}`);
    }
    if (known > 0 && this.training) throw new RangeError("nothing is known of a pass that updates statistics");
    for (const coefficient of theta) {
      if (coefficient.length !== this.graph.parameters) {
        throw new RangeError(`${coefficient.length} parameters for a network of ${this.graph.parameters}`);
      }
    }
  }

  /** The parts of the nodes; kept, because thousands of steps are made with the same arrays. */
  #slicesOf(theta: Series<A>): readonly Series<A>[] {
    if (!sameArrays(theta, this.#theta)) {
      this.#theta = theta.slice();
      this.#slices = this.#cut(theta);
    }
    return this.#slices;
  }

  #gradientSlicesOf(gradient: readonly (A | null)[]): readonly (readonly (A | null)[])[] {
    if (!sameArrays(gradient, this.#gradient)) {
      this.#gradient = gradient.slice();
      this.#gradientSlices = this.#cut(gradient);
    }
    return this.#gradientSlices;
  }

  #cut<T extends A | null>(arrays: readonly T[]): readonly (readonly T[])[] {
    return this.#steps.map(({ node: { parameters } }) =>
      arrays.map((array) => (array?.subarray(parameters.from, parameters.from + parameters.count) ?? null) as T),
    );
  }
}

function sameArrays(a: readonly (RealArray | null)[], b: readonly (RealArray | null)[]): boolean {
  return a.length === b.length && a.every((array, k) => array === b[k]);
}
