"""The checks of an installation: whatever is broken is a finding with a remedy, and nothing opens a connection."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.command import run

from tellapart.backbones.protocol import BackboneCard
from tellapart.backbones.store import Store
from tellapart.cli.doctor import _surroundings
from tellapart.errors import BackboneError, Reason
from tellapart.workflows import doctor_checks as checks
from tellapart.workflows.doctor import Diagnosis, examine, training
from tellapart.workflows.findings import Finding, Surroundings


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def status(found: list[Finding] | tuple[Finding, ...], name: str) -> str:
    return next(one.status for one in found if one.name == name)


def test_this_installation_is_healthy(tmp_path: Path) -> None:
    found = examine(Surroundings(tmp_path))
    assert found.healthy, found.lines()
    names = [one.name for one in found.findings]
    assert names[:3] == ["tellapart", "libraries", "cpu"]
    assert {"cuda", "openvino", "processors", "extras", "cache", "settings", "backbone", "hub"} <= set(names)
    assert found.verdict.startswith("Everything works")


def test_a_broken_library_is_a_finding_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        if name == "scipy":
            raise OSError("libgfortran.so.5: cannot open shared object file\nmore")
        return __import__(name)

    monkeypatch.setattr(checks, "import_module", broken)
    overview, *faults = checks.libraries()
    assert overview.sentence.startswith("10 of 11 load: numpy ")
    assert faults == [
        Finding(
            "scipy",
            "fail",
            "the library 'scipy' cannot be loaded: OSError: libgfortran.so.5: cannot open shared object file",
            "pip install --force-reinstall scipy",
        )
    ]


def test_a_provider_that_was_asked_for_and_does_not_run_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_name: str, *, provider: str) -> object:
        if provider == "openvino":
            raise BackboneError(Reason.PROVIDER_UNAVAILABLE, "no OpenVINO here")
        if provider == "cuda":
            raise BackboneError(Reason.PROVIDER_UNAVAILABLE, "no CUDA here")
        return object()

    monkeypatch.setattr("tellapart.backbones.registry.load_backbone", load)
    monkeypatch.setattr(checks, "_NVIDIA", ())
    plain = checks.providers(Surroundings(Path()))
    assert [(one.name, one.status) for one in plain] == [("cpu", "ok"), ("cuda", "ok"), ("openvino", "ok")]
    assert plain[1].sentence == "not usable here, and not asked for: networks run on the CPU"
    asked = checks.providers(Surroundings(Path(), {"provider": "cuda"}))[1]
    assert asked == Finding(
        "cuda", "fail", "no CUDA here", "set TELLAPART_PROVIDER=cpu, or pip install 'tellapart[gpu]'"
    )
    monkeypatch.setattr(checks, "_NVIDIA", (Path(__file__),))
    assert checks.providers(Surroundings(Path()))[1] == Finding(
        "cuda", "warn", "an NVIDIA GPU is there, but not used", "pip install 'tellapart[gpu]'"
    )


def test_without_onnx_runtime_one_finding_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_name: str, *, provider: str) -> object:
        raise ImportError("DLL load failed")

    monkeypatch.setattr("tellapart.backbones.registry.load_backbone", load)
    assert checks.providers(Surroundings(Path())) == [
        Finding(
            "cpu",
            "fail",
            "ONNX Runtime cannot be used: ImportError: DLL load failed",
            "pip install --force-reinstall onnxruntime",
        )
    ]


def test_a_container_that_grants_less_than_its_cores_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.classifier.cores.available_cores", lambda: 8)
    monkeypatch.setattr(checks, "_CPU_QUOTA", tmp_path / "cpu.max")
    assert checks.processors(Surroundings(tmp_path)).sentence == "8 cores: 8 workers × 1 thread each, in batches of 8"
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert checks.processors(Surroundings(tmp_path)) == Finding(
        "processors",
        "warn",
        "8 cores: 8 workers × 1 thread each, in batches of 8, but the container may use 1.5 only",
        "set TELLAPART_WORKERS=2",
    )
    assert checks.processors(Surroundings(tmp_path, {"workers": "1"})).status == "ok"
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert checks.processors(Surroundings(tmp_path)).status == "ok"


def test_extras_are_followed_through_extras() -> None:
    listed = [
        "numpy>=2",
        'huggingface-hub>=1.0; extra == "hub"',
        "tellapart[hub]; extra == 'timm'",
        "torch>=2.10; extra == 'timm'",
        'tellapart[timm]; extra == "bench"',
        "scikit-learn>=1.6; python_version > '3' and extra == 'bench'",
    ]
    assert checks.packages_of("bench", listed) == {"huggingface-hub", "torch", "scikit-learn"}
    assert checks.packages_of("hub", listed) == {"huggingface-hub"}


def test_missing_extras_come_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metadata:
        def get_all(self, _key: str) -> list[str]:
            return ["gpu", "more", "test"]

    monkeypatch.setattr(checks, "metadata", lambda _name: Metadata())
    lines = ["no-such-package-here; extra == 'gpu'", "numpy; extra == 'more'", "no-such; extra == 'test'"]
    monkeypatch.setattr(checks, "requires", lambda _name: lines)
    assert checks.extras() == Finding(
        "extras", "ok", "installed: more; not installed: gpu", "where you need them: pip install 'tellapart[gpu]'"
    )


def test_the_cache_is_measured_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    assert checks.cache(Surroundings(folder)).sentence.startswith(f"{folder}, 0 MB, ")
    assert not folder.exists()
    folder.mkdir()
    (folder / "x.sqlite").write_bytes(bytes(3_000_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 5, 400_000_000))
    assert checks.cache(Surroundings(folder)) == Finding(
        "cache",
        "warn",
        f"{folder}, 3 MB, 0 GB free: that is little",
        f"delete {folder}, it is filled anew when needed",
    )


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert checks.cache(Surroundings(file / "cache")) == Finding(
        "cache",
        "warn",
        f"{file / 'cache'} cannot be written (Not a directory): everything works, but is computed each time",
        "set TELLAPART_CACHE_DIR to a folder of yours",
    )


def test_settings_are_read_as_the_commands_read_them() -> None:
    assert checks.settings(Surroundings(Path())).sentence == "no TELLAPART_… variable is set"
    assert checks.settings(Surroundings(Path(), {"workers": "2"})).sentence == "TELLAPART_WORKERS=2"
    assert checks.settings(Surroundings(Path(), {"workers": "x"})) == Finding(
        "settings",
        "fail",
        "the settings cannot be used: workers is a whole number of at least 1, got 'x'",
        "see docs/settings.md",
    )


def test_the_hub_is_told_apart_from_its_ban(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_is_missing", lambda _package: False)
    assert checks.hub(Surroundings(Path(), {}, "TRANSFORMERS_OFFLINE")).sentence == (
        "TRANSFORMERS_OFFLINE is set: nothing is downloaded, only what was added before is found"
    )
    allowed = "neither HF_HUB_OFFLINE nor TRANSFORMERS_OFFLINE forbids it: names on the hub may be downloaded"
    assert checks.hub(Surroundings(Path())).sentence == allowed
    monkeypatch.setattr(checks, "_is_missing", lambda _package: True)
    assert checks.hub(Surroundings(Path())).remedy == "where you need it: pip install 'tellapart[hub]'"


def test_a_variable_that_says_no_forbids_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_is_missing", lambda _package: False)
    for value, told in (
        ("0", "may be downloaded"),
        ("", "may be downloaded"),
        ("true", "HF_HUB_OFFLINE is set: nothing"),
    ):
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        assert told in checks.hub(_surroundings()).sentence


def test_the_file_of_an_added_backbone_is_looked_at(tmp_path: Path) -> None:
    store, card = Store(tmp_path / "backbones"), BackboneCard("net", "MIT", "tests", "decode|upright|fit(8)", 4)
    path = store.network_path(store.add("timm/net", b"network" * 1000, card, 0.0))

    def told() -> Finding:
        return checks.backbones(Surroundings(tmp_path))[-1]

    assert told() == Finding("backbone", "ok", "timm/net, 0.01 MB, MIT, added")
    path.write_bytes(b"garbage" * 1000)
    assert told() == Finding(
        "backbone",
        "warn",
        f"timm/net, 0.01 MB, MIT, added, but its file {path} is not the one that was added",
        "tellapart backbones add timm/net",
    )
    path.unlink()
    assert told().sentence == f"timm/net, 0.01 MB, MIT, added, but its file {path} is gone"


def test_a_small_training_proves_that_it_works() -> None:
    found = training()
    assert found.status == "ok"
    assert found.sentence.startswith("16 generated photos were trained on with ")


def test_a_training_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise BackboneError(Reason.BACKBONE_INVALID, "the backbone's file is damaged")

    monkeypatch.setattr("tellapart.workflows.train.train", fails)
    assert training() == Finding(
        "training", "fail", "a small training failed: BackboneError: the backbone's file is damaged"
    )
    assert training([Finding("numpy", "fail", "broken")]).sentence == "not tried, as this failed: numpy"


def test_the_verdict_counts() -> None:
    ok, warn, fail = Finding("a", "ok", "s"), Finding("b", "warn", "s", "do"), Finding("c", "fail", "s")
    assert Diagnosis((ok,)).verdict == "Everything works."
    assert Diagnosis((ok, warn)).verdict == "Everything works, with one remark."
    assert Diagnosis((ok, warn, warn)).verdict == "Everything works, with 2 remarks."
    assert Diagnosis((ok, warn, fail)).verdict == "Something is missing: c."
    assert Diagnosis((warn,)).lines() == ["warn  b            s", "                   → do"]


@pytest.fixture
def broken_numpy(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "broken" / "numpy").mkdir(parents=True)
    (tmp_path / "broken" / "numpy" / "__init__.py").write_text("raise ImportError('no libopenblas')\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TELLAPART_", "COV_"))}
    return {**kept, "PYTHONPATH": str(tmp_path / "broken")}


def test_where_numpy_itself_is_broken_the_command_still_answers(broken_numpy: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tellapart", "doctor", "--json"]
    done = subprocess.run(command, env=broken_numpy, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    found = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert found["numpy"]["sentence"] == "the library 'numpy' cannot be loaded: ImportError: no libopenblas"
    assert found["cpu"]["status"] == found["backbones"]["status"] == "fail"


def test_no_connection_is_opened(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "def hook(event, _):\n"
        "    if event.startswith('socket.') and event not in ('socket.__new__', 'socket.gethostname'):\n"
        "        sys.stderr.write(f'CONNECTION {event}')\n"
        "sys.addaudithook(hook)\n"
        "from tellapart.cli.main import main\n"
        "sys.argv = ['tellapart', 'doctor', '--offline']\n"
        "main()\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok    training" in done.stdout


def test_the_command_tells_people_and_programs() -> None:
    shown = run("doctor", TELLAPART_WORKERS="1")
    assert shown.code == 0
    assert "ok    settings     TELLAPART_WORKERS=1\n" in shown.out
    assert run("doctor", "--json").json["ok"] is True
    wrong = run("doctor", TELLAPART_WORKERS="none")
    assert wrong.code == 1
    assert wrong.out.endswith("Something is missing: settings.\n")
