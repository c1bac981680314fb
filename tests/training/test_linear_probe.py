"""The probe tunes on out-of-fold answers and knows which images belong together."""

from __future__ import annotations

import numpy as np

from tellapart.heads.aims import Aim
from tellapart.records import LabelSchema, Task
from tellapart.training.linear_probe import ProbeOptions, linear_probe

SCHEMA = LabelSchema.from_names(["good", "scratch"], task=Task.BINARY)


def test_copies_of_images_do_not_buy_promises() -> None:
    """Twenty scratches, six pictures of each: a precision of 90 % takes 22 answers without an error."""
    rng = np.random.default_rng(0)
    things = np.repeat(np.arange(40), 6)
    embeddings = (rng.normal(size=(40, 8)) + 12 * (np.arange(40) % 2)[:, None])[things].astype(np.float32)
    labels = np.eye(2, dtype=np.uint8)[things % 2]
    options = ProbeOptions(Aim.parse("precision>=0.9"))
    for groups, reached in ((things, False), (np.arange(240), True)):
        probe = linear_probe(embeddings, labels, groups, SCHEMA, options)
        assert probe.thresholds.reached == (reached, reached)
        assert probe.thresholds.achieved[1] >= 0.9
