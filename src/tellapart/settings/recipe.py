"""What a training is made of, as a value that people write: a recipe. `docs/recipes.md` explains every field.

A recipe says what differs from the defaults and nothing else. Loads pydantic: imported only where a recipe is used.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Method = Literal["probe", "finetune", "few-shot", "dynamic", "hog", "sift", "anomaly"]
Preset = Literal["none", "light", "standard", "strong", "colour-matters", "orientation-matters", "small-defects"]
LossName = Literal[
    "auto",
    "cross_entropy",
    "focal",
    "class_balanced",
    "logit_adjustment",
    "bce",
    "asymmetric",
    "supervised_contrastive",
]
SamplerName = Literal["shuffle", "balanced", "square_root"]
ScheduleName = Literal["cosine", "one_cycle", "plateau", "constant"]
Share = Annotated[float, Field(ge=0, le=1)]
# A bare 32 is a number in YAML.
Precision = Annotated[
    Literal["auto", "32", "bf16", "16"],
    BeforeValidator(
        lambda value: str(value) if type(value) is int else value,
        json_schema_input_type=Literal["auto", "32", "bf16", "16", 32, 16],
    ),
]


class _Section(BaseModel):
    """Frozen; an unknown key is refused, and so is text where a number is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Augmentation(_Section):
    """What the network sees instead of the plain image. A preset, and what shall differ from it (None: as the preset).

    Everything but `mixup` and `cutmix`, which mix the images of a batch, happens to the decoded image before the
    preprocess spec: training and serving share that.
    """

    preset: Preset = Field(default="standard", description="What to begin with; `tellapart data augment` shows it.")
    horizontal_flip: Share | None = Field(default=None, description="Probability of a left-right flip.")
    vertical_flip: Share | None = Field(default=None, description="Probability of an upside-down flip.")
    quarter_turns: bool | None = Field(default=None, description="Turn by 0, 90, 180 or 270 degrees.")
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] | None = Field(
        default=None, description="Turn by up to this, both ways."
    )
    crop: Share | None = Field(
        default=None, description="Smallest share of the area that a random crop keeps; 1: no crop."
    )
    brightness: Share | None = Field(default=None, description="Brightness and contrast change by up to this share.")
    saturation: Share | None = Field(default=None, description="Saturation changes by up to this share.")
    hue: Annotated[float, Field(ge=0, le=0.5)] | None = Field(
        default=None, description="Hue turns by up to this share of the circle."
    )
    blur: Share | None = Field(default=None, description="Probability of a Gaussian blur.")
    erasing: Share | None = Field(default=None, description="Probability that a random rectangle is erased (cutout).")
    automatic: Literal["none", "rand", "trivial"] | None = Field(
        default=None, description="RandAugment or TrivialAugment."
    )
    mixup: Annotated[float, Field(ge=0)] | None = Field(default=None, description="Alpha of mixup; 0: off.")
    cutmix: Annotated[float, Field(ge=0)] | None = Field(default=None, description="Alpha of CutMix; 0: off.")


class Loss(_Section):
    """What is minimised. "auto" is cross-entropy, or BCE for several labels per image."""

    name: LossName = Field(
        default="auto", description="What is minimised; auto: cross_entropy, or bce for several labels."
    )
    smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="Label smoothing.")
    gamma: Annotated[float, Field(ge=0)] = Field(default=2.0, description="Focal: how little easy images count.")
    gamma_negative: Annotated[float, Field(ge=0)] = Field(
        default=4.0, description="Asymmetric: the same for absent labels."
    )
    gamma_positive: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="Asymmetric: the same for present labels."
    )
    clip: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.05, description="Asymmetric: probabilities below do not count."
    )
    beta: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.999, description="Class-balanced: overlap of images of a class."
    )
    tau: Annotated[float, Field(ge=0)] = Field(default=1.0, description="Logit adjustment: strength.")
    temperature: Annotated[float, Field(gt=0)] = Field(default=0.1, description="Supervised contrastive: temperature.")
    contrast: Share = Field(
        default=0.5, description="Supervised contrastive: how much it counts, the rest is cross-entropy."
    )


class Optimizer(_Section):
    """How weights move; `name` is sgd, adamw or any that timm knows."""

    name: str = Field(default="adamw", description="sgd, adamw, or any optimiser of timm.")
    lr: Annotated[float, Field(gt=0)] | Literal["auto", "find"] = Field(
        default="auto",
        description="Learning rate for a batch of 32; auto: by optimiser and start; find: by a range test.",
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="Pull of the weights to zero; biases and norms are left alone."
    )
    momentum: Share = Field(
        default=0.9, description="Of sgd and its like: how much of the last step stays in the next."
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="Each stage nearer to the image learns at this times the rate of the next; 1: all alike.",
    )
    clip_norm: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="Largest norm of the gradient; 0: no limit."
    )


class Schedule(_Section):
    """How the learning rate changes."""

    name: ScheduleName = Field(
        default="cosine",
        description="How the learning rate falls; plateau: to a tenth after three epochs without a gain.",
    )
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(
        default=1.0,
        description="Epochs in which the rate rises, at most half of them; one_cycle has a rise of its own.",
    )
    floor: Share = Field(default=0.01, description="Last learning rate as a share of the first.")


