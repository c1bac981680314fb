from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest

from tellapart.data import containers
from tellapart.data.containers import read_bytes, row_uri, split_row
from tellapart.errors import ImageError, Reason
from tellapart.image.types import DecodeLimits

LIMITS = DecodeLimits()


def parquet(path: Path, images: list[bytes | None], **options: int) -> Path:
    image = pl.Series("image", [{"bytes": data, "path": None} for data in images],
                      dtype=pl.Struct({"bytes": pl.Binary, "path": pl.String}))  # fmt: skip
    pl.DataFrame([image]).write_parquet(path, **options)  # type: ignore[arg-type]
    return path


def test_row_uris_are_read_back() -> None:
    assert split_row(row_uri("d/train.parquet", 17)) == ("d/train.parquet", 17)
    assert split_row("a#row=1.png") is None
    assert split_row("a.parquet#row=-1") is None
    assert split_row("two\nlines.parquet#row=0") == ("two\nlines.parquet", 0)


def test_rows_are_read_in_any_order_by_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [bytes([i % 251]) * (i + 1) for i in range(300)]
    parquet(tmp_path / "[t].parquet", images, row_group_size=64)
    monkeypatch.setattr(containers, "_BLOCK_BYTES", 512)  # many small blocks, more than are kept
    found: dict[int, bytes] = {}

    def read(start: int) -> None:
        for i in [*range(start, 300, 3), *range(start, 300, 7)]:
            found[i] = read_bytes(row_uri("[t].parquet", i), root=tmp_path, limits=LIMITS)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(300)] == images
    assert len(containers._BLOCKS.blocks) <= containers._KEPT_BLOCKS


def test_a_replaced_file_is_not_served_from_memory(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", [b"old"])
    assert read_bytes("a.parquet#row=0", root=tmp_path, limits=LIMITS) == b"old"
    parquet(tmp_path / "a.parquet", [b"newer", b"x"])
    assert read_bytes("a.parquet#row=0", root=tmp_path, limits=LIMITS) == b"newer"


@pytest.mark.parametrize(
    "uri, reason",
    [
        ("a.parquet#row=9", Reason.FILE_NOT_FOUND),
        ("gone.parquet#row=0", Reason.FILE_NOT_FOUND),
        ("a.parquet#row=1", Reason.EMPTY_FILE),
        ("a.parquet#row=2", Reason.FILE_TOO_LARGE),
        ("junk.parquet#row=0", Reason.READ_FAILED),
        ("none.parquet#row=0", Reason.NOT_AN_IMAGE),
    ],
)
def test_rows_that_cannot_be_had_have_a_reason(uri: str, reason: Reason, tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", [b"fine", None, b"x" * 99])
    (tmp_path / "junk.parquet").write_bytes(b"junk")
    pl.DataFrame({"label": [1]}).write_parquet(tmp_path / "none.parquet")
    with pytest.raises(ImageError) as caught:
        read_bytes(uri, root=tmp_path, limits=DecodeLimits(max_bytes=50))
    assert caught.value.reason is reason
