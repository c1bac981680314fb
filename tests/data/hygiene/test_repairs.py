"""What checks propose mends what they tell: with every fix accepted they have nothing left to say."""

from __future__ import annotations

import pytest
from tests.contracts.hygiene import exact_duplicates as copies
from tests.contracts.hygiene import label_names as names
from tests.contracts.hygiene import split_leaks as leaks
from tests.contracts.hygiene.evidence import evidence

from tellapart.data.hygiene.protocol import Evidence
from tellapart.data.hygiene.registry import CHECKS
from tellapart.data.repair.applying import apply_fixes
from tellapart.data.repair.fixes import accept_all
from tellapart.data.repair.proposing import propose


def mended(planted: Evidence, *checks: str) -> Evidence:
    found = [finding for name in checks for finding in CHECKS[name].run(planted)]
    fixes = accept_all(propose(planted.dataset, found))
    assert fixes
    return evidence(apply_fixes(planted.dataset, fixes).dataset.samples)


@pytest.mark.parametrize(
    ("name", "planted"),
    [("exact_duplicates", copies.planted()), ("split_leaks", leaks.planted()), ("label_names", names.planted())],
)
def test_a_mended_set_is_clean(name: str, planted: Evidence) -> None:
    assert CHECKS[name].run(planted)
    assert CHECKS[name].run(mended(planted, name)) == []


def test_copies_in_and_across_splits_are_mended_in_one_go() -> None:
    after = mended(leaks.planted(), "exact_duplicates", "split_leaks")
    assert [finding for name in ("exact_duplicates", "split_leaks") for finding in CHECKS[name].run(after)] == []
    assert len(set(after.dataset.ids)) == len(after)
