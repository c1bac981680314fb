"""The text of a policy with other numbers in it: names, comments, order and spelling stay as somebody wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import yaml

from tellapart.settings.given import Path

MARK = "# tuned: "
"""Begins the lines at the head of a file that say on what it was tuned."""
Number = int | float


def number_places(text: str) -> dict[Path, tuple[int, int]]:
    """Where each plain scalar of a readable YAML text stands: from its first character up to the one behind its last.

    Paths are those of `settings.recipe_yaml`: names, and the numbers of items as text.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return dict(_scalars(node, ())) if node is not None else {}


def with_numbers(text: str, numbers: Mapping[Path, Number]) -> str:
    """The text with other numbers at these paths; everything else stays, to the character.

    Raises:
        KeyError: nothing is written at one of the paths.
    """
    places = number_places(text)
    for path in sorted(numbers, key=lambda one: places[one], reverse=True):
        begin, end = places[path]
        text = text[:begin] + written(numbers[path]) + text[end:]
    return text


def with_head(text: str, lines: Sequence[str]) -> str:
    """The text under comment lines that say on what it was tuned; those of an earlier tuning make way."""
    newline = "\r\n" if "\r\n" in text else "\n"
    rest = text
    while rest.startswith(MARK.rstrip()):
        _, _, rest = rest.partition("\n")
    return "".join(f"{MARK}{_one_line(line)}{newline}" for line in lines) + rest


def written(number: Number) -> str:
    """As short as it can be read back exactly: 5, 0.75, 1e-05."""
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < 1e15)
    return str(int(number)) if whole else repr(number)


def _scalars(node: yaml.Node, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _scalars(item, (*path, str(number)))
    else:
        yield path, (node.start_mark.index, node.end_mark.index)


def _one_line(line: str) -> str:
    """What YAML takes in a comment: no line break, no character that it does not allow."""
    return "".join(c if c.isprintable() else " " for c in line)
