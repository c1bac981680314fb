"""What is asked of a training of the network itself, and which frozen one it has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from tellapart.backbones.store import Store
from tellapart.settings.recipe import Recipe

# They come without weights: the quick way that their training is compared with is the built-in network.
_UNTRAINED = ("lenet", "alexnet")


@dataclass(frozen=True, slots=True)
class Wish:
    """The recipe, what the model is to be called, where ONNX networks run and added ones are kept, and whether an unfinished
    run is gone on with.
    """

    recipe: Recipe
    name: str
    provider: str = "cpu"
    store: Store | None = None
    resume: bool = False


def frozen_backbone(recipe: Recipe) -> str:
    """The frozen network of a recipe: for fine-tuning the same one where it has weights, else the built-in."""
    if recipe.method != "finetune":
        return recipe.backbone
    scratch = recipe.finetune.start == "scratch" or recipe.backbone in _UNTRAINED
    return "builtin" if scratch else recipe.backbone
