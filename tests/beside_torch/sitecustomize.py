"""Read by child processes of tests (through PYTHONPATH): timm imports torchvision, which may be built for another torch."""

from __future__ import annotations

import sys
from pathlib import Path

if any("torch_timm" in argument for argument in sys.orig_argv):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import torchvision_shim  # noqa: F401
