"""The documentation is complete and true: codes, settings and links are there, and every block runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.doc_blocks import blocks, prepare, run_blocks, runnable

from tellapart.errors import Reason
from tellapart.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")] + DOCS


def rows(name: str) -> list[str]:
    """First cells of the tables of a page that are written as code."""
    return re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_reason_code_is_explained_once() -> None:
    assert sorted(rows("errors.md")) == sorted(code.value for code in Reason)


def test_every_setting_is_explained_in_its_order() -> None:
    assert rows("settings.md") == list(Settings.model_fields)


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS if f"({page.name})" not in index and page.name != "index.md"] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_no_line_names_a_machine(path: Path) -> None:
    assert re.findall(r"/(?:work|home|root|tmp)/\S+", path.read_text(encoding="utf-8")) == []


def _is_slow(path: Path) -> bool:
    """What makes vectors of a folder of images takes many seconds, command by command."""
    blocks = runnable(path)
    return any(re.search(r"\b(train|demo)\b|tellapart (embed|index|cluster|classes)\b", block.text) for block in blocks)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name, marks=[pytest.mark.slow] if _is_slow(path) else [])
        for path in TEXTS
        if runnable(path)
    ],
)
def test_every_block_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path, "".join(block.text for block in runnable(path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    run_blocks(path, tmp_path)


def test_blocks_are_found_with_their_lines() -> None:
    text = "a\n```python\nx = 1\n```\n- b\n  ```console\n  $ tellapart train \\\n      parts\n  done\n  ```\n"
    first, second = blocks(text)
    assert (first.info, first.text, first.line) == ("python", "x = 1\n", 3)
    assert (second.info, second.line) == ("console", 7)
    assert [command.split() for command in second.commands] == [["tellapart", "train", "parts"]]


def test_a_false_block_fails_with_the_line_of_the_document(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n\n```python\nx = 1\nassert x == 2\n```\n")
    with pytest.raises(AssertionError) as caught:
        run_blocks(page, tmp_path)
    assert caught.traceback[-1].lineno == 4  # counted from 0


def test_a_failing_command_shows_its_output(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ tellapart no-such-verb\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md line 2: \$ tellapart no-such-verb"):
        run_blocks(page, tmp_path)
