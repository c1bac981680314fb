"""Suggestions for unlabelled images: honest proposals, the right ones to label, a list that can be edited and read back."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes, write_folders
from tests.classifier.models import backbone_file

import tellapart as ta
from tellapart.data.dataset import Dataset
from tellapart.data.joining import with_pool
from tellapart.data.labels import format_labels
from tellapart.errors import Reason, TellapartError
from tellapart.records import Roi, Sample
from tellapart.workflows.repair import fix
from tellapart.workflows.suggest import suggest
from tellapart.workflows.suggest_result import Suggested

NAMES = ("blue", "green", "red")


def picture(label: str, seed: int) -> bytes:
    return png_bytes(class_picture(NAMES.index(label), seed))


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Eight labelled images of each class in folders, six of each without a label beside them."""
    root = write_folders(tmp_path / "parts", dict.fromkeys(NAMES, 8))
    for label in NAMES:
        for seed in range(50, 56):
            (root / f"{label}-{seed}.png").write_bytes(picture(label, seed))
    return root


def suggested(data: Any, **options: Any) -> Suggested:
    return suggest(data, **{"backbone": backbone_file(), "workers": 2, "n": 4, **options})


def refused(*args: Any, **options: Any) -> tuple[Reason, str]:
    with pytest.raises(TellapartError) as caught:
        suggested(*args, **options)
    return caught.value.reason, str(caught.value)


def truth(found: Suggested, row: int) -> str:
    return Path(found.dataset.uris[row]).name.split("-")[0]


def test_every_unlabelled_image_gets_one_suggestion(parts: Path) -> None:
    found = suggested(parts)
    assert sorted(one.row for one in found.suggestions) == np.flatnonzero(~found.dataset.labelled).tolist()
    assert len(found.suggestions) == 18
    assert [one.rank for one in found.suggestions[:5]] == [1, 2, 3, 4, 0]
    rest = [one.confidence for one in found.suggestions[4:]]
    assert rest == sorted(rest, key=lambda value: -(value or 0))
    assert all(one.labels == (truth(found, one.row),) for one in found.suggestions)
    assert found.how == "the least sure, spread over what they show"
    assert found.to_label[0].why.startswith("unsure: ")
    assert found.accepted == ()


def test_the_agreed_precision_accepts(parts: Path) -> None:
    found = suggested(parts, precision=0.8)
    assert found.acceptance is not None
    assert found.acceptance.promised
    assert len(found.accepted) > 9
    assert all((one.confidence or 0) >= found.acceptance.threshold for one in found.accepted)
    assert {one.why for one in found.accepted} == {"sure enough for a precision of 0.8"}
    assert not {one.row for one in found.accepted} & {one.row for one in found.to_label}


def test_a_precision_that_cannot_be_promised_accepts_nothing(parts: Path) -> None:
    found = suggested(parts, precision=0.98)
    assert found.accepted == ()
    assert (
        "accepted  none: a promise of 0.98 takes at least 114 labelled images that are not near-duplicates, all of them "
        "told rightly; there are 24"
    ) in found.lines()


