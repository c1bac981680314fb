"""COCO, Label Studio and CVAT: files that annotation tools open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from tellapart.data.containers import read_bytes
from tellapart.data.dataset import Dataset
from tellapart.data.readers.coco import EXTRA
from tellapart.data.writers.images import Placer
from tellapart.data.writers.protocol import WriteOptions, WriteReport
from tellapart.data.writers.rows import EVERYTHING, context, dump_json, placed, write_annotations
from tellapart.errors import DataError, ImageError, Reason
from tellapart.image.types import DecodeLimits
from tellapart.records import Refusal, Roi, Sample

Size = tuple[int, int]


class CocoWriter:
    """Labels as annotations over the whole image, regions as boxes or polygons in pixels.

    What COCO has no field for (group, split, time, metadata, "unlabelled") stands under the key `tellapart` of image
    and annotation, which other tools pass over. Sizes are read from the images; unreadable ones are refused.
    """

    name = "coco"
    carries = EVERYTHING

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """One JSON file."""

        def write(temporary: Path, placer: Placer) -> int:
            names = sorted({name for sample in dataset.samples for name in sample.labels or ()})
            categories = {name: i for i, name in enumerate(names, start=1)}
            images: list[dict[str, Any]] = []
            annotations: list[dict[str, Any]] = []
            count = 0
            for name, group, size in _sized(dataset, placer):
                image = {"id": len(images) + 1, "file_name": name, "width": size[0], "height": size[1]}
                images.append(image | {EXTRA: _about(group)})
                for sample in group:
                    annotations += _coco_annotations(sample, categories, image, len(annotations))
                count += len(group)
            document: dict[str, Any] = {"info": {"description": "written by tellapart"}, "images": images}
            document["annotations"] = annotations
            document["categories"] = [{"id": i, "name": name} for name, i in categories.items()]
            dump_json(document, temporary)
            return count

        return write_annotations(dataset, path, options, self.carries, write)


class LabelStudioWriter:
    """Tasks with choices, and rectangles or polygons for regions; other columns stand in the task's `data`."""

    name = "label_studio"
    carries = EVERYTHING

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """One JSON file; paths are written for local storage (`/data/local-files/?d=…`)."""

        def write(temporary: Path, placer: Placer) -> int:
            tasks: list[dict[str, Any]] = []
            count = 0
            for name, group in _by_image(dataset, placer):
                data = {"image": f"/data/local-files/?d={quote(name)}", **_context(group[0])}
                labelled = [sample for sample in group if sample.labels is not None]
                results = [_studio_result(sample) for sample in labelled if sample.labels or sample.roi is not None]
                tasks.append(
                    {"id": len(tasks) + 1, "data": data, "annotations": [{"result": results}] if labelled else []}
                )
                count += len(group)
            dump_json(tasks, temporary)
            return count

        return write_annotations(dataset, path, options, self.carries, write)


class CvatWriter:
    """CVAT for images XML 1.1: tags, boxes and polygons, `subset` for the split."""

    name = "cvat"
    carries = frozenset({"multilabel", "unlabelled", "split", "roi"})

    def write(self, dataset: Dataset, path: Path, options: WriteOptions) -> WriteReport:
        """One XML file. DataError write_failed for names with characters that XML cannot hold."""

        def write(temporary: Path, placer: Placer) -> int:
            root = ElementTree.Element("annotations")
            ElementTree.SubElement(root, "version").text = "1.1"
            count = 0
            for i, (name, group, size) in enumerate(_sized(dataset, placer)):
                about = {"id": str(i), "name": name, "width": str(size[0]), "height": str(size[1])}
                if group[0].split is not None:
                    about["subset"] = group[0].split
                _expect_xml(about.values())
                image = ElementTree.SubElement(root, "image", about)
                for sample in group:
                    _cvat_marks(image, sample, size)
                count += len(group)
            ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
            return count

        return write_annotations(dataset, path, options, self.carries, write)


def _by_image(dataset: Dataset, placer: Placer) -> Iterator[tuple[str, list[Sample]]]:
    """Samples of one image together, as far as they agree in everything but region and labels.

    A region without a label has no place in an annotation file: it is refused.
    """
    grouped: dict[tuple[str, str, bool], list[Sample]] = {}
    for name, sample in placed(dataset, placer):
        if sample.roi is not None and not sample.labels:
            message = f"{sample.uri!r}: a region without a label has no place in this format; write csv or jsonl"
            placer.refusals.append(Refusal(sample.uri, Reason.UNLABELLED.value, message))
            continue
        grouped.setdefault((name, json.dumps(_context(sample)), sample.roi is None), []).append(sample)
    for (name, _, _), group in grouped.items():
        yield name, group


