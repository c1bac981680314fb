"""Three classes; then the third lies where the second lies."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contracts.hygiene.clusters import clouds, with_embeddings

from tellapart.data.hygiene.protocol import Evidence, Finding


def clean() -> Evidence:
    """Three classes that overlap a little."""
    return clouds(names=("bee", "cup", "mug"), apart=2.5)[0]


def planted() -> Evidence:
    """Mugs look like cups."""
    given, centres = clouds(names=("bee", "cup", "mug"), apart=2.5)
    assert given.embeddings is not None
    given.embeddings[2::3] += centres[1] - centres[2]
    centres[2] = centres[1]
    return with_embeddings(given, given.embeddings, centres)


def expect(findings: Sequence[Finding]) -> None:
    """Cups and mugs, to be merged."""
    (finding,) = findings
    assert "'cup' and 'mug'" in finding.sentence
    assert 0.4 < finding.figures["told_apart"] < 0.6
    (merge,) = finding.proposals
    assert (merge.action, merge.value, merge.row % 3) == ("merge", "cup", 2)
