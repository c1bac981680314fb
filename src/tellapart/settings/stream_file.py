"""Stream files: YAML in, every fault in one sentence with its line, paths as they lie on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tellapart.errors import Reason, SpecError
from tellapart.settings.faults import FileFormat
from tellapart.settings.given import Given
from tellapart.settings.policy_file import MAX_BYTES
from tellapart.settings.recipe_yaml import parse
from tellapart.settings.stream import Stream
from tellapart.settings.stream_meaning import contradictions
from tellapart.settings.stream_paths import located
from tellapart.settings.stream_secrets import Environment, Step, hidden
from tellapart.settings.text_file import read_text

FORMAT = FileFormat(Stream, "a stream file", "a sink")


def read_stream(
    source: str | Path | Mapping[str, Any],
    *,
    beside: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Stream:
    """A stream from a YAML file, or from plain values.

    `${NAME}` is taken from `environment` (that of the process unless given). Paths are relative to the file, or to `beside`;
    in the result they are absolute. The policies it names are read as well, to check that their inputs are there.

    Raises:
        SpecError: `bad_stream`, with every fault and its line.
    """
    told = "the stream" if isinstance(source, Mapping) else f"the stream file {source}"
    given = Given(source) if isinstance(source, Mapping) else parse(_text(Path(source)), such_as="stream: 1")
    known = Environment(os.environ if environment is None else environment)
    values = known.filled(given.values)
    folder = Path(beside or ("." if isinstance(source, Mapping) else Path(source).parent)).absolute()
    faults = [*given.faults, *(_unset(path, name, given) for path, name in known.missing)]
    if "policy" in given.values and "stream" not in given.values:
        faults = ["it is a policy; a stream file names the cameras to watch, and the policies that decide on them"]
    if not faults:
        try:
            stream = located(Stream.model_validate(values), folder)
        except ValidationError as exc:
            faults = FORMAT.faults_of(exc, values, given)
        else:
            faults = [f"{FORMAT.line(path, given)}{sentence}" for path, sentence in contradictions(stream, FORMAT.told)]
            if not faults:
                return stream.knowing(known.used)
    raise SpecError(Reason.BAD_STREAM, hidden(f"{told} cannot be used: {'; '.join(faults)}", known.used))


def _unset(path: tuple[Step, ...], name: str, given: Given) -> str:
    where = f"{FORMAT.line(path, given)}{FORMAT.told(path)}"
    return f"{where} takes ${{{name}}} from the environment, where it is not set"


def _text(path: Path) -> str:
    return read_text(
        path,
        f"the stream file {path}",
        be="one",
        max_bytes=MAX_BYTES,
        refuse=lambda sentence: SpecError(Reason.BAD_STREAM, sentence),
    )
