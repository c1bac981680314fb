"""What befalls cameras, lines and disks: `watch` goes on, says so, and takes no more of the machine than before."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.streams.proxy import Proxy
from tests.streams.servers import HttpServer, RtspServer, what_is_missing
from tests.streams.videos import black, numbered, write_jpegs, write_video
from tests.workflows.watch.live import Watching
from tests.workflows.watch.streams import stream

from tellapart.streams.cameras import Cameras
from tellapart.streams.clock import Clock

LIVE = {
    "sample": {"fps": 10},
    "stale_after_s": 1.0,
    "frozen_after_s": 1.0,
    "reconnect": {"first_s": 0.05, "longest_s": 0.2},
}
BUSY_S = 5.0
"""A state is told a fifth of a second after it is one; a machine that runs other tests may take longer."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What cameras show: settings of the servers by name, as files and, where ffmpeg is, as videos."""
    folder = tmp_path_factory.mktemp("shown")
    pictures = {
        "moving": [numbered(number) for number in range(20)],
        "large": [numbered(number, 320, 240) for number in range(20)],
        "frozen": [numbered(7)] * 20,
        "black": [black(number) for number in range(20)],
    }
    found: dict[str, Any] = {}
    for name, several in pictures.items():
        found[f"http {name}"] = {"folder": str(write_jpegs(folder / name, several)), "fps": 10}
        if not what_is_missing():
            # Only pictures that need no other are the same pixel for pixel: those that do mend them a little.
            video = write_video(folder / f"{name}.h264", several, whole_every=1 if name == "frozen" else 5)
            found[f"rtsp {name}"] = {"video": str(video), "fps": 10}
    return found


@pytest.fixture
def servers(shown: dict[str, Any]) -> Iterator[dict[str, RtspServer | HttpServer]]:
    """One camera each: MJPEG, and RTSP where it can be served."""
    with ExitStack() as stack:
        found: dict[str, RtspServer | HttpServer] = {"http": HttpServer({"cam": shown["http moving"]})}
        if not what_is_missing():
            found["rtsp"] = RtspServer({"cam": shown["rtsp moving"]})
        for server in found.values():
            stack.enter_context(server)
        yield found


def _cameras(servers: dict[str, Any], ports: dict[str, int] | None = None) -> dict[str, Any]:
    found = {}
    for kind, server in servers.items():
        address = server.url("cam") if kind == "rtsp" else server.mjpeg("cam")
        if ports:
            address = address.replace(str(server.port), str(ports[kind]))
        found[kind] = {"source": address, **LIVE}
    return found


@pytest.mark.slow
def test_servers_that_are_killed_and_come_back_leave_nothing_behind(tmp_path: Path, servers: dict[str, Any]) -> None:
    with Watching(stream(tmp_path, cameras=_cameras(servers))) as watching:
        for times in range(50):
            for kind in servers:
                watching.becomes(kind, "live")
            watching.decides("http")
            if times == 10:
                before = watching.taken()
            for kind, server in servers.items():
                if kind == "http" or times % 10 == 0:  # RTSP takes longer to come back
                    server.kill()
                    watching.until(lambda kind=kind: watching.state(kind) != "live", f"{kind} stays live")  # type: ignore[misc]
                    server.start()
        for kind in servers:
            watching.becomes(kind, "live")
            watching.decides(kind, 3)
        after = watching.taken()
    assert after.n_processes == before.n_processes
    assert after.n_threads <= before.n_threads + 2  # of forty more restarts; a few come and go
    assert after.n_files <= before.n_files + 2
    assert after.pss_bytes < before.pss_bytes * 1.25 + 32 * 2**20
    assert watching.result is not None
    assert watching.result.cameras["http"].n_reconnects >= 50
    assert watching.result.n_failed == 0


@pytest.mark.slow
def test_states_are_told_in_time(tmp_path: Path, servers: dict[str, Any], shown: dict[str, Any]) -> None:
    def all_become(state: str, since_s: float | None = None) -> None:
        for kind in servers:
            at_s = watching.becomes(kind, state)
            assert since_s is None or at_s - since_s < 1.0 + 1.0 + BUSY_S, f"{kind} {state}"

    with Watching(stream(tmp_path, cameras=_cameras(servers))) as watching:
        all_become("live")
        for state in ("frozen", "black", "stale", "gone"):
            since_s = time.time()
            for kind, server in servers.items():
                if state == "gone":
                    server.kill()
                else:
                    server.tell("cam", **({"stalled": True} if state == "stale" else shown[f"{kind} {state}"]))
            all_become(state, since_s)
            for kind, server in servers.items():
                if state == "gone":
                    server.start()
                server.tell("cam", **shown[f"{kind} moving"], stalled=False)
            all_become("live")
        for kind in servers:
            watching.decides(kind, 2)
    assert watching.result is not None
    assert all(one.n_withheld > 0 for one in watching.result.cameras.values())