def test_what_is_unlike_the_labelled_images_is_never_accepted(parts: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    (parts / "noise.png").write_bytes(png_bytes(noise))
    found = suggested(parts, precision=0.5, n=0)
    (odd,) = [one for one in found.suggestions if found.dataset.uris[one.row] == "noise.png"]
    assert odd.unlike
    assert not odd.accepted
    assert odd.why == "unlike all labelled images"
    assert any(line.startswith("unlike    ") for line in found.lines())


def test_near_duplicates_of_labelled_images_are_not_asked_for(parts: Path) -> None:
    shutil.copy(parts / "red" / "0003.png", parts / "copy.png")
    found = suggested(parts, n=30)
    (copy,) = [one for one in found.suggestions if found.dataset.uris[one.row] == "copy.png"]
    assert copy.rank == 0
    assert copy.why == "near-duplicate of red/0003.png, labelled red"
    assert len(found.to_label) == 18


def test_a_proposal_at_odds_with_a_labelled_near_duplicate_is_not_accepted(parts: Path) -> None:
    (parts / "blue" / "wrong.png").write_bytes(picture("green", 70))
    (parts / "copy.png").write_bytes(picture("green", 70))
    found = suggested(parts, precision=0.5, n=0)
    (copy,) = [one for one in found.suggestions if found.dataset.uris[one.row] == "copy.png"]
    assert copy.labels == ("green",)
    assert not copy.accepted


def test_without_a_label_typical_images_come_first(tmp_path: Path) -> None:
    for label in NAMES:
        for seed in range(6):
            path = tmp_path / "photos" / f"{label}-{seed}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture(label, seed))
    found = suggested(tmp_path / "photos", n=3, precision=0.9)
    assert sorted(truth(found, one.row) for one in found.to_label) == ["blue", "green", "red"]
    assert found.how == "typical images, since no image has a label yet"
    assert {one.labels for one in found.suggestions} == {None}
    assert found.lines()[1:3] == [
        "accepted  none: no image has a label yet",
        "to label  3 images: typical images, since no image has a label yet",
    ]
    assert found.advice.stop is None
    assert [fix.value for fix in found.fixes] == [""] * 18


def test_a_few_labels_propose_already_but_do_not_choose(parts: Path) -> None:
    dataset = Dataset.read(parts)
    few = [i for i, s in enumerate(dataset.samples) if s.labels is None or s.uri[-5] in "01"]
    found = suggested(dataset.subset(few))
    assert found.how == "typical images, since 6 different labelled images of 3 labels are few"
    assert all(one.labels for one in found.suggestions)


def test_hunting_asks_for_what_is_likely(parts: Path) -> None:
    found = suggested(parts, hunt="green")
    assert [truth(found, one.row) for one in found.to_label] == ["green"] * 4
    assert found.how == "the likeliest to be 'green'"
    assert found.to_label[0].why.startswith("may be green: ")
    reason, message = refused(parts, hunt="gren")
    assert reason is Reason.UNKNOWN_NAME
    assert message == "no image has the label 'gren'; did you mean 'green'? (known: blue, green, red)"


def test_hunting_needs_a_head(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "parts", {"blue": 3})
    (root / "x.png").write_bytes(picture("red", 1))
    reason, message = refused(root, hunt="blue")
    assert reason is Reason.TOO_FEW_IMAGES
    assert message.startswith("'blue' cannot be hunted for yet: a classifier needs images of at least two classes")


def test_a_pool_lies_anywhere_and_its_folders_are_no_labels(parts: Path, tmp_path: Path) -> None:
    for uri in sorted(parts.glob("*.png")):
        target = tmp_path / "pool" / "camera 1" / uri.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(uri, target)
    assert refused(parts)[0] is Reason.DATASET_EMPTY
    found = suggested(parts, pool=tmp_path / "pool")
    assert len(found.suggestions) == 18
    assert found.dataset.schema is not None
    assert found.dataset.schema.names == NAMES


def test_images_of_the_data_set_are_not_pooled_twice(parts: Path, tmp_path: Path) -> None:
    dataset = Dataset.read(parts)
    (tmp_path / "link").symlink_to(parts, target_is_directory=True)
    assert len(with_pool(dataset, Dataset.read(tmp_path / "link"))) == len(dataset)
    assert len(with_pool(dataset, dataset)) == len(dataset)
    assert len(with_pool(dataset, Dataset.from_samples([Sample("a.png", ("blue",))], root=parts))) == len(dataset) + 1


def test_nothing_unlabelled_is_told(parts: Path) -> None:
    dataset = Dataset.read(parts)
    reason, message = refused(dataset.subset(dataset.labelled))
    assert reason is Reason.DATASET_EMPTY
    assert message == (
        "all 24 images have a label: there is nothing to suggest; name unlabelled ones as the pool, or lay them beside the "
        "class folders"
    )


def test_unlabelled_images_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "parts", {"blue": 3, "red": 3})
    (root / "broken.png").write_bytes(b"no image")
    assert refused(root) == (
        Reason.DATASET_EMPTY,
        "none of the unlabelled images can be used: all of them were refused",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "the number of images to label is 0 or more, got -1"),
        ({"precision": 98.0}, "a precision is a share between 0 and 1, such as 0.98, got 98"),
    ],
)
def test_settings_that_cannot_be(parts: Path, options: dict[str, Any], message: str) -> None:
    assert refused(parts, **options) == (Reason.BAD_SETTING, message)


