"""Optimisers by timm's names, and the learning rate that each starts from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal

import torch

from tellapart.backbones.torch_libraries import load_timm
from tellapart.errors import Reason, SettingsError
from tellapart.settings.recipe import Optimizer

BATCH = 32
"""The batch size for which recipes name learning rates."""

Family = Literal["sgd", "adam", "lion"]
_SGD = ("momentum", "nesterov", "nesterovw", "sgd", "sgdc", "sgdp", "sgdw", "csgdc", "csgdp", "csgdw")
_LION = ("lion", "lionc", "clion", "clionc")
_ADAM = (
    *("adabelief", "adam", "adamc", "adamp", "adamw", "adamwlegacy", "adan", "adanw", "adopt", "adoptc", "adoptw"),
    *("cadamc", "cadamp", "cadamw", "cadan", "cadanw", "cadopt", "cadoptc", "cadoptw", "claprop", "laprop", "lapropc"),
    *("cnadamc", "cnadamw", "nadam", "nadamc", "nadamlegacy", "nadamw", "radabelief", "radam", "radamlegacy", "radamw"),
)
# For batches of 32. SGD from scratch: 0.1 for 256 (Goyal et al. 2017). AdamW from scratch: 1e-3 for 256 or so. Weights that
# are good already are moved a fraction as fast (Kornblith et al. 2019). Lion: 3 to 10 times less than Adam (Chen et al. 2023).
_AUTO: dict[Family, dict[str, float]] = {
    "sgd": {"pretrained": 0.005, "scratch": 0.0125},
    "adam": {"pretrained": 2e-4, "scratch": 5e-4},
    "lion": {"pretrained": 5e-5, "scratch": 1.5e-4},
}


def make_optimizer(
    parameter_groups: Iterable[dict[str, Any]], optimizer: Optimizer, batch_size: int, *, start: str = "pretrained"
) -> torch.optim.Optimizer:
    """timm's optimiser of that name over parameter groups.

    A group without its own "lr" or "weight_decay" takes `learning_rate(optimizer, start, batch_size)` and the recipe's.

    Raises:
        SettingsError: `unknown_name` for a name timm does not know, `bad_setting` for one that cannot be made here.
    """
    name = checked_name(optimizer.name)
    groups = list(parameter_groups)
    rate = None if all("lr" in group for group in groups) else learning_rate(optimizer, start, batch_size)
    load_timm()
    from timm.optim import create_optimizer_v2

    try:
        made: torch.optim.Optimizer = create_optimizer_v2(
            groups,
            name,
            lr=max(group["lr"] for group in groups) if rate is None else rate,
            weight_decay=optimizer.weight_decay,
            momentum=optimizer.momentum,
        )
    except (AssertionError, ImportError, NotImplementedError, RuntimeError, TypeError, ValueError) as exc:
        message = f"timm's optimiser {name!r} cannot be used here ({exc}); sgd and adamw always can"
        raise SettingsError(Reason.BAD_SETTING, message) from exc
    return made


def learning_rate(optimizer: Optimizer, start: str, batch_size: int) -> float:
    """The highest learning rate for a batch: the recipe's, or the optimiser's own for "auto", scaled from 32 images.

    In proportion to the batch for SGD (Goyal et al. 2017), to its root for all others (Malladi et al. 2022). `start` is
    "pretrained" or "scratch". "find" is not answered here: `lr_finder` measures it.

    Raises:
        SettingsError: `unknown_name`; `bad_setting` where "auto" knows no rate for the optimiser.
    """
    kind = family(checked_name(optimizer.name))
    share = batch_size / BATCH
    scale = share if kind == "sgd" else math.sqrt(share)
    if not isinstance(optimizer.lr, str):
        return optimizer.lr * scale
    if kind is None:
        message = (
            f"there is no automatic learning rate for the optimiser {optimizer.name!r}: set optimizer.lr to a number or to "
            "find, or take sgd or adamw"
        )
        raise SettingsError(Reason.BAD_SETTING, message)
    return _AUTO[kind][start] * scale


def family(name: str) -> Family | None:
    """Which rule of learning rates an optimiser follows, None for those that have their own."""
    base = name.removeprefix("lookahead_")
    return "sgd" if base in _SGD else "adam" if base in _ADAM else "lion" if base in _LION else None


def checked_name(name: str) -> str:
    """The name in timm's spelling.

    Raises:
        SettingsError: `unknown_name`, with the nearest ones.
    """
    load_timm()
    from timm.optim import list_optimizers

    known, wanted = list_optimizers(), name.lower()
    if wanted.removeprefix("lookahead_") in known:
        return wanted
    near = get_close_matches(wanted, known, 3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    message = f"timm knows no optimiser {name!r}{hint} (sgd, adamw, lion, lamb and {len(known) - 4} more)"
    raise SettingsError(Reason.UNKNOWN_NAME, message)
