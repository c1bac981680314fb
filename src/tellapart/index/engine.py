"""faiss, loaded when it is first needed: 0.3 s."""

from __future__ import annotations

from typing import Any


def engine() -> Any:
    """The library, untyped: the signatures it ships miss the parameters of searches and of reading."""
    import faiss

    return faiss
