"""Reading bytes: every way in which a path is no readable file has its own code and sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tellapart.errors import ImageError, Reason
from tellapart.image.source import read_file
from tellapart.image.types import DecodeLimits

LIMITS = DecodeLimits(max_bytes=10)
posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")


def refusal(path: Path | str) -> tuple[Reason, str]:
    with pytest.raises(ImageError) as caught:
        read_file(path, LIMITS)
    return caught.value.reason, str(caught.value)


def test_a_file_up_to_the_ceiling(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_file(tmp_path / "a", LIMITS) == b"0123456789"
    assert read_file(str(tmp_path / "a"), LIMITS) == b"0123456789"


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"01234567890")
    (tmp_path / "empty").write_bytes(b"")
    shown = str(tmp_path)
    assert refusal(tmp_path / "large") == (
        Reason.FILE_TOO_LARGE,
        f"the file has 11 bytes, above the ceiling of 10 (max_bytes): '{shown}/large'",
    )
    assert refusal(tmp_path / "empty") == (Reason.EMPTY_FILE, f"the file is empty (0 bytes): '{shown}/empty'")
    assert refusal(tmp_path / "gone") == (Reason.FILE_NOT_FOUND, f"no such file: '{shown}/gone'")
    assert refusal(tmp_path) == (Reason.NOT_A_FILE, f"expected an image file, got a folder: '{shown}'")
    assert refusal(tmp_path / "empty" / "below")[0] is Reason.FILE_NOT_FOUND
    assert refusal(tmp_path / ("x" * 5000))[0] is Reason.FILE_NOT_FOUND
    assert refusal("nul\0name") == (Reason.FILE_NOT_FOUND, "no such file: 'nul\\x00name'")
    assert "\n" not in refusal(tmp_path / "new\nline")[1]


@posix
def test_pipes_links_and_devices_never_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    assert refusal(tmp_path / "pipe") == (
        Reason.NOT_A_FILE,
        f"expected an image file, got a named pipe: '{tmp_path}/pipe'",
    )
    assert refusal(tmp_path / "broken") == (
        Reason.FILE_NOT_FOUND,
        f"the symbolic link points to nothing: '{tmp_path}/broken'",
    )
    assert refusal(tmp_path / "loop") == (
        Reason.NOT_A_FILE,
        f"expected an image file, got a symbolic link that leads in a circle: '{tmp_path}/loop'",
    )
    assert refusal("/dev/null") == (Reason.NOT_A_FILE, "expected an image file, got a device: '/dev/null'")


def test_permissions_and_read_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"0")
    for error, reason, sentence in [
        (PermissionError(13, "Permission denied"), Reason.PERMISSION_DENIED, "no permission to read the file: "),
        (OSError(5, "Input/output error"), Reason.READ_FAILED, "the file cannot be read (Input/output error): "),
    ]:

        def fail(*_: object, raised: OSError = error) -> int:
            raise raised

        monkeypatch.setattr("tellapart.image.source.os.open", fail)
        assert refusal(tmp_path / "a") == (reason, f"{sentence}'{tmp_path}/a'")
