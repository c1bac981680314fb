"""Fixes, revisions and differences: what is accepted is what changes, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.tiny import put, stored

from tellapart.data.dataset import Dataset
from tellapart.data.hygiene.protocol import Finding, Proposal, Severity
from tellapart.data.repair.applying import apply_fixes
from tellapart.data.repair.diff import Change, difference
from tellapart.data.repair.fixes import COLUMNS, Fix, accept_all, read_fixes, settled, write_fixes
from tellapart.data.repair.identity import identify
from tellapart.data.repair.proposing import propose
from tellapart.data.repair.revision import Origin, read_log, write_revision
from tellapart.errors import DataError, Reason
from tellapart.records import Roi, Sample, Task

NAMES = ("good", "Good", "scratch", "dent")


def parts(folder: Path) -> Dataset:
    samples = [Sample(f"{i}.png", (NAMES[i % 4],), split="train" if i < 6 else None) for i in range(8)]
    return identify(stored(folder, samples))


def refused(action: object, *args: object, **options: object) -> tuple[Reason, str]:
    with pytest.raises(DataError) as caught:
        action(*args, **options)  # type: ignore[operator]
    return caught.value.reason, str(caught.value)


def test_fixes_survive_the_file(tmp_path: Path) -> None:
    fixes = (
        Fix("drop", "a,b\n.png", was="good", check="blurred", why='said "so"; really', id="0f", line=2),
        Fix("relabel", "=cmd.png", "scratch|dent", was='["a|b"]', accept=False, line=4),
        Fix("group", "'=x.png", "-1", region='{"name":"r"}', line=5),
        Fix("merge", value="good", was="@Good", line=6),
    )
    write_fixes(fixes, tmp_path / "fixes.csv")
    assert read_fixes(tmp_path / "fixes.csv") == fixes
    text = (tmp_path / "fixes.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert "'=cmd.png" in text
    assert "''=x.png" in text


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.text(max_size=8).filter(lambda t: "\0" not in t)] * 3), max_size=5))
def test_any_text_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("fixes") / "fixes.csv"
    fixes = [Fix("drop", f"u{a}", was=b, why=c) for a, b, c in cells]
    write_fixes(fixes, path)
    assert [(f.uri, f.was, f.why) for f in read_fixes(path)] == [(f.uri, f.was, f.why) for f in fixes]


def test_a_file_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_bytes(
        "\ufeffAccept;Action;Value;Uri\r\nx;relabel; dent ;0.png\r\n;drop;;1.png\r\nNo;drop;;2.png\r\n".encode()
    )
    assert [(f.accept, f.action, f.value, f.uri, f.line) for f in read_fixes(path)] == [
        (True, "relabel", "dent", "0.png", 2),
        (False, "drop", "", "1.png", 3),
        (False, "drop", "", "2.png", 4),
    ]


def test_all_faults_of_the_file_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    lines = [
        "accept,uri,action,value,was",
        "maybe,0.png,drop,,",
        "yes,0.png,burn,,",
        "yes,,relabel,,",
        "yes,0.png,move,somewhere,",
        "yes,,merge,good,",
        "yes,0.png,drop",
        "yes,0.png,drop,,",
    ]
    path.write_text("\n".join(lines))
    assert refused(read_fixes, path) == (
        Reason.BAD_ROW,
        f"{path} has 6 faults, so nothing was changed:\n"
        "  line 2: accept is yes or no, got 'maybe'\n"
        "  line 3: action is one of drop, relabel, merge, group, move, got 'burn'\n"
        "  line 4: relabel needs the image in uri; relabel needs the new label in value\n"
        "  line 5: move needs train, val or test in value, got 'somewhere'\n"
        "  line 6: merge needs the label to be replaced in was\n"
        "  line 7: 3 fields, the header has 5",
    )


def test_fixes_made_in_python_are_held_to_the_same(tmp_path: Path) -> None:
    dataset = parts(tmp_path)
    burn: Any = "burn"
    wrong = [Fix("move", "0.png", "somewhere"), Fix("group", "0.png"), Fix(burn, "0.png"), Fix("merge", was="good")]
    assert refused(lambda: apply_fixes(dataset, [*wrong, Fix("group", "0.png", accept=False)], new_labels=True)) == (
        Reason.BAD_ROW,
        "the list of fixes has 4 faults, so nothing was changed:\n"
        "  move '0.png': move needs train, val or test in value, got 'somewhere'\n"
        "  group '0.png': group needs the new group in value\n"
        "  burn '0.png': action is one of drop, relabel, merge, group, move, got 'burn'\n"
        "  merge 'good': merge needs the new label in value",
    )


def test_what_somebody_decided_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    write_fixes([Fix("drop", "0.png")], path)
    decided = path.read_bytes()
    assert refused(write_fixes, [], path) == (
        Reason.OUTPUT_EXISTS,
        f"{path} exists, and may hold what somebody decided; choose another name or remove it",
    )
    assert path.read_bytes() == decided


def test_a_file_that_is_no_list_of_fixes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    assert refused(read_fixes, path) == (Reason.DATASET_NOT_FOUND, f"there is no file {path}")
    path.write_text("file_name,label\na.png,b\n")
    assert refused(read_fixes, path) == (
        Reason.DATASET_FORMAT,
        f"{path} is no list of fixes: no column accept, uri, action, value; "
        "`tellapart check DATA --proposals fixes.csv` writes one",
    )


def test_every_action_changes_what_it_names(tmp_path: Path) -> None:
    dataset = parts(tmp_path)
    applied = apply_fixes(
        dataset,
        [
            Fix("drop", "0.png", was="good"),
            Fix("relabel", "2.png", "dent", was="scratch"),
            Fix("merge", was="Good", value="good"),
            Fix("group", "3.png", "part-7"),
            Fix("move", "4.png", "Validation", was="train"),
            Fix("relabel", "0.png", "dent"),  # dropped anyway
            Fix("drop", "7.png", accept=False),
        ],
    )
    after = applied.dataset
    assert applied.counts == {"drop": 1, "relabel": 1, "group": 1, "move": 1, "merge": 1}
    assert (applied.n_idle, applied.n_declined) == (1, 1)
    assert after.schema is not None
    assert after.schema.names == ("dent", "good", "scratch")
    found = difference(dataset, after)
    assert found.counts() == {
        "dropped": 1, "added": 0, "relabelled": 3, "regrouped": 1, "moved": 1, "changed": 0, "renamed": 0,
    }  # fmt: skip
    assert found.dropped == (Change("0.png", "good", ""),)
    assert found.moved == (Change("4.png", "train", "val"),)
    assert [(c.uri, c.was, c.now) for c in found.relabelled] == [
        ("1.png", "Good", "good"),
        ("2.png", "scratch", "dent"),
        ("5.png", "Good", "good"),
    ]


def test_all_faults_of_all_fixes_are_told_at_once(tmp_path: Path) -> None:
    dataset = parts(tmp_path)
    (tmp_path / "6.png").unlink()
    (tmp_path / "5.png").write_bytes(b"another")
    fixes = [
        Fix("drop", "99.png", line=2),
        Fix("relabel", "0.png", "scrach", line=3),
        Fix("drop", "5.png", id=dataset.ids[5], line=4),
        Fix("drop", "6.png", id=dataset.ids[6], line=5),
        Fix("relabel", "1.png", "dent", was="good", line=6),
        Fix("relabel", "2.png", "dent|good", line=7),
        Fix("merge", value="dent", was="nothing", line=8),
        Fix("group", "3.png", "a", line=9),
        Fix("group", "3.png", "b", line=10),
        Fix("merge", value="Good", was="good", line=11),
        Fix("merge", value="good", was="Good", line=12),
        Fix("drop", "98.png", accept=False, line=13),
    ]
    now = identify(dataset, again=range(8))
    assert refused(apply_fixes, now, fixes, faults=[(1, "line 1: broken")], where="fixes.csv") == (
        Reason.BAD_ROW,
        "fixes.csv has 11 faults, so nothing was changed:\n"
        "  line 1: broken\n"
        "  line 2: the data set has no image '99.png'\n"
        "  line 3: no image has the label 'scrach' (did you mean 'scratch'?); allow new labels if it is meant\n"
        "  line 4: '5.png' is another image than the one that was checked (its bytes changed); check the data again\n"
        "  line 5: '6.png' cannot be read any more\n"
        "  line 6: '1.png' was 'good' when it was checked and is 'Good' now; check the data again\n"
        "  line 7: images have exactly one label here, got 'dent|good'\n"
        "  line 8: no image has the label 'nothing'\n"
        "  line 10: line 9 wants 'a' for '3.png', this one 'b'; accept one of them\n"
        "  line 11: 'good' is merged into itself; leave out one of the lines\n"
        "  line 12: 'Good' is merged into itself; leave out one of the lines",
    )


def test_new_labels_must_be_allowed(tmp_path: Path) -> None:
    applied = apply_fixes(parts(tmp_path), [Fix("relabel", "0.png", "crack")], new_labels=True)
    assert applied.dataset.schema is not None
    assert "crack" in applied.dataset.schema.names


def test_the_schema_stays_while_its_names_do(tmp_path: Path) -> None:
    samples = [Sample(f"{i}.png", (("ok", "nok")[i % 2],)) for i in range(4)]
    dataset = Dataset.from_samples(samples, root=tmp_path, task=Task.MULTICLASS)
    same = apply_fixes(dataset, [Fix("relabel", "0.png", "nok")]).dataset
    assert same.schema is dataset.schema
    several = Dataset.from_samples([Sample("a.png", ("x", "y")), Sample("b.png", ("z",))], root=tmp_path)
    after = apply_fixes(several, [Fix("relabel", "a.png", "x")]).dataset
    assert after.task is Task.MULTILABEL
    merged = apply_fixes(several, [Fix("merge", value="x", was="y")]).dataset
    assert merged.samples[0].labels == ("x",)


def test_merges_follow_one_another(tmp_path: Path) -> None:
    fixes = [Fix("merge", value="good", was="Good"), Fix("merge", value="dent", was="good")]
    after = apply_fixes(parts(tmp_path), fixes).dataset
    assert [sample.labels for sample in after.samples[:2]] == [("dent",), ("dent",)]


def test_regions_of_one_image_are_fixed_one_by_one(tmp_path: Path) -> None:
    rois = [Roi(((0.0, 0.0), (0.5, 1.0)), "left"), Roi(((0.5, 0.0), (1.0, 1.0)), "right")]
    dataset = identify(stored(tmp_path, [Sample("a.png", ("x",), roi=roi) for roi in rois]))
    finding = Finding("c", Severity.NOTE, "s", "r", proposals=(Proposal(1, "drop"),))
    (fix,) = propose(dataset, [finding])
    after = apply_fixes(dataset, [fix]).dataset
    assert [sample.roi for sample in after.samples] == [rois[0]]
    assert difference(dataset, after).dropped == (Change("a.png", "x", "", fix.region),)


def test_proposals_become_lines_that_fit_together(tmp_path: Path) -> None:
    dataset = parts(tmp_path)
    findings = [
        Finding(
            "twins",
            Severity.ERROR,
            "why",
            "r",
            proposals=(Proposal(0, "drop"), Proposal(1, "merge", "good", was="Good")),
        ),
        Finding(
            "names", Severity.NOTE, "n", "r", proposals=(Proposal(5, "merge", "good", was="Good"), Proposal(0, "drop"))
        ),
        Finding(
            "guess", Severity.NOTE, "g", "r", proposals=(Proposal(0, "relabel", "dent"), Proposal(2, "group", "7"))
        ),
        Finding("guess", Severity.NOTE, "g", "r", proposals=(Proposal(3, "drop"),)),
    ]
    fixes = propose(dataset, findings, guessed={"guess"})
    assert fixes == (
        Fix("drop", "0.png", was="good", check="twins", why="why", id=dataset.ids[0]),
        Fix("merge", value="good", was="Good", check="twins", why="why"),
        Fix("relabel", "0.png", "dent", was="good", check="guess", why="g", id=dataset.ids[0], accept=False),
        Fix("group", "2.png", "7", check="guess", why="g", id=dataset.ids[2]),
        Fix("drop", "3.png", was="dent", check="guess", why="g", id=dataset.ids[3], accept=False),
    )
    assert [fix.accept for fix in accept_all(fixes)] == [True, True, False, True, True]
    apply_fixes(dataset, accept_all(fixes))


def test_of_lines_that_contradict_each_other_the_first_is_accepted(tmp_path: Path) -> None:
    dataset = parts(tmp_path)
    fixes = [
        Fix("relabel", "0.png", "dent"),
        Fix("drop", "0.png"),  # relabelled
        Fix("group", "0.png", "7"),
        Fix("group", "0.png", "8"),  # grouped
        Fix("group", "1.png", "7"),
        Fix("drop", "1.png"),  # drops a grouped image: no contradiction
        Fix("move", "1.png", "test"),  # dropped
        Fix("relabel", "1.png", "good"),  # dropped
        Fix("merge", value="Good", was="good"),
        Fix("merge", value="dent", was="good"),  # merged
        Fix("merge", value="scratch", was="Good"),
        Fix("merge", value="good", was="scratch"),  # a circle of three
        Fix("merge", value="good", was="dent"),
        Fix("relabel", "2.png", "dent", accept=False),
    ]
    accepted = [True, False, True, False, True, True, False, False, True, False, True, False, True]
    assert [fix.accept for fix in settled(fixes)] == [*accepted, False]
    assert [fix.accept for fix in accept_all(fixes)] == [*accepted, True]
    after = apply_fixes(dataset, accept_all(fixes)).dataset
    assert {sample.labels for sample in after.samples} == {("scratch",)}
    assert [sample.uri for sample in after.samples] == ["0.png", *(f"{i}.png" for i in range(2, 8))]


def test_a_label_merged_into_itself_is_no_proposal(tmp_path: Path) -> None:
    (fix,) = settled([Fix("merge", value="good", was="good")])
    assert not fix.accept


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.builds(lambda row: Fix("drop", f"{row}.png"), st.integers(0, 7)),
            st.builds(lambda row, name: Fix("relabel", f"{row}.png", name), st.integers(0, 7), st.sampled_from(NAMES)),
            st.builds(lambda row, name: Fix("group", f"{row}.png", name), st.integers(0, 7), st.sampled_from("ab")),
            st.builds(
                lambda row, name: Fix("move", f"{row}.png", name), st.integers(0, 7), st.sampled_from(["train", "val"])
            ),
            st.builds(lambda old, new: Fix("merge", value=new, was=old), *[st.sampled_from(NAMES)] * 2),
        ),
        max_size=25,
    )
)
def test_any_proposals_can_all_be_accepted(fixes: list[Fix]) -> None:
    dataset = Dataset.from_samples([Sample(f"{i}.png", (NAMES[i % 4],), id=f"{i:064x}") for i in range(8)])
    applied = apply_fixes(dataset, accept_all(fixes))
    assert len(applied.dataset) == 8 - applied.counts.get("drop", 0)


def test_a_revision_is_read_like_any_data_set(tmp_path: Path) -> None:
    dataset = parts(tmp_path / "parts")
    fixes = [Fix("drop", "0.png"), Fix("drop", "1.png", accept=False)]
    applied = apply_fixes(dataset, fixes)
    origin = Origin(dataset, tmp_path / "parts", "Ada", "scratched glass")
    made = write_revision(applied.dataset, tmp_path / "r1", origin, fixes, applied.counts)
    again = Dataset.read(tmp_path / "r1")
    assert again.fingerprint == made.fingerprint == applied.dataset.fingerprint
    assert again.ids == applied.dataset.ids
    assert again.splits == applied.dataset.splits
    assert again.bytes_of(0) == (tmp_path / "parts" / "1.png").read_bytes()
    assert sorted(file.name for file in (tmp_path / "r1").iterdir()) == ["data.parquet", "fixes.csv", "revision.json"]
    assert [fix.accept for fix in read_fixes(tmp_path / "r1" / "fixes.csv")] == [True, False]
    manifest = json.loads((tmp_path / "r1" / "revision.json").read_text())
    assert (manifest["who"], manifest["why"], manifest["counts"]) == ("Ada", "scratched glass", {"drop": 1})
    assert manifest["parent_fingerprint"] == dataset.fingerprint
    assert made.sentence == "1 drop; 8 → 7 images"


def test_the_log_goes_back_to_the_original(tmp_path: Path) -> None:
    dataset = parts(tmp_path / "parts")
    first = write_revision(dataset.subset([0, 1]), tmp_path / "r1", Origin(dataset, tmp_path / "parts"), [], {})
    second = write_revision(
        dataset.subset([0]), tmp_path / "r2", Origin(dataset.subset([0, 1]), tmp_path / "r1"), [], {}
    )
    assert read_log(tmp_path / "r2") == (second, first)
    assert second.parent_fingerprint == first.fingerprint
    assert read_log(tmp_path / "parts") == ()
    assert refused(read_log, tmp_path / "no") == (
        Reason.DATASET_NOT_FOUND,
        f"there is no file or folder {tmp_path / 'no'}",
    )


def test_a_damaged_revision_is_told(tmp_path: Path) -> None:
    dataset = parts(tmp_path / "parts")
    folder = tmp_path / "r1"
    write_revision(dataset, folder, Origin(dataset, None), [], {})
    assert refused(write_revision, dataset, folder, Origin(dataset, None), [], {}) == (
        Reason.OUTPUT_EXISTS,
        f"{folder} exists, and a revision never replaces another; choose a new name",
    )
    manifest = json.loads((folder / "revision.json").read_text())
    dataset.subset([0]).to_parquet(folder / "data.parquet", overwrite=True)
    changed = f"{folder}: its data.parquet was changed after the revision was written"
    assert refused(read_log, folder) == (Reason.DATASET_FORMAT, changed)
    (folder / "revision.json").write_text(json.dumps({**manifest, "format": 9}))
    newer = f"{folder / 'revision.json'} has format 9, this tellapart reads format 1; upgrade tellapart"
    assert refused(read_log, folder) == (Reason.DATASET_FORMAT, newer)
    (folder / "revision.json").write_text("{")
    assert refused(read_log, folder)[1].startswith(f"{folder / 'revision.json'} is damaged (")


def test_a_failed_revision_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.data.repair import revision

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(revision, "_write_manifest", full)
    dataset = parts(tmp_path / "parts")
    reason, _ = refused(write_revision, dataset, tmp_path / "r1", Origin(dataset, None), [], {})
    assert reason is Reason.WRITE_FAILED
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_files_that_moved_or_changed_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "one", "a.png", "b.png")
    before = identify(Dataset.from_samples([Sample("a.png", ("x",)), Sample("b.png", ("x",))], root=tmp_path / "one"))
    (tmp_path / "one" / "a.png").rename(tmp_path / "one" / "c.png")
    (tmp_path / "one" / "b.png").write_bytes(b"edited")
    after = identify(Dataset.from_samples([Sample("c.png", ("x",)), Sample("b.png", ("x",))], root=tmp_path / "one"))
    found = difference(before, after)
    assert found.renamed == (Change("c.png", "a.png", "c.png"),)
    assert [change.uri for change in found.changed] == ["b.png"]
    assert not found.dropped
    assert not difference(after, after)


ACTIONS = st.one_of(
    st.tuples(st.just("drop"), st.just("")),
    st.tuples(st.just("relabel"), st.sampled_from(NAMES)),
    st.tuples(st.just("group"), st.sampled_from(["p1", "p2"])),
    st.tuples(st.just("move"), st.sampled_from(["train", "val", "test"])),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 7), ACTIONS, st.booleans()), max_size=12))
def test_the_difference_is_exactly_what_was_accepted(
    tmp_path: Path, wishes: list[tuple[int, tuple[str, str], bool]]
) -> None:
    if not (tmp_path / "0.png").exists():
        parts(tmp_path)
    samples = [Sample(f"{i}.png", (NAMES[i % 4],), split="train" if i < 6 else None) for i in range(8)]
    dataset = identify(Dataset.from_samples(samples, root=tmp_path))
    proposals = [Proposal(row, action, value) for row, (action, value), _ in wishes]  # type: ignore[arg-type]
    finding = Finding("c", Severity.NOTE, "s", "r", proposals=tuple(proposals))
    fixes = propose(dataset, [finding])
    accepted = [fix for fix in fixes if fix.accept]
    found = difference(dataset, apply_fixes(dataset, fixes).dataset)
    dropped = {fix.uri for fix in accepted if fix.action == "drop"}
    assert {change.uri for change in found.dropped} == dropped
    for action, told in (("relabel", found.relabelled), ("group", found.regrouped), ("move", found.moved)):
        wanted = {
            (f.uri, f.was, f.value)
            for f in accepted
            if f.action == action and f.uri not in dropped and f.was != f.value
        }
        assert {(change.uri, change.was, change.now) for change in told} == wanted
    assert (found.added, found.changed, found.renamed) == ((), (), ())
