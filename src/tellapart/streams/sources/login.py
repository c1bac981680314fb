"""Saying who one is to a camera over HTTP, by Basic or Digest authentication."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Callable
from email.message import Message
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlsplit
from urllib.request import parse_http_list, parse_keqv_list

_DIGESTS = {"SHA-256": "sha256", "MD5": "md5"}
"""By the name that challenges give them, the stronger first (RFC 7616)."""


def opener(address: str, user: str | None, password: str | None) -> urllib.request.OpenerDirector:
    """Asks the camera itself, by no proxy. The password goes to this host alone, wherever on it a redirection leads."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if user is not None:
        parts = urlsplit(address)
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        hosts = [f"{parts.scheme}://{parts.netloc}/", f"https://{parts.netloc.removesuffix(':80')}/"]
        known.add_password(None, hosts, user, password or "")
        handlers += [_Digest(known), _Basic(known)]
    return urllib.request.build_opener(*handlers)


def ways(headers: Message) -> set[str]:
    """The kinds of login that an answer offers, in lower case."""
    return {one.split()[0].lower() for one in _challenges(headers)}


class _Digest(urllib.request.HTTPDigestAuthHandler):
    """Python's own tries a wrong password six times, by which cameras lock a user out, and fails where the first of several
    challenges is of a kind that it does not know."""

    def http_error_401(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:  # noqa: ARG002
        fp.close()
        offered = [one for one in _challenges(headers) if one.lower().startswith("digest ")]
        told = {_algorithm(_fields(one)): one for one in reversed(offered)}
        best = next((told[name] for name in _DIGESTS if name in told), None)
        if best is None or (_was_answered(req) and _fields(best).get("stale", "").lower() != "true"):
            return None
        return self.retry_http_digest_auth(req, best)

    def get_authorization(self, req: Any, chal: Any) -> Any:
        if "qop" in chal:
            chal["qop"] = chal["qop"].replace(" ", "")
        return super().get_authorization(req, chal)

    def get_algorithm_impls(self, algorithm: str) -> tuple[Callable[[str], str], Callable[[str, str], str]]:
        name = _DIGESTS[algorithm.upper()]

        def digest(text: str) -> str:
            return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

        return digest, lambda secret, data: digest(f"{secret}:{data}")


class _Basic(urllib.request.HTTPBasicAuthHandler):
    """As it is, but that the refused answer is let go of, and other kinds of login are no fault."""

    def http_error_401(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        fp.close()
        if "basic" not in ways(headers):
            return None
        known = HTTPMessage()
        for one in _challenges(headers):
            if one.lower().startswith("basic"):
                known["WWW-Authenticate"] = one
        return super().http_error_401(req, fp, code, msg, known)


def _was_answered(req: urllib.request.Request) -> bool:
    return req.unredirected_hdrs.get("Authorization", "").startswith("Digest")


def _challenges(headers: Message) -> list[str]:
    return [one.strip() for one in headers.get_all("WWW-Authenticate", []) if one.strip()]


def _fields(challenge: str) -> dict[str, str]:
    pairs = [pair for pair in parse_http_list(challenge.split(" ", 1)[1]) if "=" in pair]
    return parse_keqv_list(pairs)


def _algorithm(fields: dict[str, str]) -> str:
    return fields.get("algorithm", "MD5").upper()
