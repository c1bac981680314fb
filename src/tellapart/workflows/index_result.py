"""What changes and searches of an index return, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tellapart.data.hygiene.wording import count
from tellapart.data.labels import format_labels
from tellapart.index.manifest import Manifest
from tellapart.records import Refusal

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Changed:
    """An index after a change (`manifest`), and what became of the rows. No change leaves the generation as it is."""

    index: str
    manifest: Manifest
    n_added: int = 0
    n_replaced: int = 0
    n_removed: int = 0
    n_unchanged: int = 0
    n_repeated: int = 0
    refusals: tuple[Refusal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "index": self.index,
            "rows": self.manifest.n,
            "generation": self.manifest.generation,
            "added": self.n_added,
            "replaced": self.n_replaced,
            "removed": self.n_removed,
            "unchanged": self.n_unchanged,
            "repeated": self.n_repeated,
            "segments": [{"kind": s.kind, "rows": s.n, **s.parameters} for s in self.manifest.segments],
            "refused": [{"uri": one.uri, "code": one.code, "message": one.message} for one in self.refusals],
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        done = [
            ("added", self.n_added),
            ("replaced", self.n_replaced),
            ("removed", self.n_removed),
            ("unchanged", self.n_unchanged),
            ("named twice, the last counts", self.n_repeated),
            ("refused", len(self.refusals)),
        ]
        told = ", ".join(f"{n:,} {word}" for word, n in done if n)
        yield f"index     {self.index}: {count(self.manifest.n, 'row')}, generation {self.manifest.generation}"
        yield f"rows      {told or 'nothing to do'}"
        yield from segment_lines(self.to_json()["segments"])
        yield from (f"refused   {refusal.sentence}" for refusal in self.refusals[:_LISTED])
        if len(self.refusals) > _LISTED:
            yield f"refused   … and {len(self.refusals) - _LISTED:,} more; --json lists all"


def segment_lines(segments: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each segment; of an approximate one with how much it finds."""
    for one in segments:
        recall = f", recall {one['recall']:.3f} ± {one['recall_error']:.3f}" if "recall" in one else ""
        yield f"segment   {one['kind']}: {count(one['rows'], 'row')}{recall}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found: its number in the index, its cosine with the query, and what is known about it."""

    row: int
    similarity: float
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The uri, else the id."""
        return str(self.facts.get("uri") or self.facts["id"])

    @property
    def labels(self) -> str:
        """`frog`, `a, b`, or nothing."""
        return format_labels(tuple(self.facts.get("labels") or ()))

    def to_json(self) -> dict[str, Any]:
        """Facts that are known; times as text."""
        known = {key: _plain(value) for key, value in self.facts.items() if value is not None and key != "similarity"}
        return {"similarity": round(self.similarity, 6), **known}


@dataclass(frozen=True, slots=True)
class Answered:
    """A query by its name (uri, id or row) and what was found for it, the most similar first."""

    query: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Answers in the order of the queries, and images that could not be read."""

    answers: tuple[Answered, ...]
    refusals: tuple[Refusal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "answers": [{"query": one.query, "hits": [hit.to_json() for hit in one.hits]} for one in self.answers],
            "refused": [{"uri": one.uri, "code": one.code, "message": one.message} for one in self.refusals],
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        for one in self.answers:
            yield one.query
            width = max((len(hit.labels) for hit in one.hits), default=0)
            yield from (f"  {hit.similarity:.4f}  {hit.labels:{width}}  {hit.name}".rstrip() for hit in one.hits)
            if not one.hits:
                yield "  nothing"
        yield from (f"refused   {refusal.sentence}" for refusal in self.refusals)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are nearly alike, in the order of rows; `similarity` of a hit is that with the most similar other one."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """Groups of near-duplicates, the largest first, with the number of pairs `above` a similarity."""

    above: float
    n_pairs: int
    groups: tuple[Group, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        groups = [[hit.to_json() for hit in group.hits] for group in self.groups]
        return {"above": self.above, "pairs": self.n_pairs, "groups": groups}

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        n = sum(len(group.hits) for group in self.groups)
        pairs, groups = count(self.n_pairs, "pair"), count(len(self.groups), "group")
        yield f"{pairs} of similarity {self.above:g} or more: {n:,} rows in {groups}"
        for number, group in enumerate(self.groups, 1):
            yield f"group {number}"
            yield from (f"  {hit.similarity:.4f}  {hit.labels}  {hit.name}".rstrip() for hit in group.hits)


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | int | list | type(None)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return str(value)
