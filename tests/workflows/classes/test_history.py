"""What became of each label, through any chain of changes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import ModelError, Reason, SettingsError
from tellapart.records import Label, Task
from tellapart.workflows.classes.history import Entry, History


def entry(
    version: int, labels: dict[int, str], mapping: dict[int, tuple[int, ...]] | None = None, **more: object
) -> Entry:
    values = {"operation": "merge", "arguments": {"a": 1}, "restores": None, "effect": {}} | more
    return Entry(
        version=version,
        at="2026-01-02T03:04:05+00:00",
        parent=None if version == 1 else f"m@{version - 1}",
        model_id=f"m@{version}",
        images=10,
        labels=tuple(Label(*pair) for pair in labels.items()),
        task=Task.MULTICLASS,
        mapping=mapping or {},
        **values,  # type: ignore[arg-type]
    )


def merged_and_undone() -> History:
    """a and b become c, which is undone; then b and d become e."""
    return History(
        (
            entry(1, {0: "a", 1: "b", 2: "d"}),
            entry(2, {3: "c", 2: "d"}, {0: (3,), 1: (3,), 2: (2,)}),
            entry(3, {0: "a", 1: "b", 2: "d"}, {3: (0, 1), 2: (2,)}, restores=1),
            entry(4, {0: "a", 4: "e"}, {0: (0,), 1: (4,), 2: (4,)}),
        )
    )


def test_a_label_that_is_there_in_both_is_itself() -> None:
    history = merged_and_undone()
    assert history.mapping(1, 2) == {0: (3,), 1: (3,), 2: (2,)}
    assert history.mapping(1, 3) == {0: (0,), 1: (1,), 2: (2,)}
    assert history.mapping(1, 4) == {0: (0,), 1: (4,), 2: (4,)}
    assert history.mapping(2, 4) == {3: (0, 4), 2: (4,)}
    assert history.mapping(4, 4) == {0: (0,), 4: (4,)}


def test_the_way_back_names_all_that_became_the_one() -> None:
    history = merged_and_undone()
    assert history.back(2, 1) == {3: (0, 1), 2: (2,)}
    assert history.back(4, 2) == {0: (3,), 4: (3, 2)}
    assert History((entry(1, {0: "a", 1: "b"}), entry(2, {0: "a", 1: "b", 2: "n"}))).back(2, 1)[2] == ()


def test_ids_are_never_used_again() -> None:
    assert merged_and_undone().next_label_id == 5


def test_undoing_again_goes_further_back() -> None:
    first, second, third = entry(1, {0: "a", 1: "b"}), entry(2, {0: "x", 1: "b"}), entry(3, {0: "y", 1: "b"})
    back_to_2 = entry(4, {0: "x", 1: "b"}, restores=2)
    back_to_1 = entry(5, {0: "a", 1: "b"}, restores=1)
    assert History((first,)).before() is None
    assert History((first, second, third)).before() == second
    assert History((first, second, third, back_to_2)).before() == first
    assert History((first, second, third, back_to_2, back_to_1)).before() is None


def test_the_last_version_of_a_model_id_is_meant() -> None:
    history = History((entry(1, {0: "a"}), entry(2, {1: "b"}), entry(3, {0: "a"})))
    same = History(
        (history.entries[0], history.entries[1], Entry.from_json({**history.entries[2].to_json(), "model_id": "m@1"}))
    )
    found = same.of_model("m@1")
    assert found is not None
    assert found.version == 3
    assert same.of_model("other@1") is None


def test_unknown_versions_are_refused() -> None:
    with pytest.raises(SettingsError, match="there is no version 9; this model has 1 to 4") as caught:
        merged_and_undone().version(9)
    assert caught.value.reason is Reason.UNKNOWN_NAME


@given(
    st.lists(
        st.tuples(st.sampled_from(["merge", "split", "retire", "add"]), st.integers(0, 9), st.integers(0, 9)),
        max_size=8,
    )
)
def test_any_chain_of_changes_leads_each_image_where_its_label_went(steps: list[tuple[str, int, int]]) -> None:
    """Every label is a set of atoms; what it became must name all labels that hold any of them."""
    atoms = {0: {(0, 0), (0, 1)}, 1: {(1, 0), (1, 1)}, 2: {(2, 0)}}
    states, entries, unused = [dict(atoms)], [entry(1, {0: "0", 1: "1", 2: "2"})], 3
    for kind, first, second in steps:
        now = dict(states[-1])
        ids = sorted(now)
        a, b = ids[first % len(ids)], ids[second % len(ids)]
        mapping = {one: (one,) for one in ids}
        if kind == "merge" and a != b:
            now[unused] = now.pop(a) | now.pop(b)
            mapping |= {a: (unused,), b: (unused,)}
            unused += 1
        elif kind == "split" and len(now[a]) > 1:
            whole = sorted(now.pop(a))
            now[unused], now[unused + 1] = {whole[0]}, set(whole[1:])
            mapping[a] = (unused, unused + 1)
            unused += 2
        elif kind == "retire" and len(ids) > 1:
            now.pop(a)
            mapping[a] = ()
        elif kind == "add":
            now[unused] = {(unused, 0)}
            unused += 1
        states.append(now)
        entries.append(entry(len(states), {one: str(one) for one in now}, mapping))
    history = History(tuple(entries))
    assert history.next_label_id == unused
    assert History.from_bytes(history.to_bytes(), location="m") == history
    for start, state in enumerate(states, 1):
        for one, became in history.mapping(start, len(states)).items():
            # Of a merged class that is split nobody knows which piece got whose images: then more are named.
            assert set(became) >= {new for new, held in states[-1].items() if held & state[one]}
            assert len(set(became)) == len(became)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b'{"format": 1}',
        b'{"format": 1, "entries": []}',
        b'{"format": "x"}',
        b'{"format": 1, "entries": [{}]}',
    ],
)
def test_a_damaged_history_is_told(damage: bytes) -> None:
    with pytest.raises(
        ModelError, match=r"^the model m is damaged: history.json is not a history of classes"
    ) as caught:
        History.from_bytes(damage, location="m")
    assert caught.value.reason is Reason.MODEL_DAMAGED


def test_versions_that_do_not_follow_each_other_are_damage() -> None:
    value = json.loads(merged_and_undone().to_bytes())
    del value["entries"][1]
    with pytest.raises(ModelError, match="its versions are"):
        History.from_bytes(json.dumps(value).encode(), location="m")


def test_a_later_format_asks_for_an_update() -> None:
    with pytest.raises(ModelError) as caught:
        History.from_bytes(b'{"format": 2, "entries": []}', location="m")
    assert caught.value.reason is Reason.MODEL_TOO_NEW
    assert str(caught.value) == (
        "the history of the model m has format 2, this tellapart reads up to 1: update tellapart"
    )
