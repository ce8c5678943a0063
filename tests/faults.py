"""An S3 that fails on purpose: a proxy in front of moto's server that injects faults.

S3's errors, connections that break and answers that get lost can only be had on the wire: a store
that raises Python exceptions would test what we believe of the client library.
"""

import http.client
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

ERRORS: Final = {
    "409": (409, "ConditionalRequestConflict"),
    "412": (412, "PreconditionFailed"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
}
KINDS: Final = ("409", "412", "500", "500 after", "503", "reset", "reset after", "truncated")
"""`after`: the request has been carried out, and only its answer is lost."""

Choose = Callable[[str, str], str | None]
"""The fault for a request of a method and a key, if any."""


def never(_method: str, _key: str) -> str | None:
    return None


def sometimes(share: float, kinds: tuple[str, ...], seed: int) -> Choose:
    """A fault on a share of all requests."""
    dice = random.Random(seed)
    guard = threading.Lock()

    def choose(_method: str, _key: str) -> str | None:
        with guard:
            return dice.choice(kinds) if dice.random() < share else None

    return choose


def once(kind: str, method: str, part: str) -> Choose:
    """A fault on the first request of a method whose key holds a text."""
    left = [kind]

    def choose(asked: str, key: str) -> str | None:
        return left.pop() if left and asked == method and part in key else None

    return choose


@dataclass
class Proxy:
    """`choose` decides on each request; `seen` are the faults that were injected."""

    url: str
    choose: Choose = never
    seen: list[tuple[str, str, str]] = field(default_factory=list)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    target: SplitResult
    proxy: Proxy

    def handle_error(self, *_: object) -> None: ...


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Quiet

    def log_message(self, *_: object) -> None: ...

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kind = self.fault()
        if kind in ERRORS:
            self.refuse(*ERRORS[kind])
            return
        if kind == "reset":
            self.reset()
            return
        status, headers, answer = self.forward(body)
        if kind == "500 after":
            self.refuse(*ERRORS["500"])
        elif kind == "reset after":
            self.reset()
        else:
            self.answer(status, headers, answer, cut=kind == "truncated")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the server's names

    def fault(self) -> str | None:
        key = unquote(self.path)
        kind = self.server.proxy.choose(self.command, key)
        conditional = "if-match" in self.headers or "if-none-match" in self.headers
        if kind in ("409", "412") and not (self.command == "PUT" and conditional):
            return None
        if kind:
            self.server.proxy.seen.append((kind, self.command, key))
        return kind

    def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.server.target
        upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        upstream.request(self.command, self.path, body, headers)
        found = upstream.getresponse()
        answer = found.read()
        upstream.close()
        return found.status, found.getheaders(), answer

    def answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool
    ) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", length)
        self.end_headers()
        if cut and body:
            self.wfile.write(body[: len(body) // 2])
            self.reset()
        elif self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        self.answer(status, [("content-type", "application/xml")], text, cut=False)

    def reset(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(endpoint: str) -> Iterator[Proxy]:
    """Stand in front of an endpoint."""
    server = Quiet(("127.0.0.1", 0), Handler)
    server.target = urlsplit(endpoint)
    server.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
