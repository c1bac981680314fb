"""`tellapart embed`: files of vectors from the command line."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from tests.builders import write_folders
from tests.classifier.models import backbone_file, model_folder, photos
from tests.cli.command import run, start

from tellapart.cli.embed import _is_worse
from tellapart.index.vectors import Vectors


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def test_the_report_names_what_was_seen_and_written() -> None:
    root = write_folders(Path("parts"), {"blue": 3, "red": 3})
    for number in range(12):
        (root / "red" / f"bad{number}.png").write_bytes(b"")
    ran = run("embed", model_folder(), "parts")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "data      18 images seen: 6 embedded, 12 refused"
    assert lines[1] == "refused   the file is empty (0 bytes): 'parts/red/bad0.png' [empty_file]"
    assert lines[11] == "refused   … and 2 more; --json lists all"
    assert re.fullmatch(r"vectors   \d+ numbers each, length 1, by \S+ on decode\|upright\|fit\(32\)", lines[12])
    assert lines[13:] == ["written   parts-vectors.parquet"]
    assert len(Vectors.read("parts-vectors.parquet")) == 6


def test_json_is_the_result_alone() -> None:
    ran = run("embed", backbone_file(), photos(), "-o", "v.npy", "--dtype", "float16", "--no-normalise", "--json")
    assert ran.code == 0
    assert {key: ran.json[key] for key in ("output", "seen", "embedded", "refused")} == {
        "output": "v.npy",
        "seen": 30,
        "embedded": 30,
        "refused": [],
    }
    assert ran.json["space"] == Vectors.read("v.npy").space.to_json()
    assert not ran.json["space"]["normalised"]
    assert np.load("v.npy").dtype == np.float16


def test_a_projection_says_what_it_is_worth_and_is_kept() -> None:
    write_folders(Path("parts"), dict.fromkeys(("blue", "green", "red", "violet", "white", "yellow"), 24), side=24)
    ran = run(
        "embed",
        backbone_file(),
        "parts",
        "-o",
        "v.parquet",
        "--project",
        "supcon:4",
        "--save-projection",
        "p.safetensors",
    )
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[2].startswith("projected supcon of ")
    assert lines[2].endswith(" numbers, learned from 144 images")
    assert lines[-2:] == ["written   v.parquet", "          p.safetensors"]
    change = (
        r"nearest of the same label [01]\.\d+ → [01]\.\d+ \([+-]0\.\d+ ± 0\.\d+\), mAP@R [01]\.\d+ → [01]\.\d+ \(.*\)"
    )
    judged = [line.strip() for line in lines[3:-2] if re.fullmatch(change, line.strip())]
    assert len(judged) == 2
    again = run("embed", backbone_file(), "parts", "-o", "again.parquet", "--projection", "p.safetensors", "--json")
    assert again.json["projection"]["learned_from"] == 144
    assert again.json["space"] == Vectors.read("v.parquet").space.to_json()


def figures(change: float, margin: float, other: float) -> dict[str, dict[str, float]]:
    return {"recall_at_1": {"change": change, "margin": margin}, "map_at_r": {"change": other, "margin": 0.05}}


def test_what_is_clearly_worse_is_told() -> None:
    assert _is_worse(figures(-0.2, 0.1, -0.01))
    assert not _is_worse(figures(-0.2, 0.3, -0.01))
    assert not _is_worse(figures(-0.2, 0.1, 0.02))
    assert not _is_worse(figures(0.2, 0.1, 0.1))


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("buitlin", photos()), 1, "'buitlin' is neither a model nor a backbone; did you mean 'builtin'?"),
        (("builtin", "nowhere"), 1, "error: there is no file or folder nowhere [dataset_not_found]"),
        (("builtin", "empty"), 1, "error: empty holds no images"),
        (("builtin", photos(), "-o", "v.csv"), 2, "error: vectors are written to a file that ends in .parquet or .npy"),
        (
            ("builtin", photos(), "-o", "there.parquet"),
            1,
            "error: there.parquet exists; choose another name or allow over",
        ),
        (("empty", photos()), 1, "error: there is no model at empty"),
        (
            ("builtin", photos(), "--project", "pac:3"),
            2,
            "error: a projection to learn is written KIND:NUMBERS, such as pca:64",
        ),
        (("builtin", photos(), "--projection", "p"), 1, "error: there is no projection p; learn one with --project"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(arguments: tuple[object, ...], code: int, sentence: str) -> None:
    Path("empty").mkdir()
    Path("there.parquet").touch()
    ran = run("embed", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert sentence in ran.err


def test_ctrl_c_writes_nothing_and_the_next_run_goes_on(tmp_path: Path) -> None:
    write_folders(Path("parts"), {"blue": 400, "red": 400}, side=64)
    process = start("embed", "builtin", "parts", "-o", "v.parquet", "--workers", 1, cache=tmp_path / "cache")
    caches = tmp_path / "cache/embeddings"
    until = time.monotonic() + 60
    while not (caches.exists() and any(path.stat().st_size > 100_000 for path in caches.iterdir())):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert err.decode().splitlines()[-1] == "interrupted: nothing was half-written"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "parts"]
