"""What a policy file says: business states, and the rules that lead from a model's answers to one of them.

`docs/policies.md` explains every field. Loads pydantic: imported only where a policy is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class Section(BaseModel):
    """Frozen; an unknown key is refused, and so is text where a number is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Leaf(Section):
    """A condition on the images of one input (None: the only one)."""

    input: Name | None = Field(default=None, description="Which input it looks at; not needed where there is one.")


class Bounded(Leaf):
    """A condition on a figure, from below or from above."""

    at_least: float | None = Field(default=None, description="Holds from this figure on.")
    below: float | None = Field(default=None, description="Holds below this figure.")


class Confidence(Bounded):
    """The latest image's confidence in a label."""

    confidence: Name = Field(description="Label whose confidence in the latest image counts.")


class Margin(Bounded):
    """How far the likeliest label of the latest image is ahead of the next."""

    margin: Literal[True] = Field(description="The latest image's highest confidence less its second highest.")


class Strangeness(Bounded):
    """The OOD score of the latest image: 1 is the model's own threshold."""

    ood: Literal[True] = Field(description="The latest image's OOD score.")


class Predicted(Leaf):
    """The model's answer for the latest image."""

    predicted: Name = Field(description="Label that the model answers for the latest image.")


class Unknown(Leaf):
    """Whether the latest image is unlike anything the model knows."""

    unknown: bool = Field(description="true: the latest image is unlike the training images; false: it is not.")


class Silent(Leaf):
    """No image for some time."""

    silent_s: Seconds = Field(description="Holds when no image came for this many seconds.")


class Triggered(Leaf):
    """What a machine said with the latest image."""

    trigger: Name = Field(description="Name of the trigger that came with the latest image.")


class _Several(Leaf):
    of: Count | None = Field(default=None, description="Images there must be at least; before, it does not hold.")


class Vote(_Several):
    """Images vote for a label, or against it."""

    vote: Name = Field(description="Label that images vote for.")
    confidence: Share | None = Field(
        default=None, description="Confidence of a vote for it; without, the model's own answer is the vote."
    )
    at_least: Count | None = Field(default=None, description="Votes needed.")
    share: Annotated[float, Field(gt=0, le=1)] | None = Field(default=None, description="Share of the votes needed.")
    abstain: Literal["ignore", "count"] = Field(
        default="ignore", description="Images without an answer: no votes at all, or votes against."
    )


class Majority(_Several):
    """More images answer this label than any other one."""

    majority: Name = Field(description="Label that more images answer than any other.")
    tie: Literal["none", "latest"] = Field(
        default="none", description="Equal numbers: no label has the majority, or the one answered last."
    )


class AnyOf(_Several):
    """One positive image decides."""

    any: Name = Field(description="Label that one image is enough for.")
    confidence: Share | None = Field(default=None, description="Confidence that counts; without, the model's answer.")


class Every(_Several):
    """All images agree; one without an answer does not."""

    every: Name = Field(description="Label that every image must have.")
    confidence: Share | None = Field(default=None, description="Confidence that counts; without, the model's answer.")


class Highest(_Several, Bounded):
    """The highest confidence of any image."""

    max: Name = Field(description="Label whose highest confidence counts.")


class Mean(_Several, Bounded):
    """The weighted average of confidences; images that are unknown do not count."""

    mean: Name = Field(description="Label whose average confidence counts.")
    weights: Literal["equal", "quality", "confidence", "recency"] = Field(
        default="equal", description="How much each image counts: all alike, by quality, by its surest label, by age."
    )
    half_life_s: Seconds | None = Field(default=None, description="recency: an image of this age counts half.")
    views: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="Weight by view; views that are not named count 1."
    )


class Running(_Several, Bounded):
    """Exponential running average over the images of the window, oldest first."""

    running: Name = Field(description="Label whose running average counts.")
    alpha: Annotated[float, Field(gt=0, le=1)] = Field(default=0.3, description="Share of the newest image.")


