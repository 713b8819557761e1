import { ConfigError } from "../../base/errors.ts";
import type { DeepForm } from "../../formats/index.ts";
import { type Architecture, type Shape, showShape, sizeOf } from "../../network/architecture/index.ts";
import { initializedAs } from "../../network/architecture/initialization.ts";
import { type GraphNode, type NetworkGraph, networkGraph } from "../../network/deep/index.ts";
import { trainedNodes } from "../../tangent/empirical/nodes.ts";
import type { Trained } from "../../tangent/index.ts";
import { type Targets, type TrainingData, type TrainingLossName, trainingLoss } from "../../training/index.ts";
import { seesPixels } from "../architecture.ts";
import { readArchitecture } from "../kernel.ts";
import type { LabelledSamples, TrainingInputs } from "./samples.ts";
import type { TrainSettings } from "./settings.ts";

/** A network, what it is to learn, and which of its parameters are trained. */
export interface PosedTraining {
  readonly architecture: Architecture;
  readonly input: Shape;
  readonly graph: NetworkGraph;
  readonly form: DeepForm;
  readonly trained: Trained;
  readonly isTrained: (node: GraphNode) => boolean;
  readonly loss: TrainingLossName;
  readonly data: TrainingData;
  readonly test: TrainingData | null;
  readonly notes: readonly string[];
}

/**
 * Puts network, loss and samples together.
 *
 * @throws ConfigError when they do not fit.
 */
export function poseTraining(settings: TrainSettings, inputs: TrainingInputs): PosedTraining {
  const { init, parametrization, parameterization, linearized, taylor, symmetric } = settings;
  const given = readArchitecture(settings.arch, parametrization ?? parameterization ?? null);
  const isVector = inputs.shape.length === 1 || !seesPixels(given);
  const input: Shape = isVector ? [sizeOf(inputs.shape)] : inputs.shape;
  const architecture = init === undefined ? given : initializedAs(given, init, input);
  const graph = networkGraph(architecture, input);
  const loss = chooseLoss(settings.loss, inputs, graph);
  if (settings.untilAccuracy !== undefined && inputs.target.classes === null) {
    throw new ConfigError(`an accuracy is of classes, but "${inputs.target.name}" is a number`, {
      code: "accuracy-needs-classes",
      hint: "use --until-loss",
    });
  }
  const trained = settings.train ?? (init === "convergence" ? "hidden" : "all");
  const nodes = new Set(nodesTrained(graph, trained));
  const degree = taylor ?? (linearized ? 1 : null);
  const flat = `images of ${showShape(inputs.shape)} are taken as vectors: the architecture has no conv layer`;
  return {
    architecture,
    input,
    graph,
    form: degree !== null ? { kind: "taylor", degree } : { kind: symmetric ? "symmetric" : "network" },
    trained,
    isTrained: (node) => nodes.has(node),
    loss,
    data: dataOf(inputs.train, inputs, loss, graph),
    test: inputs.test === null ? null : dataOf(inputs.test, inputs, loss, graph),
    notes: isVector && inputs.shape.length > 1 ? [flat] : [],
  };
}

function nodesTrained(graph: NetworkGraph, trained: Trained): readonly GraphNode[] {
  try {
    return trainedNodes(graph, trained, false);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`with train ${trained}, no layer of this architecture is trained`, {
      code: "nothing-trained",
      hint: "use --train all, or add layers: hidden ones lie between the first and the last weighted layer",
    });
  }
}

/** The loss, `auto` settled, of outputs that fit the target. */
function chooseLoss(asked: TrainSettings["loss"], { target }: TrainingInputs, graph: NetworkGraph): TrainingLossName {
  const { classes, name } = target;
  const outputs = sizeOf(graph.output);
  const wanted = classes === null ? 1 : classes.length;
  const isBinary = outputs === 1 && wanted === 2;
  const automatic = classes === null ? "squared" : isBinary ? "logistic" : "cross-entropy";
  const loss = asked === "auto" ? automatic : asked;
  const refuse = (message: string, hint: string): ConfigError =>
    new ConfigError(message, { code: "output-shape", hint });
  if (graph.output.length > 1) {
    throw refuse(
      `the network ends with an image of ${showShape(graph.output)}`,
      `end it with "gap dense(${wanted})" or "flatten dense(${wanted})"`,
    );
  }
  if (outputs !== wanted && !isBinary) {
    const what = classes === null ? `"${name}" is one number` : `"${name}" has ${wanted} classes`;
    throw refuse(`the network has ${outputs} outputs, ${what}`, `end the architecture with dense(${wanted})`);
  }
  if (classes === null && loss !== "squared") {
    throw new ConfigError(`the ${loss} loss needs classes, but "${name}" is a number`, {
      code: "loss-needs-classes",
      hint: "use --loss squared, or --task classification if the numbers stand for classes",
    });
  }
  if (loss === "logistic" && !isBinary) {
    throw refuse(
      `the logistic loss is of one output and two classes, not ${outputs} and ${wanted}`,
      wanted === 2 ? "end the architecture with dense(1)" : "use --loss cross-entropy",
    );
  }
  if (loss === "cross-entropy" && outputs === 1) {
    throw refuse(
      "cross-entropy needs an output for each class",
      "end the architecture with dense(2), or use --loss logistic",
    );
  }
  return loss;
}

function dataOf(
  { n, X, y }: LabelledSamples,
  { target }: TrainingInputs,
  loss: TrainingLossName,
  graph: NetworkGraph,
): TrainingData {
  const { classes, scale } = target;
  const targets: Targets =
    classes === null
      ? {
          kind: "values",
          outputs: 1,
          data: scale === null ? y : y.map((value) => (value - scale.mean) / scale.deviation),
        }
      : { kind: "classes", classes: classes.length, labels: Uint32Array.from(y) };
  return { n, inputs: X, loss: trainingLoss(loss, targets, sizeOf(graph.output)) };
}
