"""
Attacks that are small on the wire: each is large, or long, only in the process.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

from .attack import Attack, Ground
from .attacks_connections import Run, anew, drip, half, requests
from .attacks_peers import call, frames, raw, stream, xhr_send
from .attacks_strangers import flood
from .link import UPGRADE, Link, both, frame, message, messages

__all__ = ["ATTACKS"]

MIB = 1 << 20

_WHOLE = b"GET /sockets/info HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_HEADERS = b"".join(b"X%x: 1\r\n" % number for number in range(120))
_SEND = b"POST /sockets/000/nobody/xhr_send HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def websockets_with_headers(ground: Ground) -> None:
    """Sessions that begin with as many headers as there may be."""
    headers = {f"X{number:x}": "1" for number in range(110)}
    path = f"{ground.address.new_session()}/websocket"
    data = ground.address.request("GET", path, **UPGRADE, **headers)
    await ground.crowd(250, lambda link: link.send(data))


def bodies(count: int, head: bytes, body: bytes) -> Run:
    """Bodies that do not end."""

    async def run(ground: Ground) -> None:
        async def behave(link: Link) -> None:
            await both(link.send(head + body), link.read_on())

        await ground.crowd(count, behave)

    return run


def to_streams(data: str, receivers: int = 10) -> Run:
    """One publishes this to some whose transport is a stream."""

    async def run(ground: Ground) -> None:
        async def receive(link: Link) -> None:
            path, sender = await stream(ground, link)
            subscribe = [message("_subscribe", {"channel": "corner"})]
            await xhr_send(ground, sender, path, subscribe)
            await link.read_on()

        async def publish(link: Link) -> None:
            await asyncio.sleep(0.5)
            await link.pour(messages(message("_publish", {"channel": "corner", "data": data})), 4)

        [sender] = await ground.prepare(1)
        await asyncio.gather(ground.crowd(receivers, receive), ground.play(sender, publish))

    return run


async def escaped_forms(ground: Ground) -> None:
    """Forms every byte of which is escaped."""
    form = b"d=%5B%22" + b"%20" * (MIB - 100) + b"%22%5D"

    async def behave(link: Link) -> None:
        path, sender = await stream(ground, link)
        kind = "application/x-www-form-urlencoded"
        data = ground.address.request("POST", f"{path}/jsonp_send", form, Content_Type=kind)
        await both(sender.pour(data, 4), sender.read_on())

    await ground.crowd(3, behave)


async def leaving_audience(ground: Ground) -> None:
    """A hundred listen, and go one after the other while one publishes to them."""
    audience = await ground.prepare(100, "leaving")
    [sender] = await ground.prepare(1)

    async def leave() -> None:
        for link in audience:
            await asyncio.sleep(0.005)
            link.abort()

    async def publish(link: Link) -> None:
        data = message("_publish", {"channel": "leaving", "data": "x" * 1000})
        await both(link.pour(messages(*[data] * 50)), link.read_on(), leave())

    await ground.play(sender, publish)


async def sends_in_one_piece(ground: Ground) -> None:
    """Many xhr_send of one session, before auth, in one piece."""

    async def behave(link: Link) -> None:
        path = ground.address.new_session()
        await link.send(ground.address.request("POST", f"{path}/xhr", b""))
        await link.response()
        body = json.dumps(["x" * 7000]).encode()
        await link.send(ground.address.request("POST", f"{path}/xhr_send", body) * 200)
        await link.read_on()

    await ground.crowd(20, behave)


MEMORY = "strangers' memory"
NUMBER = "number"
TIME = "time"
TURNS = "long turns"
INPUT = "strangers' input"

_EXPECT = _SEND + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n"
_CHUNKED = _SEND + b"Transfer-Encoding: chunked\r\n\r\n"

ATTACKS = [
    Attack("a head behind a request, byte by byte", TIME, drip(150, _WHOLE + _WHOLE[:60], b"a")),
    Attack("bodies announced that do not come", TIME, half(500, _EXPECT), expected="HTTP 100"),
    Attack("trailers byte by byte", TIME, drip(150, _CHUNKED + b"0\r\nX: ", b"a")),
    Attack("extensions of chunks", TIME, drip(150, _CHUNKED + b"1;", b"a" * 20)),
    Attack(
        "last answers, over TLS, and no goodbye",
        NUMBER,
        half(200, _WHOLE[:-2] + b"Connection: close\r\n\r\n"),
        tls=True,
        expected="HTTP 200",
    ),
    Attack("1,000 heads of 120 headers", MEMORY, half(1000, _WHOLE[:-2] + _HEADERS), spread=10),
    Attack("WebSockets with 110 headers", MEMORY, websockets_with_headers),
    Attack(
        "500 bodies in temporary files",
        NUMBER,
        bodies(500, _CHUNKED, b"2400\r\n" + b"a" * 0x2400 + b"\r\n"),
        spread=10,
    ),
    Attack(
        "500 bodies of 90 kB",
        MEMORY,
        bodies(500, _SEND + b"Content-Length: 95000\r\n\r\n", b"a" * 90_000),
        spread=20,
    ),
    Attack(
        "bodies in chunks of 17 bytes",
        "requests",
        bodies(20, _CHUNKED, (b"11\r\n" + b"a" * 17 + b"\r\n") * 100_000),
        expected="HTTP 400",
    ),
    Attack("200 sends in one piece before auth", INPUT, sends_in_one_piece),
    Attack(
        "line breaks, and half of a surrogate pair",
        TURNS,
        flood(frame('["' + "\\n" * (2 * MIB - 20) + '\\ud800"]'), authenticated=True, count=2),
    ),
    Attack(
        "halves of surrogate pairs in a frame",
        TURNS,
        flood(frame('["' + "\\ud800" * 690_000 + '"]'), authenticated=True, count=2),
    ),
    Attack("line separators, to ten streams", TURNS, to_streams("\u2028" * 150_000), seconds=2.0),
    Attack("forms of escapes", TURNS, escaped_forms, seconds=1.5),
    Attack(
        "empty objects, and a null",
        TURNS,
        flood(raw(call("[" + "{}," * 330_000 + "null]")), authenticated=True, count=2),
    ),
    Attack(
        "numbers of 4,000 digits",
        TURNS,
        flood(raw(call("[" + ("9" * 4000 + ",") * 240 + "null]")), authenticated=True, count=2),
    ),
    Attack(
        "brackets that close nothing",
        TURNS,
        flood(raw("[" * 65 + "]" * 900_000), authenticated=True, count=2),
    ),
    Attack(
        "names with 400,000 dots",
        TURNS,
        flood(raw('{"rpc":"' + "a." * 400_000 + '","uuid":"u"}'), authenticated=True, count=2),
    ),
    Attack("paths of slashes", "requests", anew("GET", "/" * 16_000)),
    Attack("queries of 8,000 names", "requests", anew("GET", "/socket/token?" + "a&" * 7_900)),
    Attack("an audience that leaves", TURNS, leaving_audience),
    Attack(
        "5,000 calls that wait for who has gone",
        TURNS,
        frames(messages(*[message("ask", 1)] * 5_000), 4),
    ),
    Attack(
        "names in URLs, escaped",
        "requests",
        requests("POST", "/sockets/000/" + quote("\u2028") * 300 + "/xhr_send", b"[]"),
    ),
]
