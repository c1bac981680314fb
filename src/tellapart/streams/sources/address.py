"""What an address says, and how it is shown: never with its user and password."""

from __future__ import annotations

import re
import string
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from tellapart.errors import Reason, SettingsError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".ogv"}
)
_USB = re.compile(r"(?:usb:)?(?:(?<=usb:)(\d+)|(/dev/video\d+))")
_SCHEMES = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
_NETWORK = {"rtsp": ("rtsp", "rtsps"), **dict.fromkeys(("http", "mjpeg", "snapshot"), ("http", "https"))}
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")
_AS_IS = string.punctuation
_SECRETS = re.compile(
    r"(?<![a-z])((?:[a-z]*pass(?:word|wd|phrase)?|pwd|psw|pw|user(?:name)?|usr|login|account|[a-z_]*token|[a-z_]*key|auth|secret)=)"
    r"[^&#\s]*?(?=_[a-z]+=|['\"]?[:,;)]?(?:[&#\s]|$))",
    re.IGNORECASE,
)


def kind_of(source: str, kind: str = "auto") -> str:
    """folder, video, rtsp, http, mjpeg, snapshot or usb, told from the address where `kind` is auto.

    Raises:
        SettingsError: `bad_setting`, the address cannot be one of the kind that was named.
    """
    if kind == "auto":
        return _told(source)
    scheme = _scheme(source)
    expected = _NETWORK.get(kind)
    if (expected and scheme not in expected) or (kind == "usb" and not _USB.fullmatch(source)):
        example = f"{expected[0]}://host/path" if expected else "usb:0 or /dev/video0"
        raise SettingsError(
            Reason.BAD_SETTING, f"a source of kind {kind} is written {example}, got {shown(source)!r}: correct either"
        )
    return kind


def _told(source: str) -> str:
    if scheme := _scheme(source):
        if scheme in _SCHEMES:
            return _SCHEMES[scheme]
        message = f"a source begins with rtsp://, http:// or https://, or is a path or usb:0, got {shown(source)!r}"
        raise SettingsError(Reason.BAD_SETTING, message)
    if _USB.fullmatch(source):
        return "usb"
    path = Path(source)
    return "video" if path.is_file() or (path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()) else "folder"


def _scheme(source: str) -> str:
    """What stands before ://, in lower case; empty for a path. Refuses addresses without a host that can be read: what is
    not understood is not shown either, it may be a password."""
    scheme, colon, rest = source.partition(":")
    scheme = scheme.lower()
    if not colon or not (rest.startswith("//") or scheme in _SCHEMES):
        return ""
    try:
        parts = urlsplit(source)
        readable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        readable = False
    if scheme in _SCHEMES and not readable:
        raise SettingsError(
            Reason.BAD_SETTING,
            f"a source {scheme}:… names no host and port that can be read: write it {scheme}://user:password@host:port/path,"
            " and characters like / ? # [ ] @ of a user or password as %2F %3F %23 %5B %5D %40",
        )
    return scheme


def usb_device(source: str) -> int | str:
    """The number of a USB camera, or its device file."""
    found = _USB.fullmatch(source)
    assert found is not None, "kind_of has looked at it"
    return int(found[1]) if found[1] else found[2]


def shown(text: str) -> str:
    """Addresses within `text` without user and password, and without those that a path or a query names."""
    return _SECRETS.sub(r"\1***", _CREDENTIALS.sub("", text))


def without_credentials(address: str) -> tuple[str, str | None, str | None]:
    """(address, user, password) with what stands before the @ taken out."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address, None, None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, unquote(parts.username or ""), unquote(parts.password or "")


def quoted(address: str) -> str:
    """Path and query as HTTP sends them: umlauts and spaces in percents, what is written so already left alone."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=quote(parts.path, _AS_IS), query=quote(parts.query, _AS_IS)))
