"""COCO, Label Studio and CVAT, as the tools export them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.tiny import codes, put, seen, stored

from tellapart.data.dataset import Dataset
from tellapart.data.writers import write
from tellapart.errors import DataError, Reason
from tellapart.records import Roi, Sample, Task

COCO = {
    "info": {}, "licenses": [],
    "images": [
        {"id": 1, "file_name": "a.png", "width": 200, "height": 100, "date_captured": "2013-11-14 17:02:52"},
        {"id": 2, "file_name": "b.png", "width": 200, "height": 100}, {"id": 3, "file_name": "gone.png"},
        {"id": 4, "file_name": "c.png", "width": 0, "height": 0},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [20, 10, 40, 50]},
        {"id": 2, "image_id": 1, "category_id": 9, "bbox": [190, 0, 40, 50]},
        {"id": 3, "image_id": 1, "category_id": 7, "segmentation": [[0, 0, 100, 0, 100, 100]], "bbox": [0, 0, 1, 1]},
        {"id": 4, "image_id": 99, "category_id": 7}, {"id": 5, "image_id": 1, "category_id": 99},
        {"id": 6, "image_id": 4, "category_id": 9, "bbox": [1, 1, 2, 2]},
    ],
    "categories": [{"id": 7, "name": "cat", "supercategory": "animal"}, {"id": 9, "name": "dog"}],
}  # fmt: skip


def read(root: Path, document: object, name: str = "export.json", **options: Any) -> Dataset:
    path = root / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8-sig")
    return Dataset.read(path, **options)


def test_coco_categories_become_labels(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "images/b.png", "c.png")
    dataset = read(tmp_path, COCO, "annotations/instances.json")
    assert seen(dataset) == [("a.png", ("cat", "dog")), ("c.png", ("dog",)), ("images/b.png", ())]
    assert dataset.task is Task.MULTILABEL
    assert dataset.samples[0].captured_at is not None
    assert codes(dataset) == ["bad_row", "file_not_found", "unknown_label"]


def test_coco_with_one_category_each_leaves_the_others_unlabelled(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    document = {**COCO, "annotations": [COCO["annotations"][0], COCO["annotations"][5]]}  # type: ignore[index]
    dataset = read(tmp_path, document)
    assert [s.labels for s in dataset.samples] == [("cat",), None, ("dog",)]
    assert dataset.task is Task.BINARY


def test_coco_boxes_become_regions(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    dataset = read(tmp_path, COCO, regions=True)
    assert [(s.uri, s.labels, s.roi and s.roi.points) for s in dataset.samples] == [
        ("a.png", ("cat",), ((0, 0), (0.5, 0), (0.5, 1))), ("a.png", ("cat",), ((0.1, 0.1), (0.3, 0.6))),
        ("a.png", ("dog",), ((0.95, 0), (1, 0.5))), ("b.png", None, None),
    ]  # fmt: skip
    assert codes(dataset) == ["bad_row", "bad_row", "file_not_found", "unknown_label"]


def choice(*names: str, **extra: object) -> dict[str, Any]:
    result = [{"type": "choices", "from_name": "c", "to_name": "i", "value": {"choices": list(names)}}] if names else []
    return {"result": result, **extra}


def test_label_studio_choices(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png", "d.png", "e.png", "up.png")
    tasks = [
        {"data": {"image": "/data/local-files/?d=a.png", "line": 4}, "annotations": [choice("x")],
         "predictions": [choice("y")]},
        {"data": {"image": "b.png"}, "annotations": [choice("x", "y"), choice("y", "x")]},
        {"data": {"image": "c.png"}, "annotations": []},
        {"data": {"image": "d.png"}, "annotations": [choice("x"), choice("y")]},
        {"data": {"image": "e.png"},
         "annotations": [choice("x"), choice("y", ground_truth=True), choice("z", was_cancelled=True)]},
        {"data": {"image": "/data/upload/1/0a1b2c3d-up.png"}, "annotations": [choice()]},
        {"data": {"image": "/data/local-files/?d=gone.png"}, "annotations": [choice("x")]}, "odd",
    ]  # fmt: skip
    dataset = read(tmp_path, tasks)
    assert seen(dataset) == [
        ("a.png", ("x",)), ("b.png", ("x", "y")), ("c.png", None), ("e.png", ("y",)), ("up.png", ()),
    ]  # fmt: skip
    assert dataset.metadata("line")[0] == "4"
    assert sorted((r.code, r.uri) for r in dataset.refusals) == [
        ("bad_row", "export.json task 7"), ("file_not_found", "/data/local-files/?d=gone.png"), ("label_conflict", "d.png"),
    ]  # fmt: skip
    told = "export.json task 3: the annotators disagree: x against y; mark one annotation as ground truth"
    assert told in [r.message for r in dataset.refusals]


def test_label_studio_regions(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["x"]}
    turned = {**value, "x": 50, "rotation": 90, "rectanglelabels": ["y"]}
    results = [
        {"type": "rectanglelabels", "value": value},
        {"type": "rectanglelabels", "value": turned, "original_width": 200, "original_height": 100},
        {"type": "polygonlabels", "value": {"points": [[0, 0], [50, 0], [50, 50]], "polygonlabels": ["z"]}},
        {"type": "polygonlabels", "value": {"points": "?", "polygonlabels": ["z"]}},
    ]
    tasks = [{"data": {"image": "a.png"}, "annotations": [{"result": results}]}]
    dataset = read(tmp_path, tasks, regions=True)
    found = {s.labels: s.roi for s in dataset.samples}
    assert found["x",] == Roi(((0.1, 0.2), (0.4, 0.6)))
    assert found["z",] == Roi(((0, 0), (0.5, 0), (0.5, 0.5)))
    corners = [(round(x, 6), round(y, 6)) for x, y in found["y",].points]  # type: ignore[union-attr]
    assert corners == [(0.5, 0.2), (0.5, 0.8), (0.3, 0.8), (0.3, 0.2)]
    assert codes(dataset) == ["bad_row"]
    assert seen(read(tmp_path, tasks)) == [("a.png", ("x", "y", "z"))]


def test_label_studio_json_min(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "c.png")
    box = {
        "x": 0,
        "y": 0,
        "width": 50,
        "height": 100,
        "rectanglelabels": ["x"],
        "original_width": 9,
        "original_height": 9,
    }
    tasks = [
        {"id": 1, "image": "a.png", "choice": "x", "annotator": 1, "lead_time": 2.5},
        {"id": 2, "image": "b.png", "choice": {"choices": ["x", "y"]}},
        {"id": 3, "image": "c.png", "label": [box]},
    ]
    assert seen(read(tmp_path, tasks)) == [("a.png", ("x",)), ("b.png", ("x", "y")), ("c.png", ("x",))]
    assert read(tmp_path, tasks, regions=True).samples[2].roi == Roi(((0, 0), (0.5, 1)))


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>x</name></label></labels></task></meta>
  <image id="0" name="a.png" subset="Train" width="200" height="100">
    <tag label="x" source="manual"><attribute name="sure">no</attribute></tag><tag label="y"/>
    <box label="z" xtl="20" ytl="10" xbr="60" ybr="60" occluded="0"/>
    <polygon label="z" points="0,0;100,0;100,100"/>
    <box label="q" xtl="20" ytl="10" xbr="20" ybr="60"/>
  </image>
  <image id="1" name="b.png" width="200" height="100"/>
  <image id="2" name="gone.png" width="2" height="1"><tag label="x"/></image>
</annotations>"""


