"""Logins that cameras over HTTP ask for: how often they are tried, which way is taken, and to whom a password goes."""

from __future__ import annotations

import hashlib
import http.server
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.streams.shots import Read, source_of

from tellapart.errors import StreamError

IMAGE = b"\xff\xd8 any image \xff\xd9"
MD5 = 'Digest realm="cam", nonce="n1", qop="auth-int, auth"'
SHA = MD5 + ", algorithm=SHA-256"


class Camera(http.server.BaseHTTPRequestHandler):
    """Wants the digest of me:pä55, after it has shown `challenges`."""

    challenges: tuple[str, ...]
    answers: list[str]

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        told = self.headers.get("Authorization", "")
        self.answers += [told] if told else []
        body = IMAGE if self._is_known(told) else b""
        self.send_response(200 if body else 401)
        for challenge in () if body else self.challenges:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _is_known(self, told: str) -> bool:
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', told))
        if not self.challenges or "response" not in fields:
            return not self.challenges
        name = "sha256" if fields.get("algorithm") == "SHA-256" else "md5"

        def digest(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        counted = f"n1:{fields['nc']}:{fields['cnonce']}:auth"
        return bool(fields["response"] == digest(f"{digest('me:cam:pä55')}:{counted}:{digest('GET:' + self.path)}"))


@contextmanager
def camera(*challenges: str, certificate: Path | None = None) -> Iterator[tuple[str, list[str]]]:
    """host:port, and the logins that were tried."""
    kind = type("Told", (Camera,), {"challenges": challenges, "answers": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}", kind.answers  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def fault(address: str) -> str:
    with Read(source_of(address, kind="snapshot")) as read:
        read.rest()
        assert isinstance(read.fault, StreamError)
        return str(read.fault)


@pytest.mark.parametrize(
    ("challenges", "algorithm"),
    [
        ((MD5,), "MD5"),
        ((SHA, MD5), "SHA-256"),
        ((MD5, SHA), "SHA-256"),
        (('Bearer realm="cam"', MD5), "MD5"),
        (('Digest realm="cam", nonce="n1", algorithm=SHA-512-256', MD5, 'Basic realm="cam"'), "MD5"),
    ],
)
def test_the_strongest_way_that_is_known_is_taken(challenges: tuple[str, ...], algorithm: str) -> None:
    with camera(*challenges) as (host, answers), Read(source_of(f"http://me:p%C3%A455@{host}/x")) as read:
        assert read.next().image == IMAGE
        assert f'algorithm="{algorithm}"' in answers[0]


@pytest.mark.parametrize("challenge", [MD5, 'Basic realm="cam"'])
def test_a_wrong_password_is_tried_once(challenge: str) -> None:
    """Cameras lock a user out after a few attempts."""
    with camera(challenge) as (host, answers):
        told = fault(f"http://me:wrong@{host}/x")
        assert told == f"http://{host}/x refuses with HTTP status 401: check user and password"
        assert len(answers) == 1


def test_a_login_that_is_not_known_is_named() -> None:
    with camera('Bearer realm="cam"', "NTLM") as (host, answers):
        told = fault(f"http://me:pä55@{host}/x")
        assert told == f"http://{host}/x asks for a login of kind bearer or ntlm: Basic and Digest are known"
        assert answers == []


def test_a_redirection_on_the_same_camera_keeps_the_login() -> None:
    with camera(MD5) as (host, _), Read(source_of(f"http://me:p%C3%A455@{host}/moved")) as read:
        assert read.next().image == IMAGE


def test_a_redirection_to_another_machine_gets_no_password() -> None:
    with camera(MD5) as (other, answers):
        kind = type("Moved", (Camera,), {"challenges": (), "answers": []})
        kind.do_GET = lambda self: (  # type: ignore[attr-defined]
            self.send_response(302),
            self.send_header("Location", f"http://{other}/x"),
            self.end_headers(),
        )
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            assert "401: check user and password" in fault(f"http://me:p%C3%A455@127.0.0.1:{server.server_port}/x")
            server.shutdown()
            thread.join()
        assert answers == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signed by itself, for 127.0.0.1, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "crt")]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    (folder / "both").write_bytes((folder / "key").read_bytes() + (folder / "crt").read_bytes())
    return folder / "both"


def test_a_certificate_that_nobody_vouches_for(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with camera(certificate=certificate) as (host, _):
        assert fault(f"https://{host}/x") == (
            f"https://{host}/x shows a certificate that this machine does not trust (self-signed certificate): put the "
            "certificate of the camera, or of who signed it, into a file and name that in the environment variable "
            "SSL_CERT_FILE"
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.parent / "crt"))
        with Read(source_of(f"https://{host}/x")) as read:
            assert read.next().image == IMAGE
