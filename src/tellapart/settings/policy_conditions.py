"""The conditions of a policy's rules, as a file writes them: by one key that says what each is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from tellapart.settings.section import Count, Name, Seconds, Section, Share


class _Condition(Section):
    @property
    def kind(self) -> str:
        """The key that tells what it is about."""
        return next(key for key, model in KINDS.items() if model is type(self))


class Leaf(_Condition):
    """A condition on the images of one input (None: the only one)."""

    input: Name | None = Field(default=None, description="Which input it looks at; not needed where there is one.")

    def leaves(self) -> Iterator[Leaf]:
        """Itself."""
        yield self


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


class Undecided(_Several):
    """Images without an answer."""

    undecided: Literal[True] = Field(description="Images that are unknown, or of which the model is not sure, count.")
    at_least: Count | None = Field(default=None, description="So many of them.")
    share: Annotated[float, Field(gt=0, le=1)] | None = Field(default=None, description="Share of all images.")


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


Weight = Literal["equal", "quality", "confidence", "recency"]
Weights = Annotated[
    tuple[Weight, ...],
    Field(strict=False),
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(get_args(Weight)), "type": "string"},
                {"items": {"enum": list(get_args(Weight)), "type": "string"}, "type": "array"},
            ]
        }
    ),
]
"""One of them, or several whose products count."""


class Mean(_Several, Bounded):
    """The weighted average of confidences; images that are unknown do not count."""

    mean: Name = Field(description="Label whose average confidence counts.")
    weights: Weights = Field(
        default=(),
        description="What makes an image count more: its quality, its surest label, its age; none: all alike.",
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


class _Combined(_Condition):
    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions inside it."""
        found: tuple[Condition, ...] = getattr(self, self.kind)
        return found

    def leaves(self) -> Iterator[Leaf]:
        """The conditions on images inside it."""
        for part in self.parts:
            yield from part.leaves()


class AllOf(_Combined):
    """All of several conditions."""

    all_of: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)] = Field(description="All hold.")


class OneOf(_Combined):
    """At least one of several conditions."""

    one_of: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)] = Field(
        description="At least one holds."
    )


class NoneOf(_Combined):
    """None of several conditions."""

    none_of: Annotated[tuple[Condition, ...], Field(min_length=1, strict=False)] = Field(description="None holds.")


KINDS: dict[str, type[_Condition]] = {
    "confidence": Confidence,
    "margin": Margin,
    "ood": Strangeness,
    "predicted": Predicted,
    "unknown": Unknown,
    "silent_s": Silent,
    "trigger": Triggered,
    "vote": Vote,
    "undecided": Undecided,
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
    | Annotated[Undecided, Tag("undecided")]
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


AllOf.model_rebuild()
OneOf.model_rebuild()
NoneOf.model_rebuild()