def test_the_same_seed_suggests_the_same(parts: Path) -> None:
    first, second = suggested(parts, precision=0.8), suggested(parts, precision=0.8)
    assert first.to_json() == second.to_json()


def test_json_is_plain(parts: Path) -> None:
    value = json.loads(json.dumps(suggested(parts, precision=0.98).to_json(), allow_nan=False))
    assert value["acceptance"]["threshold"] is None
    assert value["acceptance"]["promised"] is False
    assert (value["images"], value["unlabelled"]) == (42, 18)
    first = value["suggestions"][0]
    assert list(first) == ["uri", "labels", "confidence", "accepted", "rank", "unlike", "why"]
    assert first["rank"] == 1


def test_the_list_goes_out_and_comes_back(parts: Path, tmp_path: Path) -> None:
    found = suggested(parts)
    found.write_fixes(tmp_path / "labels.csv")
    with open(tmp_path / "labels.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows[:5]] == ["1", "2", "3", "4", ""]
    assert float(rows[0]["confidence"]) == pytest.approx(found.suggestions[0].confidence, abs=1e-4)
    assert {row["accept"] for row in rows} == {"no"}
    for row in rows[:4]:  # a person looks at them
        row["accept"], row["value"] = "yes", "red"
    rows[4]["accept"] = "yes"
    with open(tmp_path / "edited.csv", "w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), delimiter=";")
        out.writeheader()
        out.writerows(rows)
    before = sorted((path, path.read_bytes()) for path in parts.rglob("*.png"))
    assert fix(parts, tmp_path / "edited.csv", output=tmp_path / "next").applied.counts == {"relabel": 5}
    assert sorted((path, path.read_bytes()) for path in parts.rglob("*.png")) == before
    after = {sample.uri: sample.labels for sample in Dataset.read(tmp_path / "next").samples}
    assert {after[row["uri"]] for row in rows[:4]} == {("red",)}
    assert after[rows[4]["uri"]] == found.suggestions[4].labels
    assert sum(labels is None for labels in after.values()) == 13
    again = suggested(tmp_path / "next")
    assert len(again.suggestions) == 13


def test_what_was_accepted_is_applied_without_a_person(parts: Path, tmp_path: Path) -> None:
    found = suggested(parts, precision=0.8)
    found.write_fixes(tmp_path / "labels.csv")
    made = fix(parts, tmp_path / "labels.csv", output=tmp_path / "next").applied
    assert made.counts == {"relabel": len(found.accepted)}
    labels = {sample.uri: sample.labels for sample in made.dataset.samples}
    assert all(labels[found.dataset.uris[one.row]] == one.labels for one in found.accepted)


def test_a_first_round_from_nothing_gives_a_labelled_data_set(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    for label in NAMES:
        for seed in range(4):
            (root / f"{label}-{seed}.png").write_bytes(picture(label, seed))
    found = suggested(root, n=6)
    fixes = found.write_fixes(tmp_path / "labels.csv")
    text = (tmp_path / "labels.csv").read_text(encoding="utf-8-sig")
    for one in fixes[:6]:
        label = one.uri.split("-")[0]
        text = text.replace(f"no,{one.uri},relabel,,", f"yes,{one.uri},relabel,{label},")
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    made = fix(root, tmp_path / "labels.csv", output=tmp_path / "next", new_labels=True).applied.dataset
    assert int(made.labelled.sum()) == 6
    assert made.schema is not None
    assert set(made.schema.names) <= set(NAMES)


def test_unfinished_lines_are_not_accepted_with_all_others(parts: Path, tmp_path: Path) -> None:
    text = "accept,uri,action,value\nno,red-50.png,relabel,red\nno,red-51.png,relabel,\n"
    (tmp_path / "labels.csv").write_text(text)
    made = fix(parts, tmp_path / "labels.csv", output=tmp_path / "next", everything=True).applied
    assert (made.counts, made.n_declined) == ({"relabel": 1}, 1)
    (tmp_path / "labels.csv").write_text(text.replace("no,red-51", "yes,red-51"))
    with pytest.raises(TellapartError, match="line 3: relabel needs the new label in value"):
        fix(parts, tmp_path / "labels.csv", output=tmp_path / "other")


def test_a_pool_joins_the_data_set_when_its_labels_are_applied(parts: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    for uri in sorted(parts.glob("*.png")):
        shutil.move(uri, pool / uri.name)
    found = suggested(parts, pool=pool, precision=0.8)
    found.write_fixes(tmp_path / "labels.csv")
    fix(parts, tmp_path / "labels.csv", pool=pool, output=tmp_path / "next")
    after = Dataset.read(tmp_path / "next")
    assert len(after) == 42
    assert int(after.labelled.sum()) == 24 + len(found.accepted)
    assert after.bytes_of(41) == (pool / Path(after.uris[41]).name).read_bytes()
    with pytest.raises(TellapartError, match="would lie inside the data"):
        fix(parts, tmp_path / "labels.csv", pool=pool, output=pool / "x")


def test_several_labels_on_one_image(tmp_path: Path) -> None:
    """Of two colours side by side both are told, and the whole answer must be right to be accepted."""
    samples, root = [], tmp_path
    for i, names in enumerate([("blue",), ("red",), ("blue", "red"), ()] * 30):
        halves = [class_picture(NAMES.index(name), i)[:, :24] for name in names]
        filler = [np.full((48, 24, 3), 128, np.uint8)] * (2 - len(halves))
        (root / f"{i:03}.png").write_bytes(png_bytes(np.concatenate([*halves, *filler], axis=1)))
        samples.append(Sample(f"{i:03}.png", names if i < 80 else None))
    found = suggested(Dataset.from_samples(samples, root=root), precision=0.7)
    right = [one.labels == [("blue",), ("red",), ("blue", "red"), ()][one.row % 4] for one in found.suggestions]
    assert np.mean(right) > 0.7
    assert {format_labels(one.labels) for one in found.suggestions} <= {"blue", "red", "blue|red", "[]"}
    assert found.fixes[0].value == format_labels(found.suggestions[0].labels)
    assert found.acceptance is not None
    assert found.acceptance.promised


def test_regions_of_one_file_are_different_things(tmp_path: Path) -> None:
    """One half of a picture is labelled, the other is still to be asked for; another copy of the labelled half is not."""
    left, right = Roi(((0.0, 0.0), (0.5, 1.0)), "left"), Roi(((0.5, 0.0), (1.0, 1.0)), "right")
    pixels = np.concatenate([class_picture(0, 1), class_picture(2, 2)], axis=1)
    for name in ("a.png", "copy.png"):
        (tmp_path / name).write_bytes(png_bytes(pixels))
    samples = [Sample("a.png", ("blue",), roi=left), Sample("a.png", roi=right), Sample("copy.png", roi=left)]
    found = suggested(Dataset.from_samples(samples, root=tmp_path))
    assert [one.row for one in found.to_label] == [1]
    assert found.suggestions[1].why == "near-duplicate of a.png, labelled blue"


def test_the_public_name_is_the_workflow() -> None:
    assert ta.suggest is suggest
