"""What this installation can do, checked: nothing here opens a connection, and nothing that is broken ends it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import TellapartError
from tellapart.workflows import doctor_checks as checks
from tellapart.workflows.findings import BROKEN, Finding, Surroundings, first_line

_N_BOTTLES = 16


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings in the order in which they are read."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """True when nothing failed."""
        return all(one.status != "fail" for one in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence."""
        counts = {status: sum(one.status == status for one in self.findings) for status in ("warn", "fail")}
        if counts["fail"]:
            failed = ", ".join(one.name for one in self.findings if one.status == "fail")
            return f"Something is missing: {failed}."
        remarks = {0: "", 1: ", with one remark"}.get(counts["warn"], f", with {counts['warn']} remarks")
        return f"Everything works{remarks}."

    def lines(self) -> list[str]:
        """The findings for a terminal, each with its remedy below it."""
        found = []
        for one in self.findings:
            found.append(f"{one.status:<6}{one.name:<13}{one.sentence}")
            if one.remedy:
                found.append(f"{'':<19}→ {one.remedy}")
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"ok": self.healthy, "verdict": self.verdict, "checks": [one.to_json() for one in self.findings]}


def examine(surroundings: Surroundings, *, offline: bool = False) -> Diagnosis:
    """Look at versions, libraries, processors, extras, cache, settings and backbones.

    `offline` asks what works without a network instead: libraries, backbones that lie here, and a small training to prove
    it. Neither opens a connection.
    """
    found = [checks.installation(), *checks.libraries()]
    if not offline:
        found += [*checks.providers(surroundings), checks.processors(surroundings), checks.extras()]
        found += [checks.cache(surroundings)]
    found += [checks.settings(surroundings), *checks.backbones(surroundings), checks.hub(surroundings)]
    if offline:
        found.append(training(found))
    return Diagnosis(tuple(found))


def training(before: Sequence[Finding] = ()) -> Finding:
    """A training of generated photos with the default backbone, from the files to the evaluation.

    Where libraries failed `before`, it is not tried.
    """
    name = "training"
    broken = [one.name for one in before if one.status == "fail"]
    if broken:
        return Finding(name, "fail", f"not tried, as this failed: {', '.join(broken)}", "mend that first")
    try:
        with tempfile.TemporaryDirectory(prefix="tellapart-doctor-") as folder:
            seconds, backbone = _train(Path(folder) / "bottles")
    except (TellapartError, *BROKEN) as error:
        return Finding(name, "fail", f"a small training failed: {first_line(error)}")
    return Finding(
        name,
        "ok",
        f"{_N_BOTTLES} generated photos were trained on with {backbone!r} in {seconds:.1f} s, without a network",
    )


def _train(folder: Path) -> tuple[float, str]:
    from tellapart.samples import write_bottles
    from tellapart.workflows.train import train

    write_bottles(folder, n_parts=_N_BOTTLES, frames_per_part=1, height_px=64)
    started = time.perf_counter()
    model = train(folder, golden=0)
    return time.perf_counter() - started, str(model.card.backbone["name"])
