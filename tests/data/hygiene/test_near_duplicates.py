"""One picture edited: what is said, what is proposed, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.near_duplicates import N, edited, facts, planted

from tellapart.data.hygiene import near_copies as module
from tellapart.data.hygiene.near_copies import near_copies
from tellapart.data.hygiene.near_duplicates import find
from tellapart.data.hygiene.protocol import Proposal
from tellapart.data.repair.applying import apply_fixes
from tellapart.data.repair.fixes import accept_all
from tellapart.data.repair.proposing import propose


def test_findings_say_what_where_and_what_to_do() -> None:
    labels, splits, same = find(planted())
    assert labels.sentence == (
        "1 picture is there more than once, hardly changed, under several labels, such as bad/00002.png as 'bad' and 'good'"
    )
    assert labels.proposals == (Proposal(2, "drop"), Proposal(21, "drop"))
    assert splits.sentence == (
        "1 picture is there more than once, hardly changed, in several splits, such as bad/00004.png in 'test' and 'train'"
    )
    assert splits.proposals == (Proposal(4, "move", "test"),)
    assert same.sentence == (
        "1 image is hardly changed from others with the same label, such as bad/00010.png from bad/00000.png"
    )
    assert same.proposals == (Proposal(0, "group", "near-000000000000"), Proposal(10, "group", "near-000000000000"))


def test_a_clear_majority_decides_on_the_label() -> None:
    parts = facts()
    for copy in (10, 20, 21):
        edited(parts, copy, 0)
    (found,) = find(evidence(samples(N), **parts))
    assert found.clusters == ((0, 10, 20, 21),)
    assert found.proposals == (Proposal(21, "relabel", "bad"),)
    edited(parts, 23, 0)
    (found,) = find(evidence(samples(N), **parts))
    assert found.proposals == tuple(Proposal(row, "drop") for row in (0, 10, 20, 21, 23))


def test_groups_of_the_user_stay() -> None:
    parts, chosen = facts(), samples(N)
    for copy, source in ((10, 0), (12, 2)):
        edited(parts, copy, source)
    chosen[0] = replace(chosen[0], group="part 7")
    chosen[2], chosen[12] = replace(chosen[2], group="a"), replace(chosen[12], group="b")
    (found,) = find(evidence(chosen, **parts))
    assert found.clusters == ((0, 10), (2, 12))
    assert found.proposals == (Proposal(10, "group", "part 7"),)


def test_a_picture_takes_its_group_along_into_another_split() -> None:
    parts, chosen = facts(), [replace(one, split="train") for one in samples(N)]
    edited(parts, 10, 0)
    for row, split, group in ((0, "test", "part"), (2, "test", "part"), (4, "test", None), (10, "train", None)):
        chosen[row] = replace(chosen[row], split=split, group=group)
    (found,) = find(evidence(chosen, **parts))
    assert found.proposals == (Proposal(10, "move", "test"),)
    chosen[6], chosen[8] = (replace(chosen[row], group="line") for row in (6, 8))
    chosen[10] = replace(chosen[10], group="line")
    (found,) = find(evidence(chosen, **parts))
    assert found.proposals == (Proposal(0, "move", "train"), Proposal(2, "move", "train"))


def test_files_with_the_same_bytes_are_for_another_check() -> None:
    parts, chosen = facts(), samples(N)
    for copy in (10, 12):
        edited(parts, copy, 0)
    chosen[12] = replace(chosen[12], id=chosen[0].id)
    assert near_copies(evidence(chosen, **parts)) == [[0, 10]]


def test_a_chain_of_edits_is_one_picture() -> None:
    parts = facts()
    edited(parts, 10, 0)
    edited(parts, 20, 10)
    assert near_copies(evidence(samples(N), **parts)) == [[0, 10, 20]]


@pytest.mark.parametrize("at_once", [7, 2_048])
def test_many_photos_of_one_place_take_no_all_pairs(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(module, "_ALL_PAIRS_OF", 50)
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    parts = facts()
    parts["look_alikes"][:] = 0
    edited(parts, 10, 0)
    edited(parts, 71, 70)
    assert near_copies(evidence(samples(N), **parts)) == [[0, 10], [70, 71]]


def test_a_shift_is_seen_through_and_an_even_picture_is_no_likeness() -> None:
    parts = facts()
    edited(parts, 10, 0)
    parts["thumbnails"][10] = np.roll(parts["thumbnails"][0], 2, axis=1)
    edited(parts, 20, 2)
    parts["thumbnails"][[2, 20]] = 128
    assert near_copies(evidence(samples(N), **parts)) == [[0, 10]]


def test_all_proposals_together_leave_one_picture_in_one_split() -> None:
    given = planted()
    fixes = accept_all(propose(given.dataset, find(given)))
    after = apply_fixes(given.dataset, fixes).dataset
    assert len(after) == N - 2
    split = dict(zip(after.uris, after.splits, strict=True))
    assert split["bad/00004.png"] == split["bad/00014.png"] == "test"
    group = dict(zip(after.uris, after.groups, strict=True))
    assert group["bad/00000.png"] == group["bad/00010.png"] == "near-000000000000"
