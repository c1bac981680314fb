"""Static int8 forms of backbones: 8-bit weights and activations inside, the same pixels in and floats out.

ONNX Runtime's quantisation tool does the work. Activations are unsigned 8 bits; weights are signed, per output channel,
and use 7 of their 8 bits: AVX2 without VNNI adds pairs of products in 16 bits and saturates, which 255 · 63 · 2 cannot.
So every processor gets the same sums, and the fast kernels run everywhere (docs/quantization.md has the figures).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from tellapart.backbones.int8_graph import KEPT, finished, float_nodes, parsed, weighted_nodes, with_named_nodes
from tellapart.backbones.onnx import RUNTIME_ERRORS, OnnxBackbone, session_options
from tellapart.backbones.protocol import BackboneCard
from tellapart.errors import BackboneError, Reason, SettingsError

if TYPE_CHECKING:
    import onnx

METHODS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
"""How the range of an activation is found, and what ONNX Runtime calls it."""

QUANTIZED_OPERATORS = (
    *("Conv", "ConvTranspose", "MatMul", "Gemm", "Relu", "LeakyRelu", "Clip"),
    *("Add", "MaxPool", "AveragePool", "Concat"),
)
# A vision transformer for 224 px needs 0.6 GB for the activations of 2 images, 1.6 GB for those of 8, and no less time.
_BATCH = 2
# The tool raises these beside its own for a graph it does not understand.
_TOOL_ERRORS: tuple[type[Exception], ...] = (
    *RUNTIME_ERRORS,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    AssertionError,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was done: calibration `method` and `n_images`, layers in int8 and left in float, `similarity` (mean cosine
    between float and int8 embeddings of the calibration images), size of both files in bytes.
    """

    method: str
    n_images: int
    n_int8_layers: int
    n_float_layers: int
    similarity: float
    float_bytes: int
    int8_bytes: int


@dataclass(frozen=True, slots=True)
class Quantized:
    """A canonical int8 file (equal bytes for equal input and one version of ONNX Runtime), its card, its figures."""

    data: bytes
    card: BackboneCard
    figures: Figures


def quantize(
    backbone: bytes | OnnxBackbone,
    images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    *,
    method: str = "minmax",
    keep_float: Collection[str] = (),
) -> Quantized:
    """The int8 form of a canonical backbone.

    `images` calibrate it: uint8 (n, h, w, 3), or as many (h, w, 3) of one size, preprocessed as in use; one or two hundred
    that show what will be seen. Activations are held for 2 of them at a time. `method` is "minmax" (the whole range seen),
    "percentile" (all but the outermost 0.01 %) or "entropy". `keep_float` may name the "first" and the "last" layer. What
    comes before the first and after the last layer in int8 (normalisation, pooling) stays in float.

    Raises:
        BackboneError: `backbone_invalid` for a backbone that is in int8 already, has no weights, or cannot be quantised.
        SettingsError: `bad_setting` for another method or layer, or no images.
    """
    _check(method, keep_float)
    data = backbone if isinstance(backbone, bytes) else backbone.onnx_bytes()
    model, card = parsed(data)
    pixels = _stacked(images)
    expected = _embeddings(data, pixels)
    ours = replace(
        card,
        name=f"{card.name}-int8",
        origin_sha256=hashlib.sha256(data).hexdigest(),
        notes=f"{card.notes} {_note(method, len(pixels), keep_float)}".strip(),
    )
    try:
        with TemporaryDirectory(prefix="tellapart-int8-") as folder:
            simple = _simplified(data, Path(folder))
            kept = float_nodes(simple.graph, keep_float)
            n_layers, n_kept = _counted(simple, kept)
            result = finished(_run_tool(simple, kept, pixels, method, Path(folder)), model, ours)
    except OSError as exc:
        message = f"the temporary folder for the quantisation cannot be written: {exc.strerror or exc}"
        raise BackboneError(Reason.WRITE_FAILED, message) from exc
    except _TOOL_ERRORS as exc:
        message = (
            f"the backbone {card.name!r} cannot be quantised by ONNX Runtime {ort.__version__}: {_first_line(exc)}"
        )
        raise BackboneError(Reason.BACKBONE_INVALID, message) from exc
    similarity = _similarity(expected, _embeddings(result, pixels))
    figures = Figures(method, len(pixels), n_layers - n_kept, n_kept, similarity, len(data), len(result))
    return Quantized(result, ours, figures)


