"""What was true for some time, as a person labelled it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TrueEpisode:
    """`state` was true from `start_s` until just before `end_s`, in seconds of the recording's clock.

    `track` names the track of the policy; "" where it follows from the state.
    """

    start_s: float
    end_s: float
    state: str
    track: str = ""
