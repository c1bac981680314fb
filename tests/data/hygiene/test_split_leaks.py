"""What is said of splits that share images."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.split_leaks import parted, planted

from tellapart.data.hygiene import exact_duplicates
from tellapart.data.hygiene.protocol import Proposal, Severity
from tellapart.data.hygiene.split_leaks import find
from tellapart.records import Roi


def test_the_sentences() -> None:
    images, groups = find(planted())
    assert images.sentence == (
        "2 images lie in several splits, such as 'bad/00000.png' in test and 'bad/00010.png' in train"
    )
    assert images.remedy == "keep each in one split only: what a model learned by heart tells nothing about it"
    assert groups.sentence == (
        "1 group lies in several splits, such as 'part 2' with 'bad/00008.png' in train and 'good/00009.png' in test"
    )
    assert groups.remedy == "move each group to one split: images that belong together must not judge one another"


def test_a_copy_is_told_once() -> None:
    assert exact_duplicates.find(planted()) == []


def test_copies_with_different_labels_are_told_as_such() -> None:
    chosen = [replace(sample, group=None) for sample in parted()]
    chosen[21] = replace(chosen[21], id=chosen[8].id)
    assert chosen[21].split != chosen[8].split
    assert find(evidence(chosen)) == []
    assert [found.severity for found in exact_duplicates.find(evidence(chosen))] == [Severity.ERROR]


def test_the_one_that_judges_is_kept() -> None:
    chosen = samples(6, ["a"])
    for row, split in enumerate(("train", "val", "test", "train")):
        chosen[row] = replace(chosen[row], id="f" * 64, split=split)
    (found,) = find(evidence(chosen))
    assert sorted(one.row for one in found.proposals) == [0, 1, 3]


def test_regions_of_an_image_go_to_one_split() -> None:
    left, right = Roi(((0.0, 0.0), (0.5, 1.0))), Roi(((0.5, 0.0), (1.0, 1.0)))
    chosen = [replace(one, split="train") for one in samples(4)]
    chosen[0] = replace(chosen[0], id="f" * 64, roi=left)
    chosen[1] = replace(chosen[1], id="f" * 64, split="test", roi=right)
    (found,) = find(evidence(chosen))
    assert found.proposals == (Proposal(0, "move", "test"),)


def test_what_files_and_groups_join_goes_to_one_split() -> None:
    """Row 0 shares its file with row 1 (test) and its group with row 2 (val), which nothing tears yet."""
    left, right = Roi(((0.0, 0.0), (0.5, 1.0))), Roi(((0.5, 0.0), (1.0, 1.0)))
    chosen = [replace(one, split=("train", "val", "test")[row % 3]) for row, one in enumerate(samples(30))]
    chosen[0] = replace(chosen[0], id="f" * 64, split="val", roi=left, group="part")
    chosen[1] = replace(chosen[1], id="f" * 64, split="test", roi=right)
    chosen[2] = replace(chosen[2], split="val", group="part")
    (found,) = find(evidence(chosen))
    assert found.proposals == (Proposal(1, "move", "val"),)
    chosen[3] = replace(chosen[3], split="test", group="part")
    images, groups = find(evidence(chosen))
    assert images.proposals == groups.proposals == (Proposal(0, "move", "test"), Proposal(2, "move", "test"))


def test_where_every_group_is_torn_a_new_split_is_advised() -> None:
    chosen = [replace(sample, split="test" if i % 4 == 0 else "train") for i, sample in enumerate(parted())]
    (found,) = find(evidence(chosen))
    assert found.figures == {"leaks": 30}
    assert found.proposals == ()
    assert found.remedy == "split anew: without a split of their own, images are split by group"


def test_only_what_judges_makes_it_an_error() -> None:
    chosen = [replace(sample, group=None) for sample in parted()]
    chosen[4] = replace(chosen[4], split="val")
    chosen[6] = replace(chosen[6], id=chosen[4].id)
    assert [found.severity for found in find(evidence(chosen))] == [Severity.WARNING]
    without_test = [replace(one, split="train" if one.split == "test" else one.split) for one in chosen]
    assert [found.severity for found in find(evidence(without_test))] == [Severity.ERROR]


def test_without_splits_nothing_leaks() -> None:
    chosen = [replace(sample, split=None) for sample in parted()]
    chosen[9] = replace(chosen[9], id=chosen[8].id)
    assert find(evidence(chosen)) == []
