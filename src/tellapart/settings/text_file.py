"""Text that users write, read from its file: never more than it can be, and refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tellapart.errors import TellapartError


def read_text(
    path: Path, told: str, *, be: str, max_bytes: int, refuse: Callable[[str], TellapartError], missing: str = ""
) -> str:
    """The whole file as UTF-8. `told` names it in sentences ("the policy x.yaml"), `be` is what it cannot be where it is
    larger than `max_bytes`, a multiple of 1024. `missing` is the sentence for a file that is not there.

    Raises:
        TellapartError: what `refuse` makes of the sentence.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
        text = data.decode("utf-8-sig") if len(data) <= max_bytes else None
    except OSError as exc:
        if missing and isinstance(exc, FileNotFoundError | NotADirectoryError):
            raise refuse(missing) from exc
        raise refuse(f"{told} cannot be read: {exc.strerror or exc}") from exc
    except ValueError as exc:  # no UTF-8, or a path with a zero byte
        raise refuse(f"{told} cannot be read: it is no UTF-8 text") from exc
    if text is None:
        size = f"{max_bytes >> 20} MiB" if max_bytes >= 1 << 20 else f"{max_bytes >> 10} KiB"
        raise refuse(f"{told} has more than {size}: it cannot be {be}")
    return text
