"""
Faults of HTTP: responses that are no answer, or no responses.
"""

from __future__ import annotations

from typing import Any

from tests.kit.http import LAST_CHUNK, chunk, head, response

from .scene import Fault, Scene

__all__ = ["HTTP"]

_ELSEWHERE = "Location: http://elsewhere.test/?secret=1"


def _answers(status: int, *headers: str, body: Any = b"") -> Fault:
    return lambda scene: scene.give_instead(response(status, body, *headers))


def _sends(data: bytes, *, close: bool = True) -> Fault:
    def send(scene: Scene) -> None:
        scene.out.write(data)
        if close:
            scene.out.close()

    return send


def _floods(beginning: bytes, piece: bytes) -> Fault:
    def flood(scene: Scene) -> None:
        scene.out.write(beginning)
        scene.out.flood(piece)

    return flood


def _body(body: Any, kind: str = "application/json") -> Fault:
    return lambda scene: scene.give_instead(response(200, body, kind=kind))


def _with_header(header: bytes) -> Fault:
    """The honest answer with one more line in its head."""

    def send(scene: Scene) -> None:
        line, rest = scene.honest.split(b"\r\n", 1)
        scene.give_instead(line + b"\r\n" + header + b"\r\n" + rest)

    return send


def _replacing(old: bytes, new: bytes) -> Fault:
    """The honest answer, save for a piece."""

    def send(scene: Scene) -> None:
        assert old in scene.honest, (old, scene.honest)
        scene.give_instead(scene.honest.replace(old, new, 1))

    return send


def _longer(scene: Scene) -> None:
    """Promises more of a body than there is."""
    scene.out.write(head(200, "Content-Type: application/json", "Content-Length: 9999") + b"{")
    scene.out.mute()


_LINE = b"X-Padding: " + b"x" * 1000 + b"\r\n"
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = head(200, "Content-Type: application/json", "Transfer-Encoding: chunked")

HTTP: dict[str, Fault] = {
    # a regular no
    "refuses": _answers(403, body={"error": "Forbidden"}),
    "knows us not": _answers(401, body={"error": "Unauthorized"}),
    "has no such page": _answers(404),
    "is gone": _answers(410),
    "fails": _answers(500, body={"error": "oops"}),
    "is unavailable": _answers(503, "Retry-After: 7"),
    "has had too much": _answers(429, "Retry-After: 7"),
    "says nothing": _answers(204),
    # elsewhere
    "redirects": _answers(302, _ELSEWHERE),
    "redirects for good": _answers(308, _ELSEWHERE),
    "redirects nowhere": _answers(302),
    # no HTTP
    "answers no HTTP": _sends(b"\x00\xff\xfe no HTTP at all\r\n\r\n"),
    "answers no HTTP and stays": _sends(b"\x00\xff\xfe no HTTP at all\r\n\r\n", close=False),
    "answers a broken status": _sends(b"HTTP/1.1 9x9 What\r\n\r\n"),
    "answers HTTP/3.7": _sends(b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "answers an empty line": _sends(b"\r\n\r\n"),
    # broken heads
    "answers a line without a colon": _with_header(b"no colon here"),
    "answers a header of binary": _with_header(b"X-\x00\xff: \xff\xfe\x00"),
    "answers a huge line": _with_header(b"X-Huge: " + b"x" * 200_000),
    "answers two lengths": _sends(_OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    "answers a length that is none": _sends(_OK + b"Content-Length: -7\r\n\r\n{}"),
    "answers an unknown encoding": _sends(_OK + b"Transfer-Encoding: rot13\r\n\r\n{}"),
    "promises more": _longer,
    "answers a broken chunk": _sends(_CHUNKED + b"zz\r\n{}\r\n"),
    "answers a negative chunk": _sends(_CHUNKED + b"-1\r\n{}\r\n"),
    "answers broken gzip": _answers(200, "Content-Encoding: gzip", body=b"\x1f\x8b\x00 no gzip"),
    # without end
    "floods the head": _floods(_OK, _LINE * 16),
    "floods with 100 Continue": _floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40),
    "floods the body": _floods(_CHUNKED, chunk(b"x" * 8192)),
    "floods one line of the head": _floods(_OK + b"X-Endless: ", b"x" * 8192),
    # bodies of the token route
    "answers HTML": _body(b"<html>Login</html>", "text/html"),
    "answers no JSON": _body(b"{"),
    "answers no text": _body(b'{"token": "\xff\xfe"}'),
    "answers a list": _body([]),
    "answers a number for a token": _body({"token": 5}),
    "answers an empty token": _body({"token": ""}),
    "answers null": _body(b"null"),
    "answers deep JSON": _body(b"[" * 60_000),
    "answers a body too long": _body({"token": "x" * 70_000}),
    # handshakes of WebSockets
    "answers 200": _answers(200, body={"hello": "there"}),
    "accepts another key": _replacing(b"Accept: ", b"Accept: AAAA"),
    "forgets to upgrade": _replacing(b"Upgrade: websocket\r\n", b""),
    "upgrades to something else": _replacing(b"Upgrade: websocket", b"Upgrade: h2c"),
    "picks an extension": _with_header(b"Sec-WebSocket-Extensions: permessage-deflate"),
    "picks a protocol": _with_header(b"Sec-WebSocket-Protocol: soap"),
    # responses that carry frames
    "answers an empty response": lambda scene: scene.give_instead(response(200, b"")),
    "ends the response": lambda scene: scene.give_instead(LAST_CHUNK),
}
"""Those of token requests, handshakes, sends and the responses that carry frames."""