class Lora(_Section):
    """Low-rank adapters beside the linear layers of a transformer (Hu et al. 2021)."""

    rank: Annotated[int, Field(ge=1)] = Field(default=8, description="Width of the adapters: more learns more.")
    alpha: Annotated[float, Field(gt=0)] = Field(
        default=16.0, description="What the adapters add counts alpha / rank times."
    )


class Distillation(_Section):
    """A bigger model of the user's teaches: its folder, softness of its answers, how much they count beside the labels."""

    teacher: str = Field(description="Model folder with the same labels.")
    temperature: Annotated[float, Field(gt=0)] = Field(default=4.0, description="Softness of the teacher's answers.")
    weight: Share = Field(default=0.5, description="Share of the teacher's answers in the loss, beside the labels.")


class Finetune(_Section):
    """How the network itself is trained."""

    start: Literal["pretrained", "scratch"] = Field(
        default="pretrained", description="From weights that were learnt before, or from random ones."
    )
    tune: Literal["full", "last_stages", "head_then_all", "lora", "head"] = Field(
        default="full", description="What of the network learns; lora: adapters of a transformer."
    )
    stages: Annotated[int, Field(ge=1)] = Field(default=1, description="last_stages: how many of them learn.")
    head_epochs: Annotated[int, Field(ge=1)] = Field(default=2, description="head_then_all: epochs of the head alone.")
    lora: Lora = Lora()
    head_start: Literal["probe", "random"] = Field(
        default="probe",
        description="Where the head of a pretrained network starts: at the probe of its frozen features.",
    )
    epochs: Annotated[int, Field(ge=1)] = Field(default=20, description="Times that every image is seen.")
    batch_size: Annotated[int, Field(ge=1)] = Field(
        default=32, description="Images per step of the optimiser, over all processes."
    )
    accumulate: Annotated[int, Field(ge=1)] = Field(
        default=1, description="Parts in which a batch is computed, to save memory."
    )
    precision: Precision = Field(
        default="auto", description="Bits of the arithmetic; auto: bf16 on a GPU that knows it, else 32."
    )
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    sampler: SamplerName = Field(
        default="shuffle",
        description="How often classes are drawn: as often as they are, all alike, or by the root of their number.",
    )
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Share of the embedding that is left out before the head."
    )
    drop_path: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="Stochastic depth.")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Decay of averaged weights; 0: no average."
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Epochs without gain before an early stop; 0: never."
    )
    distillation: Distillation | None = None
    processes: Annotated[int, Field(ge=1)] = Field(default=1, description="Processes that share each batch (DDP).")
    engine: Literal["ddp", "ray"] = Field(
        default="ddp", description="What starts several processes: torchrun or Ray Train."
    )
    loaders: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Processes that load images; 0: none of their own."
    )
    tensorboard: bool = Field(default=False, description="Write logs for TensorBoard beside history.csv.")
    mlflow: str | None = Field(default=None, description="Tracking URI of MLflow.")


class Anomaly(_Section):
    """What good images teach, so that all others are found: `method: anomaly`."""

    method: Literal["auto", "patchcore", "mahalanobis", "knn"] = Field(
        default="auto",
        description="What is compared: patches with those remembered, with the Gaussian of their place, or whole images; "
        "auto: the best on bad images of the training, patchcore without any.",
    )
    good: str | None = Field(
        default=None,
        description="Class of the good images, several as a|b; none: guessed from words such as good or ok.",
    )
    bad: str | None = Field(
        default=None, description="What all others are called; none: as their class, where it is one, else anomalous."
    )
    false_alarms: Annotated[float, Field(gt=0, le=0.5)] = Field(
        default=0.01, description="Share of good images that may be called anomalous."
    )
    coreset: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="patchcore: share of the patches that is remembered, of 20,000 at random at most."
    )


class Recipe(_Section):
    """A whole training: method, backbone, image, thresholds, and how the network learns."""

    description: str = Field(default="", description="What the recipe is for, in a line.")
    method: Method = Field(
        default="probe",
        description="What learns: a head on a frozen backbone, the network itself, or one of the others.",
    )
    backbone: str = Field(default="builtin", description="Name (`tellapart backbones list`, timm/…, hf://…) or file.")
    size: Annotated[int, Field(ge=8, le=4096)] | None = Field(default=None, description="Side of the image in pixels.")
    preprocess: str | None = Field(
        default=None, description="Whole preprocessing instead of size, such as decode|upright|fit(224)."
    )
    aim: str = Field(
        default="best_f1",
        description="What thresholds are for: best_f1, precision>=0.98, recall>=0.95, least_cost or argmax.",
    )
    class_weight: Literal["balanced", "none"] = Field(
        default="balanced", description="Whether rare classes count as much as common ones when a head is fitted."
    )
    label_noise: Literal["keep", "drop", "downweight"] = Field(
        default="keep", description="Whether labels that are probably wrong count, are left out, or count less."
    )
    rejection: Literal["auto", "mahalanobis", "class_distance", "relative_distance", "energy"] = Field(
        default="auto", description="What tells unknown images; auto: chosen by leaving classes out in turn."
    )
    unknown_share: Annotated[float, Field(gt=0, le=0.5)] = Field(
        default=0.01, description="Share of images like the training images that is called unknown."
    )
    head: Literal["logistic", "svm"] = Field(default="logistic", description="hog and sift: what reads their features.")
    anomaly: Anomaly = Anomaly()
    finetune: Finetune = Finetune()
