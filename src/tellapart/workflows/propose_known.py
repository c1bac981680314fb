"""The classes that a model knows, as a measure for what may be further ones."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.classifier import Classifier
from tellapart.classifier.storage import load_enclosures
from tellapart.heads.class_distance import ClassDistance
from tellapart.heads.ood import OodDetector

Floats = NDArray[np.float32]
# So many remembered images tell how classes spread.
_ENOUGH = 10
_REACH = 0.99


@dataclass(frozen=True, slots=True)
class KnownClasses:
    """Classes with remembered images, in coordinates in which all classes spread alike in all directions.

    `names` (k,), `means` float32 (k, r). `typical` is how far an image lies from the mean of its class (the median),
    `reach` how far hardly any does (99 %). Without remembered images there is no `space`: coordinates are the embeddings,
    and nothing is known of classes.
    """

    space: ClassDistance | None
    names: tuple[str, ...]
    means: Floats
    typical: float
    reach: float

    @classmethod
    def of(cls, classifier: Classifier) -> KnownClasses:
        """Of the images that a model remembers in reference.parquet."""
        embeddings, labels = _remembered(classifier)
        names, columns = np.unique(labels, return_inverse=True)
        columns = columns.reshape(-1).astype(np.int64)
        if len(labels) < _ENOUGH or len(names) < 2:
            return cls(None, (), np.empty((0, 0), np.float32), np.nan, np.inf)
        space = ClassDistance.within(OodDetector.unscaled(embeddings)[0], embeddings, columns)
        points = _coordinates(space, embeddings)
        away = np.linalg.norm(points - space.centres[columns], axis=1)
        return cls(
            space,
            tuple(str(name) for name in names),
            space.centres,
            float(np.median(away)),
            float(np.quantile(away, _REACH)),
        )

    def points(self, embeddings: Floats) -> Floats:
        """Coordinates float32 (n, r) of embeddings (n, d)."""
        return embeddings if self.space is None else _coordinates(self.space, embeddings)

    def nearest(self, point: Floats) -> tuple[str, float] | None:
        """The class whose mean is nearest to a point (r,), and how far it is in typical distances of an image."""
        if not self.names:
            return None
        away = np.linalg.norm(self.means - point, axis=1)
        return self.names[int(away.argmin())], float(away.min() / self.typical)


def _coordinates(space: ClassDistance, embeddings: Floats) -> Floats:
    return np.asarray(space.space.inside(embeddings) * space.space.weight, np.float32)


def _remembered(classifier: Classifier) -> tuple[Floats, NDArray[np.str_]]:
    """Vectors (m, d) that a model remembers of images with one label, and these labels (m,)."""
    data = classifier.enclosures.reference
    if not data and classifier.location:
        data = load_enclosures(classifier.location).reference
    nothing = np.empty((0, classifier.backbone.embedding_dim), np.float32)
    if not data:
        return nothing, np.empty(0, np.str_)
    import polars as pl

    table = pl.read_parquet(io.BytesIO(data), columns=["labels", "embedding"])
    table = table.filter(pl.col("embedding").is_not_null() & (pl.col("labels").list.len() == 1))
    labels = np.array([names[0] for names in table["labels"].to_list()], np.str_)
    return (np.array(table["embedding"].to_list(), np.float32), labels) if len(labels) else (nothing, labels)
