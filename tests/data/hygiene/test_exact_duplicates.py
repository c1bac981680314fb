"""What is said of copies."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.hygiene.evidence import evidence, samples
from tests.contracts.hygiene.exact_duplicates import planted

from tellapart.data.hygiene.exact_duplicates import find
from tellapart.records import Roi


def test_the_sentences() -> None:
    copies, quarrels = find(planted())
    assert copies.sentence == (
        "3 images are byte-identical copies of others with the same label, such as 'bad/00010.png'"
    )
    assert copies.remedy == "drop the copies: they stay on one side of every split, but count twice"
    assert quarrels.sentence == (
        "1 image lies in the data under several labels at once, such as bad/00002.png as 'bad' and 'good'"
    )
    assert quarrels.remedy == "decide on one label for each: nobody can learn both"


def test_what_quarrels_is_not_dropped_before_a_person_looked() -> None:
    copies, quarrels = find(planted())
    assert [proposal.sure for proposal in copies.proposals] == [True] * 3
    assert [proposal.sure for proposal in quarrels.proposals] == [False] * 2


def test_one_copy_is_one() -> None:
    chosen = samples(4)
    chosen[2] = replace(chosen[2], id=chosen[0].id)
    (found,) = find(evidence(chosen))
    assert found.sentence == "1 image is a byte-identical copy of another with the same label, such as 'bad/00002.png'"


def test_two_regions_of_an_image_are_no_copies() -> None:
    chosen = samples(4)
    for row, x in ((0, 0.0), (2, 0.5)):
        chosen[row] = replace(chosen[row], id="f" * 64, roi=Roi(((x, 0.0), (x + 0.5, 1.0))))
    assert find(evidence(chosen)) == []
