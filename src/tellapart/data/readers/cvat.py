"""CVAT for images (XML 1.1): tags as labels, boxes and polygons as regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from tellapart.data.readers.json_file import head_of, images_root
from tellapart.data.readers.protocol import ReadOptions, ReadResult
from tellapart.data.readers.regions import number, region
from tellapart.data.readers.rows import RowCollector
from tellapart.errors import DataError, Reason, SpecError
from tellapart.records import Roi

_SHAPES = ("box", "polygon")
_CHUNK_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class _Image:
    """An image element: its attributes, and (tag, attributes) of every label on it."""

    attributes: dict[str, str]
    marks: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Cvat:
    """Images without a tag are unlabelled. Without `regions`, labels of boxes and polygons count for the whole image.

    Entity and document type declarations are refused, so that a file can neither grow without bounds (billion laughs)
    nor reach for other files.
    """

    name = "cvat"
    summary = "CVAT for images XML: tag, box, polygon"

    def accepts(self, path: Path) -> bool:
        """An XML file with CVAT's root element."""
        return path.suffix.lower() == ".xml" and path.is_file() and b"<annotations" in head_of(path)

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Image elements to samples."""
        collector = RowCollector(options.images or images_root(path), options)
        for i, image in enumerate(_images(path)):
            where = f"{path.name} image {i}"
            row = {"file_name": image.attributes.get("name"), "split": image.attributes.get("subset")}
            shapes = [mark for mark in image.marks if mark[0] in _SHAPES]
            if not (options.regions and shapes):
                labels = [mark.get("label", "") for _, mark in image.marks]
                collector.add(row, where=where, labels=labels or None)
                continue
            for tag, shape in shapes:
                try:
                    roi = _roi(tag, shape, image.attributes)
                except (DataError, SpecError) as exc:
                    collector.refuse(row["file_name"] or where, exc.reason, f"{where}: {exc}")
                else:
                    collector.add({**row, "roi": roi.to_json()}, where=where, labels=[shape.get("label", "")])
        return collector.finish()


def _roi(tag: str, shape: dict[str, str], image: dict[str, str]) -> Roi:
    size = number(image.get("width")), number(image.get("height"))
    if tag == "box":
        x0, y0, x1, y1 = (number(shape.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
        return region([(x0, y0), (x1, y1)], size)
    points = shape.get("points", "")
    pairs = [pair.split(",") for pair in points.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise DataError(Reason.BAD_ROW, f"a polygon has points x,y;x,y;…, got {points!r:.60}")
    return region([(number(x), number(y)) for x, y in pairs], size)


def _images(path: Path) -> Iterator[_Image]:
    """Image elements one by one, so that memory stays flat."""
    handler = _Handler(path)
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                handler.parser.Parse(chunk, False)
                yield from handler.take()
            handler.parser.Parse(b"", True)
    except expat.ExpatError as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} is not well-formed XML ({exc})") from exc
    except OSError as exc:
        raise DataError(Reason.DATASET_FORMAT, f"{path} cannot be read ({exc})") from exc


class _Handler:
    """Collects image elements from parser events; expat itself never fetches anything."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.depth = 0
        self.current: _Image | None = None
        self.done: list[_Image] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._declaration
        self.parser.EntityDeclHandler = self._declaration

    def take(self) -> list[_Image]:
        """Finished images since the last call."""
        done, self.done = self.done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.depth == 0 and tag != "annotations":
            message = f"{self.path} is no CVAT export: expected <annotations>, got <{tag}>"
            raise DataError(Reason.DATASET_FORMAT, message)
        self.depth += 1
        if self.depth == 2 and tag == "image":
            self.current = _Image(attributes)
        elif self.depth == 3 and self.current is not None and tag in ("tag", *_SHAPES):
            self.current.marks.append((tag, attributes))

    def _end(self, _: str) -> None:
        self.depth -= 1
        if self.depth == 1 and self.current is not None:
            self.done.append(self.current)
            self.current = None

    def _declaration(self, *_: object) -> NoReturn:
        message = f"{self.path} declares a document type or entities; no CVAT export does, so it is not read"
        raise DataError(Reason.DATASET_FORMAT, message)
