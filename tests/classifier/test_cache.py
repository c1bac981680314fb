"""The embedding cache may be lost, never wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tellapart.classifier.cache import EmbeddingCache
from tellapart.classifier.pipeline import Embedded, Job, Observation
from tellapart.records import Roi

ROI = Roi(((0.1, 0.2), (0.5, 0.6)), "left")


def cache(folder: Path, backbone: str = "b") -> EmbeddingCache:
    return EmbeddingCache(folder, preprocess_hash="p", backbone_sha256=backbone)


def embedded(value: float, job: Job, image_id: str = "id") -> Embedded:
    seen = Observation(np.full(6, value, np.float32), np.full((4, 4), 7, np.uint8))
    return Embedded(job.uri, image_id, np.full(5, value, np.float32), job.roi.name if job.roi else None, seen)


def test_what_was_put_is_found_again_under_any_name(tmp_path: Path) -> None:
    with cache(tmp_path) as written:
        written.put([(Job("a.jpg", "a.jpg"), embedded(0.5, Job("a.jpg", "a.jpg")))])
    with cache(tmp_path) as read:
        found = read.get("id", Job("renamed.jpg", "renamed.jpg"))
    assert found is not None
    assert found.uri == "renamed.jpg"
    assert found.observation is not None
    np.testing.assert_array_equal(found.embedding, np.full(5, 0.5, np.float32))
    np.testing.assert_array_equal(found.observation.statistics, np.full(6, 0.5, np.float32))
    np.testing.assert_array_equal(found.observation.thumbnail, np.full((4, 4), 7, np.uint8))


def test_image_region_and_backbone_each_have_rows_of_their_own(tmp_path: Path) -> None:
    whole, part = Job("a", "a"), Job("a", "a", ROI)
    with cache(tmp_path) as written:
        written.put([(whole, embedded(1, whole)), (part, embedded(2, part))])
        found = [written.get("id", job) for job in (whole, part)]
        assert [f.embedding[0] for f in found if f] == [1, 2]
        assert written.get("other", whole) is None
    with cache(tmp_path, "other backbone") as other:
        assert other.get("id", whole) is None


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    with cache(tmp_path) as first:
        path = first.path
    path.write_bytes(b"this is no database" * 1000)
    job = Job("a", "a")
    with cache(tmp_path) as again:
        assert again.get("id", job) is None
        again.put([(job, embedded(1, job))])
        assert again.get("id", job) is not None
    assert path.with_suffix(".damaged").exists()


def test_many_threads_may_read_while_one_writes(tmp_path: Path) -> None:
    job = Job("a", "a")
    failures: list[BaseException] = []
    with cache(tmp_path) as shared:

        def read() -> None:
            try:
                for _ in range(50):
                    shared.get("id", job)
            except BaseException as error:  # noqa: BLE001  reported by the assertion below
                failures.append(error)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for value in range(20):
            shared.put([(job, embedded(value, job))])
        for thread in threads:
            thread.join()
    assert not failures


_WRITER = """
import sys, numpy as np
from pathlib import Path
from tellapart.classifier.cache import EmbeddingCache
from tellapart.classifier.pipeline import Embedded, Job, Observation
with EmbeddingCache(Path(sys.argv[1]), preprocess_hash="p", backbone_sha256="b") as cache:
    print("go", flush=True)
    for n in range(10**6):
        seen = Observation(np.full(6, n, np.float32), np.full((64, 64), n % 256, np.uint8))
        cache.put([(Job("a", "a"), Embedded("a", str(n), np.full(1000, n, np.float32), None, seen))])
"""


@pytest.mark.parametrize("pause", [0.01, 0.06, 0.2])
def test_kill_while_writing_leaves_whole_rows(tmp_path: Path, pause: float) -> None:
    child = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(pause)  # the moment of the kill is the point, not a wait for something
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with cache(tmp_path) as survivor:
        assert not survivor.path.with_suffix(".damaged").exists()
        n = 0
        while (found := survivor.get(str(n), Job("a", "a"))) is not None:
            assert found.embedding.shape == (1000,)
            assert (found.embedding == n).all()
            n += 1
        job = Job("a", "a")
        survivor.put([(job, embedded(3, job, "new"))])
        assert survivor.get("new", job) is not None
