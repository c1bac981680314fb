"""What may be set for the whole program. Loads pydantic: the predict path imports this only where something is set."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tellapart.errors import Reason, SettingsError


def _blank_is_none(value: object) -> object:
    """An empty environment variable means "not set"."""
    return None if value == "" else value


class Settings(BaseModel):
    """Frozen; every field is explained in docs/settings.md. None means: tellapart decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache_dir: Annotated[Path | None, BeforeValidator(_blank_is_none)] = Field(
        None, description="Folder in which embeddings are kept between runs."
    )
    max_bytes: int = Field(256 * 2**20, ge=1, description="Largest image file that is read, in bytes.")
    max_pixels: int = Field(250_000_000, ge=1, description="Largest image that is decoded, width times height.")
    max_frames: int = Field(10_000, ge=1, description="Most frames or pages that one image file may have.")
    workers: Annotated[int | None, Field(ge=1), BeforeValidator(_blank_is_none)] = Field(
        None, description="Threads that decode and run the network; without it one per core."
    )
    provider: Literal["cpu", "cuda", "openvino", "auto"] = Field("cpu", description="Where ONNX networks run.")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from names and values; text is read as numbers, yes/no and paths.

        Raises:
            SettingsError: with every fault of the mapping in one sentence each, in its order.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as exc:
            faults = "; ".join(_fault(error) for error in exc.errors(include_url=False))
            raise SettingsError(Reason.BAD_SETTING, f"the settings cannot be used: {faults}") from exc


_WANTED = {
    "cache_dir": "a folder",
    "max_bytes": "a whole number of at least 1",
    "max_pixels": "a whole number of at least 1",
    "max_frames": "a whole number of at least 1",
    "workers": "a whole number of at least 1",
    "provider": "'cpu', 'cuda', 'openvino' or 'auto'",
}


def _fault(error: Any) -> str:
    """One fault as pydantic lists it, as a sentence of ours: its own wording changes between versions."""
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        near = get_close_matches(name, _WANTED, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"there is no setting {name!r}, known are {', '.join(_WANTED)}{hint}"
    return f"{name} is {_WANTED[name]}, got {error['input']!r:.80}"
