"""Lines are whole or not there: after a kill, on a full disk, and when files are moved away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.streams import lines as module
from tellapart.streams.lines import LineFile


def test_what_a_kill_left_of_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "some" / "lines"
    path.parent.mkdir()
    path.write_bytes(b"one\ntwo\nthr")
    file = LineFile(path)
    assert path.read_bytes() == b"one\ntwo\nthr"  # nothing is touched before there is something to write
    file.add(b"four\n")
    file.close()
    file.close()
    assert path.read_bytes() == b"one\ntwo\nfour\n"


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=6), st.integers(0, 200))
def test_whatever_is_torn_nothing_before_it_is_lost(
    tmp_path_factory: pytest.TempPathFactory, kept: list[bytes], cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "lines"
    whole = b"".join(line + b"\n" for line in kept)
    path.write_bytes(whole[: len(whole) - min(cut, len(whole))])
    before = path.read_bytes()
    file = LineFile(path)
    file.add(b"next\n")
    file.close()
    assert path.read_bytes() == before[: before.rfind(b"\n") + 1] + b"next\n"


def test_a_torn_line_longer_than_what_is_read_at_once_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"kept\n" + b"x" * 200_000)
    file = LineFile(path)
    file.add(b"next\n")
    assert path.read_bytes() == b"kept\nnext\n"
    file.close()


def test_a_head_stands_before_the_first_line_alone(tmp_path: Path) -> None:
    for line in (b"1\n", b"2\n"):
        file = LineFile(tmp_path / "lines", head=b"head\n")
        file.add(line)
        file.close()
    assert (tmp_path / "lines").read_bytes() == b"head\n1\n2\n"


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines", head=b"head\n")
    file.add(b"1\n")
    (tmp_path / "lines").rename(tmp_path / "lines.1")
    file.add(b"2\n")
    file.close()
    assert (tmp_path / "lines.1").read_bytes() == b"head\n1\n"
    assert (tmp_path / "lines").read_bytes() == b"head\n2\n"


def test_a_disk_that_fills_amid_a_line_takes_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LineFile(tmp_path / "lines")
    file.add(b"one\n")
    whole = os.write

    def full(descriptor: int, data: bytes | memoryview) -> int:
        if len(data) > 3:
            return whole(descriptor, bytes(data)[:3])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            file.add(b"a longer one\n")
    assert (tmp_path / "lines").read_bytes() == b"one\n"
    file.add(b"three\n")
    file.close()
    assert (tmp_path / "lines").read_bytes() == b"one\nthree\n"


def test_where_not_even_cutting_off_is_possible_it_is_done_before_the_next_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LineFile(tmp_path / "lines")
    file.add(b"one\n")

    def torn(descriptor: int, data: bytes | memoryview) -> int:
        with (tmp_path / "lines").open("ab") as beside:
            beside.write(bytes(data)[:2])
        raise OSError(5, "Input/output error")

    def refused(descriptor: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", torn)
        patch.setattr(module.os, "ftruncate", refused)
        with pytest.raises(OSError, match="Input/output"):
            file.add(b"two\n")
    assert (tmp_path / "lines").read_bytes() == b"one\ntw"
    file.add(b"three\n")
    file.close()
    assert (tmp_path / "lines").read_bytes() == b"one\nthree\n"


def test_a_limit_of_the_system_is_a_full_disk_too(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from tellapart.streams.lines import LineFile\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "file, failed = LineFile(Path(sys.argv[1])), 0\n"
        "for number in range(20):\n"
        "    try: file.add(b'%02d,2345678901234\\n' % number)\n"
        "    except OSError: failed += 1\n"
        "print(failed)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lines")], capture_output=True, check=True)
    assert ran.stdout.strip() == b"15"
    assert (tmp_path / "lines").read_bytes() == b"".join(b"%02d,2345678901234\n" % number for number in range(5))


def test_a_process_that_is_killed_leaves_whole_lines_for_the_next(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tellapart.streams.lines import LineFile\n"
        "file, number = LineFile(Path(sys.argv[1])), 0\n"
        "while True:\n"
        "    file.add(b'%d ' % number + b'x' * 5000 + b'\\n'); number += 1\n"
        "    if number == 50: print('on', flush=True)"
    )
    path = tmp_path / "lines"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    file = LineFile(path)
    file.add(b"last\n")
    file.close()
    *kept, last = path.read_bytes().splitlines()
    assert last == b"last"
    assert kept == [b"%d " % number + b"x" * 5000 for number in range(len(kept))]
    assert len(kept) >= 50


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    file = LineFile(tmp_path / "pipe")
    file.add(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    file.close()
    os.close(reader)
