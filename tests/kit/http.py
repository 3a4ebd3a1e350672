"""
HTTP as bytes: what a peer writes, right or wrong, and what it reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = [
    "LAST_CHUNK",
    "Request",
    "RequestReader",
    "Response",
    "chunk",
    "head",
    "parse_response",
    "request",
    "response",
    "split_chunks",
]

LAST_CHUNK = b"0\r\n\r\n"

# -- the server's half


@dataclass(frozen=True)
class Request:
    """
    :ivar target: the path, and a query if there is one.
    :ivar headers: by lower-case names.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Of the target."""
        return self.target.partition("?")[0]

    @property
    def persistent(self) -> bool:
        """Whether the client wants to use the connection again."""
        return "close" not in self.headers.get("connection", "").lower()

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket."""
        return "upgrade" in self.headers


class RequestReader:
    """
    Splits a client's bytes into requests, up to one that upgrades.

    :ivar rest: what came behind the last complete request.
    """

    def __init__(self) -> None:
        self.rest = b""
        self._upgraded = False

    def feed(self, data: bytes) -> list[Request]:
        """
        :return: the requests that are complete now; one that upgrades is the last.
        """
        self.rest += data
        requests: list[Request] = []
        while not self._upgraded and (request := self._next()) is not None:
            requests.append(request)
            self._upgraded = request.upgrades
        return requests

    def _next(self) -> Request | None:
        end = self.rest.find(b"\r\n\r\n")
        if end < 0:
            return None
        lines = self.rest[:end].decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:])
        headers = {name.lower(): value.strip() for name, _, value in fields}
        assert "transfer-encoding" not in headers, "our client knows how much it sends"
        after = end + 4 + int(headers.get("content-length", 0))
        if len(self.rest) < after:
            return None
        body, self.rest = self.rest[end + 4 : after], self.rest[after:]
        method, target, _ = lines[0].split(" ", 2)
        return Request(method, target, headers, body)


def head(status: int, *headers: str) -> bytes:
    """The head of a response."""
    return "\r\n".join([f"HTTP/1.1 {status} Status", *headers, "", ""]).encode("latin-1")


def response(status: int, body: Any = b"", *headers: str, kind: str = "application/json") -> bytes:
    """
    A whole response.

    :param body: bytes, or what is sent as JSON.
    :param kind: its content type.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kinds = [f"Content-Type: {kind}"] if kind else []
    length = [] if status == 204 else [f"Content-Length: {len(data)}"]
    return head(status, *kinds, *length, *headers) + data


def chunk(data: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


# -- the client's half


def request(
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    version: str = "1.1",
) -> bytes:
    """
    A whole request.

    :param headers: "-" leaves out one that is there by default, ``Host`` and the length;
        surrogates stand for bytes that are not UTF-8.
    """
    lines = [f"{method} {path} HTTP/{version}"]
    fields = {"Host": "example.com"} | (headers or {})
    if body is not None:
        fields.setdefault("Content-Length", str(len(body)))
    lines += [f"{name}: {value}" for name, value in fields.items() if value != "-"]
    text = "\r\n".join([*lines, "", ""])
    return text.encode("utf-8", "surrogateescape") + (body or b"")


@dataclass
class Response:
    """One HTTP response, as far as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


def parse_response(data: bytes) -> Response:
    """One HTTP response."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    complete = True
    if headers.get("transfer-encoding") == "chunked":
        chunks, complete = split_chunks(body)
        body = b"".join(chunks)
    elif "content-length" in headers:
        complete = len(body) == int(headers["content-length"])
    code = int(status.split()[1]) if data else 0
    return Response(code, headers, body, complete and bool(data))


def split_chunks(body: bytes) -> tuple[list[bytes], bool]:
    """The chunks of a chunked body, and whether the last one has come."""
    chunks = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return chunks, True
        chunks.append(body[:length])
        body = body[length + 2 :]
    return chunks, False
