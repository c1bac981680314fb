"""Settings for every test: property tests are seeded, and a slow machine is no failure."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before anything loads a library that computes: tests run beside each other, one on each core, and threads of torch that wait
# for a core cost more than they bring. With one thread a process of its own computes to the last bit what this one does.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

# In a clean clone the first text strategy builds its table of characters, which takes seconds on a busy machine.
settings.register_profile("tellapart", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tellapart")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests add to the cache of backbones stays theirs."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before
