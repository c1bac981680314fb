"""When to stop labelling: told from the labels at hand, and not told where they say nothing."""

from __future__ import annotations

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.records import Sample
from tellapart.workflows.embedding import EmbeddedDataset
from tellapart.workflows.suggest_advice import advise
from tellapart.workflows.suggest_known import Known

NAMES = ("bad", "fair", "good")


def known(n: int, gap: float, *, d: int = 30) -> Known:
    """n labelled images of three labels, whose clouds lie so far apart, in d directions of which three tell."""
    rng = np.random.default_rng(0)
    classes = np.arange(n) % 3
    embeddings = rng.standard_normal((n, d), dtype=np.float32)
    embeddings[np.arange(n), classes] += gap
    samples = [Sample(f"{i}.png", (NAMES[c],)) for i, c in enumerate(classes.tolist())]
    dataset = Dataset.from_samples(samples)
    images = EmbeddedDataset(dataset, embeddings, np.zeros((n, 6), np.float32), np.zeros((n, 16, 16), np.uint8))
    return Known(images, dataset.schema, np.arange(n), np.arange(n), None)


def test_what_is_learned_already_needs_no_more_labels() -> None:
    advice = advise(known(600, 8.0), 1000)
    assert advice.stop is True
    assert advice.sentence.startswith("stop labelling: 600 more labels would raise the mean recall by about 0.")


def test_what_still_grows_goes_on() -> None:
    advice = advise(known(120, 2.0), 50)
    assert advice.stop is False
    assert advice.sentence.startswith("go on: 50 more labels would raise the mean recall by about ")
    assert advice.sentence.endswith(")")


def test_few_labels_tell_nothing() -> None:
    advice = advise(known(12, 3.0), 50)
    assert advice.stop is None
    assert advice.sentence.startswith("whether more labels pay cannot be told: ")


def test_one_label_tells_nothing() -> None:
    only = known(30, 3.0)
    images = only.images.subset(np.arange(30) % 3 == 0)
    assert only.schema is not None
    advice = advise(Known(images, only.schema, np.arange(10), np.arange(10), None), 50)
    assert advice.stop is None
    assert "a classifier needs images of at least two classes" in advice.sentence


def test_where_nothing_is_left_there_is_nothing_to_weigh() -> None:
    advice = advise(known(12, 3.0), 0)
    assert advice.stop is True
    assert advice.sentence == ("nothing is left to label: the rest is accepted, or near-duplicates of labelled images")
