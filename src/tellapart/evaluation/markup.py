"""The few HTML pieces the report is made of; everything that comes from outside is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

# The browser itself makes sure that nothing runs and nothing is fetched, whatever a file name contains.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, header: str, main: str, *, script: str = "") -> str:
    """A whole HTML text that stands alone; `header` and `main` are ready HTML. `script` runs, and nothing else does."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        f"<title>{text(title)}</title>\n<style>\n{style}</style></head>\n<body><header><div><h1>{text(title)}</h1>"
        f"{header}</div></header>\n<main>{main}</main>\n"
        "<footer>Written by tellapart. This file stands alone: it loads nothing and sends nothing.</footer>"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def _policy(script: str) -> str:
    if not script:
        return _POLICY
    digest = base64.b64encode(sha256(script.encode()).digest()).decode("ascii")
    return f"{_POLICY}; script-src 'sha256-{digest}'"


def text(value: object) -> str:
    """Escaped text; control characters, which no browser shows, become visible marks."""
    shown = "".join(
        c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else "\N{REPLACEMENT CHARACTER}" for c in str(value)
    )
    return escape(shown, quote=True)


def section(key: str, title: str, *parts: str) -> str:
    """A section with its heading; empty when it has no content."""
    body = "".join(parts)
    return (
        f'<section id="{key}" aria-labelledby="{key}-h"><h2 id="{key}-h">{text(title)}</h2>{body}</section>'
        if body
        else ""
    )


def paragraph(value: str, style: str = "") -> str:
    """A paragraph of plain text."""
    attribute = f' class="{style}"' if style else ""
    return f"<p{attribute}>{text(value)}</p>"


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()) -> str:
    """A table that scrolls by itself; cells are ready HTML, the first of each row is its heading."""
    right = dict.fromkeys(numeric, ' class="num"')
    head = "".join(f'<th scope="col"{right.get(i, "")}>{text(name)}</th>' for i, name in enumerate(heads))
    lines = [
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{right.get(i, '')}>{cell}</td>" for i, cell in enumerate(row[1:], 1))
        + "</tr>"
        for row in rows
    ]
    name = text(caption)
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return scrolling(caption, f'<table class="wide sticky" aria-label="{name}">{body}</table>')


def scrolling(name: str, body: str) -> str:
    """A box that scrolls sideways on narrow screens and can be reached by keyboard; its caption stays in sight."""
    label = text(name)
    return f'<p class="caption">{label}</p><div class="scroll" role="region" tabindex="0" aria-label="{label}">{body}</div>'


def facts(values: Mapping[str, Any]) -> str:
    """Nested facts as definition lists."""
    return "<dl>" + "".join(f"<dt>{text(_spaced(key))}</dt><dd>{_fact(v)}</dd>" for key, v in values.items()) + "</dl>"


def _spaced(key: object) -> str:
    return str(key).replace("_", " ")


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return facts(value) if value else "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return text(f"{value:.6g}")
    if isinstance(value, int):
        return text(f"{value:,}")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(_fact(item) for item in value) or "–"
    return "–" if value is None or value == "" else text(value)


def image(data: bytes, alt: str) -> str:
    """An `<img>` that carries its JPEG, PNG or WebP bytes."""
    kind = "png" if data[:4] == b"\x89PNG" else "webp" if data[:4] == b"RIFF" else "jpeg"
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img src="data:image/{kind};base64,{encoded}" alt="{text(alt)}" loading="lazy" decoding="async">'
