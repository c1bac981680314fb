"""The page of suggestions: pictures of what to label, what was accepted and why, and nothing that runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file

from tellapart.workflows import suggest_report
from tellapart.workflows.suggest import suggest
from tellapart.workflows.suggest_report import render

NAMES = {"blue": 8, "red": 8}


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    root = write_folders(tmp_path / "parts", NAMES)
    for seed in range(50, 60):
        (root / f"<b>{seed}.png").write_bytes(png_bytes(class_picture(seed % 2, seed)))
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    (root / "noise.png").write_bytes(png_bytes(noise))
    return root


def page(root: Path, n: int = 3, precision: float | None = 0.8) -> str:
    return render(suggest(root, n=n, precision=precision, backbone=backbone_file(), workers=2), title="Suggestions: x")


def section(html: str, key: str) -> str:
    found = re.search(rf'<section id="{key}".*?</section>', html, re.DOTALL)
    return found[0] if found else ""


def test_every_kind_has_its_gallery(parts: Path) -> None:
    html = page(parts)
    assert "<title>Suggestions: x</title>" in html
    accepted = section(html, "accepted")
    assert "those with a confidence of at least" in accepted
    assert "sure enough for a precision of 0.8" in accepted
    assert "noise.png" not in accepted
    assert "noise.png" in section(html, "to-label") + section(html, "unlike")
    assert section(html, "labels").count("<tr>") == 3


def test_names_are_only_text_and_nothing_runs(parts: Path) -> None:
    html = page(parts)
    assert "<b>5" not in html
    assert "&lt;b&gt;5" in html
    assert "<script" not in html
    assert "default-src 'none'" in html


def test_it_says_where_it_stops(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggest_report, "MAX_TO_LABEL", 2)
    shown = section(page(parts, n=5, precision=None), "to-label")
    assert shown.count("<figure>") == 2
    assert "2 of 5 images shown; --out and --json list all." in shown


def test_without_a_head_nothing_is_proposed(tmp_path: Path) -> None:
    for seed in range(4):
        (tmp_path / f"{seed}.png").write_bytes(png_bytes(class_picture(seed, seed)))
    html = page(tmp_path, n=2)
    assert "2 images to label next, 0 proposed labels accepted" in html
    assert "None: there is no head yet that could propose one." in html
    assert section(html, "to-label").count("no proposal") == 4  # in the picture's text and below it


def test_a_picture_that_is_gone_is_told(parts: Path) -> None:
    found = suggest(parts, n=2, backbone=backbone_file(), workers=2)
    (parts / found.dataset.uris[found.to_label[0].row]).unlink()
    assert render(found).count('<div class="gone">gone</div>') == 1
