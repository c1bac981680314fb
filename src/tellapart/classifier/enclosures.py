"""What lies in a model folder beside the classifier itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tellapart.classifier import golden as golden_images
from tellapart.classifier.golden import GoldenImage

REFERENCE, EVALUATION, REPORT = "reference.parquet", "evaluation.json", "report.html"


@dataclass(frozen=True, slots=True)
class Enclosures:
    """Golden set, reference, evaluation and report, and the files of `others`; all of it may be empty."""

    golden: tuple[GoldenImage, ...] = ()
    reference: bytes = b""
    evaluation: bytes = b""
    report: bytes = b""
    others: Mapping[str, bytes] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """File name → bytes of those that are there."""
        named = {REFERENCE: self.reference, EVALUATION: self.evaluation, REPORT: self.report}
        files = {name: data for name, data in named.items() if data}
        return files | dict(self.others) | (golden_images.to_files(self.golden) if self.golden else {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Enclosures:
        """Inverse of `files`."""
        golden = golden_images.from_files(files) if golden_images.INDEX in files else ()
        reference, evaluation, report = (files.get(name, b"") for name in (REFERENCE, EVALUATION, REPORT))
        known = (REFERENCE, EVALUATION, REPORT)
        others = {name: data for name, data in files.items() if name not in known and not golden_images.owns(name)}
        return cls(golden, reference, evaluation, report, others)