def _sized(dataset: Dataset, placer: Placer) -> Iterator[tuple[str, list[Sample], Size]]:
    """As `_by_image`, with the size of the upright image; files that are no images are refused."""
    for name, group in _by_image(dataset, placer):
        try:
            data = read_bytes(group[0].uri, root=dataset.root, limits=DecodeLimits())
            yield name, group, image_size(data)
        except ImageError as exc:
            placer.refusals += [Refusal.of(sample.uri, exc) for sample in group]


def image_size(data: bytes) -> Size:
    """(width, height) in pixels of the upright image; ImageError when it cannot be decoded."""
    from tellapart.image.decode import DecodeOptions, decode
    from tellapart.image.intensity import Intensity

    return decode(data, options=DecodeOptions(intensity=Intensity("range", 0, 1)), at_least=(1, 1)).original_size


def _context(sample: Sample) -> dict[str, Any]:
    return {key: value for key, value in context(sample).items() if key != "roi"}


def _about(group: list[Sample]) -> dict[str, Any]:
    return _context(group[0]) | {"labelled": any(sample.labels is not None for sample in group)}


def _coco_annotations(
    sample: Sample, categories: dict[str, int], image: dict[str, Any], done: int
) -> list[dict[str, Any]]:
    """One annotation per label of a whole image; one in all for a region."""
    size = image["width"], image["height"]
    if sample.roi is None:
        extra: dict[str, Any] = {"whole": True}
        names = sample.labels or ()
        shape = {"bbox": [0, 0, *size], "area": size[0] * size[1], "segmentation": []}
    else:
        extra = {"roi": sample.roi.to_json(), "labels": list(sample.labels or ())}
        names = (sample.labels or ())[:1]
        shape = _coco_shape(sample.roi, size)
    return [
        {"id": done + i, "image_id": image["id"], "category_id": categories[name], "iscrowd": 0, **shape, EXTRA: extra}
        for i, name in enumerate(names, start=1)
    ]


def _coco_shape(roi: Roi, size: Size) -> dict[str, Any]:
    width, height = size
    x0, y0, x1, y1 = roi.box
    box = [x0 * width, y0 * height, (x1 - x0) * width, (y1 - y0) * height]
    outline = [[value for x, y in roi.points for value in (x * width, y * height)]] if roi.is_polygon else []
    return {"bbox": box, "area": box[2] * box[3], "segmentation": outline}


def _studio_result(sample: Sample) -> dict[str, Any]:
    names = list(sample.labels or ())
    if sample.roi is None:
        return {"type": "choices", "from_name": "choice", "to_name": "image", "value": {"choices": names}}
    if sample.roi.is_polygon:
        value: dict[str, Any] = {"points": [[100 * x, 100 * y] for x, y in sample.roi.points], "polygonlabels": names}
    else:
        x0, y0, x1, y1 = (100 * edge for edge in sample.roi.box)
        value = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "rotation": 0, "rectanglelabels": names}
    kind = "polygonlabels" if sample.roi.is_polygon else "rectanglelabels"
    meta = {"meta": {"text": [sample.roi.name]}} if sample.roi.name else {}
    return {"type": kind, "from_name": "label", "to_name": "image", "value": value, **meta}


def _cvat_marks(image: ElementTree.Element, sample: Sample, size: Size) -> None:
    _expect_xml(sample.labels or ())
    if sample.roi is None:
        for name in sample.labels or ():
            ElementTree.SubElement(image, "tag", {"label": name, "source": "manual"})
        return
    points = [(x * size[0], y * size[1]) for x, y in sample.roi.points]
    for name in sample.labels or ():
        if sample.roi.is_polygon:
            place = {"points": ";".join(f"{x!r},{y!r}" for x, y in points)}
            ElementTree.SubElement(image, "polygon", {"label": name, **place})
        else:
            edges = zip(("xtl", "ytl", "xbr", "ybr"), (*points[0], *points[1]), strict=True)
            ElementTree.SubElement(image, "box", {"label": name, **{key: repr(float(value)) for key, value in edges}})


def _expect_xml(texts: Iterable[str]) -> None:
    for text in texts:
        if any((ord(c) < 32 and c not in "\t\n\r") or c in "\ufffe\uffff" for c in text):
            raise DataError(Reason.WRITE_FAILED, f"XML cannot hold the name {text!r}; write csv or jsonl instead")
