"""What `train` is told about the training itself: options that become one recipe, read and checked before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.options import gathered, headed

if TYPE_CHECKING:
    from tellapart.settings.recipe import Recipe

# The words of `settings.recipe`, repeated: to read them there takes pydantic, and `--help` answers at once without it.
METHODS = ("probe", "finetune", "few-shot", "dynamic", "hog", "sift", "anomaly")
PRESETS = ("none", "light", "standard", "strong", "colour-matters", "orientation-matters", "small-defects")
LOSSES = (
    *("auto", "cross_entropy", "focal", "class_balanced", "logit_adjustment", "bce", "asymmetric"),
    "supervised_contrastive",
)
SAMPLERS = ("shuffle", "balanced", "square_root")
REJECTIONS = ("auto", "mahalanobis", "class_distance", "relative_distance", "energy")
TUNINGS = ("full", "last_stages", "head_then_all", "lora", "head")

# Variables of the options that stand for one field each.
FIELDS = {
    "method": ("method",),
    "backbone": ("backbone",),
    "size": ("size",),
    "preprocess": ("preprocess",),
    "aim": ("aim",),
    "class_weight": ("class_weight",),
    "label_noise": ("label_noise",),
    "rejection": ("rejection",),
    "unknown_share": ("unknown_share",),
    "head": ("head",),
    "good": ("anomaly", "good"),
    "false_alarms": ("anomaly", "false_alarms"),
    "start": ("finetune", "start"),
    "tune": ("finetune", "tune"),
    "epochs": ("finetune", "epochs"),
    "batch_size": ("finetune", "batch_size"),
    "lr": ("finetune", "optimizer", "lr"),
    "augment": ("finetune", "augmentation", "preset"),
    "loss": ("finetune", "loss", "name"),
    "sampler": ("finetune", "sampler"),
    "processes": ("finetune", "processes"),
}


def _recipe(asked: Mapping[str, Any]) -> Recipe:
    """The recipe of the options; raises SettingsError with all that is wrong with them."""
    from tellapart.settings.given import Given, together
    from tellapart.settings.recipe_file import read_recipe

    named = {name: asked[name] for name in FIELDS if asked[name] is not None}
    options = together(Given.one(FIELDS[name], value, "--" + name.replace("_", "-")) for name, value in named.items())
    others = click.get_current_context().params
    search = any(others.get(name) for name in ("search", "search_minutes"))
    return read_recipe(asked["recipe"], options=options, changes=asked["changes"], search=search)


def _number_or_word(_context: click.Context, _option: click.Parameter, text: str | None) -> float | str | None:
    try:
        return text if text is None else float(text)
    except ValueError:
        return text


def _choice(name: str, values: tuple[str, ...], told: str) -> Any:
    return click.option(name, type=click.Choice(values), help=told)


RECIPE = gathered(
    "recipe",
    _recipe,
    _choice("--method", METHODS, "What learns.  [default: probe, a head on a frozen backbone]"),
    click.option("--recipe", metavar="NAME|FILE", help="How to train (`tellapart recipes list`), or a YAML file."),
    click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any field of a recipe, such as loss.gamma=1; may be repeated, and has the last word.",
    ),
    click.option(
        "--backbone",
        metavar="NAME|FILE",
        help="Name (`tellapart backbones list`, timm/…, hf://…), ONNX file or timm checkpoint.  [default: builtin]",
    ),
    click.option("--size", type=int, metavar="PX", help="Side of the image that it sees.  [default: the backbone's]"),
    click.option(
        "--preprocess",
        metavar="SPEC",
        help="Such as 'decode|upright|fit(224)'.  [default: what the backbone was made for]",
    ),
    headed(
        "Answers",
        click.option(
            "--aim",
            help="What thresholds are for: best_f1, 'precision>=0.98', 'recall>=0.95', least_cost, argmax.  "
            "[default: best_f1]",
        ),
        _choice(
            "--class-weight",
            ("balanced", "none"),
            "balanced: rare classes count as much as common ones.  [default: balanced]",
        ),
        _choice(
            "--label-noise",
            ("keep", "drop", "downweight"),
            "Labels that are probably wrong count, are left out, or count less.  [default: keep]",
        ),
        _choice(
            "--rejection",
            REJECTIONS,
            "What tells unknown images; auto leaves classes out in turn to choose.  [default: auto]",
        ),
        click.option(
            "--unknown-share",
            type=float,
            metavar="SHARE",
            help="Share of images like the training images that is called unknown.  [default: 0.01]",
        ),
        _choice("--head", ("logistic", "svm"), "What reads the features of hog and sift.  [default: logistic]"),
    ),
    headed(
        "Good images alone (--method anomaly)",
        click.option(
            "--good", metavar="NAME", help="Class of the good images, several as 'a|b'.  [default: guessed by words]"
        ),
        click.option(
            "--false-alarms",
            type=float,
            metavar="SHARE",
            help="Share of good images that may be called anomalous.  [default: 0.01]",
        ),
    ),
    headed(
        "The network itself (--method finetune)",
        _choice("--start", ("pretrained", "scratch"), "From learned weights, or from none.  [default: pretrained]"),
        _choice("--tune", TUNINGS, "What of the network learns.  [default: full]"),
        click.option("--epochs", type=int, help="Times that every image is seen.  [default: 20]"),
        click.option("--batch-size", type=int, help="Images per step, over all processes.  [default: 32]"),
        click.option(
            "--lr",
            callback=_number_or_word,
            metavar="RATE|auto|find",
            help="Learning rate for a batch of 32; find measures it.  [default: auto]",
        ),
        _choice("--augment", PRESETS, "What training images may look like.  [default: standard]"),
        _choice("--loss", LOSSES, "What is minimised.  [default: auto, cross-entropy or, for several labels, BCE]"),
        _choice("--sampler", SAMPLERS, "How often rare classes are drawn.  [default: shuffle, as often as they are]"),
        click.option("--processes", type=int, help="Processes that share each batch.  [default: 1]"),
    ),
)
