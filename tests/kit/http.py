"""
As much of HTTP as an honest peer needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["LAST_CHUNK", "Request", "RequestReader", "chunk", "head", "response"]

LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """
    :ivar headers: by lower-case names.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

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
    Takes a client's bytes apart.

    :ivar rest: what came behind the last complete request.
    """

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[Request]:
        """
        :return: the requests that are complete now; one that upgrades is the last.
        """
        self.rest += data
        requests: list[Request] = []
        while not (requests and requests[-1].upgrades):
            request = self._next()
            if request is None:
                break
            requests.append(request)
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
        return Request(method, target.partition("?")[0], headers, body)


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
