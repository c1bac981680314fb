"""Files from the Hugging Face hub, through its own client; nothing here runs unless a name on the hub is asked for."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import BackboneError, Reason
from tellapart.extras import require

OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LICENCE_LINE = re.compile(r"^license(?:_name)?:\s*['\"]?([^'\"\s]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository on the hub at a revision (branch, tag or commit; None: its main branch)."""

    name: str
    revision: str | None = None

    @property
    def url(self) -> str:
        """Where a person reads about it."""
        return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/{self.name}"

    def fetch(self, file: str) -> Path:
        """The file in the hub's own cache, downloaded if need be, its bytes compared with the sha256 the hub states.

        Without a network, or with HF_HUB_OFFLINE set, a file that lies in the hub's cache is still found.

        Raises:
            BackboneError: `network_unavailable`, `backbone_unknown`, `download_failed`, `checksum_mismatch`.
            MissingExtra: without huggingface_hub.
        """
        client = require("huggingface_hub", extra="hub", feature=f"the backbone repository {self.name}")
        with _translated(self, file):
            path = Path(
                client.hf_hub_download(
                    self.name,
                    file,
                    revision=self.revision,
                    endpoint=os.environ.get("HF_ENDPOINT"),
                    local_files_only=is_offline(),
                )
            )
        _check_sum(path, f"{self.name}/{file}")
        return path

    def fetch_if_there(self, file: str) -> Path | None:
        """The file, or None where the repository has none of this name.

        Raises:
            BackboneError: as `fetch`, but for the missing file.
        """
        try:
            return self.fetch(file)
        except _NoSuchFile:
            return None

    def licence(self) -> str | None:
        """What the repository's card (README.md) states as its licence."""
        card = self.fetch_if_there("README.md")
        if card is None:
            return None
        text = card.read_text(encoding="utf-8", errors="replace")
        front = text.split("\n---", 1)[0] if text.startswith("---") else ""
        stated = _LICENCE_LINE.findall(front)
        # `license: other` is followed by `license_name: …`.
        return str(stated[-1]) if stated else None


class _NoSuchFile(BackboneError):
    """The repository is there, the file is not."""


def is_offline() -> bool:
    """Whether the hub's own variables forbid the network now (its client reads them only once, when it is imported)."""
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in OFFLINE_VARIABLES)


@contextmanager
def _translated(repository: Repository, file: str) -> Iterator[None]:
    """The client's exceptions as ours."""
    errors = require("huggingface_hub.errors", extra="hub", feature="the hub")
    name = repository.name
    try:
        yield
    except errors.GatedRepoError as exc:
        message = (
            f"{name} is given out only to people who agreed to its terms: do so at {repository.url} and set HF_TOKEN"
        )
        raise BackboneError(Reason.DOWNLOAD_FAILED, message) from exc
    except errors.RepositoryNotFoundError as exc:
        message = f"the hub has no repository {name!r} (or it is private, and HF_TOKEN is not set)"
        raise BackboneError(Reason.BACKBONE_UNKNOWN, message) from exc
    except errors.RevisionNotFoundError as exc:
        raise BackboneError(Reason.BACKBONE_UNKNOWN, f"{name} has no revision {repository.revision!r}") from exc
    except errors.LocalEntryNotFoundError as exc:
        raise BackboneError(Reason.NETWORK_UNAVAILABLE, _no_network(repository, file)) from exc
    except errors.EntryNotFoundError as exc:
        raise _NoSuchFile(Reason.BACKBONE_UNKNOWN, f"the hub's repository {name} has no file {file!r}") from exc
    except (errors.HFValidationError, errors.HfHubHTTPError, errors.FileMetadataError) as exc:
        message = f"{file} could not be downloaded from {name}: {str(exc).strip().splitlines()[0]}"
        raise BackboneError(Reason.DOWNLOAD_FAILED, message) from exc
    except OSError as exc:  # a full disk, a connection that broke off, fewer bytes than announced
        message = (
            f"{file} could not be downloaded from {name}: {exc.strerror or str(exc).strip().splitlines()[0]}; try again"
        )
        raise BackboneError(Reason.DOWNLOAD_FAILED, message) from exc


def _no_network(repository: Repository, file: str) -> str:
    set_to = [name for name in OFFLINE_VARIABLES if os.environ.get(name)]
    why = f"{set_to[0]} is set" if is_offline() else f"{repository.url} cannot be reached"
    return (
        f"{file} of {repository.name} is not on this machine and {why}; either allow the network once, or run "
        "`tellapart backbones add` on a machine that has it and copy its cache folder `backbones` here, or name a "
        "backbone that needs none (`tellapart backbones list`), or the path of an ONNX file"
    )


def _check_sum(path: Path, name: str) -> None:
    """The hub's cache names large files by the sha256 that the hub states."""
    stated = path.resolve().name
    if not _SHA256.fullmatch(stated):
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != stated:
        path.resolve().unlink(missing_ok=True)
        raise BackboneError(
            Reason.CHECKSUM_MISMATCH,
            f"{name} arrived damaged: its sha256 is {found[:12]}…, the hub states {stated[:12]}…; the copy was removed, "
            "try again",
        )
