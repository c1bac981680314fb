"""The single path from bytes to embeddings: order, failures, threads, memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.builders import class_picture, png_bytes
from tests.classifier.models import tiny_backbone

from tellapart.backbones.protocol import Features
from tellapart.classifier.pipeline import BATCH, Embedded, Job, Outcome, Pipeline
from tellapart.errors import BackboneError, ImageError, Reason
from tellapart.image.preprocess import PreprocessSpec
from tellapart.image.quality import statistics
from tellapart.image.types import RgbImage
from tellapart.records import Refusal, Roi
from tellapart.workflows.embedding import observe

SPEC = PreprocessSpec.parse("decode|upright|fit(8)")


def grey(level: int) -> bytes:
    """A PNG whose embedding tells its level."""
    return png_bytes(np.full((8, 8, 3), level, np.uint8))


def read_level(uri: str) -> bytes:
    if uri.startswith("bad"):
        raise ImageError(Reason.CORRUPT, f"{uri} is corrupt")
    return grey(int(uri) % 256)


def pipeline(**options: object) -> Pipeline:
    return Pipeline(SPEC, tiny_backbone(), **{"read": read_level, **options})  # type: ignore[arg-type]


def jobs(uris: list[str]) -> list[Job | Refusal]:
    return [Job(uri, uri) for uri in uris]


def run(line: Pipeline, todo: list[Job | Refusal]) -> list[Outcome]:
    return [outcome for batch in line.run(todo) for outcome in batch]


def level(outcome: Outcome) -> int:
    assert isinstance(outcome, Embedded)
    return round(float(outcome.embedding[0]) * 255)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 2, BATCH, BATCH + 1, 133])
def test_there_is_one_outcome_per_job_in_order(workers: int, n: int) -> None:
    outcomes = run(pipeline(workers=workers), jobs([str(i) for i in range(n)]))
    assert [o.uri for o in outcomes] == [str(i) for i in range(n)]
    assert [level(o) for o in outcomes] == list(range(n))


def test_a_slow_first_image_does_not_change_the_order() -> None:
    later = threading.Event()

    def read(uri: str) -> bytes:
        if uri == "40":
            later.set()
        if uri == "0":
            assert later.wait(30)  # the first batch ends after the sixth
        return read_level(uri)

    outcomes = run(pipeline(read=read, workers=4), jobs([str(i) for i in range(120)]))
    assert [level(o) for o in outcomes] == list(range(120))


@pytest.mark.parametrize("workers", [1, 3])
def test_bad_images_are_refused_in_their_place(workers: int) -> None:
    uris = [f"bad{i}" if i % 3 == 1 else str(i) for i in range(50)]
    todo = jobs(uris)
    todo[20] = Refusal("listed", "not_a_file", "listed is no file")
    outcomes = run(pipeline(workers=workers), todo)
    assert [o.uri for o in outcomes] == [*uris[:20], "listed", *uris[21:]]
    refused = [o for o in outcomes if isinstance(o, Refusal)]
    assert len(refused) == sum(uri.startswith("bad") for uri in uris) + 1
    assert refused[0] == Refusal("bad1", "corrupt", "bad1 is corrupt")
    assert all(level(o) == int(o.uri) for o in outcomes if isinstance(o, Embedded))


def test_a_run_of_only_bad_images_runs_no_network() -> None:
    outcomes = run(pipeline(workers=2), jobs([f"bad{i}" for i in range(20)]))
    assert all(isinstance(o, Refusal) for o in outcomes)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_fault_of_ours_reaches_the_caller(workers: int) -> None:
    def read(uri: str) -> bytes:
        if uri == "60":
            raise ZeroDivisionError("a bug")
        return read_level(uri)

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(pipeline(read=read, workers=workers), jobs([str(i) for i in range(100)]))
    assert threading.active_count() == before


def test_closing_the_generator_early_ends_its_threads() -> None:
    before = threading.active_count()
    outcomes = pipeline(workers=4).run(jobs([str(i) for i in range(2000)]))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_workers_end_when_the_system_gives_no_more_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        list(pipeline(workers=4).run(jobs([str(i) for i in range(500)])))
    assert [thread.is_alive() for thread in started] == [False, False]


def test_workers_read_only_so_far_ahead() -> None:
    seen, bound = 0, (1 + 4 * 2) * BATCH
    lock, reached = threading.Lock(), threading.Event()

    def read(uri: str) -> bytes:
        nonlocal seen
        with lock:
            seen += 1
            if seen >= bound:
                reached.set()
        return read_level(uri)

    outcomes = pipeline(read=read, workers=2).run(jobs([str(i) for i in range(3000)]))
    next(outcomes)
    assert reached.wait(30)
    outcomes.close()  # type: ignore[attr-defined]
    assert seen == bound


def test_one_image_needs_no_thread() -> None:
    threads: list[threading.Thread] = []

    def read(uri: str) -> bytes:
        threads.append(threading.current_thread())
        return read_level(uri)

    assert level(run(pipeline(read=read, workers=8), jobs(["77"]))[0]) == 77
    assert threads == [threading.current_thread()]


def test_a_row_does_not_keep_its_batch_alive() -> None:
    for outcome in run(pipeline(workers=2), jobs([str(i) for i in range(30)])):
        assert isinstance(outcome, Embedded)
        assert outcome.embedding.base is None


def test_bytes_pixels_and_files_give_the_same_embedding() -> None:
    pixels = class_picture(1, 0)
    data = png_bytes(pixels)
    todo: list[Job | Refusal] = [Job("a", data), Job("b", RgbImage(pixels, (48, 48))), Job("c", "c")]
    outcomes = run(pipeline(read=lambda _: data, workers=1), todo)
    first, second, third = (o for o in outcomes if isinstance(o, Embedded))
    np.testing.assert_array_equal(first.embedding, second.embedding)
    np.testing.assert_array_equal(first.embedding, third.embedding)
    assert first.id == third.id != ""
    assert second.id == ""


def test_regions_of_files_and_of_pixels_are_cut_out() -> None:
    pixels = np.concatenate([class_picture(0, 0), class_picture(1, 0)], axis=1)
    left, right = Roi(((0, 0), (0.5, 1)), "left"), Roi(((0.5, 0), (1, 1)), "right")
    data = png_bytes(pixels)
    todo: list[Job | Refusal] = [
        Job("x", data, left),
        Job("x", data, right),
        Job("x", RgbImage(pixels, (96, 48)), right),
    ]
    parts = [o for o in run(pipeline(), todo) if isinstance(o, Embedded)]
    alone = run(pipeline(), [Job("y", png_bytes(class_picture(i, 0))) for i in (0, 1, 1)])
    assert [p.roi for p in parts] == ["left", "right", "right"]
    for part, whole in zip(parts, alone, strict=True):
        assert isinstance(whole, Embedded)
        np.testing.assert_allclose(part.embedding, whole.embedding, atol=1e-6)


def test_observing_changes_no_embedding() -> None:
    data = png_bytes(class_picture(2, 3))
    plain, seen = (run(pipeline(observe=observer), [Job("x", data)])[0] for observer in (None, observe))
    assert isinstance(plain, Embedded)
    assert isinstance(seen, Embedded)
    np.testing.assert_array_equal(plain.embedding, seen.embedding)
    assert plain.observation is None
    assert seen.observation is not None
    wanted = statistics(RgbImage(class_picture(2, 3), (48, 48))).to_array()
    np.testing.assert_array_equal(seen.observation.statistics, wanted)


def test_what_is_known_is_neither_decoded_nor_run() -> None:
    known = Embedded("cached", "id", np.full(3, 9, np.float32))
    asked: list[tuple[str, str]] = []

    def lookup(identity: str, job: Job) -> Embedded | None:
        asked.append((identity, job.uri))
        return known if job.uri == "5" else None

    outcomes = run(
        pipeline(known=lookup, read=lambda uri: b"rubbish" if uri == "5" else read_level(uri)), jobs(["4", "5"])
    )
    assert outcomes[1] is known
    assert level(outcomes[0]) == 4
    assert sorted(uri for _, uri in asked) == ["4", "5"]


def test_unreadable_files_of_every_kind_are_refusals(tmp_path: Path) -> None:
    outcomes = run(pipeline(read=lambda _: b"no image"), jobs(["1", "2"]))
    assert [o.code for o in outcomes if isinstance(o, Refusal)] == ["not_an_image", "not_an_image"]


class Moody:
    """A network that fails on bright images, or on all."""

    def __init__(self, fails_above: int) -> None:
        self.fails_above = fails_above

    def run(self, batch: np.ndarray) -> Features:
        if batch.max() > self.fails_above:
            raise BackboneError(Reason.BACKBONE_INVALID, "answered values that are not finite numbers")
        return Features(batch.reshape(len(batch), -1)[:, :2].astype(np.float32), None)


@pytest.mark.parametrize("n", [1, 9])
def test_an_image_that_the_network_cannot_digest_is_refused_alone(n: int) -> None:
    line = replace(pipeline(), backbone=Moody(200))
    outcomes = run(line, jobs([str(level) for level in (250, *range(10, 10 + n))]))
    assert isinstance(outcomes[0], Refusal)
    assert outcomes[0].code == "backbone_invalid"
    assert not any(isinstance(outcome, Refusal) for outcome in outcomes[1:])


def test_a_network_that_fails_on_everything_ends_the_run() -> None:
    with pytest.raises(BackboneError):
        run(replace(pipeline(), backbone=Moody(-1)), jobs(["10", "20"]))


def test_pixels_are_cut_as_files_are() -> None:
    spec = PreprocessSpec.parse("decode(background=#090909)|upright|roi(0.5,0,1,1)|fit(8)")
    line = Pipeline(spec, tiny_backbone(), read_level, workers=1)
    pixels = class_picture(1, 1, 32)
    corner = Roi(((0.0, 0.0), (0.9, 0.1), (0.2, 0.8)))
    for roi in (None, corner):
        file, array = run(line, [Job("a", png_bytes(pixels), roi), Job("b", RgbImage(pixels, (32, 32)), roi)])
        assert isinstance(file, Embedded)
        assert isinstance(array, Embedded)
        np.testing.assert_array_equal(file.embedding, array.embedding)
