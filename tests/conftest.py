"""Settings for every test: property tests are seeded, and a slow machine is no failure."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# In a clean clone the first text strategy builds its table of characters, which takes seconds on a busy machine.
settings.register_profile("tellapart", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tellapart")
