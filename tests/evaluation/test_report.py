"""report.html: well-formed, self-contained, escaped, complete."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest
from tests.evaluation.builders import exclusive, multilabel, schema_of

from tellapart.evaluation import Background, Evaluation, GalleryItem, evaluate, write_report
from tellapart.evaluation.charts import round_top
from tellapart.evaluation.intervals import Estimate
from tellapart.evaluation.wording import between, metric_name, number, percent
from tellapart.records import Refusal, Task

JPEG = b"\xff\xd8\xff\xe0not really"
HOSTILE = "<script>alert(1)</script>\"'&\n.jpg"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects tags and text, and checks that every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def headings(self) -> list[str | None]:
        return [attributes.get("id") for tag, attributes in self.tags if tag == "section"]


def evaluation_of(task: Task, k: int, n: int = 120) -> Evaluation:
    p, y = multilabel(n, k) if task is Task.MULTILABEL else exclusive(n, k)
    return evaluate(
        p,
        y,
        schema_of(task, k),
        decisions=p > 0.5,
        metadata={HOSTILE: ["<b>x</b>", "y"] * (n // 2)},
        uris=[HOSTILE] * n,
        groups=[str(i // 2) for i in range(n)],
    )


def full_report(evaluation: Evaluation) -> str:
    gallery = [
        GalleryItem(HOSTILE, (HOSTILE,), ("break",), 0.9, JPEG, b"\x89PNG....", note=HOSTILE),
        GalleryItem("b.webp", ("crack",), (), 0.4, b"RIFF....WEBP", kind="unknown"),
        GalleryItem("c.jpg", ("crack",), ("free",), 0.5, JPEG, kind="uncertain"),
    ]
    background = Background(
        splits={"train": {HOSTILE: 3, "free": 4}, "test": {"free": 1}},
        refusals=[Refusal(HOSTILE, "truncated", HOSTILE), Refusal("z.png", "corrupt", "broken")],
        notes=[HOSTILE],
        reproduce=["tellapart train parts/ -o <model>"],
    )
    card = {"backbone": HOSTILE, "versions": {"numpy": "2"}, "list": [1, HOSTILE], "share": 0.25, "fitted": True}
    return write_report(evaluation, title=HOSTILE, card=card, gallery=gallery, background=background)


@pytest.mark.parametrize(
    ("task", "k"), [(Task.BINARY, 2), (Task.MULTICLASS, 5), (Task.MULTILABEL, 4), (Task.MULTICLASS, 60)]
)
def test_the_page_is_well_formed_and_stands_alone(task: Task, k: int) -> None:
    html = full_report(evaluation_of(task, k))
    page = Reader(html)
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith(("data:image/", "#")), (tag, value)
    assert "<script" not in html
    assert "<b>x" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    anchors = {a["href"] for tag, a in page.tags if tag == "a"}
    assert anchors == {f"#{key}" for key in page.headings()}


def test_sections_of_a_multiclass_report() -> None:
    page = Reader(full_report(evaluation_of(Task.MULTICLASS, 5)))
    assert page.headings() == [
        "trust", "classes", "confusion", "curves", "slices", "mistakes", "unknown", "data", "model", "reproduce",
    ]  # fmt: skip
    for word in ("Refused files: 2", "truncated", "tellapart train parts/ -o <model>", "left unknown", "Closest calls"):
        assert word in page.text
    shown = HOSTILE.replace("\n", "\N{REPLACEMENT CHARACTER}")
    assert f"{shown}: {shown}, answered break" in {a.get("alt") for tag, a in page.tags if tag == "img"}
    kinds = [a["src"][:16] for tag, a in page.tags if tag == "img" and a["src"]]
    assert kinds == ["data:image/jpeg;", "data:image/png;b", "data:image/jpeg;", "data:image/webp;"]


def test_multilabel_has_no_confusion_matrix() -> None:
    assert "confusion" not in Reader(full_report(evaluation_of(Task.MULTILABEL, 4))).headings()


def test_multilabel_shows_the_roc_auc_of_each_of_14_labels_with_its_interval() -> None:
    evaluation = evaluation_of(Task.MULTILABEL, 14, n=400)
    page = " ".join(Reader(write_report(evaluation, title="chest", card={})).text.split())
    for one in evaluation.per_class:
        found = one.metrics["roc_auc"]
        assert found.value is not None
        assert found.low is not None
        assert f"{number(found.value)} {between(found)}" in page
    assert any(line.startswith("roc_auc_macro") for line in evaluation.summary())


def test_many_classes_list_pairs_instead_of_a_matrix() -> None:
    evaluation = evaluation_of(Task.MULTICLASS, 60, n=600)
    html = write_report(evaluation, title="many", card={})
    assert "60 classes are too many for a matrix" in html
    assert 'class="matrix' not in html
    assert len(html) < 400_000


def test_the_verdict_names_metric_interval_and_counts() -> None:
    y = np.arange(100) % 2
    p = np.eye(2)[y] * 0.9 + 0.05
    html = write_report(evaluate(p, y, schema_of(Task.BINARY, 2)), title="t", card={})
    text = " ".join("".join(Reader(html).words).split())
    assert "Accuracy is 1.000 (95 % interval 0.963 to 1.000), measured on 100 images." in text
    assert "100 % of the images were answered right, 0 % wrong." in text
    assert "Not one wrong answer on this data." in text


def test_words_for_numbers() -> None:
    assert metric_name("f1_macro") == "macro F1"
    assert metric_name("average_precision_micro") == "micro average precision"
    assert metric_name("recall") == "recall"
    assert [number(v) for v in (None, 1.0, 0.99999, 0.0, 0.0001, 0.5)] == [
        "–",
        "1.000",
        ">0.999",
        "0.000",
        "<0.001",
        "0.500",
    ]
    shown = [percent(v).replace("\N{NO-BREAK SPACE}", " ") for v in (0, 1, 0.99999, 0.00001, 0.042, 0.42, 0.996)]
    assert shown == ["0 %", "1 %".replace("1", "100"), ">99.9 %", "<0.1 %", "4.2 %", "42 %", "99.6 %"]
    assert between(Estimate(0.99996, 0.99951, 0.99999, 9)) == "0.999–1.000"
    assert between(Estimate(0.5, 0.4, 0.6, 9)) == "0.400–0.600"
    assert between(Estimate(0.5, None, None, 9)) == "no interval"


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.9, 1), (1.0, 1), (3.36, 5), (0.072, 0.1), (12, 12.5), (130, 250)]
)
def test_axes_end_on_short_numbers(value: float, top: float) -> None:
    assert round_top(value) == pytest.approx(top)
