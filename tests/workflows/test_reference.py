"""The reference keeps every image's split and a bounded number of vectors."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from tests.builders import write_folders

import tellapart as ta
from tellapart.workflows import reference
from tellapart.workflows.train import train


def test_beyond_the_limit_images_keep_everything_but_their_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MAX_VECTORS", 10)
    write_folders(tmp_path / "parts", {"a": 12, "b": 12})
    model = train(tmp_path / "parts", golden=0)
    table = pl.read_parquet(io.BytesIO(model.enclosures.reference))
    assert len(table) == 24
    assert table["embedding"].is_not_null().sum() == 10
    assert table["split"].is_not_null().all()
    assert model.backbone.embedding_dim == len(table["embedding"].drop_nulls()[0])


def test_a_leaking_split_is_not_kept(tmp_path: Path) -> None:
    write_folders(tmp_path / "parts", {"a": 12, "b": 12})
    for split, kept in (("random", 0), ("grouped", 0), ("grouped", 24)):
        model = ta.train(tmp_path / "parts", output=tmp_path / "model", split=split, golden=0)
        told = [line for line in model.card.training["summary"] if line.startswith("kept")]
        assert told == (
            [f"kept        {kept:,} images stay in the split they had in the earlier model"] if kept else []
        )
