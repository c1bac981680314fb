"""A server that speaks the part of the hub's protocol that its client uses to download: HEAD and GET of `resolve` addresses.

What it answers follows https://huggingface.co/docs/hub/api and the client's `file_download.py`: the commit, the entity tag
(sha256 for large files) and the size in headers, the kind of failure in `X-Error-Code`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class HubServer:
    """`files` maps `org/name/file` to bytes. `failures` maps such a name to (status, X-Error-Code)."""

    files: dict[str, bytes] = field(default_factory=dict)
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request."""
        repository, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        name = f"{repository}/{file}"
        if name in self.failures:
            status, code = self.failures[name]
            return status, {"X-Error-Code": code, "X-Error-Message": code}, b""
        if not any(known.startswith(f"{repository}/") for known in self.files):
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        if revision not in ("main", COMMIT, "v1"):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        if name not in self.files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, b""
        data = self.files[name]
        large = file.endswith((".safetensors", ".onnx"))
        tag = hashlib.sha256(data).hexdigest() if large else hashlib.sha1(data).hexdigest()
        linked = {"X-Linked-Etag": f'"{tag}"', "X-Linked-Size": str(len(data))} if large else {}
        body = bytes(len(data)) if name in self.damaged else data
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{tag}"', **linked}, body


@contextmanager
def running(server: HubServer) -> Iterator[HubServer]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            server.requests.append(f"{self.command} {self.path}")
            status, headers, body = server.answer(self.path)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
