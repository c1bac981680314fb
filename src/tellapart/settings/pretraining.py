"""What a pre-training of a backbone on images without labels is made of. `docs/pretraining.md` explains every field.

Loads pydantic: imported only where a backbone is pre-trained.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tellapart.settings.recipe import Augmentation, Optimizer, Schedule, Share

SIMCLR_VIEWS = Augmentation(
    preset="none", horizontal_flip=0.5, crop=0.2, brightness=0.4, saturation=0.4, hue=0.1, blur=0.5
)
"""What SimCLR does to photos of things (its appendix A): parts as small as a fifth in colours that vary by much."""

Temperature = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    """Frozen; an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SimClr(_Section):
    """SimCLR (Chen et al. 2020): two views of an image shall be nearer to each other than to any other image's."""

    temperature: Temperature = Field(default=0.2, description="NT-Xent: how much the nearest other images count.")
    projection: Annotated[int, Field(ge=2)] = Field(default=128, description="Columns of what is compared.")


class Dino(_Section):
    """DINO (Caron et al. 2021): the network foretells from a part what its own running average says of the whole."""

    prototypes: Annotated[int, Field(ge=2)] = Field(default=1024, description="Columns of what is foretold.")
    bottleneck: Annotated[int, Field(ge=2)] = Field(default=256, description="Columns before the prototypes.")
    local_views: Annotated[int, Field(ge=0)] = Field(default=4, description="Small views of an image beside two large.")
    local_crop: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.4, description="Largest share of the area in a small view."
    )
    local_size: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="Side of a small view as a share of `size`."
    )
    temperature: Temperature = 0.1
    teacher_temperature: Temperature = Field(default=0.04, description="Below `temperature`: sharpens.")
    teacher_momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.99, description="Share that the average keeps per step at first; rises to 1."
    )
    centre_momentum: Share = Field(default=0.9, description="Share that the centre of the answers keeps per step.")


class Pretraining(_Section):
    """A whole pre-training."""

    method: Literal["simclr", "dino"] = "simclr"
    backbone: str = "builtin"
    start: Literal["pretrained", "scratch"] = "pretrained"
    size: Annotated[int, Field(ge=8, le=4096)] | None = Field(default=None, description="Side of the image in pixels.")
    epochs: Annotated[int, Field(ge=1)] = 50
    batch_size: Annotated[int, Field(ge=2)] = Field(default=64, description="Images per step, each with its views.")
    augmentation: Augmentation = SIMCLR_VIEWS
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    precision: Literal["auto", "32", "bf16", "16"] = "auto"
    loaders: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Processes that make views; 0: none of their own."
    )
    simclr: SimClr = SimClr()
    dino: Dino = Dino()
