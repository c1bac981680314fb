from __future__ import annotations

import pytest

from tellapart.backbones.licences import check_accepted
from tellapart.backbones.named import HubName, TimmName, parse_name
from tellapart.errors import BackboneError, Reason


@pytest.mark.parametrize(
    "name, meant",
    [
        ("timm/resnet18", TimmName("resnet18", None, None)),
        ("timm/resnet18.a1_in1k", TimmName("resnet18", "a1_in1k", None)),
        ("timm/vit_small_patch14_dinov2.lvd142m@224", TimmName("vit_small_patch14_dinov2", "lvd142m", 224)),
        ("hf://org/net/model.onnx", HubName("org/net", "model.onnx", None)),
        ("hf://org/net-v1.5/onnx/model.onnx@v1", HubName("org/net-v1.5", "onnx/model.onnx", "v1")),
        ("classic", None),
        ("folder/net.onnx", None),
        ("timm/net.onnx", None),
    ],
)
def test_names_are_told_from_paths(name: str, meant: TimmName | HubName | None) -> None:
    assert parse_name(name) == meant


@pytest.mark.parametrize("name", ["timm/", "timm/../etc", "timm/a b", "timm/resnet18@x", "timm/resnet18.a.b"])
def test_a_timm_name_that_is_none(name: str) -> None:
    with pytest.raises(BackboneError) as caught:
        parse_name(name)
    assert caught.value.reason is Reason.BACKBONE_UNKNOWN
    assert str(caught.value) == f"a timm backbone is written timm/NAME, timm/NAME.TAG or timm/NAME@PIXELS, got {name!r}"


@pytest.mark.parametrize("name", ["hf://", "hf://org/net.onnx", "hf://org/net/model.bin", "hf://org/net/../../x.onnx"])
def test_an_hf_name_that_is_none(name: str) -> None:
    with pytest.raises(BackboneError) as caught:
        parse_name(name)
    assert str(caught.value) == (
        f"a file on the hub is written hf://ORG/REPOSITORY/FILE.onnx, with @REVISION if need be, got {name!r}"
    )


@pytest.mark.parametrize("licence", ["apache-2.0", "MIT", " bsd-3-clause "])
def test_free_licences_need_no_word(licence: str) -> None:
    check_accepted("timm/x", licence, None, where="u")


@pytest.mark.parametrize(
    "licence, stated",
    [("cc-by-nc-4.0", "are under 'cc-by-nc-4.0'"), ("other", "do not say under which licence they are")],
)
def test_other_licences_are_accepted_by_their_name(licence: str, stated: str) -> None:
    said = "unknown" if licence == "other" else licence
    check_accepted("timm/x", licence, said, where="u")
    with pytest.raises(BackboneError) as caught:
        check_accepted("timm/x", licence, None, where="https://hub/timm/x")
    assert caught.value.reason is Reason.LICENCE_NOT_ACCEPTED
    assert str(caught.value) == (
        f"the weights of timm/x {stated}, which may forbid commercial use; read the terms at https://hub/timm/x and, if "
        f"they suit you, run `tellapart backbones add timm/x --accept-licence {said}`"
    )
    with pytest.raises(BackboneError, match=r"\(you accepted 'mit'\)"):
        check_accepted("timm/x", licence, "mit", where="u")