def test_cvat_tags_and_shapes(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    dataset = read(tmp_path, CVAT, "annotations.xml")
    assert seen(dataset) == [("a.png", ("q", "x", "y", "z")), ("b.png", None)]
    assert (dataset.splits, codes(dataset)) == (("train", None), ["file_not_found"])
    regions = read(tmp_path, CVAT, "annotations.xml", regions=True)
    assert [(s.labels, s.roi and s.roi.points) for s in regions.samples] == [
        (("z",), ((0, 0), (0.5, 0), (0.5, 1))), (("z",), ((0.1, 0.1), (0.3, 0.6))), (None, None),
    ]  # fmt: skip
    assert codes(regions) == ["bad_roi", "file_not_found"]


@pytest.mark.parametrize(
    "text, told",
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "declares a document type or entities"),
        ('<!DOCTYPE annotations SYSTEM "file:///etc/passwd"><annotations/>', "declares a document type or entities"),
        ("<annotations><image name='a.png'>", "is not well-formed XML"),
        ("<other><annotations/></other>", "expected <annotations>, got <other>"),
    ],
)
def test_cvat_refuses_what_no_export_holds(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told) as caught:
        read(tmp_path, text, "x.xml", format="cvat")
    assert caught.value.reason is Reason.DATASET_FORMAT


def test_files_that_are_no_images_are_left_out_of_coco(tmp_path: Path) -> None:
    dataset = stored(tmp_path, [Sample("a.png", ("x",)), Sample("b.png", ("y",))])
    (tmp_path / "b.png").write_bytes(b"no image")
    report = write(dataset, tmp_path / "o.json", format="coco")
    assert (report.n_written, [r.uri for r in report.refusals]) == (1, ["b.png"])
    document = json.loads((tmp_path / "o.json").read_text())
    assert document["images"][0]["width"] == 4
    assert document["annotations"][0]["bbox"] == [0, 0, 4, 2]


def test_names_that_xml_cannot_hold_are_an_error(tmp_path: Path) -> None:
    dataset = stored(tmp_path, [Sample("a.png", ("bell\a",))])
    with pytest.raises(DataError) as caught:
        write(dataset, tmp_path / "o.xml", format="cvat")
    assert str(caught.value) == "XML cannot hold the name 'bell\\x07'; write csv or jsonl instead"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
