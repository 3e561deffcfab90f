"""The page's web server: for this machine alone, and for whoever holds the token.

It listens on 127.0.0.1, so nothing outside reaches it. Other pages in the same browser could: so every request must
bear the token, which is only in the address that is printed, and a `Host` of this very address, which keeps pages out
that point a name of their own at 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ttpose.core.errors import InputError, TTPoseError, UsageError
from ttpose.corrections.page import CorrectPage, page_html

_HOST = "127.0.0.1"
_MOST_BYTES = 1 << 20  # of a request: a frame's record has a few kilobytes
_WAIT_S = 3.0  # for learning to stop at its next step, when the server ends
# The page loads nothing but from here, is in no frame, and tells nobody its address, which has the token in it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src blob: data:; style-src 'unsafe-inline';"
    " script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class CorrectServer(ThreadingHTTPServer):
    """Serves one page until it is asked to end.

    Args:
        page: What it shows.
        port: To listen on; 0 takes a free one.

    Raises:
        UsageError: The port is taken.
    """

    daemon_threads = True

    def __init__(self, page: CorrectPage, port: int = 0) -> None:
        self.page, self.token = page, secrets.token_urlsafe(24)
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise UsageError(f"cannot listen on port {port}: {error.strerror or error}", "leave out --port") from error

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a request may call this server."""
        port = self.server_address[1]
        return f"{_HOST}:{port}", f"localhost:{port}"

    @property
    def address(self) -> str:
        """The page's address, with the token."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def end(self) -> None:
        """Let `serve_forever` return, from a request's thread."""
        threading.Thread(target=self.shutdown, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection early is no error to tell about."""


@contextmanager
def serving(page: CorrectPage, port: int = 0) -> Iterator[CorrectServer]:
    """A server that is closed at the end, learning stopped first."""
    server = CorrectServer(page, port)
    try:
        yield server
    finally:
        page.cancel(_WAIT_S)
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request: refused, or answered from the page."""

    server: CorrectServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._answer({"": self._html, "clip": self._clip, "frame": self._frame, "learning": self._learning})

    def do_PUT(self) -> None:
        self._answer({"frame": self._put})

    def do_POST(self) -> None:
        self._answer({"learn": self._learn, "cancel": self._cancel, "quit": self._quit})

    def _answer(self, known: dict[str, Callable[[list[str]], None]]) -> None:
        """Refuse, or do what the first word of the path says; the others are its arguments."""
        body = self._read()
        if body is None or self.headers.get("Host") not in self.server.hosts or not self._trusted():
            self._send(HTTPStatus.FORBIDDEN, b"forbidden: open the address that `ttpose correct` printed\n")
            return
        self._body = body
        word, *rest = urlsplit(self.path).path.strip("/").split("/")
        if word not in known:
            self._send(HTTPStatus.NOT_FOUND, b"not found\n")
            return
        try:
            known[word](rest)
        except (InputError, UsageError, ValueError) as error:
            self._json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        except TTPoseError as error:
            self._json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _read(self) -> bytes | None:
        """The request's body, read even where it is refused so that the next request starts where it should."""
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= _MOST_BYTES:
            self.close_connection = True
            return None
        return self.rfile.read(length)

    def _trusted(self) -> bool:
        """Whether the token is there: in the address for the page itself, in a header for all that the page asks."""
        query = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
        given = self.headers.get("X-Token") or (query if self.command == "GET" else "")
        origin = self.headers.get("Origin")
        own = origin is None or origin in {f"http://{host}" for host in self.server.hosts}
        return own and hmac.compare_digest(given.encode(), self.server.token.encode())

    def _html(self, _: list[str]) -> None:
        self._send(HTTPStatus.OK, page_html().encode(), "text/html; charset=utf-8")

    def _clip(self, _: list[str]) -> None:
        self._json(self.server.page.clip())

    def _frame(self, rest: list[str]) -> None:
        data = self.server.page.pictures.jpeg(_number(rest))
        if data is None:
            self._send(HTTPStatus.NOT_FOUND, b"no picture\n")
        else:
            self._send(HTTPStatus.OK, data, "image/jpeg")

    def _put(self, rest: list[str]) -> None:
        self.server.page.put(_number(rest), json.loads(self._body))
        self._json({"saved": True})

    def _learn(self, _: list[str]) -> None:
        self.server.page.learn()
        self._json(self.server.page.learning())

    def _learning(self, _: list[str]) -> None:
        self._json(self.server.page.learning())

    def _cancel(self, _: list[str]) -> None:
        self.server.page.cancel()
        self._json(self.server.page.learning())

    def _quit(self, _: list[str]) -> None:
        self._json({"ended": True})
        self.server.end()

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        self._send(status, data, "application/json")

    def _send(self, status: HTTPStatus, data: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for the user."""

    def version_string(self) -> str:
        """The `Server` header, without versions."""
        return "ttpose"


def _number(rest: list[str]) -> int:
    if len(rest) != 1 or not rest[0].isascii() or not rest[0].isdigit() or len(rest[0]) > 9:
        raise InputError("no frame number in the address")
    return int(rest[0])
