"""docs/watch.md, the JSON schema and examples/streams say what the code does."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tellapart.settings.policy_file import read_policy
from tellapart.settings.stream_file import read_stream
from tellapart.streams.health import CameraState
from tellapart.workflows.watch.check import check_stream

ROOT = Path(__file__).parent.parent
TOOL = runpy.run_path(str(ROOT / "tools/stream_reference.py"))
TEXT = (ROOT / "docs/watch.md").read_text(encoding="utf-8")
SCHEMA = ROOT / "docs/stream.schema.json"
EXAMPLES = sorted((ROOT / "examples/streams").glob("*.yaml"))
ENVIRONMENT = {"YARD_PASSWORD": "secret", "CELL_USER": "viewer", "CELL_PASSWORD": "secret"}


def test_the_tables_and_the_schema_are_up_to_date() -> None:
    assert TOOL["page"](TEXT) == TEXT, "run: python tools/stream_reference.py"
    assert TOOL["schema"]() == SCHEMA.read_text(encoding="utf-8"), "run: python tools/stream_reference.py"


def test_every_field_says_what_it_means() -> None:
    for model in TOOL["SECTIONS"].values():
        assert [name for name, field in model.model_fields.items() if len(field.description or "") < 8] == []


def test_every_state_of_a_camera_is_explained() -> None:
    table = TEXT.partition("## How a camera does")[2].partition("##")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(get_args(CameraState))


def test_the_schema_knows_every_sink() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert {"JsonlSink", "CsvSink", "EvidenceSink", "CloudEventsSink"} <= set(schema["$defs"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_can_be_read(path: Path) -> None:
    stream = read_stream(path, environment=ENVIRONMENT)
    assert stream.name == path.stem
    assert stream.description
    assert f"`{path.name}`" in TEXT
    named = [camera.policy for camera in stream.cameras.values()]
    named += [region.policy for camera in stream.cameras.values() for region in camera.regions.values()]
    named += [decision.policy for decision in stream.decisions.values()]
    assert [read_policy(one).name for one in named if one]
    assert "secret" not in path.read_text(encoding="utf-8")


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3
    assert [yaml.safe_load(path.read_text(encoding="utf-8"))["stream"] for path in EXAMPLES] == [1, 1, 1]


def test_checking_says_which_models_are_missing() -> None:
    stream = read_stream(EXAMPLES[0], environment=ENVIRONMENT)
    with pytest.raises(Exception, match=r"would not run: model parts: .*models/parts"):
        check_stream(stream)
