"""One labelled (or unlabelled) image of a data set, and one that could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tellapart.errors import TellapartError
from tellapart.records.roi import Roi


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with what is known about it.

    `id` is the sha256 (hex) of the file's bytes; "" until the bytes were read. `labels` holds names: None is unlabelled,
    () is a multi-label image on which nothing is present. `group` is whatever must not be torn apart by a split (part,
    camera, video, patient, day). `metadata` columns become slices of the evaluation.
    """

    uri: str
    labels: tuple[str, ...] | None = None
    id: str = ""
    group: str | None = None
    split: str | None = None
    roi: Roi | None = None
    captured_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file or row that was seen and not used, with its stable reason code. accepted + refused = seen."""

    uri: str
    code: str
    message: str

    @classmethod
    def of(cls, uri: str, error: TellapartError) -> Refusal:
        """The refusal an error stands for."""
        return cls(uri, error.reason.value, str(error))

    @property
    def sentence(self) -> str:
        """`file: what is wrong with it [code]`, the file only once."""
        named = self.message if self.uri in self.message else f"{self.uri}: {self.message}"
        return f"{named} [{self.code}]"

    def to_json(self) -> dict[str, object]:
        """`{"uri": …, "refused": {"code": …, "message": …}}`."""
        return {"uri": self.uri, "refused": {"code": self.code, "message": self.message}}
