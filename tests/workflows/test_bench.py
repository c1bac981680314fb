"""Backbones compared: the same images and split for all, `train`'s own figures, failures listed, a choice with reasons."""

from __future__ import annotations

import dataclasses
import json
import pickle
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.builders import write_folders
from tests.builders_onnx import tiny_backbone_bytes
from tests.classifier.models import backbone_file, tiny_backbone, workbench
from tests.cli.command import run

import tellapart as ta
from tellapart.backbones.onnx import OnnxBackbone
from tellapart.backbones.protocol import Features
from tellapart.data.dataset import Dataset
from tellapart.errors import BackboneError
from tellapart.evaluation.intervals import Estimate
from tellapart.image.geometry import Fit, ResizeShort, Squash, at_size
from tellapart.image.preprocess import PreprocessSpec
from tellapart.records import Refusal, Sample
from tellapart.samples import write_bottles
from tellapart.workflows import bench as benching
from tellapart.workflows import execution
from tellapart.workflows.bench import BenchOptions, bench, sample
from tellapart.workflows.bench_report import render
from tellapart.workflows.bench_result import Bench, Failure, Row, lines
from tellapart.workflows.candidates import Candidate, Opener, candidates, names
from tellapart.workflows.execution import Execution, Way, measure_execution, ways
from tellapart.workflows.timing import Picture, Timing, measure

# The cache saves comparing the pictures with one another in every test.
UNCACHED = BenchOptions(seconds=1e-6, workers=2)
QUICK = dataclasses.replace(UNCACHED, cache_dir=workbench() / "bench-cache")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("bench") / "parts", {"bad": 20, "good": 30, "odd": 16})


def test_the_score_is_what_training_would_say(parts: Path) -> None:
    found = bench(parts, backbones=[backbone_file()], options=QUICK)
    evaluation = ta.train(parts, backbone=backbone_file(), golden=0, cache_dir=QUICK.cache_dir).evaluation
    assert evaluation is not None
    (row,) = found.rows
    for mine, theirs in ((row.score, evaluation.metrics["f1_macro"]), (row.accuracy, evaluation.metrics["accuracy"])):
        assert (mine.n, mine.n_groups, mine.method) == (theirs.n, theirs.n_groups, theirs.method)
        assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high), abs=1e-7)
    assert found.n_judged == evaluation.n
    assert (row.name, row.licence, row.embedding_dim, row.size_px) == ("tiny", "Apache-2.0", 16, (32, 32))
    assert row.n_bytes == backbone_file().stat().st_size
    assert (row.difference, row.worse, row.on_front) == (None, False, True)
    assert found.verdict[0].startswith("tiny is the only candidate: macro F1 ")


def test_training_images_are_not_called_held_back(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "parts" / "train", {"bad": 8, "good": 8}).parent
    found = bench(data, backbones=[backbone_file()], options=UNCACHED)
    told = (
        "held-out folds of all 16 images, which chose the thresholds too: without a test split the figures are somewhat "
        "too good"
    )
    assert not found.of_their_own
    assert f"judged on   {told}" in found.notes()
    assert found.to_json()["judged_on"] == told
    html = render(found)
    assert html.count(told) == 2
    assert "held-back" not in html


def test_choosing_on_the_images_that_judge_is_disclosed() -> None:
    told = "the best of 2 is chosen on these images: the winner's figure is somewhat too good"
    found = result(row("big", 0.8, 40), row("small", 0.79, 5, -0.04, 0.02))
    assert f"chosen on   {told}" in found.notes()
    assert found.to_json()["chosen_on"] == told
    assert "somewhat too good" in render(found)
    alone = result(row("big", 0.8, 40))
    assert alone.to_json()["chosen_on"] is None
    assert not any(line.startswith("chosen on") for line in alone.notes())


