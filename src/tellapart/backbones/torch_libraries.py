"""torch and the libraries around it, loaded where they are needed, with a sentence where they cannot be."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from tellapart.errors import MissingExtra, Reason
from tellapart.extras import require

# What torchvision describes while it is imported, and its binary implements. tellapart calls none of them.
_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
    "_roi_align_backward(Tensor grad, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
    "int batch_size, int channels, int height, int width, int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width) -> (Tensor, Tensor)",
    "_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, float spatial_scale, int pooled_height, "
    "int pooled_width, int batch_size, int channels, int height, int width) -> Tensor",
    "ps_roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
    "int sampling_ratio) -> (Tensor, Tensor)",
    "_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, "
    "int pooled_height, int pooled_width, int sampling_ratio, int batch_size, int channels, int height, int width)"
    " -> Tensor",
    "ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width)"
    " -> (Tensor, Tensor)",
    "_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, "
    "int pooled_height, int pooled_width, int batch_size, int channels, int height, int width) -> Tensor",
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h, int stride_w, "
    "int pad_h, int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups, bool use_mask) -> Tensor",
    "_deform_conv2d_backward(Tensor grad, Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    "int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w, int groups, "
    "int offset_groups, bool use_mask) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)

# A library lives as long as its object: kept for the life of the process.
_LIBRARIES: list[Any] = []


def load_torchvision(*, extra: str = "train", feature: str = "training a network") -> ModuleType:
    """torchvision, also where its compiled operators belong to another build of torch.

    A CPU build of torch beside torchvision from PyPI is common, and then `import torchvision` stops at the first
    operator that it describes. Transforms and data sets need none of them, so those that are
    missing are declared, not implemented. timm, Lightning and torchmetrics import torchvision: call this before them.

    Raises:
        MissingExtra: without torch or torchvision.
    """
    torch = require("torch", extra=extra, feature=feature)
    try:
        return require("torchvision", extra=extra, feature=feature)
    except (RuntimeError, AttributeError):
        pass
    _forget_half_imported()
    if not _LIBRARIES:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in _OPERATORS:
            library.define(schema)
        _LIBRARIES.append(library)
    return _load("torchvision", extra, feature)


def load_timm(*, extra: str = "train", feature: str = "training a network") -> ModuleType:
    """timm, and torchvision before it.

    Raises:
        MissingExtra: without timm or torch, or where they do not fit together.
    """
    load_torchvision(extra=extra, feature=feature)
    return _load("timm", extra, feature)


def load_lightning(*, extra: str = "train", feature: str = "training a network") -> ModuleType:
    """`lightning.pytorch`, and torchvision before it.

    Raises:
        MissingExtra: without Lightning or torch, or where they do not fit together.
    """
    load_torchvision(extra=extra, feature=feature)
    return _load("lightning.pytorch", extra, feature)


def _load(name: str, extra: str, feature: str) -> ModuleType:
    try:
        return require(name, extra=extra, feature=feature)
    except (RuntimeError, ImportError, AttributeError) as exc:
        message = (
            f"{name} is installed but does not load ({exc}): pip install --upgrade 'tellapart[{extra}]' torchvision"
        )
        raise MissingExtra(Reason.MISSING_EXTRA, message) from exc


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
