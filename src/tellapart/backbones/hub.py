"""Files from the Hugging Face hub, through its own client; nothing here runs unless a name on the hub is asked for."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import BackboneError, Reason
from tellapart.extras import require

OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_LARGE = (".onnx", ".safetensors")
_TRUE = ("1", "ON", "YES", "TRUE")
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
                    local_files_only=offline_variable() is not None,
                )
            )
        self._check_sum(path, file)
        return path

    def _check_sum(self, path: Path, file: str) -> None:
        blob = path.resolve()
        stated = self._stated_sha256(blob, file)
        if stated is None:
            return
        with blob.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != stated:
            blob.unlink(missing_ok=True)
            raise BackboneError(
                Reason.CHECKSUM_MISMATCH,
                f"{self.name}/{file} arrived damaged: its sha256 is {found[:12]}…, the hub states {stated[:12]}…; the copy "
                "was removed, try again",
            )

    def _stated_sha256(self, blob: Path, file: str) -> str | None:
        """Of a large file: the hub's cache keeps it under that name, but where there are no symbolic links (Windows)."""
        if _SHA256.fullmatch(blob.name):
            return blob.name
        if not file.endswith(_LARGE) or offline_variable():
            return None
        client = require("huggingface_hub", extra="hub", feature="the hub")
        with _translated(self, file):
            url = client.hf_hub_url(self.name, file, revision=self.revision, endpoint=os.environ.get("HF_ENDPOINT"))
            etag = client.get_hf_file_metadata(url).etag or ""
        return etag if _SHA256.fullmatch(etag) else None

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
        """What the repository's card (README.md) states as its licence; None where it states none, or not one."""
        card = self.fetch_if_there("README.md")
        if card is None:
            return None
        values = front_matter(card.read_text(encoding="utf-8", errors="replace"))
        stated = values.get("license")
        if isinstance(stated, str) and stated.strip().lower() == "other":
            stated = values.get("license_name")
        return stated if isinstance(stated, str) else None


def front_matter(text: str) -> dict[str, Any]:
    """The YAML between the first two lines of `---`; nothing where there is none, or it is no mapping."""
    import yaml

    if not text.startswith("---"):
        return {}
    try:
        values = yaml.safe_load(text[3:].split("\n---", 1)[0])
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


class _NoSuchFile(BackboneError):
    """The repository is there, the file is not."""


def offline_variable() -> str | None:
    """The hub's own variable that forbids the network now; its client reads them only once, when it is imported."""
    return next((name for name in OFFLINE_VARIABLES if os.environ.get(name, "").upper() in _TRUE), None)


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
    variable = offline_variable()
    why = f"{variable} is set" if variable else f"{repository.url} cannot be reached"
    return (
        f"{file} of {repository.name} is not on this machine and {why}; either allow the network once, or run "
        "`tellapart backbones add` on a machine that has it and copy its cache folder `backbones` here, or name a "
        "backbone that needs none (`tellapart backbones list`), or the path of an ONNX file"
    )
