"""
Makes test/fixtures/onnx again: small networks, exported as people export them, with the outputs of ONNX Runtime.

    pip install torch onnx onnxscript onnxruntime scikit-learn
    python tools/onnx-fixtures.py [FOLDER] [--all]

Each network is written by the exporter of torch.export (`dynamo`) and by that of TorchScript (`script`, operator sets 11 to
18); with --all each one by every exporter and operator set, else one or two of them. The graphs named `sklearn-...` are
those that skl2onnx makes of MLPClassifier and MLPRegressor, built here by hand, for want of that package. `outputs.json`
has versions, and for each file the outputs of ONNX Runtime for two inputs: entry k of input k is float32(2 sin(1 + 1.7 k)).
"""

import io
import json
import logging
import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import onnxscript
import sklearn
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


class Residual(nn.Module):
    """x + f(x), or g(x) + f(x)."""

    def __init__(self, main, shortcut=None, after=None):
        super().__init__()
        self.main = main
        self.shortcut = shortcut or nn.Identity()
        self.after = after or nn.Identity()

    def forward(self, x):
        return self.after(self.main(x) + self.shortcut(x))


class View(nn.Module):
    """x.view(x.size(0), -1), as many networks flatten."""

    def forward(self, x):
        return x.view(x.size(0), -1)


class Mean(nn.Module):
    """The mean over all pixels."""

    def forward(self, x):
        return x.mean(dim=(2, 3))


class Pixels(nn.Module):
    """Standardizes images inside of the graph, then applies a network."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2, 0.3, 0.25]).reshape(1, 3, 1, 1))

    def forward(self, x):
        return self.network((x - self.mean) / self.std)


def block(inputs, outputs, stride):
    """A basic block of a residual network (He et al.)."""
    main = nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )
    plain = stride == 1 and inputs == outputs
    shortcut = None if plain else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return Residual(main, shortcut, nn.ReLU())


def networks():
    """Name, network and shape of a sample."""
    yield "mlp", nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6, bias=False), nn.Tanh(), nn.Linear(6, 3)), (5,)
    yield "mlp-wide", nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 1)), (5,)
    yield "mlp-batchnorm", nn.Sequential(
        nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 2)
    ), (5,)
    yield "mlp-layernorm", nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 1)), (5,)
    yield "mlp-residual", nn.Sequential(
        nn.Linear(5, 6), Residual(nn.Sequential(nn.ReLU(), nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, 6))), nn.LeakyReLU(0.2), nn.Linear(6, 2), nn.Softmax(dim=1)
    ), (5,)
    yield "mlp-smooth", nn.Sequential(nn.Linear(4, 6), nn.Softplus(), nn.Linear(6, 6), nn.GELU(), nn.Linear(6, 1), nn.Sigmoid()), (4,)
    yield "lenet", nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2, 1), nn.Flatten(), nn.Linear(36, 5), nn.ReLU(), nn.Linear(5, 3)
    ), (1, 12, 12)
    yield "cnn-stride", nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 5, (3, 2), (2, 1), (1, 0)), nn.Tanh(), nn.AvgPool2d(3, 2, 1, count_include_pad=False), View(), nn.Linear(10, 3)
    ), (3, 14, 16)
    yield "cnn-adaptive", Pixels(nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Linear(24, 3)
    )), (3, 6, 8)
    yield "resnet", nn.Sequential(
        nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), block(4, 4, 1), block(4, 6, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    ), (3, 8, 8)
    yield "resnet-preactivation", nn.Sequential(
        nn.Conv2d(3, 4, 3, 1, 1), Residual(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1))), nn.BatchNorm2d(4), nn.ReLU(), Mean(), nn.Linear(4, 2), nn.LogSoftmax(dim=1)
    ), (3, 8, 8)


def prepare(network, shape):
    """Random parameters and statistics, nothing at its default."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, value in list(network.named_parameters()) + list(network.named_buffers()):
            if not value.dtype.is_floating_point or name in ("mean", "std"):
                continue
            noise = torch.randn(value.shape, generator=generator)
            if name.endswith("running_var"):
                value.copy_(0.5 + noise.abs())
            elif value.dim() > 1:
                value.copy_(noise * (2 / value[0].numel()) ** 0.5)
            else:
                # Gains of normalizations around 1, all others around 0.
                value.copy_(0.3 * noise + (1 if name.endswith("weight") else 0))
    return network.eval()