@pytest.mark.slow
def test_a_bad_line_costs_images_and_nothing_else(
    tmp_path: Path, servers: dict[str, Any], shown: dict[str, Any]
) -> None:
    with ExitStack() as stack:
        proxies = {kind: stack.enter_context(Proxy(server.port)) for kind, server in servers.items()}
        ports = {kind: proxy.port for kind, proxy in proxies.items()}
        watching = stack.enter_context(Watching(stream(tmp_path, cameras=_cameras(servers, ports))))
        for kind, proxy in proxies.items():
            watching.becomes(kind, "live")
            proxy.cut()
            watching.decides(kind, 3)
            proxy.garbage = Random(1).randbytes(3000)
            watching.until(lambda proxy=proxy: not proxy.garbage, "nothing was passed on")  # type: ignore[misc]
            watching.decides(kind, 3)
            servers[kind].tell("cam", **shown[f"{kind} large"])
            watching.decides(kind, 3)
            proxy.cut()  # RTSP: the new size counts when it is connected anew
            watching.until(lambda kind=kind: _size(watching, kind) == (320, 240), "no new size")  # type: ignore[misc]
            watching.becomes(kind, "live")
    assert watching.result is not None
    assert watching.result.n_failed == 0


def _size(watching: Watching, camera: str) -> tuple[int, int] | None:
    return watching.health.cameras[camera].size if watching.health is not None else None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 512 kB; skips where nobody may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    try:
        subprocess.run(mounting, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


def test_a_full_disk_is_told_and_what_is_there_stays_whole(
    tmp_path: Path, small_disk: Path, shown: dict[str, Any]
) -> None:
    with HttpServer({"cam": shown["http moving"]}) as server:
        cameras = _cameras({"http": server})
        sinks = [{"jsonl": str(small_disk / "all.jsonl"), "emit": "all"}]
        folder = small_disk / "line.watch"
        of = stream(tmp_path, cameras=cameras, sinks=sinks).model_copy(update={"folder": str(folder)})
        with Watching(of) as watching:
            watching.decides("http", 2)
            filler = small_disk / "filler"
            _fill(filler)
            watching.until(lambda: _failing(watching), "a full disk is not told")
            watching.decides("http", 3)
            filler.unlink()
            watching.until(lambda: not _failing(watching), "room on the disk is not noticed")
            watching.decides("http", 3)
    lines = (small_disk / "all.jsonl").read_text().splitlines()
    assert len(lines) >= 5
    assert all(json.loads(line) for line in lines)
    assert json.loads((folder / "health.json").read_text())["state"] == "stopped"
    assert watching.result is not None
    assert sum(watching.result.failures.values()) > 0


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def _failing(watching: Watching) -> bool:
    return watching.health is not None and any(channel["failing"] for channel in watching.health.channels)


def open_slow_folder(settings: Any, clock: Clock) -> Any:
    """The folder source on storage whose listing takes a minute, once it has delivered a file."""
    import os

    from tellapart.streams.sources.folder import FolderSource

    listing, began_s = os.scandir, time.monotonic()

    def slow(path: Any) -> Any:
        if time.monotonic() - began_s > 2:
            time.sleep(60)
        return listing(path)

    os.scandir = slow  # type: ignore[assignment]  # this process captures and does nothing else
    return FolderSource(settings, clock)


def open_some(settings: Any, clock: Clock) -> Any:
    """Sources as they are, but for folders."""
    from tellapart.streams.sources import open_source

    return (open_source if settings.source.startswith("http") else open_slow_folder)(settings, clock)


def test_slow_storage_holds_up_no_other_camera(tmp_path: Path, shown: dict[str, Any]) -> None:
    folder = Path(shown["http moving"]["folder"])
    with HttpServer({"cam": shown["http moving"]}) as server:
        cameras = _cameras({"http": server}) | {"slow": {"source": str(folder), "stale_after_s": 1.0}}
        of = stream(tmp_path, cameras=cameras)
        captured = Cameras(of.cameras, Clock.started_now(), opener="tests.workflows.watch.test_faults:open_some")
        with Watching(of, cameras=captured) as watching:
            watching.becomes("slow", "stale")
            assert watching.state("http") == "live"
            watching.decides("http", 5)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 30  # the listing alone takes longer
