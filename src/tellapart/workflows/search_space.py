"""What a search may try here: from the data, and from what is installed."""

from __future__ import annotations

from importlib.util import find_spec

from tellapart.backbones.registry import available
from tellapart.errors import SettingsError
from tellapart.settings.recipe import Recipe
from tellapart.training.search.space import Around
from tellapart.workflows.fitting import Fitting
from tellapart.workflows.wish import Wish

# Larger images cost their area: two steps of about half as much again.
_ZOOMS = (2 / 3, 3 / 2)
_STEP_PX = 16


def around(quick: Fitting, wish: Wish) -> Around:
    """Around the recipe of `wish`, whose frozen network is that of `quick`."""
    recipe = wish.recipe
    added = [one.name for one in available(wish.store) if one.name not in _OURS]
    return Around(
        task=quick.schema.task,
        backbone=recipe.backbone,
        sizes=_sizes(quick),
        backbones=(recipe.backbone, *added),
        networks=(recipe.backbone, *(name for name in added if name.startswith("timm/"))) if _can_train() else (),
        rate=_rate(recipe) if _can_train() else None,
    )


# What ships: `classic` is there for tiny devices, and others are `builtin` again in another form.
_OURS = ("builtin", "builtin-int8", "classic", "hog")


def _sizes(quick: Fitting) -> tuple[int, ...]:
    """Beside the usual size, for a network that takes any."""
    smallest = quick.embedder.backbone.card.smallest_px
    if smallest is None:
        return ()
    usual = max(quick.embedder.spec.size)
    found = {max(smallest, round(usual * zoom / _STEP_PX) * _STEP_PX) for zoom in _ZOOMS}
    return tuple(sorted(found - {usual}))


def _can_train() -> bool:
    return all(find_spec(name) is not None for name in ("torch", "timm", "lightning"))


def _rate(recipe: Recipe) -> float | None:
    """The automatic learning rate for 32 images, None where the optimiser has none."""
    from tellapart.training.finetune.optimizers import BATCH, learning_rate

    try:
        asked = recipe.finetune.optimizer.model_copy(update={"lr": "auto"})
        return learning_rate(asked, recipe.finetune.start, BATCH)
    except SettingsError:
        return None