def check_float(backbone: bytes) -> None:
    """Raise `BackboneError` (`backbone_invalid`) for a backbone in int8, or without trained weights, before long work."""
    parsed(backbone)


def _check(method: str, keep_float: Collection[str]) -> None:
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise SettingsError(Reason.BAD_SETTING, f"the calibration method is one of {known}, got {method!r}")
    unknown = sorted(set(keep_float) - set(KEPT))
    if unknown:
        message = f"the layers that can be kept in float are called 'first' and 'last', got {unknown[0]!r}"
        raise SettingsError(Reason.BAD_SETTING, message)


def _stacked(images: NDArray[np.uint8] | Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    parts = [images] if isinstance(images, np.ndarray) else list(images)
    parts = [part[None] if part.ndim == 3 else part for part in parts]
    sizes = {(part.dtype.name, *part.shape[1:]) for part in parts}
    if len(sizes) != 1 or not sum(len(part) for part in parts):
        got = ", ".join(f"{part.dtype} {part.shape}" for part in parts[:3]) or "none"
        message = f"calibration needs images of one size, uint8 (n, h, w, 3) with n at least 1, got {got}"
        raise SettingsError(Reason.BAD_SETTING, message)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _embeddings(data: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    network = OnnxBackbone.open(data)
    return np.concatenate([network.run(batch).embedding for batch in _batches(pixels)])


def _batches(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]


def _note(method: str, n_images: int, keep_float: Collection[str]) -> str:
    kept = "".join(f", {name} layer in float" for name in KEPT if name in keep_float)
    return (
        f"Static int8 by ONNX Runtime {ort.__version__}: weights 7 bits per channel, activations 8 bits, "
        f"{method} of {n_images} images{kept}."
    )


def _simplified(data: bytes, folder: Path) -> onnx.ModelProto:
    """The graph with constants folded (weights stored as float16 among them) and batch normalisation in its layer."""
    import onnx

    options = session_options(1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "simple.onnx")
    ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return with_named_nodes(onnx.load(folder / "simple.onnx"))


def _counted(simple: onnx.ModelProto, kept: Collection[str]) -> tuple[int, int]:
    layers = [node.name for node in weighted_nodes(simple.graph)]
    return len(layers), sum(name in kept for name in layers)


def _run_tool(
    simple: onnx.ModelProto, kept: list[str], pixels: NDArray[np.uint8], method: str, folder: Path
) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    source, target = folder / "named.onnx", folder / "int8.onnx"
    onnx.save(simple, source)
    with _quiet():
        quantize_static(
            source,
            target,
            _Reader(pixels),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED_OPERATORS),
            nodes_to_exclude=kept,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[METHODS[method]],
            # One batch at a time: without a stride the tool holds all activations of all images.
            extra_options={"CalibStridedMinMax": 1, "CalibTensorRangeSymmetric": False, "CalibPercentile": 99.99},
        )
    return onnx.load(target)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tool from what it does on the way: it prints, sets up logging for the whole process, takes logarithms of 0."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Reader:
    """Batches of pixels as ONNX Runtime's `CalibrationDataReader` hands them out."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._batches = _batches(pixels)
        self.set_range(0, len(self))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Read these batches next."""
        self._left = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, Any] | None:
        """Inputs of the next run, None at the end."""
        batch = next(self._left, None)
        return None if batch is None else {"image": batch}


def _similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def _first_line(exc: Exception) -> str:
    return (str(exc).strip() or type(exc).__name__).splitlines()[0]
