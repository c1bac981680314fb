from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.data.tiny import codes, put, seen

from tellapart.data.dataset import Dataset
from tellapart.data.label_map import LabelMap
from tellapart.errors import DataError, Reason
from tellapart.records import Sample

MAP = {"rename": {"dent": "defect", "crack": "defect"}, "ignore": ["dusty"], "drop": ["unusable"]}


def test_labels_are_renamed_merged_ignored_and_images_dropped() -> None:
    samples = [
        Sample(str(i), names) for i, names in enumerate([("dent", "crack"), ("dusty", "ok"), ("unusable", "ok")])
    ]
    kept, refused, warnings = LabelMap.load(MAP).apply(samples)
    assert [s.labels for s in kept] == [("defect",), ("ok",)]
    assert [(r.uri, r.code, r.message) for r in refused] == [
        ("2", "excluded", "'2' is left out: the label map drops images with 'unusable'")
    ]
    assert warnings == []


def test_an_ignored_only_label_leaves_the_image_unlabelled_or_empty() -> None:
    single = [Sample("a", ("dusty",)), Sample("b", ("ok",))]
    assert LabelMap(ignore=("dusty",)).apply(single)[0][0].labels is None
    multi = [*single, Sample("c", ())]
    assert LabelMap(ignore=("dusty",)).apply(multi)[0][0].labels == ()


@pytest.mark.parametrize("name, text", [
    ("map.yaml", "\ufeffrename:\r\n  dent: defect\r\n  crack: defect\r\nignore: [dusty]\r\ndrop: [unusable]\r\n"),
    ("map.json", '{"rename": {"dent": "defect", "crack": "defect"}, "ignore": ["dusty"], "drop": ["unusable"]}'),
])  # fmt: skip
def test_files_say_the_same_as_mappings(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert LabelMap.load(tmp_path / name) == LabelMap.load(MAP)


@pytest.mark.parametrize(
    "value, message",
    [
        ({"renam": {}}, "label map: unknown key 'renam'; did you mean 'rename'? (known: rename, ignore, drop)"),
        ({"ignore": "dusty"}, "label map: ignore: input should be a valid list"),
        (
            {"rename": {"a": 1}, "drop": 2},
            "label map: rename.a: input should be a valid string; drop: input should be a valid list",
        ),
        ({"rename": {"a": " "}}, "label map: 'a' is renamed to nothing; list it under ignore instead"),
        ({"rename": {"a": "b"}, "drop": ["a"]}, "label map: 'a' stands under more than one of rename, ignore, drop"),
    ],
)  # fmt: skip
def test_faults_are_told_all_at_once(value: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        LabelMap.load(value)
    assert (caught.value.reason, str(caught.value)) == (Reason.BAD_LABEL_MAP, message)


@pytest.mark.parametrize("name, text", [("m.yaml", "rename: ["), ("m.json", "{"), ("m.yaml", "- a"), ("m.yaml", "")])
def test_unreadable_files_are_one_error(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as caught:
        LabelMap.load(tmp_path / name)
    assert caught.value.reason is Reason.BAD_LABEL_MAP
    with pytest.raises(DataError):
        LabelMap.load(tmp_path / "none.yaml")


def test_a_label_map_works_while_reading(tmp_path: Path) -> None:
    put(tmp_path, "Crack/a.png", "crack/b.png", "ok/c.png", "unusable/d.png")
    mapping = {"rename": {"Crack": "crack", "dents": "dent"}, "drop": ["unusable"]}
    dataset = Dataset.read(tmp_path, label_map=mapping)
    assert seen(dataset) == [("Crack/a.png", ("crack",)), ("crack/b.png", ("crack",)), ("ok/c.png", ("ok",))]
    assert codes(dataset) == ["excluded"]
    assert dataset.warnings == ("the label map speaks of 'dents', which no image has",)