def export(network, shape, exporter, opset, path):
    """Writes a file by one of the exporters of torch."""
    sample = torch.zeros(2, *shape)
    if exporter == "script":
        torch.onnx.export(network, (sample,), path, dynamo=False, opset_version=opset, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    else:
        program = torch.onnx.export(network, (sample,), dynamo=True, opset_version=opset, dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False)
        for node in program.model.graph.all_nodes():
            # Lines and folders of the program that exported it.
            node.metadata_props.clear()
        program.save(path, external_data=exporter == "dynamo-external")


def sklearn_graph(model, name):
    """The graph of a network of scikit-learn as skl2onnx makes it."""
    nodes, tensors = [], []

    def constant(label, values, dtype=np.float32):
        tensors.append(numpy_helper.from_array(np.asarray(values, dtype), label))
        return label

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=f"N{len(nodes)}", **attributes))
        return output

    kinds = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "identity": "Identity", "softmax": "Softmax"}
    value = node("Cast", ["X"], "cast_input", to=TensorProto.FLOAT)
    layers = list(zip(model.coefs_, model.intercepts_))
    for k, (weights, biases) in enumerate(layers):
        product = node("MatMul", [value, constant(f"coefficient{k}", weights)], f"mul_result{k}")
        value = node("Add", [product, constant(f"intercepts{k}", [biases])], f"add_result{k}")
        is_last = k == len(layers) - 1
        kind = kinds[model.out_activation_ if is_last else model.activation]
        value = node(kind, [value], "out_activations_result" if is_last else f"next_activations{k}")
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, model.coefs_[0].shape[0]])]
    if isinstance(model, MLPRegressor):
        node("Reshape", [value, constant("shape_tensor", [-1, 1], np.int64)], "variable")
        outputs = [helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])]
    else:
        if len(model.classes_) == 2:
            other = node("Sub", [constant("unity", 1), value], "negative_class_proba")
            node("Concat", [other, value], "probabilities", axis=1)
        else:
            node("Identity", [value], "probabilities")
        node("ArgMax", ["probabilities"], "argmax_output", axis=1)
        constant("classes", model.classes_, np.int32)
        node("ArrayFeatureExtractor", ["classes", "argmax_output"], "extracted", domain="ai.onnx.ml")
        node("Reshape", ["extracted", constant("shape_tensor", [-1], np.int64)], "reshaped")
        node("Cast", ["reshaped"], "label", to=TensorProto.INT64)
        outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, [None]), helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(model.classes_)])]
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)], ir_version=8, producer_name="onnx.helper")


def sklearn_files(folder):
    """Networks of scikit-learn with data of their own."""
    random = np.random.default_rng(1)
    X = random.normal(size=(60, 4))
    y = X[:, 0] + np.sin(X[:, 1])
    models = {
        "sklearn-regressor": MLPRegressor(hidden_layer_sizes=(6, 5), activation="tanh", max_iter=50, random_state=0).fit(X, y),
        "sklearn-binary": MLPClassifier(hidden_layer_sizes=(6,), max_iter=50, random_state=0).fit(X, y > 0),
        "sklearn-classes": MLPClassifier(hidden_layer_sizes=(6,), activation="logistic", max_iter=50, random_state=0).fit(X, np.digitize(y, [-1, 1])),
    }
    for name, model in models.items():
        onnx.save(sklearn_graph(model, name), folder / f"{name}.onnx")
        yield name, (4,)


def run(path, shape):
    """Outputs of ONNX Runtime: the last one that is made of floats."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    count = 2 * int(np.prod(shape))
    x = (2 * np.sin(1 + 1.7 * np.arange(count))).astype(np.float32).reshape(2, *shape)
    outputs = session.run(None, {session.get_inputs()[0].name: x})
    return [float(f"{value:.9g}") for value in np.asarray(outputs[-1], np.float64).ravel()]


SCRIPT = {"mlp": 11, "mlp-batchnorm": 13, "mlp-layernorm": 14, "mlp-residual": 17, "mlp-smooth": 12, "lenet": 11, "cnn-stride": 15, "cnn-adaptive": 16, "resnet": 13, "resnet-preactivation": 18}
DYNAMO = {"mlp": 18, "mlp-layernorm": 20, "cnn-stride": 18, "resnet-preactivation": 18}


def main():
    arguments = [word for word in sys.argv[1:] if word != "--all"]
    everything = "--all" in sys.argv
    folder = pathlib.Path(arguments[0] if arguments else "test/fixtures/onnx")
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, network, shape in networks():
        prepare(network, shape)
        script = range(11, 19) if everything else [SCRIPT[name]] if name in SCRIPT else []
        dynamo = [18, 20] if everything else [DYNAMO[name]] if name in DYNAMO else []
        jobs = [("script", opset) for opset in script] + [("dynamo", opset) for opset in dynamo]
        if everything or name == "mlp-wide":
            jobs.append(("dynamo-external", 18))
        for exporter, opset in jobs:
            file = f"{name}-{exporter}-{opset}.onnx"
            with np.errstate(all="ignore"):
                sys.stdout, kept = io.StringIO(), sys.stdout
                try:
                    export(network, shape, exporter, opset, str(folder / file))
                except Exception as error:  # An exporter may not know how to write an operator set.
                    print(f"{file}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
                    continue
                finally:
                    sys.stdout = kept
            files[file] = {"shape": shape, "outputs": run(str(folder / file), shape)}
    for name, shape in sklearn_files(folder):
        files[f"{name}.onnx"] = {"shape": shape, "outputs": run(str(folder / f"{name}.onnx"), shape)}
    versions = {module.__name__: module.__version__ for module in (torch, onnx, onnxscript, onnxruntime, sklearn)}
    text = json.dumps({"versions": versions, "files": files})
    (folder / "outputs.json").write_text(text.replace('}, "', '},\n"') + "\n")


main()
