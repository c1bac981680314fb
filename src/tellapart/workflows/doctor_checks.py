"""One function per check of the installation. Each imports what it looks at itself, and reports what is broken."""

from __future__ import annotations

import re
import shutil
import tempfile
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from platform import machine, python_version, system
from typing import TYPE_CHECKING

from tellapart.backbones.hub import OFFLINE_VARIABLES
from tellapart.errors import BackboneError, SettingsError, TellapartError
from tellapart.workflows.findings import BROKEN, Finding, Surroundings, first_line

if TYPE_CHECKING:
    from tellapart.backbones.store import Store

# Module names of what every installation has; the package's name where it is another one.
_LIBRARIES = {
    "click": "click", "numpy": "numpy", "onnx": "onnx", "onnxruntime": "onnxruntime", "PIL": "pillow",
    "polars": "polars", "pydantic": "pydantic", "yaml": "pyyaml", "rich": "rich", "safetensors": "safetensors",
    "scipy": "scipy",
}  # fmt: skip
_TOLD = ("numpy", "onnxruntime", "pillow", "polars")
_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?$")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_LITTLE_BYTES = 1_000_000_000
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_NVIDIA = (Path("/dev/nvidia0"), Path("/dev/dxg"))


def installation() -> Finding:
    """Version, Python, system."""
    from tellapart import __version__

    where = Path(__file__).parents[1]
    return Finding("tellapart", "ok", f"{__version__} in {where}, Python {python_version()}, {system()} {machine()}")


def libraries() -> list[Finding]:
    """Whether each required library loads: one finding for all that do, and one for each that does not."""
    broken, loaded = [], []
    for module, package in _LIBRARIES.items():
        try:
            import_module(module)
            loaded.append(package)
        except BROKEN as error:
            sentence = f"the library {package!r} cannot be loaded: {first_line(error)}"
            broken.append(Finding(package, "fail", sentence, f"pip install --force-reinstall {package}"))
    told = ", ".join(f"{package} {_version(package)}" for package in _TOLD if package in loaded)
    return [Finding("libraries", "ok", f"{len(loaded)} of {len(_LIBRARIES)} load: {told}"), *broken]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def providers(surroundings: Surroundings) -> list[Finding]:
    """Where networks can run, tried with a small one."""
    wanted = surroundings.settings.get("provider", "cpu")
    cpu = _provider("cpu", wanted)
    if cpu.status == "fail":
        return [cpu]
    return [cpu, *(_provider(name, wanted) for name in ("cuda", "openvino"))]


def _provider(name: str, wanted: str) -> Finding:
    try:
        from tellapart.backbones.registry import load_backbone

        network = load_backbone("classic", provider=name)
        _run(network)
    except BackboneError as error:
        return _not_there(name, error, wanted)
    except BROKEN as error:
        return Finding(name, "fail", f"ONNX Runtime cannot be used: {first_line(error)}", _REINSTALL)
    return Finding(name, "ok", f"a small network runs on ONNX Runtime {_version('onnxruntime')}")


_REINSTALL = "pip install --force-reinstall onnxruntime"


def _run(network: object) -> None:
    import numpy as np

    from tellapart.backbones.protocol import Backbone

    if isinstance(network, Backbone):
        network.run(np.zeros((1, 64, 64, 3), np.uint8))


def _not_there(name: str, error: BackboneError, wanted: str) -> Finding:
    """A provider that does not run is a fault where it was asked for, a remark where its hardware is there."""
    if name == "cpu":
        return Finding(name, "fail", str(error), _REINSTALL)
    if name == wanted:
        remedy = f"set TELLAPART_PROVIDER=cpu, or pip install 'tellapart[{_EXTRA_OF.get(name, name)}]'"
        return Finding(name, "fail", str(error), remedy)
    if name == "cuda" and any(device.exists() for device in _NVIDIA):
        return Finding(name, "warn", "an NVIDIA GPU is there, but not used", "pip install 'tellapart[gpu]'")
    return Finding(name, "ok", "not usable here, and not asked for: networks run on the CPU")


_EXTRA_OF = {"cuda": "gpu"}


def processors(surroundings: Surroundings) -> Finding:
    """Cores, and what is made of them."""
    from tellapart.classifier.cores import available_cores

    cores = available_cores()
    try:
        workers = int(surroundings.settings.get("workers") or 0) or cores
    except ValueError:  # the check of the settings says so
        workers = cores
    sentence = f"{_count(cores, 'core')}: {_count(workers, 'worker')} × 1 thread each, in batches of 8"
    quota = _quota()
    if quota is not None and quota < 0.9 * workers:
        most = max(1, round(quota))
        return Finding(
            "processors",
            "warn",
            f"{sentence}, but the container may use {quota:g} only",
            f"set TELLAPART_WORKERS={most}",
        )
    return Finding("processors", "ok", sentence)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _quota() -> float | None:
    """Cores that the control group (v2) grants, None for no limit."""
    try:
        granted, _, period = _CPU_QUOTA.read_text(encoding="ascii").partition(" ")
        return int(granted) / int(period)
    except (OSError, ValueError):
        return None


