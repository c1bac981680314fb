"""A learned projection with the space it reads, as a file and applied to vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tellapart.errors import DataError, ModelError, Reason, SettingsError
from tellapart.files import replacing
from tellapart.heads.projection import Projection
from tellapart.index.space import Space
from tellapart.index.vectors import Vectors

METADATA_KEY = "tellapart.projection"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class LearnedProjection:
    """`projection` reads vectors of `space` and no others; `facts` say in plain JSON how it was learned and how good it is."""

    projection: Projection
    space: Space
    facts: Mapping[str, Any] = field(default_factory=dict)

    def target(self, *, normalised: bool) -> Space:
        """The space of the vectors it makes."""
        projection = self.projection
        return replace(self.space, projection_sha256=projection.sha256, normalised=normalised, dim=projection.dim)

    def check_reads(self, space: Space, name: str) -> None:
        """Refuse vectors of another space than those it was learned on.

        Raises:
            DataError: `foreign_vectors`.
        """
        difference = self.space.difference(space)
        if difference is not None:
            message = f"{name} was learned on other vectors than these: {difference}"
            raise DataError(Reason.FOREIGN_VECTORS, message)

    def apply(self, vectors: Vectors, *, normalise: bool = True) -> Vectors:
        """The same rows with projected vectors, of length 1 unless `normalise` is False.

        Raises:
            DataError: `foreign_vectors`.
        """
        self.check_reads(vectors.space, "the projection")
        values = self.projection.apply(vectors.vectors, normalise=normalise)
        return replace(vectors, vectors=values, space=self.target(normalised=normalise))

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save as one `.safetensors`, there whole or not at all.

        Raises:
            SettingsError: `bad_setting` for another ending.
            DataError: `output_exists` unless `overwrite`; `write_failed`.
        """
        from safetensors.numpy import save

        path = Path(path)
        check_projection_output(path, overwrite=overwrite)
        about = {
            "format": FORMAT,
            "kind": self.projection.kind,
            "space": self.space.to_json(),
            "facts": dict(self.facts),
        }
        data = save(
            self.projection.arrays(), metadata={METADATA_KEY: json.dumps(about, ensure_ascii=False, sort_keys=True)}
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_bytes(data)
        except OSError as exc:
            raise DataError(Reason.WRITE_FAILED, f"{path} could not be written: {exc.strerror or exc}") from exc

    @classmethod
    def read(cls, path: str | Path) -> LearnedProjection:
        """Inverse of `write`.

        Raises:
            ModelError: `model_not_found`, `model_damaged`, `model_too_new`.
        """
        path = Path(path)
        if not path.is_file():
            raise ModelError(Reason.MODEL_NOT_FOUND, f"there is no projection {path}; learn one with --project")
        about, arrays = _contents(path)
        if about["format"] != FORMAT:
            message = f"{path} has format {about['format']!r}, this tellapart reads format {FORMAT}; update tellapart"
            raise ModelError(Reason.MODEL_TOO_NEW, message)
        try:
            space, facts = Space.from_json(about["space"]), dict(about["facts"])
            projection = Projection.from_arrays(arrays, kind=str(about["kind"]))
            if projection.n_features != space.dim:
                raise ValueError(f"it reads {projection.n_features} numbers of {space.dim}")
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise ModelError(
                Reason.MODEL_DAMAGED, f"the projection {path} is damaged ({exc!r}); learn it again"
            ) from exc
        return cls(projection, space, facts)


def check_projection_output(path: Path, *, overwrite: bool = False) -> None:
    """Refuse what `LearnedProjection.write` would refuse, before the work is done.

    Raises:
        SettingsError: `bad_setting`.
        DataError: `output_exists`.
    """
    if path.suffix != ".safetensors":
        message = f"a projection is written to a file that ends in .safetensors, got {str(path)!r}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if path.exists() and not overwrite:
        raise DataError(Reason.OUTPUT_EXISTS, f"{path} exists; choose another name or allow overwriting")


def _contents(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get(METADATA_KEY, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError, ValueError) as exc:
        raise ModelError(
            Reason.MODEL_DAMAGED, f"{path} is no projection that can be read ({exc}); learn it again"
        ) from exc
    if not isinstance(about, dict) or "format" not in about:
        message = f"{path} is no projection that `tellapart embed --save-projection` wrote"
        raise ModelError(Reason.MODEL_DAMAGED, message)
    return about, arrays
