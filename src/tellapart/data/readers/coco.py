"""COCO JSON: every category annotated on an image is a label of it, or every box a sample."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from tellapart.data.readers.json_file import head_of, images_root, load_json
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.regions import number, region
from tellapart.data.readers.rows import RowCollector, parse_roi
from tellapart.errors import DataError, Reason, SpecError
from tellapart.records import Roi

EXTRA = "tellapart"
_OWN = frozenset({"id", "file_name", "width", "height", "license", "coco_url", "flickr_url", "date_captured", EXTRA})


class Coco:
    """Images without annotations are unlabelled when every other image has one label, else "nothing present".

    With `regions` every annotation is a sample: its box, or its polygon when it has exactly one.
    """

    name = "coco"
    summary = "COCO JSON: images, annotations, categories"

    def accepts(self, path: Path) -> bool:
        """A JSON object that speaks of images and annotations near its beginning or has COCO's first keys."""
        if path.suffix.lower() != ".json" or not path.is_file():
            return False
        head = head_of(path)
        return head.startswith(b"{") and any(key in head for key in (b'"images"', b'"annotations"', b'"categories"'))

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Annotations to samples."""
        document = load_json(path)
        if not isinstance(document, dict) or not isinstance(document.get("images"), list):
            raise DataError(Reason.DATASET_FORMAT, f"{path} is no COCO file: it has no list of images")
        names = {c["id"]: str(c["name"]) for c in _dicts(document.get("categories")) if {"id", "name"} <= set(c)}
        collector = RowCollector(options.images or images_root(path), options)
        by_image = _annotations(document, names, path.name, collector)
        images = document["images"]
        one_each = all(len({a["category_id"] for a in found}) <= 1 for found in by_image.values())
        exclusive = one_each if options.multilabel is None else not options.multilabel
        for i, image in enumerate(images):
            where = f"{path.name} image {i}"
            if not isinstance(image, dict):
                collector.refuse(where, Reason.BAD_ROW, f"{where}: expected an object, got {image!r:.60}")
                continue
            found = by_image.get(_key(image.get("id")), [])
            row = _row(image)
            shaped = [annotation for annotation in found if not _is_whole(annotation)] if options.regions else []
            if shaped:
                _add_regions(image, row, shaped, names, where, collector)
            else:
                _add_image(row, image, found, names, exclusive or options.regions, where, collector)
        return collector.finish()


def _add_image(
    row: dict[str, Any], image: dict[str, Any], found: list[dict[str, Any]], names: dict[Any, str],
    exclusive: bool, where: str, collector: RowCollector,
) -> None:  # fmt: skip
    labels: list[str] | None = [names[a["category_id"]] for a in found]
    extra = image.get(EXTRA)
    state = extra.get("labelled") if isinstance(extra, dict) else None
    if not labels and (state is False or (state is None and exclusive)):
        labels = None
    collector.add(row, where=where, labels=labels)


def _add_regions(
    image: dict[str, Any], row: dict[str, Any], found: list[dict[str, Any]], names: dict[Any, str],
    where: str, collector: RowCollector,
) -> None:  # fmt: skip
    for annotation in found:
        place = f"{where} annotation {annotation.get('id')}"
        try:
            roi = _roi(annotation, image)
        except (DataError, SpecError) as exc:
            collector.refuse(str(image.get("file_name")), exc.reason, f"{place}: {exc}")
            continue
        own = annotation.get(EXTRA)
        labels: list[str] | None = [names[annotation["category_id"]]]
        if isinstance(own, dict) and isinstance(own.get("labels"), list):
            labels = own["labels"]
        collector.add({**row, "roi": roi.to_json()}, where=place, labels=labels)


def _is_whole(annotation: dict[str, Any]) -> bool:
    """An annotation that stands for a label of the whole image, written by tellapart."""
    own = annotation.get(EXTRA)
    return isinstance(own, dict) and own.get("whole") is True


def _roi(annotation: dict[str, Any], image: dict[str, Any]) -> Roi:
    own = annotation.get(EXTRA)
    if isinstance(own, dict) and own.get("roi") is not None:
        parsed = parse_roi(own["roi"])
        if parsed is not None:
            return parsed
    size = number(image.get("width")), number(image.get("height"))
    outline = annotation.get("segmentation")
    if isinstance(outline, list) and len(outline) == 1 and isinstance(outline[0], list) and len(outline[0]) >= 6:
        flat = [number(value) for value in outline[0]]
        return region(list(zip(flat[::2], flat[1::2], strict=False)), size)
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(Reason.BAD_ROW, f"a box is [x, y, width, height], got {box!r:.60}")
    x, y, width, height = (number(value) for value in box)
    return region([(x, y), (x + width, y + height)], size)


def _annotations(
    document: dict[str, Any], names: dict[Any, str], file: str, collector: RowCollector
) -> dict[Any, list[dict[str, Any]]]:
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    known = {_key(image.get("id")) for image in _dicts(document["images"])}
    for i, annotation in enumerate(_dicts(document.get("annotations"))):
        where = f"{file} annotation {i}"
        image = _key(annotation.get("image_id"))
        category = annotation.get("category_id")
        if image not in known:
            collector.refuse(where, Reason.BAD_ROW, f"{where}: no image has the id {image!r}")
        elif not isinstance(category, int | str) or category not in names:
            collector.refuse(where, Reason.UNKNOWN_LABEL, f"{where}: no category has the id {category!r:.60}")
        else:
            by_image[image].append(annotation)
    return by_image


def _row(image: dict[str, Any]) -> dict[str, Any]:
    row = {key: value for key, value in image.items() if key not in _OWN}
    extra = image.get(EXTRA)
    if isinstance(extra, dict):
        row |= {key: value for key, value in extra.items() if key != "labelled"}
    if isinstance(image.get("date_captured"), str) and "captured_at" not in row:
        row["captured_at"] = image["date_captured"]
    return row | {"file_name": image.get("file_name")}


def _key(value: object) -> object:
    return value if isinstance(value, int | str) else repr(value)


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
