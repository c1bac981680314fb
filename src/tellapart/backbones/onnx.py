"""The one place where ONNX Runtime runs backbones; opening a canonical file needs no `onnx`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from tellapart.backbones.protocol import CARD_KEY, BackboneCard, Features
from tellapart.errors import BackboneError, Reason, SettingsError

# ONNX Runtime's exceptions have no common base but Exception.
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(_state).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
)

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_EXTRAS = {"cuda": "gpu", "openvino": "openvino"}

# TensorProto.external_data as protobuf writes it: field 1 (key), 8 bytes, "location". Looked for in the raw bytes
# because ONNX Runtime would follow it to any file below the working directory.
_EXTERNAL_DATA = b"\n\x08location\x12"


# Above this size a file is hashed in blocks and opened by its path.
_LARGE = 16 * 2**20


class OnnxBackbone:
    """A backbone in canonical form, run by ONNX Runtime.

    `run` may be called from several threads at once. With `threads=1` the calling thread does all the work, so n
    workers calling one backbone use n cores and share its weights.
    """

    __slots__ = ("_outputs", "_session", "_source", "card", "provider", "sha256", "threads")

    def __init__(self, session: ort.InferenceSession, source: Path | bytes, *, sha256: str, threads: int) -> None:
        self._session = session
        self._source = source
        self.card = _read_card(session)
        self._outputs = _check_outputs(session, self.card)
        self.provider = next((name for name, its in _PROVIDERS.items() if its == session.get_providers()[0]), "cpu")
        self.sha256 = sha256
        self.threads = threads

    @classmethod
    def open(cls, source: str | Path | bytes, *, threads: int = 1, provider: str = "cpu") -> OnnxBackbone:
        """Open a canonical file, or the bytes of one.

        `provider` is "cpu", "cuda" or "openvino" (errors where they cannot run), or "auto" (CUDA where it runs;
        `.provider` tells what runs). `threads` are those of one call to `run` on the CPU, at least 1.

        Raises:
            BackboneError: `backbone_invalid`, `provider_unavailable`.
            SettingsError: `bad_setting` for another provider or fewer threads.
        """
        if threads < 1:
            raise SettingsError(Reason.BAD_SETTING, f"a backbone needs at least 1 thread, got threads={threads}")
        where = source if isinstance(source, bytes) else Path(source)
        name = "the backbone" if isinstance(where, bytes) else str(where)
        content = _read_small(where)
        session = open_session(content, name, threads, provider)
        return cls(session, where, sha256=_fingerprint(content), threads=threads)

    def with_threads(self, threads: int) -> OnnxBackbone:
        """The same backbone with another number of threads per call; the weights are loaded once more."""
        return OnnxBackbone.open(self.onnx_bytes(), threads=threads, provider=self.provider)

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    @property
    def licence(self) -> str:
        """The card's licence."""
        return self.card.licence

    @property
    def embedding_dim(self) -> int:
        """Number of columns of an embedding."""
        return self.card.embedding_dim

    @property
    def default_spec(self) -> str:
        """The preprocess string the backbone was made for."""
        return self.card.preprocess

    def onnx_bytes(self) -> bytes:
        """The canonical file. A file that changed since it was opened is refused."""
        if isinstance(self._source, bytes):
            return self._source
        data, name = _read(self._source)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise _invalid(f"{name} has changed since it was opened; open it again")
        return data

    def run(self, batch: NDArray[np.uint8]) -> Features:
        """Features of uint8 (n, h, w, 3) sRGB images.

        Raises:
            BackboneError: `backbone_invalid` when the batch does not fit, or the answers are not finite numbers.
        """
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[3] != 3 or 0 in batch.shape:
            raise _invalid(f"a batch is uint8 (n, h, w, 3), got {batch.dtype} {batch.shape}")
        self._check_size(batch)
        try:
            values = self._session.run(self._outputs, {"image": np.ascontiguousarray(batch)})
        except RUNTIME_ERRORS as exc:
            message = f"the backbone {self.name!r} cannot run images of shape {batch.shape[1:]}: {_first_line(exc)}"
            raise _invalid(message) from exc
        embedding = values[0]
        if embedding.shape != (len(batch), self.embedding_dim):
            expected = (len(batch), self.embedding_dim)
            raise _invalid(f"the backbone {self.name!r} answered embeddings {embedding.shape}, expected {expected}")
        if not np.isfinite(embedding).all():
            raise _invalid(f"the backbone {self.name!r} answered values that are not finite numbers (NaN or infinity)")
        return Features(embedding, values[1] if len(values) > 1 else None)

    def _check_size(self, batch: NDArray[np.uint8]) -> None:
        wanted = self._session.get_inputs()[0].shape[1:3]
        if any(isinstance(want, int) and want != got for want, got in zip(wanted, batch.shape[1:3], strict=True)):
            message = (
                f"the backbone {self.name!r} takes images of {wanted[1]}×{wanted[0]} px only, got "
                f"{batch.shape[2]}×{batch.shape[1]}; its own preprocess string is {self.default_spec!r}"
            )
            raise _invalid(message)


