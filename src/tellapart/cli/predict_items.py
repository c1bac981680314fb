"""`tellapart predict --item`: several images of one piece, one decision."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from tellapart.cli.environment import decode_limits, provider
from tellapart.cli.options import PATH, flag, gathered, parse_rois
from tellapart.cli.output import destination, note, one_line, plain
from tellapart.cli.progress import progress
from tellapart.errors import Reason, SettingsError

if TYPE_CHECKING:
    from tellapart.records.observation import Observation
    from tellapart.workflows.items import ItemDecision

EXIT_NOTHING_ANSWERED = 3

ITEM = gathered(
    "item",
    lambda values: values,
    flag("--item", "item", "All images are of one piece: one decision by --policy."),
    click.option("--policy", type=PATH, metavar="FILE", help="With --item: the policy, with window: {item: true}."),
    click.option(
        "--item-by",
        type=click.Choice(["call", "folder", "stem"]),
        help="With --item: one piece are all images, those of a folder, or files that begin alike (p17_top, p17_side).",
    ),
    click.option(
        "--view", multiple=True, metavar="NAME=PATTERN", help="With --item: side that files show; may be repeated."
    ),
)


def asked_for(item: Mapping[str, Any]) -> bool:
    """Whether pieces are decided on.

    Raises:
        SettingsError: an option of pieces without `--item`, or `--item` without a policy.
    """
    names = {"policy": "--policy", "item_by": "--item-by", "view": "--view"}
    given = [option for name, option in names.items() if item[name]]
    if not item["item"] and given:
        raise SettingsError(Reason.BAD_SETTING, f"{given[0]} is about several images of one piece: add --item")
    if item["item"] and item["policy"] is None:
        raise SettingsError(Reason.BAD_SETTING, "--item decides by a policy: name it with --policy FILE")
    return bool(item["item"])


def predict_items(
    model: Path,
    paths: Sequence[Path],
    item: Mapping[str, Any],
    *,
    rois: Sequence[str],
    workers: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Decide and write; exit code 3 where no image was answered."""
    from tellapart.workflows.items import decide_items

    with progress() as shown:
        found = decide_items(
            model,
            paths,
            policy=item["policy"],
            by=item["item_by"] or "call",
            views=_views(item["view"]),
            rois=parse_rois(rois),
            workers=workers,
            provider=provider(),
            limits=decode_limits(),
            progress=shown,
        )
    with destination(output) as stream:
        for one in found:
            stream.write(one_line(one.to_json()) + "\n") if as_json else _write(one, stream)
    for one in found:
        for refusal in one.refusals:
            note(f"refused: {plain(refusal.sentence)}")
    if not any(one.decisions for one in found):
        sys.exit(EXIT_NOTHING_ANSWERED)


def _views(given: Iterable[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if any(not name or not pattern for name, _, pattern in pairs):
        raise click.BadParameter("a view is written NAME=PATTERN, such as top=*_top.*", param_hint="--view")
    return {name: pattern for name, _, pattern in pairs}


def _write(one: ItemDecision, stream: TextIO) -> None:
    several = len({decision.track for decision in one.decisions}) > 1
    for decision in one.decisions:
        track = f" {plain(decision.track)}:" if several else ""
        told = f"{plain(one.name)}:{track} {plain(decision.state)} ({plain(decision.rule)}: {plain(decision.because)})"
        stream.write(told + "\n")
    if not one.decisions:
        stream.write(f"{plain(one.name)}: no decision, none of its images was answered\n")
    for image in one.observations:
        stream.write(f"  {_told(image)}\n")


def _told(image: Observation) -> str:
    ranked = sorted(image.confidences.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)
    shares = ", ".join(f"{plain(label)} {p:.1%}" for label, p in ranked[:3])
    answer = "unknown" if image.unknown else " + ".join(image.predicted) or "not sure"
    view = f" [{plain(image.view)}]" if image.view else ""
    return f"{plain(image.id)}{view}: {plain(answer)} ({shares})"
