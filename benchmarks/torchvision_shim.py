"""Import torchvision next to a torch it was not compiled for.

A torchvision wheel from PyPI carries C++ operators for the CUDA build of torch; beside a CPU-only torch they do not
load, and `import torchvision` stops at the first operator that it wants to describe. Benchmarks use transforms and
data sets only, which need none of them, so the operators are declared (not implemented) beforehand. Importing this
module does it; afterwards `import torchvision` works.
"""

from __future__ import annotations

from types import ModuleType

import torch

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
_LIBRARIES: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """torchvision, with its transforms and data sets; declares missing operators first."""
    if not _LIBRARIES:
        try:
            import torchvision
        except (RuntimeError, AttributeError):
            _forget_half_imported()
            library = torch.library.Library("torchvision", "FRAGMENT")
            for schema in _OPERATORS:
                library.define(schema)
            _LIBRARIES.append(library)
    import torchvision
    import torchvision.datasets
    import torchvision.transforms

    return torchvision


def _forget_half_imported() -> None:
    import sys

    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]


torchvision = import_torchvision()