def run_file(data: bytes, batch: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
    """Named outputs of any ONNX file that takes `image` uint8 (n, h, w, 3), such as a fused model.

    Raises:
        BackboneError: `backbone_invalid`.
    """
    session = open_session(data, "the file", 1, "cpu")
    try:
        values: list[NDArray[np.float32]] = session.run(list(outputs), {"image": np.ascontiguousarray(batch)})
    except RUNTIME_ERRORS as exc:
        raise _invalid(f"the file cannot run images of shape {batch.shape[1:]}: {_first_line(exc)}") from exc
    return values


def _read(source: Path | bytes) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, "the backbone"
    try:
        return source.read_bytes(), str(source)
    except OSError as exc:
        message = f"the backbone file {str(source)!r} cannot be read: {exc.strerror or exc}"
        raise _invalid(message) from exc


def _read_small(source: Path | bytes) -> Path | bytes:
    """The bytes of a small file, read in one go; a large one stays a path, as its weights shall not be held twice."""
    if isinstance(source, bytes):
        return source
    try:
        return source if source.stat().st_size > _LARGE else source.read_bytes()
    except OSError as exc:
        raise _invalid(f"the backbone file {str(source)!r} cannot be read: {exc.strerror or exc}") from exc


def _fingerprint(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refers_to_other_files(source: Path | bytes) -> bool:
    if isinstance(source, bytes):
        return _EXTERNAL_DATA in source
    before = b""
    with source.open("rb") as file:
        while block := file.read(1 << 22):
            if _EXTERNAL_DATA in before[-len(_EXTERNAL_DATA) :] + block:
                return True
            before = block
    return False


def session_options(threads: int) -> ort.SessionOptions:
    """Options under which several workers share the cores and memory stays flat while batch sizes vary."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    # Memory patterns are planned per batch size: without them 8 % less memory and a faster first run, equal speed.
    options.enable_mem_pattern = False
    # A spinning thread takes the core from the neighbour that decodes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(source: Path | bytes, name: str, threads: int = 1, provider: str = "cpu") -> ort.InferenceSession:
    """A session over any ONNX file or bytes; `name` is what error messages call them.

    Raises:
        BackboneError: `backbone_invalid`, `provider_unavailable`.
    """
    if _refers_to_other_files(source):
        raise _invalid(f"{name} keeps weights in a second file (external data); save it as one ONNX file")
    wanted = _wanted_providers(provider, threads)
    try:
        model = source if isinstance(source, bytes) else str(source)
        session = ort.InferenceSession(model, session_options(threads), providers=wanted)
    except RUNTIME_ERRORS as exc:
        raise _invalid(_why_not(name, exc)) from exc
    if provider in _EXTRAS and session.get_providers()[0] != _PROVIDERS[provider]:
        raise _unavailable(provider, f"it is installed, but did not start ({_NEEDS[provider]})")
    return session


_NEEDS = {"cuda": "driver, CUDA or cuDNN libraries", "openvino": "OpenVINO libraries"}


def _wanted_providers(provider: str, threads: int) -> list[str | tuple[str, dict[str, str]]]:
    if provider not in (*_PROVIDERS, "auto"):
        message = f"the provider must be 'cpu', 'cuda', 'openvino' or 'auto', got {provider!r}"
        raise SettingsError(Reason.BAD_SETTING, message)
    kind = "cuda" if provider == "auto" else provider
    if _PROVIDERS[kind] not in ort.get_available_providers():
        if provider != "auto":
            raise _unavailable(
                kind, f"this ONNX Runtime was built without it: pip install 'tellapart[{_EXTRAS[kind]}]'"
            )
        kind = "cpu"
    if kind == "openvino":  # does not know the session's own number of threads
        return [(_PROVIDERS[kind], {"device_type": "CPU", "num_of_threads": str(threads)}), _PROVIDERS["cpu"]]
    return [_PROVIDERS["cpu"]] if kind == "cpu" else [_PROVIDERS[kind], _PROVIDERS["cpu"]]


def _unavailable(provider: str, why: str) -> BackboneError:
    message = f"the provider {provider!r} cannot be used: {why}; or choose provider 'cpu' or 'auto'"
    return BackboneError(Reason.PROVIDER_UNAVAILABLE, message)


def _invalid(message: str) -> BackboneError:
    return BackboneError(Reason.BACKBONE_INVALID, message)


def _why_not(name: str, exc: Exception) -> str:
    text = _first_line(exc)
    if isinstance(exc, _state.InvalidProtobuf) or "No graph was found" in text:
        return f"{name} is not an ONNX file, or is cut short: {text}"
    if "is not a registered function/op" in text or "No Op registered" in text or "custom" in text.lower():
        return f"{name} uses an operator that ONNX Runtime {ort.__version__} does not know: {text}"
    return f"{name} is an ONNX file that ONNX Runtime {ort.__version__} refuses: {text}"


def _first_line(exc: Exception) -> str:
    """The sentence of an ONNX Runtime message, without the code and the source file in front of it."""
    line = str(exc).strip().split("\n", 1)[0]
    parts = line.split(" : ")
    return parts[-1].strip() if line.startswith("[ONNXRuntimeError]") else line


def _read_card(session: ort.InferenceSession) -> BackboneCard:
    inputs = session.get_inputs()
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    shape = inputs[0].shape if len(inputs) == 1 else None
    fits = shape is not None and inputs[0].name == "image" and inputs[0].type == "tensor(uint8)"
    if text is None or not fits or shape is None or len(shape) != 4 or shape[3] != 3 or isinstance(shape[0], int):
        found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise _invalid(
            "the file is not in tellapart's form: expected one input 'image' uint8 (n, h, w, 3) with free n and a card "
            f"under {CARD_KEY!r}, got inputs [{found}] {'with' if text else 'without'} a card; "
            "tellapart.backbones.convert turns an image ONNX file into it"
        )
    return BackboneCard.from_json(text)


def _check_outputs(session: ort.InferenceSession, card: BackboneCard) -> list[str]:
    outputs = {one.name: one for one in session.get_outputs()}
    names = ["embedding"] if card.feature_map_channels is None else ["embedding", "feature_map"]
    for name, rank in zip(names, (2, 4), strict=False):
        one = outputs.get(name)
        fits = one is not None and one.type == "tensor(float)" and len(one.shape) == rank
        if one is None or not fits or isinstance(one.shape[0], int):
            got = "nothing" if one is None else f"{one.type} {one.shape}"
            raise _invalid(f"the output {name!r} must be float32 with {rank} axes, a free batch axis first, got {got}")
    dim = outputs["embedding"].shape[1]
    if isinstance(dim, int) and dim != card.embedding_dim:
        raise _invalid(f"the card says {card.embedding_dim} embedding columns, the graph has {dim}")
    return names
