"""An anomaly model and images that are labelled by class: every class that is not good is an anomaly of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from tellapart.classifier.classifier import Classifier
from tellapart.data.dataset import Dataset
from tellapart.evaluation.kinds import Kinds, by_kind
from tellapart.heads.anomaly import AnomalyHead
from tellapart.training.linear_probe import targets_of
from tellapart.workflows.facts import KIND


def as_the_model_sees(classifier: Classifier, dataset: Dataset) -> Dataset:
    """The data set in the labels of an anomaly model; as it is for any other model.

    Raises:
        DataError: `unknown_label` where no class is known to the model.
    """
    if not isinstance(classifier.head, AnomalyHead):
        return dataset
    from tellapart.workflows.anomaly_labels import in_terms_of

    return in_terms_of(classifier.schema, classifier.card.head.get("good_classes", ()), dataset)


def kinds_of(
    classifier: Classifier,
    dataset: Dataset,
    probabilities: NDArray[Any],
    decisions: NDArray[Any],
    groups: Sequence[str],
    seed: int,
) -> Kinds | None:
    """How well each kind of anomaly is found, None for a model that does not tell anomalies."""
    if not isinstance(classifier.head, AnomalyHead):
        return None
    named = KIND in dataset.metadata_keys
    kinds: Sequence[str | None] = dataset.metadata(KIND) if named else [classifier.schema.positive] * len(dataset)
    targets = targets_of(dataset.label_matrix(classifier.schema), classifier.schema.task)
    return by_kind(
        probabilities,
        targets,
        classifier.schema,
        kinds,
        decisions=decisions,
        groups=groups,
        uris=dataset.uris,
        seed=seed,
    )
