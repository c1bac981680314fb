"""What a policy file says: business states, and the rules that lead from a model's answers to one of them.

`docs/policies.md` explains every field. Loads pydantic: imported only where a policy is read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tellapart.settings.policy_conditions import KINDS, Condition, Leaf, kind_of
from tellapart.settings.section import Count, Name, Seconds, Section, Share

__all__ = [
    "KINDS",
    "MOST_IMAGES",
    "Closing",
    "Condition",
    "Count",
    "Episode",
    "Input",
    "Leaf",
    "Name",
    "Opening",
    "Policy",
    "Rule",
    "Seconds",
    "Section",
    "Share",
    "Stable",
    "Track",
    "Window",
    "kind_of",
]

MOST_IMAGES = 10_000
"""Images of an input, or of an episode, that are kept at most unless a policy asks for more."""


class Rule(Section):
    """A state and when it holds."""

    model_config = ConfigDict(populate_by_name=True)

    state: Name = Field(description="The state when the condition holds.")
    name: Name | None = Field(default=None, description="What reasons call it; without, its number and state.")
    when: Condition = Field(alias="if", description="The condition.")
    until: Condition | None = Field(
        default=None, description="Once in force, the rule stays so until this holds (hysteresis)."
    )


class Opening(Section):
    """What opens an episode; an image that is not part of one is outside."""

    predicted: Name | None = Field(default=None, description="An image with this answer opens it.")
    trigger: Name | None = Field(default=None, description="This trigger opens it.")
    input: Name | None = Field(default=None, description="Only images of this input open it; without, of any.")


class Closing(Section):
    """What closes an episode, whatever comes first."""

    gap_s: Seconds | None = Field(default=None, description="No image that belongs to it for this long.")
    predicted: Name | None = Field(
        default=None, description="An image with this answer closes it, and is not part of it."
    )
    trigger: Name | None = Field(
        default=None,
        description="This trigger closes it; its image is the last one, or where it opens as well, the first of the next.",
    )
    after_s: Seconds | None = Field(default=None, description="This long after it opened, at the latest.")
    after_images: Count = Field(default=MOST_IMAGES, description="With so many images, at the latest.")
    input: Name | None = Field(default=None, description="Only answers and triggers of this input close it.")


class Episode(Section):
    """One part, one visit: images between an opening and a closing."""

    opens: Opening = Field(description="What opens it; nothing named: any image.")
    closes: Closing = Field(description="What closes it.")
    decides: Literal["at_end", "running"] = Field(default="at_end", description="Once, or with each image as well.")


class Window(Section):
    """Which images a rule looks at: exactly one of these."""

    last: Annotated[int, Field(ge=1, le=MOST_IMAGES)] | None = Field(
        default=None, description="So many images of each input."
    )
    seconds: Seconds | None = Field(
        default=None, description="The images of so many seconds; the newest 10000 of each input where there are more."
    )
    episode: Episode | None = Field(default=None, description="The images of one part or visit.")
    item: Literal[True] | None = Field(default=None, description="All images of one call: several views of a piece.")


class Stable(Section):
    """What keeps a state from flickering."""

    enter: dict[Name, Count] = Field(
        default_factory=dict, description="Times in a row that a state must be found before it is entered."
    )
    hold_s: dict[Name, Seconds] = Field(default_factory=dict, description="Least duration of a state.")
    cool_down_s: dict[Name, Seconds] = Field(
        default_factory=dict, description="Time after a state was left in which it is not entered again."
    )


class Track(Section):
    """States of which one holds at a time, and the rules that say which."""

    states: dict[Name, str | None] = Field(min_length=1, description="The states with what they mean.")
    fallback: Name = Field(description="The state where no rule holds.")
    window: Window = Field(default=Window(last=1), description="Which images the rules look at.")
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = Field(
        default=(), description="The first one that holds gives the state."
    )
    outside: Name | None = Field(default=None, description="Episodes: the state between them; without, the fallback.")
    stable: Stable = Field(default=Stable(), description="What keeps the state from flickering.")
    costs: dict[Name, dict[Name, Annotated[float, Field(ge=0)]]] = Field(
        default_factory=dict, description="Cost by actual and then by decided state; what is not named costs 0 or 1."
    )


class Input(Section):
    """A region or a model that the policy hears."""

    labels: Annotated[tuple[Name, ...], Field(strict=False)] = Field(
        default=(), description="Labels it may answer; without, labels are not checked."
    )
    description: str = Field(default="", description="What it is.")


class Policy(Section):
    """A whole policy: one track, or several that are decided independently of one another."""

    policy: Literal[1] = Field(description="Version of this format.")
    name: Name = Field(description="What decisions call it.")
    description: str = Field(default="", description="What it is for, in a line.")
    inputs: dict[Name, Input] = Field(
        default_factory=lambda: {"image": Input()}, min_length=1, description="Regions or models it hears."
    )
    groups: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]] = Field(
        default_factory=dict,
        description="Names for several labels together: wherever a rule names a label, it may name a group.",
    )
    tracks: dict[Name, Track] = Field(min_length=1, description="By name; a policy of one track may be written flat.")
