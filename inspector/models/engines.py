"""What computes a detector's forward pass: PyTorch, ONNX Runtime, OpenVINO or TensorRT.

An engine turns planes into raw predictions; everything around it is `YoloDetector`'s, so that the
engines differ in speed and rounding only. Vendors are imported when an engine is built. One
instance serves one thread.

Exports take uint8 planes of one square size and divide by 255 themselves: a frame travels to the
engine as bytes. TensorRT was not run here: the code is written from its documentation.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from inspector import images
from inspector.errors import ModelError
from inspector.models import offline
from inspector.models.openvino_archive import compiled, has_bfloat16, opened

if TYPE_CHECKING:
    from inspector.models.shelf import DetectorDescription

ExportEngine = Literal["onnx", "openvino", "tensorrt"]
EngineName = Literal["pytorch", "onnx", "openvino", "tensorrt"]
ENGINES: tuple[EngineName, ...] = ("pytorch", "onnx", "openvino", "tensorrt")
NOT_RUN_HERE: tuple[EngineName, ...] = ("tensorrt",)

PACKAGES: dict[EngineName, str] = {
    "pytorch": "torch",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "tensorrt": "tensorrt",
}
SUFFIXES: dict[ExportEngine, str] = {"onnx": ".onnx", "openvino": ".ovz", "tensorrt": ".engine"}


class Engine(Protocol):
    """A detector's forward pass; `is_square` where it takes one size only."""

    name: EngineName
    precision: str
    is_square: bool

    def predictions(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [1, 4 + labels, anchors] for RGB planes [1, 3, height, width].

        The result may be overwritten by the next call. Raises `ModelError`.
        """
        ...


def is_installed(engine: EngineName) -> bool:
    """Return whether the package of `engine` is there, without importing it."""
    return util.find_spec(PACKAGES[engine]) is not None


def has_cuda() -> bool:
    """Return whether PyTorch sees a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def exported_engine(
    engine: ExportEngine, content: bytes, *, precision: str, threads: int | None
) -> Engine:
    """Return the engine that runs an export's verified `content`.

    Raises `ModelError`, also where the engine's package is not installed.
    """
    builders: dict[ExportEngine, Callable[..., Engine]] = {
        "onnx": OnnxEngine,
        "openvino": OpenVinoEngine,
        "tensorrt": TensorRtEngine,
    }
    return builders[engine](content, precision=precision, threads=threads)


class PyTorchEngine:
    """The trained network itself: float32 on a CPU, half on CUDA; any multiple of the stride."""

    name: EngineName = "pytorch"
    is_square = False

    def __init__(
        self,
        description: DetectorDescription,
        weights: Path,
        *,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        """Load `weights`, whose hash the caller has compared, as data only."""
        import torch

        self._threads = threads
        self._device = torch.device(device)
        on_cuda = self._device.type == "cuda"
        self.precision = "fp16" if on_cuda else "fp32"
        self._number = torch.float16 if on_cuda else torch.float32
        network = load_network(description, weights).fuse(verbose=False).eval()
        self._network = network.to(self._device, self._number)

    def predictions(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        if self._threads is not None and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # OpenMP keeps it for each calling thread
        with torch.inference_mode():
            batch = torch.from_numpy(planes).to(self._device).to(self._number).div_(255)
            try:
                output = self._network(batch)
            except RuntimeError as exc:
                raise ModelError(f"the detector failed in PyTorch: {exc}") from exc
            raw = output[0] if isinstance(output, tuple) else output
            found: NDArray[np.float32] = raw.float().cpu().numpy()
        return found


def load_network(description: DetectorDescription, weights: Path) -> Any:
    """Return the float32 torch module in `weights`, whose hash the caller has compared.

    Torch's `weights_only` reads it with ultralytics' list of known classes. Raises `ModelError`.
    """
    images.require_system_libraries()
    offline.import_ultralytics()
    from ultralytics.nn.tasks import torch_safe_load

    try:
        checkpoint, _ = torch_safe_load(weights, safe_only=True)
    except (TypeError, RuntimeError, AttributeError, ModuleNotFoundError) as exc:
        raise ModelError(
            f"{weights}: expected weights that this ultralytics can load: {exc}"
        ) from exc
    network = (checkpoint.get("ema") or checkpoint["model"]).float()
    found = tuple(network.names[index] for index in sorted(network.names))
    if found != description.labels:
        raise ModelError(
            f"{weights}: expected the labels {', '.join(description.labels)} of its card, found "
            f"{', '.join(found)}; restore the file and its card together"
        )
    return network


class OnnxEngine:
    """An exported network in ONNX Runtime, on the CPU."""

    name: EngineName = "onnx"
    is_square = True

    def __init__(self, content: bytes, *, precision: str, threads: int | None) -> None:
        """Build a session of its own thread pool from the content of an `.onnx` file."""
        onnxruntime = vendor("onnx")
        self.precision = precision
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # it logs to standard error; what fails also raises
        if threads is not None:
            options.intra_op_num_threads = threads
        self._failures = _onnx_failures()
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except self._failures as exc:
            raise ModelError(f"ONNX Runtime cannot load the export: {exc}; export again") from exc
        self._input = self._session.get_inputs()[0].name

    def predictions(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            found: NDArray[np.float32] = self._session.run(None, {self._input: planes})[0]
        except self._failures as exc:
            raise ModelError(f"the detector failed in ONNX Runtime: {exc}") from exc
        return found


class OpenVinoEngine:
    """An exported network in OpenVINO, on the CPU.

    What an fp16 or int8 file leaves in floating point is computed in bfloat16 where the processor
    does so natively, in float32 elsewhere.
    """

    name: EngineName = "openvino"
    is_square = True

    def __init__(self, content: bytes, *, precision: str, threads: int | None) -> None:
        """Compile the model in an `.ovz` file's content for one request at a time."""
        self.precision = precision
        openvino = vendor("openvino")
        self._request = compiled(
            openvino,
            opened(openvino, content),
            in_bfloat16=precision != "fp32" and has_bfloat16(openvino),
            threads=threads,
        )

    def predictions(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            self._request.infer([planes], share_inputs=True, share_outputs=True)
        except RuntimeError as exc:
            raise ModelError(f"the detector failed in OpenVINO: {exc}") from exc
        found: NDArray[np.float32] = self._request.get_output_tensor(0).data
        return found


class TensorRtEngine:
    """An exported network in TensorRT, on the first CUDA device. Not run here.

    Written for TensorRT 10 and later; PyTorch holds the device's memory.
    """

    name: EngineName = "tensorrt"
    is_square = True

    def __init__(self, content: bytes, *, precision: str, threads: int | None = None) -> None:  # noqa: ARG002
        """Load the plan in an `.engine` file's content; `threads` means nothing on a GPU."""
        tensorrt = vendor("tensorrt")
        import torch

        self.precision = precision
        if not torch.cuda.is_available():
            raise ModelError("TensorRT: expected a CUDA device, found none; use another engine")
        runtime = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR))
        plan = runtime.deserialize_cuda_engine(content)
        if plan is None:
            raise ModelError(
                "TensorRT cannot load the export: it fits one GPU and one version of TensorRT; "
                "export again on this machine"
            )
        self._runtime, self._plan = runtime, plan  # the context does not keep them alive
        self._context = plan.create_execution_context()
        names = [plan.get_tensor_name(index) for index in range(plan.num_io_tensors)]
        kinds = {name: plan.get_tensor_mode(name) for name in names}
        (into,) = (name for name in names if kinds[name] == tensorrt.TensorIOMode.INPUT)
        (out,) = (name for name in names if kinds[name] == tensorrt.TensorIOMode.OUTPUT)
        self._batch = torch.empty(
            tuple(plan.get_tensor_shape(into)), dtype=torch.uint8, device="cuda"
        )
        self._raw = torch.empty(
            tuple(plan.get_tensor_shape(out)), dtype=torch.float32, device="cuda"
        )
        self._context.set_tensor_address(into, self._batch.data_ptr())
        self._context.set_tensor_address(out, self._raw.data_ptr())
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def predictions(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        with torch.cuda.stream(self._stream):
            self._batch.copy_(torch.from_numpy(planes))
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise ModelError("the detector failed in TensorRT; see its log")
            found: NDArray[np.float32] = self._raw.cpu().numpy()
        return found


def vendor(engine: EngineName) -> Any:
    offline.keep_offline()
    try:
        return importlib.import_module(PACKAGES[engine])
    except ImportError as exc:
        raise ModelError(
            f"engine {engine}: expected the package {PACKAGES[engine]}, found none: {exc}; "
            "install it by hand, nothing is installed at run time, or choose another engine"
        ) from exc


def _onnx_failures() -> tuple[type[Exception], ...]:
    """Return the exceptions of ONNX Runtime, which share no parent of their own."""
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    names = (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NotImplemented",
        "RuntimeException",
    )
    return tuple(getattr(state, name) for name in names)
