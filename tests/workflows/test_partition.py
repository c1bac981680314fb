"""Which groups keep images on one side: declared ones, and looks as far as they leave something to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes
from tests.classifier.models import quick_train

import tellapart as ta
from tellapart.workflows.grouping import LookAlikes

FIXED = (
    "pictures of different groups look alike, as those of a fixed camera do: together they would be one group and could not be "
    "split. Only the declared groups are kept together: make sure that no part is in two of them"
)


def data_set(root: Path, groups: Sequence[str]) -> Path:
    """Two classes in turn, one image for each group name."""
    rows = ["file_name,label,group"]
    for number, group in enumerate(groups):
        (root / f"{number}.png").write_bytes(png_bytes(class_picture(number % 2, seed=number)))
        rows.append(f"{number}.png,{'ab'[number % 2]},{group}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root / "labels.csv"


def all_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """As though every picture showed the same background."""

    def looks(images: object, cache_dir: object) -> LookAlikes:
        n = len(images)  # type: ignore[arg-type]
        return LookAlikes(np.zeros(n, np.int64), np.zeros(n, bool))

    monkeypatch.setattr("tellapart.workflows.partition.look_alikes", looks)


def test_declared_groups_stand_alone_where_looks_would_join_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_alike(monkeypatch)
    source = data_set(tmp_path, [f"sequence-{i // 4}" for i in range(48)])
    trained = quick_train(source, output=tmp_path / "m")
    assert trained.card.training["groups"] == 12
    assert f"warning     {FIXED}" in trained.card.training["summary"]


@pytest.mark.parametrize("lacking", [1, 48])
def test_looks_count_where_a_group_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: int) -> None:
    all_alike(monkeypatch)
    names = ["" if i < lacking else f"sequence-{i // 4}" for i in range(48)]
    with pytest.raises(ta.TellapartError, match="near-duplicates of one another"):
        quick_train(data_set(tmp_path, names), output=tmp_path / "m")
