"""The hub's real client against a server on this machine that speaks its protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backbones.hub_server import COMMIT, HubServer, running
from tests.builders_nets import classifier_net
from tests.builders_onnx import tiny_backbone_bytes

from tellapart.backbones.adding import add_by_name
from tellapart.backbones.hub import Repository
from tellapart.backbones.licences import FREE
from tellapart.backbones.registry import load_backbone
from tellapart.backbones.source_card import SourceCard
from tellapart.backbones.store import Store
from tellapart.errors import BackboneError, Reason

NAME = "hf://org/net/model.onnx"
PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.2, 0.2],
    "resample": 3,
    "size": {"height": 32, "width": 32},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with running(HubServer()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.files |= {
            "org/net/model.onnx": classifier_net(),
            "org/net/preprocessor_config.json": json.dumps(PREPROCESSOR).encode(),
            "org/net/README.md": b"---\nlicense: apache-2.0\ntags: []\n---\n# A net\n",
        }
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "backbones")


def refused(name: str, store: Store, accept: str | None = None) -> tuple[Reason, str]:
    with pytest.raises(BackboneError) as caught:
        add_by_name(name, store, accept_licence=accept, announce=lambda _line: None)
    assert store.entries() == []
    return caught.value.reason, str(caught.value)


def test_a_network_is_downloaded_once_and_its_licence_shown_before(server: HubServer, store: Store) -> None:
    said: list[tuple[str, bool]] = []
    asked = lambda: any("model.onnx" in request for request in server.requests)  # noqa: E731
    entry = add_by_name(NAME, store, announce=lambda line: said.append((line, asked())))
    assert said[0] == (f"{NAME}: weights from {server.url}/org/net, licence apache-2.0", False)
    assert entry.licence == "apache-2.0"
    assert entry.source == f"hf://org/net/model.onnx@{COMMIT[:12]}"
    assert entry.preprocess == "decode|upright|fit(32,interpolation=bicubic)"
    assert entry.max_difference < 1e-4
    server.requests.clear()
    assert load_backbone(NAME, store=store).name == NAME
    assert server.requests == []


def test_a_card_beside_the_file_wins(server: HubServer, store: Store) -> None:
    card = SourceCard("mine", "MIT", "elsewhere", size=(32, 32))
    server.files["org/net/model.json"] = card.to_json().encode()
    entry = add_by_name(NAME, store)
    assert (entry.licence, entry.preprocess) == ("mit", "decode|upright|fit(32)")
    assert store.get(NAME) == entry


@pytest.mark.parametrize(
    "readme", [b"---\nlicense: cc-by-nc-4.0\n---\n", b"---\nlicense: other\nlicense_name: cc-by-nc-4.0\n---"]
)
def test_non_commercial_weights_wait_for_a_word(server: HubServer, store: Store, readme: bytes) -> None:
    server.files["org/net/README.md"] = readme
    reason, message = refused(NAME, store)
    assert reason is Reason.LICENCE_NOT_ACCEPTED
    assert message.endswith(f"run `tellapart backbones add {NAME} --accept-licence cc-by-nc-4.0`")
    assert not any("model.onnx" in request for request in server.requests)
    assert add_by_name(NAME, store, accept_licence="CC-BY-NC-4.0").licence == "cc-by-nc-4.0"


@pytest.mark.parametrize(
    "readme, licence",
    [
        ("license: cc-by-nc-4.0\nlicense_name: mit", "cc-by-nc-4.0"),
        ("license: other\nlicense_name: apache-2.0 WITH Commons-Clause", "unknown"),
        ("license:\n- mit", "unknown"),
        ("license:\ntags: [x]", "unknown"),
        ("license: 'x\x1b[2J; rm'", "unknown"),
        ("license: [", "unknown"),
        ("license: BSD-3-Clause", "bsd-3-clause"),
    ],
)
def test_a_licence_is_one_plain_identifier(server: HubServer, store: Store, readme: str, licence: str) -> None:
    server.files["org/net/README.md"] = f"---\n{readme}\n---\n".encode()
    if licence in FREE:
        assert add_by_name(NAME, store).licence == licence
    else:
        assert refused(NAME, store)[1].endswith(f"--accept-licence {licence}`")


def test_of_two_licences_the_stricter_one_counts(server: HubServer, store: Store) -> None:
    card = SourceCard("mine", "MIT", "elsewhere", size=(32, 32))
    server.files["org/net/model.json"] = card.to_json().encode()
    server.files["org/net/README.md"] = b"---\nlicense: cc-by-nc-4.0\n---\n"
    assert refused(NAME, store)[0] is Reason.LICENCE_NOT_ACCEPTED


def test_a_file_with_a_card_of_its_own_cannot_choose_its_name_and_licence(server: HubServer, store: Store) -> None:
    server.files["org/net/model.onnx"] = tiny_backbone_bytes(name="builtin")
    backbone = load_backbone(NAME, store=store, announce=lambda _line: None)
    card = backbone.card
    assert (card.name, card.licence) == (NAME, "apache-2.0")
    assert card.source == f"hf://org/net/model.onnx@{COMMIT[:12]}"


@pytest.mark.parametrize(
    "file, content",
    [
        ("preprocessor_config.json", b'{"image_mean": 0.5}'),
        ("preprocessor_config.json", b'{"rescale_factor": null}'),
        ("preprocessor_config.json", b'{"resample": [1]}'),
        ("preprocessor_config.json", b'{"size": {"shortest_edge": "x"}}'),
        ("preprocessor_config.json", b"[" * 200_000),
        ("preprocessor_config.json", b"[1]"),
        ("model.json", b"\xff\xfe"),
        ("model.json", b'{"name": 1}'),
    ],
)
def test_descriptions_of_any_form_are_refused_in_a_sentence(
    server: HubServer, store: Store, file: str, content: bytes
) -> None:
    server.files[f"org/net/{file}"] = content
    assert refused(NAME, store)[0] is Reason.BACKBONE_INVALID


def test_without_symbolic_links_the_download_is_compared_all_the_same(
    server: HubServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.are_symlinks_supported", lambda *_: False)
    server.damaged.add("org/net/model.onnx")
    assert refused(NAME, store)[0] is Reason.CHECKSUM_MISMATCH


def test_without_a_licence_nothing_is_assumed(server: HubServer, store: Store) -> None:
    del server.files["org/net/README.md"]
    assert refused(NAME, store)[0] is Reason.LICENCE_NOT_ACCEPTED


def test_no_wishes_for_images_no_backbone(server: HubServer, store: Store) -> None:
    del server.files["org/net/preprocessor_config.json"]
    assert refused(NAME, store) == (
        Reason.BACKBONE_INVALID,
        "org/net does not say how its network wants images: neither a card (see docs/backbones.md) beside the file nor "
        "preprocessor_config.json; download the file and write a card for it",
    )


@pytest.mark.usefixtures("server")
def test_what_is_not_there_is_said(store: Store) -> None:
    assert refused("hf://org/net/other.onnx", store) == (
        Reason.BACKBONE_UNKNOWN,
        "the hub's repository org/net has no file 'other.onnx'",
    )
    assert refused("hf://org/nothing/model.onnx", store) == (
        Reason.BACKBONE_UNKNOWN,
        "the hub has no repository 'org/nothing' (or it is private, and HF_TOKEN is not set)",
    )
    assert refused("hf://org/net/model.onnx@v9", store) == (Reason.BACKBONE_UNKNOWN, "org/net has no revision 'v9'")


def test_gated_weights_say_where_to_agree(server: HubServer, store: Store) -> None:
    server.failures["org/net/model.onnx"] = (403, "GatedRepo")
    assert refused(NAME, store) == (
        Reason.DOWNLOAD_FAILED,
        f"org/net is given out only to people who agreed to its terms: do so at {server.url}/org/net and set HF_TOKEN",
    )


def test_a_damaged_download_is_refused_and_not_kept(server: HubServer, store: Store) -> None:
    server.damaged.add("org/net/model.onnx")
    reason, message = refused(NAME, store)
    assert reason is Reason.CHECKSUM_MISMATCH
    assert message.startswith("org/net/model.onnx arrived damaged: its sha256 is ")
    server.damaged.clear()
    assert add_by_name(NAME, store).name == NAME


def test_offline_variables_are_read_when_it_matters(
    server: HubServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reason, message = refused(NAME, store)
    assert reason is Reason.NETWORK_UNAVAILABLE
    assert message == (
        "model.json of org/net is not on this machine and HF_HUB_OFFLINE is set; either allow the network once, or run "
        "`tellapart backbones add` on a machine that has it and copy its cache folder `backbones` here, or name a "
        "backbone that needs none (`tellapart backbones list`), or the path of an ONNX file"
    )
    assert server.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    path = Repository("org/net").fetch("model.onnx")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    server.requests.clear()
    assert Repository("org/net").fetch("model.onnx") == path
    assert server.requests == []


def test_no_network_is_said_with_the_ways_out(store: Store, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = "http://127.0.0.1:9"
    assert server.url != nobody
    monkeypatch.setenv("HF_ENDPOINT", nobody)
    reason, message = refused(NAME, store)
    assert reason is Reason.NETWORK_UNAVAILABLE
    assert f"is not on this machine and {nobody}/org/net cannot be reached; either allow" in message
