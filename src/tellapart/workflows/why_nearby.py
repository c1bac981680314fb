"""What models said shortly before and after a decision, of the same regions: from the recording, where it is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tellapart.records.observation import Observation
from tellapart.streams.layout import RECORDING, observations_file
from tellapart.workflows.why_images import Behind

MOST = 400
_AT = re.compile(rb'\{"at":([0-9.e+-]+),')


def nearby(folder: Path, images: Sequence[Behind], from_s: float, to_s: float) -> list[Observation]:
    """Oldest first, at most the 400 nearest to the end; only lines of this time and these regions are read."""
    names = {str(one.told["id"]).rpartition("@")[0] for one in images}
    needles = [f'"id":{json.dumps(name, ensure_ascii=False)[:-1]}@'.encode("utf-8", "replace") for name in names]
    files = sorted({observations_file(folder / RECORDING, at_s) for at_s in (from_s, to_s)})
    found = [one for file in files for one in _of_file(file, needles, from_s, to_s)]
    return sorted(found, key=lambda one: one.order)[-MOST:]


def _of_file(path: Path, needles: Iterable[bytes], from_s: float, to_s: float) -> Iterator[Observation]:
    try:
        data = path.read_bytes()
    except OSError:
        return
    for line in data.split(b"\n"):
        at = _AT.match(line)
        if at is not None and from_s <= float(at[1]) <= to_s and any(needle in line for needle in needles):
            with suppress(KeyError, TypeError, ValueError):
                yield Observation.from_json(json.loads(line))