def test_every_candidate_is_judged_on_the_same_images_and_failures_are_listed(parts: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(backbone_file().read_bytes()[:500])
    asked = candidates(["classic", "clasic", tmp_path / "cut.onnx"])
    wrong = Candidate("classic", preprocess="decode|upright|melt(3)")
    seen: list[str] = []
    found = bench(
        parts,
        backbones=[*asked, wrong, *candidates([backbone_file()], sizes_px=[16, 32])],
        output=tmp_path / "report.html",
        options=QUICK,
        progress=lambda stage, *_: seen.append(stage),
    )
    assert sorted(row.name for row in found.rows) == ["classic", "tiny 16 px", "tiny 32 px"]
    assert [one.candidate for one in found.failures] == [
        "clasic",
        str(tmp_path / "cut.onnx"),
        "classic decode|upright|melt(3)",
    ]
    assert [one.reason for one in found.failures] == ["backbone_unknown", "backbone_invalid", "bad_spec"]
    assert found.failures[0].sentence.startswith("there is no backbone 'clasic'; did you mean 'classic'?")
    assert all(row.score.n == found.rows[0].score.n for row in found.rows)
    assert found.best.difference is None
    assert all(row.difference is not None for row in found.rows[1:])
    assert found.n_images == 66
    assert "tiny 16 px: reading images" in seen
    assert "measuring time" in seen
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "tiny 16 px" in html
    assert "did you mean" in html
    json.dumps(found.to_json(), allow_nan=False)


def test_several_labels_per_image_are_compared_by_subset_accuracy(tmp_path: Path) -> None:
    write_bottles(tmp_path / "bottles", variant="multilabel", n_parts=16, frames_per_part=1, height_px=48)
    found = bench(tmp_path / "bottles", backbones=[backbone_file()], options=UNCACHED)
    assert found.to_json()["accuracy_metric"] == "subset_accuracy"
    assert "subset accuracy" in lines(found)[0]
    assert "Subset accuracy" in render(found)


def test_where_nothing_works_the_reasons_are_the_error(parts: Path) -> None:
    with pytest.raises(BackboneError) as caught:
        bench(parts, backbones=candidates(["classic"], preprocess=["decode"]), options=QUICK)
    assert str(caught.value) == (
        "not one of the candidates can be used: classic decode: preprocess string 'decode': a step that sets the size is "
        "missing: fit, squash, or resize_short with center_crop"
    )


def test_a_network_that_takes_another_size_is_listed(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: OnnxBackbone, batch: np.ndarray) -> None:
        if batch.shape[1] == 16:
            raise BackboneError(ta.Reason.BACKBONE_INVALID, "takes images of 32×32 px only")

    monkeypatch.setattr(OnnxBackbone, "_check_size", check)
    found = bench(parts, backbones=candidates([backbone_file()], sizes_px=[16, 32]), options=UNCACHED)
    assert [row.name for row in found.rows] == ["tiny 32 px"]
    assert found.failures == (Failure("tiny 16 px", "takes images of 32×32 px only", "backbone_invalid"),)


def test_a_network_that_refuses_every_image_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_folders(tmp_path / "parts" / "train", {"bad": 6, "good": 6}).parent
    (data / "train" / "good" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    plain = OnnxBackbone.run

    def picky(self: OnnxBackbone, batch: np.ndarray) -> Features:
        if batch.shape[1] == 16 and batch.any():
            raise BackboneError(ta.Reason.BACKBONE_INVALID, "answered NaN")
        return plain(self, batch)

    monkeypatch.setattr(OnnxBackbone, "run", picky)
    found = bench(data, backbones=candidates([backbone_file()], sizes_px=[16, 32]), options=UNCACHED)
    assert [one.name for one in found.rows] == ["tiny 32 px"]
    (failure,) = found.failures
    assert (failure.candidate, failure.reason) == ("tiny 16 px", "backbone_invalid")
    assert failure.sentence == (
        "it cannot use 12 of the 13 images; the first: train/bad/0000.png: answered NaN [backbone_invalid]"
    )


def test_data_without_a_readable_image_is_the_fault_of_no_network(tmp_path: Path) -> None:
    data = write_folders(tmp_path / "parts", {"bad": 2, "good": 2})
    for path in data.rglob("*.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ta.DataError) as caught:
        bench(data, backbones=[backbone_file()], options=UNCACHED)
    assert caught.value.reason is ta.Reason.DATASET_EMPTY
    assert str(caught.value).startswith("none of the images can be used, 4 refused; the first: ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_an_image_that_one_network_refuses_is_left_out_for_all(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = OnnxBackbone.run
    dark = PreprocessSpec.parse("decode|upright|fit(16)").apply((parts / "odd" / "0003.png").read_bytes())

    def picky(self: OnnxBackbone, batch: np.ndarray) -> Features:
        if any(np.array_equal(image, dark) for image in batch):
            raise BackboneError(ta.Reason.BACKBONE_INVALID, "answered NaN")
        return plain(self, batch)

    monkeypatch.setattr(OnnxBackbone, "run", picky)
    monkeypatch.setattr(benching, "measure", lambda networks, *_, **__: [TIMING] * len(networks))
    found = bench(parts, backbones=candidates([backbone_file()], sizes_px=[32, 16]), options=UNCACHED)
    assert len(found.rows) == 2
    assert found.n_images == 65


def test_the_cache_is_the_one_of_training(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ta.train(parts, backbone=backbone_file(), golden=0, cache_dir=QUICK.cache_dir)

    def never(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(PreprocessSpec, "load", never)  # timing uses `apply`
    assert len(bench(parts, backbones=[backbone_file()], options=QUICK).rows) == 1


def dataset(n: int, groups: bool) -> Dataset:
    samples = [
        Sample(
            id="",
            uri=f"{i}.png",
            labels=("rare" if i % 50 == 0 else "odd" if i % 5 == 0 else "good",),
            group=f"part-{i // 4}" if groups else None,
            split="test" if i % 4 == 0 and not groups else None,
        )
        for i in range(n)
    ]
    return Dataset.from_samples(samples)


def test_a_sample_keeps_the_shares_of_labels_and_splits() -> None:
    whole = dataset(1000, groups=False)
    assert whole.schema is not None
    drawn = sample(whole, whole.schema, 200, seed=0)
    assert abs(len(drawn) - 200) <= 4
    for column in range(3):
        share = whole.label_matrix()[:, column].sum() / 5
        assert abs(int(drawn.label_matrix(whole.schema)[:, column].sum()) - share) <= 2
    assert abs(sum(split == "test" for split in drawn.splits) - 50) <= 4
    assert sample(whole, whole.schema, 200, seed=0).uris == drawn.uris
    assert sample(whole, whole.schema, 0, seed=0) is whole
    assert sample(whole, whole.schema, 1000, seed=0) is whole


def test_a_sample_never_tears_a_group() -> None:
    whole = dataset(1000, groups=True)
    assert whole.schema is not None
    drawn = sample(whole, whole.schema, 100, seed=1)
    assert abs(len(drawn) - 100) <= 8
    assert all(count == 4 for count in np.unique(np.array(drawn.groups), return_counts=True)[1])


def test_a_wrong_number_of_images_is_refused() -> None:
    with pytest.raises(ta.SettingsError) as caught:
        BenchOptions(images=-1)
    assert str(caught.value) == "the number of images is 0 (all) or more, got -1"


def test_candidates_cross_backbones_with_sizes_and_strings() -> None:
    assert candidates(["a", "b", "a"]) == (Candidate("a"), Candidate("b"))
    assert candidates(["a"], sizes_px=[64, 128], preprocess=["s"]) == (
        Candidate("a", size_px=64),
        Candidate("a", size_px=128),
        Candidate("a", "s"),
    )
    with pytest.raises(ta.SettingsError) as caught:
        candidates(["a"], sizes_px=[64, 0])
    assert str(caught.value) == "a size is a number of pixels above 0, got 0"


def test_names_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    other = tmp_path / "copy.onnx"
    other.write_bytes(tiny_backbone_bytes(name="other"))
    spec = "decode|upright|squash(16)"
    asked = [Candidate(str(backbone_file())), Candidate(str(backbone_file()), size_px=16), Candidate(str(other))]
    opened = [Opener("cpu")(one) for one in asked]
    assert names(opened) == ("tiny 32 px", "tiny 16 px", "other")
    assert names([*opened, Opener("cpu")(Candidate(str(backbone_file()), spec))])[1:] == (
        "tiny decode|upright|fit(16)",
        "other",
        f"tiny {spec}",
    )


def test_another_size_keeps_what_is_cut_away() -> None:
    assert at_size(Fit(224, 200, (1, 2, 3)), 64) == Fit(64, 64, (1, 2, 3))
    assert at_size(Squash(224, 224), 64) == Squash(64, 64)
    assert at_size(Squash(256, 256, "bicubic", (224, 224)), 112) == Squash(128, 128, "bicubic", (112, 112))
    assert at_size(ResizeShort(256, (224, 224)), 112) == ResizeShort(128, (112, 112))


TIMING = Timing(prepare_ms=1.0, single_ms=4.0, batch_ms=3.0, n_images=16, n_rounds=5, busy=1.0)


def row(name: str, score: float, ms: float, low: float | None = None, high: float | None = None) -> Row:
    """`low` and `high` of the difference to a best of 0.8; both None is the best itself."""
    difference = None if low is None else Estimate(score - 0.8, low, high, 90, 30, "bootstrap")
    return Row(
        name=name,
        backbone=name,
        preprocess="decode|upright|fit(64)",
        size_px=(64, 64),
        licence="MIT",
        embedding_dim=8,
        n_bytes=2_500_000,
        sha256="0" * 64,
        score=Estimate(score, score - 0.1, score + 0.1, 90, 30, "wilson"),
        accuracy=Estimate(score, None, None, 90),
        timing=dataclasses.replace(TIMING, single_ms=ms - 1),
        difference=difference,
        worse=high is not None and high < 0,
        on_front=False,
    )


def result(*rows: Row, **changes: Any) -> Bench:
    return dataclasses.replace(Bench(rows, (), 100, 100, 90, 30, (), ("split       60 train, 30 test",)), **changes)


def test_the_fastest_that_is_as_good_is_recommended() -> None:
    best, close, worse = row("big", 0.8, 40), row("small", 0.79, 5, -0.04, 0.02), row("toy", 0.6, 1, -0.3, -0.1)
    found = result(best, close, worse)
    assert found.recommended is close
    assert found.verdict == (
        "Take small: 8.0 times as fast as big, the best, and as good within the noise of 30 images "
        "(difference -0.010, 95 % interval -0.040 to +0.020).",
    )
    assert result(best, worse).verdict == ("Take big: it has the best macro F1, 0.800 (0.700–0.900).",)
    assert result(row("big", 0.8, 1), row("toy", 0.6, 5, -0.3, -0.1)).verdict[0].endswith(", and is the fastest.")


def test_a_lower_score_needs_clearly_more_speed() -> None:
    best, same, clear = row("big", 0.8, 22), row("small", 0.79, 21.99, -0.04, 0.02), row("tiny", 0.79, 18, -0.04, 0.02)
    found = result(best, same)
    assert found.recommended is best
    assert found.verdict == ("Take big: it has the best macro F1, 0.800 (0.700–0.900), and none is clearly faster.",)
    assert result(best, same, clear).recommended is clear
    assert result(best, same, clear).verdict[0].startswith("Take tiny: 1.2 times as fast as big, the best, ")


def test_every_step_down_in_score_is_paid_for_with_speed() -> None:
    best, middle = row("big", 0.8, 40), row("middle", 0.795, 32, -0.04, 0.02)
    assert result(best, middle, row("small", 0.79, 28, -0.04, 0.02)).recommended is middle
    unsure = row("toy", 0.7, 31, -0.3, 0.1)
    assert len(result(best, middle, unsure).verdict) == 1
    assert len(result(best, middle, dataclasses.replace(unsure, timing=TIMING)).verdict) == 2


def test_the_fastest_is_clearly_so() -> None:
    worse = row("toy", 0.6, 22, -0.3, -0.1)
    assert result(row("big", 0.8, 21.99), worse).verdict[0].endswith(", and none is clearly faster.")
    assert result(row("big", 0.8, 18), worse).verdict[0].endswith(", and is the fastest.")


def test_few_images_excuse_no_large_difference() -> None:
    best, unsure = row("big", 0.8, 40), row("small", 0.7, 2, -0.3, 0.1)
    found = result(best, unsure)
    assert found.recommended is best
    assert found.verdict == (
        "Take big: it has the best macro F1, 0.800 (0.700–0.900).",
        "small is 20 times as fast as that and lower, but 30 images are too few to be sure "
        "(difference -0.100, 95 % interval -0.300 to +0.100).",
    )


def test_the_lines_say_what_was_compared_and_how() -> None:
    busy = dataclasses.replace(row("big", 0.8, 40), timing=dataclasses.replace(TIMING, busy=1.6))
    found = result(busy, n_available=5000, failures=(Failure("x", "no such thing", "backbone_unknown"),))
    assert found.notes() == (
        "data        90 of 5,000 labelled images, drawn by label and split, groups whole; the same 30 judge every candidate",
        "split       60 train, 30 test",
        "judged on   the 30 images of the held-back split",
        "time        16 of the images, one thread, medians of 5 rounds in turn",
        "warning     other programs used the processor: times are up to 1.6 times too long; run it again",
        "failed      x: no such thing",
    )
    head, first, second = lines(result(row("big", 0.8, 40), row("small", 0.79, 5, -0.04, 0.02)))
    assert head.split("  ")[0] == "candidate"
    assert "0.800 (0.700–0.900)" in first
    assert "-0.010 (-0.040 to +0.020) ≈" in second
    assert second.startswith("small ←")
    assert len({len(line) for line in (first, second)}) == 1


class _Open(HTMLParser):
    """Fails on a tag that is not closed, or on anything loaded from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.words = ""
        self.feed(html)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag != "meta":
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_is_whole_and_escaped() -> None:
    hostile = '<script>alert(1)</script>&"'
    way = Way(2, 1, 8)
    found = result(
        row(hostile, 0.8, 40),
        row("small", 0.79, 5, -0.04, 0.02),
        failures=(Failure(hostile, hostile, "x"),),
        executions=(Execution(hostile, (way,), (10.0,), way),),
        refusals=(Refusal(hostile, "x", "y"),),
    )
    html = render(found)
    assert "<script>" not in html
    words = _Open(html).words
    assert words.count(hostile) >= 3
    assert "within the noise" in words
    assert "Take small" in words


def test_time_is_measured_in_turn() -> None:
    calls: list[str] = []

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, batch: np.ndarray) -> Features:
            calls.append(f"{self.name}{len(batch)}")
            return Features(np.zeros((len(batch), 2), np.float32), None)

    spec = PreprocessSpec.parse("decode|upright|fit(8)")
    data = Picture(next(Path(__file__).parents[1].glob("golden/*.png")).read_bytes())
    timings = measure([(spec, Fake("a")), (spec, Fake("b"))], [data], seconds=1e-9)  # type: ignore[list-item]
    assert calls[:4] == ["a32", "a1", "b32", "b1"]
    assert calls[4:] == ["a1"] * 8 + ["a32"] + ["b1"] * 8 + ["b32"]
    assert [(t.n_rounds, t.n_images) for t in timings] == [(1, 1), (1, 1)]
    assert all(t.total_ms == t.prepare_ms + t.single_ms > 0 for t in timings)


def test_disturbed_times_are_known() -> None:
    assert dataclasses.replace(TIMING, busy=1.3).disturbed
    assert not dataclasses.replace(TIMING, busy=1.05).disturbed
    assert not dataclasses.replace(TIMING, busy=None).disturbed


def test_ways_of_using_the_cores() -> None:
    assert {(way.workers, way.threads) for way in ways(1)} == {(1, 1)}
    assert {(way.workers, way.threads) for way in ways(2)} == {(1, 1), (1, 2), (2, 1)}
    assert {(w.workers, w.threads) for w in ways(6)} == {(1, 1), (1, 2), (1, 4), (1, 6), (6, 1), (3, 2)}
    assert {way.batch for way in ways(2)} == {1, 8, 32}


def test_ways_are_measured_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_SLICE_S", 0.0)
    pixels = np.zeros((3, 32, 32, 3), np.uint8)
    found = measure_execution("tiny", tiny_backbone(), pixels, n_cores=2, seconds=0.0)
    assert found.ways == ways(2)
    assert min(found.images_per_second) > 0
    assert found.used == Way(2, 1, 8)
    both = (Way(1, 2, 32), Way(2, 1, 8))
    assert Execution("net", both, (103.0, 100.0), Way(2, 1, 8)).sentence == (
        "net: 2 workers × 1 thread, batches of 8, as tellapart runs it, is within 5% of the fastest of 2"
    )
    assert Execution("net", both, (150.0, 100.0), Way(2, 1, 8)).sentence == (
        "net: 1 worker × 2 threads, batches of 32 is 50% faster than 2 workers × 1 thread, batches of 8, as tellapart runs it"
    )


def test_the_command_writes_a_report_and_a_table(parts: Path, tmp_path: Path) -> None:
    command = ["backbones", "bench", parts, "--backbone", backbone_file(), "--size", 16, "--size", 32]
    cache = str(QUICK.cache_dir)
    ran = run(*command, "--seconds", 0.001, "--sample", 60, "-o", tmp_path / "b.html", TELLAPART_CACHE_DIR=cache)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("data        ")
    assert " of 66 labelled images, drawn by label and split, groups whole; the same " in ran.out
    assert "tiny 16 px" in ran.out
    assert ran.err == f"\nreport  {tmp_path / 'b.html'}\n"
    assert (tmp_path / "b.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    value = run(*command, "--seconds", 0.001, "--json", "-o", tmp_path / "b.html", TELLAPART_CACHE_DIR=cache).json
    assert value["format"] == "tellapart-bench"
    assert {one["name"] for one in value["candidates"]} == {"tiny 16 px", "tiny 32 px"}
    assert value["best"] == value["candidates"][0]["name"]


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ta.DataError) as caught:
        benching.write(result(row("a", 0.8, 1)), tmp_path / "no" / "b.html")
    assert str(caught.value) == (
        f"the report could not be written to {tmp_path / 'no' / 'b.html'}: No such file or directory"
    )


def test_where_no_report_can_be_written_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for output, fault in (
        (tmp_path / "no" / "b.html", f"{tmp_path / 'no'} is no folder to write in"),
        (tmp_path / "file" / "b.html", f"{tmp_path / 'file'} is no folder to write in"),
        (tmp_path, "that is a folder"),
    ):
        with pytest.raises(ta.DataError) as caught:
            bench(tmp_path / "no data", output=output)
        assert str(caught.value) == f"the report cannot be written to {output}: {fault}"
        ran = run("backbones", "bench", tmp_path / "no data", "-o", output)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == f"error: the report cannot be written to {output}: {fault} [write_failed]\n"
    benching.check_report(Path("/dev/null"))


def test_a_report_that_cannot_be_written_costs_no_comparison(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ta.DataError(ta.Reason.WRITE_FAILED, "the report could not be written: No space left on device")

    monkeypatch.setattr(benching, "bench", lambda *_, **__: result(row("big", 0.8, 40)))
    monkeypatch.setattr("tellapart.workflows.bench_report.render", full)
    command = ["backbones", "bench", parts, "--backbone", backbone_file(), "-o", tmp_path / "b.html"]
    ran = run(*command)
    assert ran.code == 1
    assert ran.out.endswith("big is the only candidate: macro F1 0.800 (0.700–0.900), 40 ms.\n")
    assert "No space left on device [write_failed]" in ran.err
    assert run(*command, "--json").json["best"] == "big"