class Bayes(_Several, Bounded):
    """Probability after all images, each being evidence (naive Bayes in log odds)."""

    bayes: Name = Field(description="Label whose probability is updated image by image.")
    prior: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.5, description="Probability before any image.")
    trained_at: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.5, description="Share of the label that the model's confidences assume."
    )
    independence: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="How much news each image brings: 1 for independent ones, less for frames of a video."
    )


class AllOf(Section):
    """All of several conditions."""

    all_of: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)] = Field(description="All hold.")


class OneOf(Section):
    """At least one of several conditions."""

    one_of: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)] = Field(
        description="At least one holds."
    )


class NoneOf(Section):
    """None of several conditions."""

    none_of: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)] = Field(description="None holds.")


KINDS: dict[str, type[Section]] = {
    "confidence": Confidence,
    "margin": Margin,
    "ood": Strangeness,
    "predicted": Predicted,
    "unknown": Unknown,
    "silent_s": Silent,
    "trigger": Triggered,
    "vote": Vote,
    "majority": Majority,
    "any": AnyOf,
    "every": Every,
    "max": Highest,
    "mean": Mean,
    "running": Running,
    "bayes": Bayes,
    "all_of": AllOf,
    "one_of": OneOf,
    "none_of": NoneOf,
}
"""By the key that tells what a condition is about. `confidence` stands last where another key is there: see `kind_of`."""


def kind_of(value: Any) -> str | None:
    """The key that names the condition; None where there is none, or more than one."""
    keys = list(value) if isinstance(value, dict) else list(getattr(type(value), "model_fields", ()))
    named = [key for key in keys if key in KINDS]
    if len(named) == 2 and "confidence" in named:
        named.remove("confidence")  # vote, any and every have a confidence of their own
    return named[0] if len(named) == 1 else None


Condition = Annotated[
    Annotated[Confidence, Tag("confidence")]
    | Annotated[Margin, Tag("margin")]
    | Annotated[Strangeness, Tag("ood")]
    | Annotated[Predicted, Tag("predicted")]
    | Annotated[Unknown, Tag("unknown")]
    | Annotated[Silent, Tag("silent_s")]
    | Annotated[Triggered, Tag("trigger")]
    | Annotated[Vote, Tag("vote")]
    | Annotated[Majority, Tag("majority")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Every, Tag("every")]
    | Annotated[Highest, Tag("max")]
    | Annotated[Mean, Tag("mean")]
    | Annotated[Running, Tag("running")]
    | Annotated[Bayes, Tag("bayes")]
    | Annotated[AllOf, Tag("all_of")]
    | Annotated[OneOf, Tag("one_of")]
    | Annotated[NoneOf, Tag("none_of")],
    Discriminator(kind_of),
]


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


class Closing(Section):
    """What closes an episode, whatever comes first."""

    gap_s: Seconds | None = Field(default=None, description="No image that belongs to it for this long.")
    predicted: Name | None = Field(
        default=None, description="An image with this answer closes it, and is not part of it."
    )
    trigger: Name | None = Field(default=None, description="This trigger closes it; its image is the last one.")
    after_s: Seconds | None = Field(default=None, description="This long after it opened, at the latest.")


class Episode(Section):
    """One part, one visit: images between an opening and a closing."""

    opens: Opening = Field(description="What opens it; nothing named: any image.")
    closes: Closing = Field(description="What closes it.")
    decides: Literal["at_end", "running"] = Field(default="at_end", description="Once, or with each image as well.")


class Window(Section):
    """Which images a rule looks at: exactly one of these."""

    last: Count | None = Field(default=None, description="So many images of each input.")
    seconds: Seconds | None = Field(default=None, description="The images of so many seconds.")
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
    tracks: dict[Name, Track] = Field(min_length=1, description="By name; a policy of one track may be written flat.")


AllOf.model_rebuild()
OneOf.model_rebuild()
NoneOf.model_rebuild()
Rule.model_rebuild()
