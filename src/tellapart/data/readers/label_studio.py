"""Label Studio JSON: choices as labels, rectangles and polygons as regions; the full form and JSON-MIN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tellapart.data.readers.json_file import head_of, images_root, load_json
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.regions import number, region, rotated_box
from tellapart.data.readers.rows import COLUMNS, RowCollector
from tellapart.errors import DataError, Reason, SpecError
from tellapart.records import Roi

_REGIONS = {"rectanglelabels": "rectanglelabels", "polygonlabels": "polygonlabels"}
_MIN_OWN = frozenset({"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"})
_RULED_OUT = "the annotators disagree"


class LabelStudio:
    """Tasks without annotations are unlabelled; cancelled annotations and predictions are not used.

    Of several annotations the one marked as ground truth counts, else all must agree, else the image is refused as a
    label_conflict. Without `regions`, labels of rectangles and polygons count for the whole image.
    """

    name = "label_studio"
    summary = "Label Studio JSON or JSON-MIN: choices, rectanglelabels, polygonlabels"

    def accepts(self, path: Path) -> bool:
        """A JSON list of objects."""
        if path.suffix.lower() != ".json" or not path.is_file():
            return False
        head = head_of(path)
        return head.startswith(b"[") and head[1:].lstrip()[:1] in (b"{", b"]")

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Tasks to samples."""
        document = load_json(path)
        if not isinstance(document, list):
            raise DataError(Reason.DATASET_FORMAT, f"{path} is no Label Studio export: expected a list of tasks")
        collector = RowCollector(options.images or images_root(path), options)
        for i, task in enumerate(document):
            where = f"{path.name} task {i}"
            if not isinstance(task, dict):
                collector.refuse(where, Reason.BAD_ROW, f"{where}: expected an object, got {task!r:.60}")
            elif isinstance(task.get("data"), dict):
                _add_task(task, where, collector)
            else:
                _add_min(task, where, collector)
        return collector.finish()


def _add_task(task: dict[str, Any], where: str, collector: RowCollector) -> None:
    row = _with_file(task["data"])
    try:
        results = _agreed(task)
        regions = [r for r in results or () if r.get("type") in _REGIONS] if collector.options.regions else []
        if not regions:
            labels = None if results is None else [name for r in results for name in _names(r)]
            collector.add(row, where=where, labels=labels)
            return
    except DataError as exc:
        collector.refuse(str(row.get("file_name", where)), exc.reason, f"{where}: {exc}")
        return
    for result in regions:
        try:
            roi = _roi(result)
        except (DataError, SpecError) as exc:
            collector.refuse(str(row.get("file_name", where)), exc.reason, f"{where}: {exc}")
            continue
        collector.add({**row, "roi": roi.to_json()}, where=where, labels=_names(result))


def _add_min(task: dict[str, Any], where: str, collector: RowCollector) -> None:
    """JSON-MIN: the data's keys beside `choice`; boxes stand under `label` as objects."""
    row = _with_file({key: value for key, value in task.items() if key not in _MIN_OWN})
    boxes = next((v for v in row.values() if isinstance(v, list) and v and isinstance(v[0], dict)), None)
    if boxes is None:
        collector.add(row, where=where)
        return
    pairs = [(kind, box) for box in boxes if isinstance(box, dict) for kind in _REGIONS if kind in box]
    kinds = [{"type": kind, "value": box, **box} for kind, box in pairs]
    row = {key: value for key, value in row.items() if value is not boxes}
    _add_task({"data": row, "annotations": [{"result": kinds}]}, where, collector)


def _with_file(data: dict[str, Any]) -> dict[str, Any]:
    """The image's key is whatever the labelling config calls it: a known name, else the first text that is a path."""
    row = dict(data)
    lowered = {key.lower(): key for key in row}
    key = next((lowered[name] for name in COLUMNS["file"] if name in lowered), None)
    if key is None:
        key = next((k for k, v in row.items() if isinstance(v, str) and "/" in v), None)
    if key is not None:
        row["file_name"] = row.pop(key)
    return row


def _agreed(task: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Results of the annotation that counts, None when there is none."""
    listed = task.get("annotations", task.get("completions"))
    done = [a for a in listed or () if isinstance(a, dict) and not a.get("was_cancelled")]
    if not done:
        return None
    done = [a for a in done if a.get("ground_truth")] or done
    results = [[r for r in a.get("result") or () if isinstance(r, dict)] for a in done]
    told = {frozenset(name for r in found for name in _names(r)) for found in results}
    if len(told) > 1:
        shown = " against ".join(sorted(", ".join(sorted(names)) or "nothing" for names in told))
        raise DataError(Reason.LABEL_CONFLICT, f"{_RULED_OUT}: {shown}; mark one annotation as ground truth")
    return results[0]


def _names(result: dict[str, Any]) -> list[str]:
    value = result.get("value")
    if not isinstance(value, dict):
        return []
    for key in ("choices", *_REGIONS.values()):
        if isinstance(value.get(key), list):
            return [str(name) for name in value[key]]
    return [value["choices"]] if isinstance(value.get("choices"), str) else []


def _roi(result: dict[str, Any]) -> Roi:
    """Label Studio writes per cent of the image's width and height; turned boxes need its pixels as well."""
    value = result.get("value") or {}
    name = _region_name(result)
    if result.get("type") == "polygonlabels":
        points = value.get("points")
        if not isinstance(points, list) or not all(isinstance(p, list) and len(p) == 2 for p in points):
            raise DataError(Reason.BAD_ROW, f"a polygon has points [[x, y], …], got {points!r:.60}")
        return region([(number(x), number(y)) for x, y in points], (100, 100), name)
    x, y, width, height = (number(value.get(key)) for key in ("x", "y", "width", "height"))
    degrees = number(value.get("rotation") or 0)
    if degrees == 0:
        return region([(x, y), (x + width, y + height)], (100, 100), name)
    wide, high = number(result.get("original_width")) / 100, number(result.get("original_height")) / 100
    return region(rotated_box(x * wide, y * high, width * wide, height * high, degrees), (100 * wide, 100 * high), name)


def _region_name(result: dict[str, Any]) -> str:
    """The note a person gave to a region, if any."""
    meta = result.get("meta")
    notes = meta.get("text") if isinstance(meta, dict) else None
    return notes[0] if isinstance(notes, list) and notes and isinstance(notes[0], str) else ""
