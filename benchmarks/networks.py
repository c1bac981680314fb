"""The networks benchmarks compare on: random weights, real shapes; equal in torch and in both ONNX forms.

    python benchmarks/networks.py out/ --size 224

writes `<name>.foreign.onnx` (NCHW float, logits, as timm exports it), its card `<name>.foreign.json`, and the
canonical `<name>.onnx`. Needs torch, timm and torchvision (extra `bench`).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tellapart.backbones.convert import convert_file
from tellapart.backbones.source_card import SourceCard
from tellapart.backbones.torch_libraries import load_timm

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
TIMM_NAMES = {"mobilenet_v3_small": "mobilenetv3_small_100", "resnet18": "resnet18"}


def torch_network(name: str) -> Any:
    """The timm network with seeded random weights, in evaluation mode."""
    timm = load_timm(extra="timm", feature="the benchmark")
    import torch

    torch.manual_seed(0)
    # timm starts the last scale of every residual block at 0: whole branches would answer 0.
    options = {"zero_init_last": False} if name.startswith("resnet") else {}
    network = timm.create_model(TIMM_NAMES[name], pretrained=False, exportable=True, **options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def write_foreign(name: str, path: Path, size: int = 224) -> SourceCard:
    """Export the network as others do, with its card beside it."""
    import torch

    axes = {"input": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n"}}
    names = {"input_names": ["input"], "output_names": ["logits"], "dynamic_axes": axes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, 3, size, size)
        torch.onnx.export(torch_network(name), (example,), str(path), opset_version=17, dynamo=False, **names)
    card = SourceCard(
        name=f"{name}-random",
        licence="Apache-2.0",
        source=f"timm/{TIMM_NAMES[name]}, random weights",
        size=(size, size),
        mean=MEAN,
        std=STD,
        # Everything but the classifier runs, so that a comparison with the whole network is fair.
        embedding="penultimate",
    )
    path.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(card), indent=2), encoding="utf-8")
    return card


def write_network(name: str, path: str | Path, size: int = 224) -> Path:
    """Write the canonical file to `path`, and the foreign one it was made of beside it (`<stem>.foreign.onnx`)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    foreign = path.with_suffix(".foreign.onnx")
    card = write_foreign(name, foreign, size)
    path.write_bytes(convert_file(foreign, card).data)
    return path


def mobilenet_v3_small(path: str | Path, size: int = 224) -> Path:
    """MobileNetV3-small, 1,024 columns."""
    return write_network("mobilenet_v3_small", path, size)


def resnet18(path: str | Path, size: int = 224) -> Path:
    """ResNet-18, 512 columns."""
    return write_network("resnet18", path, size)


def main() -> None:
    """Write both networks into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    for name in TIMM_NAMES:
        path = write_network(name, options.folder / f"{name}.onnx", options.size)
        print(f"{path} {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
