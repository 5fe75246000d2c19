"""Make the files that engines run: ONNX graphs, packed OpenVINO models, TensorRT plans.

Everything returns the content of one file; nothing is left on the disk. The same weights,
calibration pictures and package versions give the same bytes, with two exceptions: OpenVINO numbers
the operations of a process, so that a second int8 export in it names some of them otherwise, and
TensorRT times its kernels while it builds.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from inspector.errors import ModelError
from inspector.models import offline
from inspector.models.engines import ExportEngine, load_network
from inspector.models.openvino_archive import archived
from inspector.models.shelf import DetectorDescription

Precision = Literal["fp32", "fp16", "int8"]
Calibration = Sequence[NDArray[np.uint8]]

INPUT, OUTPUT = "planes", "predictions"
OPSET = 17


class _FromBytes(torch.nn.Module):
    """The network behind a conversion of uint8 planes, with the one output that counts."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        output = self.network(planes.float() / 255)
        found: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return found


def engine_file(
    description: DetectorDescription,
    weights: Path,
    *,
    engine: ExportEngine,
    precision: Precision,
    calibration: Calibration,
) -> bytes:
    """Return the content of the file in which `engine` runs `weights` at `precision`.

    `weights` are verified; `calibration` is looked at for int8 only. Raises `ModelError`.
    """
    offline.keep_offline()
    graph = onnx_file(description, weights)
    if engine == "onnx":
        if precision == "int8":
            return _quantised_onnx(graph, calibration, symmetric=False)
        return _half_onnx(graph) if precision == "fp16" else graph
    if engine == "openvino":
        return _openvino(graph, precision, calibration)
    if precision == "int8":
        graph = _quantised_onnx(graph, calibration, symmetric=True)
    return _tensorrt(graph, precision)


def onnx_file(description: DetectorDescription, weights: Path) -> bytes:
    """Return the network as an ONNX graph from uint8 [1, 3, side, side] to raw predictions."""
    _package("onnx")
    network = load_network(description, weights).fuse(verbose=False).eval()
    head = network.model[-1]
    head.export, head.format = True, "onnx"  # one output, anchors as constants
    for module in network.modules():
        if hasattr(module, "forward_split"):
            # int8 passes through ONNX's Split, but not through the slices of a torch.chunk
            module.forward = module.forward_split
    side = description.input_px
    planes = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    with (
        tempfile.TemporaryDirectory(prefix="inspector-export-") as name,
        warnings.catch_warnings(),
        torch.inference_mode(),
    ):
        path = Path(name) / "model.onnx"
        # The tracer warns of every shape it takes for a constant, which is what is wanted.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _FromBytes(network),
            (planes,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def _half_onnx(graph: bytes) -> bytes:
    onnx = _package("onnx")
    float16 = importlib.import_module("onnxruntime.transformers.float16")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it names each weight that is too small for half
        half = float16.convert_float_to_float16(onnx.load_from_string(graph), keep_io_types=True)
    content: bytes = half.SerializeToString()
    return content


def _quantised_onnx(graph: bytes, calibration: Calibration, *, symmetric: bool) -> bytes:
    """Return `graph` with its convolutions in int8, each channel with its own scale."""
    _package("onnx")
    quantization = importlib.import_module("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]  # untyped
        def __init__(self) -> None:
            self._planes: Iterator[NDArray[np.uint8]] = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            planes = next(self._planes, None)
            return None if planes is None else {INPUT: planes}

    activation = quantization.QuantType.QInt8 if symmetric else quantization.QuantType.QUInt8
    with tempfile.TemporaryDirectory(prefix="inspector-export-") as name:
        plain, prepared, quantised = (Path(name) / f"{n}.onnx" for n in ("a", "b", "c"))
        plain.write_bytes(graph)
        pre_process = importlib.import_module("onnxruntime.quantization.shape_inference")
        pre_process.quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            quantised,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=activation,
            weight_type=quantization.QuantType.QInt8,
            extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
        )
        return quantised.read_bytes()


def _openvino(graph: bytes, precision: Precision, calibration: Calibration) -> bytes:
    openvino = _package("openvino")
    model = openvino.Core().read_model(graph)
    # The tracer left anchors and the weights of depthwise convolutions as computed values; NNCF
    # quantises constants only, and the rest would run in float32.
    passes = importlib.import_module("openvino.passes")
    folding = passes.Manager()
    folding.register_pass(passes.ConstantFolding())
    folding.run_passes(model)
    if precision == "int8":
        model = _quantised_openvino(model, calibration)
    return archived(openvino, model, in_fp16=precision == "fp16")


def _quantised_openvino(model: Any, calibration: Calibration) -> Any:
    nncf = _package("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf.quantize(
        model,
        nncf.Dataset(list(calibration)),
        subset_size=len(calibration),
        preset=nncf.QuantizationPreset.MIXED,  # activations after SiLU are not symmetric
        # Sigmoid and Multiply are SiLU, which OpenVINO computes within the convolution before it,
        # unless a quantiser stands between.
        ignored_scope=nncf.IgnoredScope(
            names=_decoding(model), types=["Sigmoid", "Multiply"], validate=False
        ),
    )


def _decoding(model: Any) -> list[str]:
    """Return the operations after the last convolutions: the decoding of boxes and scores."""
    names: list[str] = []
    waiting = [model.get_results()[0].input_value(0).get_node()]
    seen = set()
    while waiting:
        node = waiting.pop()
        name = node.get_friendly_name()
        if name in seen or node.get_type_name() in ("Constant", "Parameter"):
            continue
        seen.add(name)
        names.append(name)
        for value in node.input_values():
            # a convolution and its bias are where the features end
            if not _is_biased_convolution(value.get_node()):
                waiting.append(value.get_node())
    return sorted(names)


def _is_biased_convolution(node: Any) -> bool:
    """Return whether `node` adds a bias to a convolution; the one that decodes boxes has none."""
    inputs = {value.get_node().get_type_name() for value in node.input_values()}
    return node.get_type_name() == "Add" and "Convolution" in inputs


def _tensorrt(graph: bytes, precision: Precision) -> bytes:
    """Return a TensorRT plan for the first CUDA device. Not run here."""
    tensorrt = _package("tensorrt")
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(graph):
        mistakes = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise ModelError(f"TensorRT cannot read the network: {mistakes}")
    config = builder.create_builder_config()
    if precision != "fp32":
        config.set_flag(tensorrt.BuilderFlag.FP16)
    if precision == "int8":
        config.set_flag(tensorrt.BuilderFlag.INT8)  # the scales are in the graph
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelError("TensorRT cannot build the network for this device; see its log")
    return bytes(plan)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ModelError(
            f"expected the package {name} for this export, found none: {exc}; "
            "install inspector[train] (TensorRT by hand)"
        ) from exc