def extras() -> Finding:
    """Optional parts, and the command that brings those that are missing."""
    try:
        declared = metadata("tellapart").get_all("Provides-Extra") or []
        listed = requires("tellapart") or []
    except PackageNotFoundError:
        return Finding("extras", "warn", "not known: tellapart is run from a folder, not installed", "pip install -e .")
    missing, there = list[str](), list[str]()
    for extra in sorted(set(declared) - {"test"}):
        lacking = [package for package in packages_of(extra, listed) if _is_missing(package)]
        (missing if lacking else there).append(extra)
    installed = ", ".join(there) or "none"
    if not missing:
        return Finding("extras", "ok", f"installed: {installed}")
    remedy = f"where you need them: pip install 'tellapart[{','.join(missing)}]'"
    return Finding("extras", "ok", f"installed: {installed}; not installed: {', '.join(missing)}", remedy)


def packages_of(extra: str, listed: list[str]) -> set[str]:
    """Packages of an extra, through extras it names itself; `listed` is written as `importlib.metadata.requires` does."""
    found: set[str] = set()
    seen, waiting = {extra}, [extra]
    while waiting:
        current = waiting.pop()
        for line in listed:
            match = _REQUIREMENT.match(line)
            if match is None or current not in _EXTRA.findall(match[3] or ""):
                continue
            if match[1].lower() == "tellapart":
                more = {name.strip() for name in (match[2] or "").split(",")} - seen
                seen |= more
                waiting += more
            else:
                found.add(match[1])
    return found


def _is_missing(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return True
    return False


def cache(surroundings: Surroundings) -> Finding:
    """Where embeddings are kept: place, size, room."""
    folder = surroundings.cache_dir
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    try:
        n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        with tempfile.TemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    except OSError as error:
        sentence = (
            f"{folder} cannot be written ({error.strerror or error}): everything works, but is computed each time"
        )
        return Finding("cache", "warn", sentence, "set TELLAPART_CACHE_DIR to a folder of yours")
    sentence = f"{folder}, {n_bytes / 1e6:,.0f} MB, {free / 1e9:,.0f} GB free"
    if free < _LITTLE_BYTES:
        return Finding(
            "cache", "warn", f"{sentence}: that is little", f"delete {folder}, it is filled anew when needed"
        )
    return Finding("cache", "ok", sentence)


def settings(surroundings: Surroundings) -> Finding:
    """TELLAPART_… variables, read as the commands read them."""
    if not surroundings.settings:
        return Finding("settings", "ok", "no TELLAPART_… variable is set")
    try:
        from tellapart.settings import Settings

        Settings.from_mapping(surroundings.settings)
    except SettingsError as error:
        return Finding("settings", "fail", str(error), "see docs/settings.md")
    except BROKEN as error:
        return Finding("settings", "fail", f"the settings cannot be read: {first_line(error)}")
    told = ", ".join(f"TELLAPART_{name.upper()}={value}" for name, value in surroundings.settings.items())
    return Finding("settings", "ok", told)


def backbones(surroundings: Surroundings) -> list[Finding]:
    """Networks that are here, without any download."""
    try:
        from tellapart.backbones.registry import available
        from tellapart.backbones.store import Store

        store = Store(surroundings.cache_dir / "backbones")
        entries = available(store)
    except (TellapartError, *BROKEN) as error:
        return [Finding("backbones", "fail", f"the backbones cannot be listed: {first_line(error)}")]
    found = []
    for one in entries:
        place = "in the package" if one.where == "shipped" else "added"
        sentence = f"{one.name}, {one.n_bytes / 1e6:.2f} MB, {one.licence}, {place}"
        fault = "" if one.where == "shipped" else _fault(store, one.name, Path(one.where))
        if fault:
            found.append(Finding("backbone", "warn", sentence + fault, f"tellapart backbones add {one.name}"))
        else:
            found.append(Finding("backbone", "ok", sentence))
    return found or [
        Finding("backbones", "fail", "there is not one backbone", "pip install --force-reinstall tellapart")
    ]


def _fault(store: Store, name: str, path: Path) -> str:
    """What is wrong with the file of a backbone that was added."""
    try:
        store.verified(name)
    except BackboneError:
        return f", but its file {path} is " + ("not the one that was added" if path.exists() else "gone")
    return ""


def hub(surroundings: Surroundings) -> Finding:
    """Whether names on the hub can be used at all."""
    if _is_missing("huggingface_hub"):
        sentence = (
            "names such as timm/… need the hub's client, which is not installed; what is listed above works without"
        )
        return Finding("hub", "ok", sentence, "where you need it: pip install 'tellapart[hub]'")
    if surroundings.offline_variable:
        sentence = f"{surroundings.offline_variable} is set: nothing is downloaded, only what was added before is found"
        return Finding("hub", "ok", sentence)
    told = " nor ".join(OFFLINE_VARIABLES)
    return Finding("hub", "ok", f"neither {told} forbids it: names on the hub may be downloaded")
