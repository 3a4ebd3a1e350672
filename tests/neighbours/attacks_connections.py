"""
Attacks by the number of connections, by time, and by requests: whoever can connect.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from .attack import Attack, Ground, Target
from .link import UPGRADE, Link, both

__all__ = ["ATTACKS"]

Run = Callable[[Ground], Awaitable[None]]

_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(60)
"""How a TLS handshake begins."""


def half(count: int, data: bytes, *, plain: bool = False) -> Run:
    """Many connections, each of which says this and no more."""

    async def run(ground: Ground) -> None:
        await ground.crowd(
            count, lambda link: link.send(data), lambda: ground.connect(plain=plain)
        )

    return run


def drip(count: int, begin: bytes, piece: bytes) -> Run:
    """Many connections, each of which says one thing, and then another piece at a time."""

    async def behave(link: Link) -> None:
        await link.send(begin)
        while True:
            await link.send(piece)
            await asyncio.sleep(0.05)

    async def run(ground: Ground) -> None:
        await ground.crowd(count, behave)

    return run


def requests(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    lanes: int = 8,
    pipelined: int = 50,
    **headers: str,
) -> Run:
    """Requests, many at a time, one behind the other in each of some connections."""

    async def run(ground: Ground) -> None:
        data = ground.address.request(method, path, body, **headers) * pipelined

        async def behave(link: Link) -> None:
            await both(link.pour(data), link.read_on())

        await ground.crowd(lanes, behave)

    return run


async def forged(ground: Ground) -> None:
    """Tokens, for each of which another address is claimed."""
    numbers = itertools.count()

    async def behave(link: Link) -> None:
        async def ask() -> None:
            while True:
                claimed = f"198.51.{next(numbers) % 250}.{next(numbers) % 250}"
                said = {"X_Forwarded_For": claimed, "Forwarded": f"for={claimed}"}
                await link.send(ground.address.request("GET", "/socket/token", **said))
                await asyncio.sleep(0)

        await both(ask(), link.read_on())

    await ground.crowd(8, behave)


def one_read(method: str, path: str, count: int) -> Run:
    """So many requests in one piece, which is not more than one read of the server's."""

    async def run(ground: Ground) -> None:
        data = ground.address.request(method, path) * count
        await ground.crowd(4, lambda link: link.send(data))

    return run


def unread(method: str, path: str, count: int = 30) -> Run:
    """Requests whose answers nobody reads."""

    async def run(ground: Ground) -> None:
        data = ground.address.request(method, path) * 200

        async def behave(link: Link) -> None:
            await link.pour(data)

        await ground.crowd(count, behave, lambda: ground.connect(buffer=4096))

    return run


def anew(method: str, path: str, body: bytes | None = None) -> Run:
    """A new connection for each request, as fast as it goes."""

    async def run(ground: Ground) -> None:
        async def once() -> Link:
            link = await ground.connect()
            await link.send(ground.address.request(method, path, body))
            await link.response()
            return link

        await ground.again(once)

    return run


def dropped(data: bytes = b"") -> Run:
    """Connections that are opened and reset, as fast as it goes."""

    async def run(ground: Ground) -> None:
        async def once() -> Link:
            link = await ground.connect()
            await link.send(data)
            return link

        await ground.again(once)

    return run


def with_path(make: Callable[[Ground], bytes], count: int) -> Run:
    """One request on each of many connections, with a path of its own."""

    async def run(ground: Ground) -> None:
        await ground.crowd(count, lambda link: link.send(make(ground)))

    return run


async def half_tls_sessions(ground: Ground) -> None:
    """Handshakes that are complete, and say nothing after it."""

    async def quiet(link: Link) -> None:
        pass

    await ground.crowd(150, quiet)


async def collisions(ground: Ground) -> None:
    """Many who use one polling session at the same time."""
    path = ground.address.new_session()

    async def behave(link: Link) -> None:
        poll = ground.address.request("POST", f"{path}/xhr", b"")
        await both(link.pour(poll), link.read_on())

    await ground.crowd(50, behave)


async def sessions(ground: Ground) -> None:
    """A new polling session with each request."""

    async def behave(link: Link) -> None:
        async def ask() -> None:
            while True:
                path = f"{ground.address.new_session()}/xhr"
                await link.send(ground.address.request("POST", path, b""))
                await asyncio.sleep(0)

        await both(ask(), link.read_on())

    await ground.crowd(8, behave)


async def websockets_dropped(ground: Ground) -> None:
    """WebSockets that are opened and reset, as fast as it goes."""
    await ground.again(ground.websocket)


async def websockets_reset_in_the_middle(ground: Ground) -> None:
    """The same, reset before the answer is there."""

    async def once() -> Link:
        link = await ground.connect()
        path = f"{ground.address.new_session()}/websocket"
        await link.send(ground.address.request("GET", path, **UPGRADE))
        return link

    await ground.again(once)


def upgrade(ground: Ground) -> bytes:
    """A request for a WebSocket."""
    return ground.address.request("GET", f"{ground.address.new_session()}/websocket", **UPGRADE)


def upgrade_nowhere(ground: Ground) -> bytes:
    """One where none is served."""
    return ground.address.request("GET", "/elsewhere/websocket", **UPGRADE)


def stream(ground: Ground) -> bytes:
    """A streaming session."""
    return ground.address.request("POST", f"{ground.address.new_session()}/xhr_streaming", b"")


def half_body(ground: Ground) -> bytes:
    """Half a body, of a session that is not there."""
    path = f"{ground.address.new_session()}/xhr_send"
    return ground.address.request("POST", path, b"x" * 100, Content_Length="4000000")


_HALF_HEAD = b"GET /socket/token HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
_POST = b"POST /sockets/000/drip/xhr_send HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_LENGTH = _POST + b"Content-Length: 100000\r\n\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"

NUMBER = "number"
TIME = "time"
REQUESTS = "requests"


def _connections(target: Target, tls: bool) -> list[Attack]:
    """What any site is attacked with."""
    where = f"{target}, TLS" if tls else target

    def attack(name: str, kind: str, run: Run, expected: str = "", spread: int = 1) -> Attack:
        return Attack(f"{name} ({where})", kind, run, target, tls, expected, spread)

    return [
        attack("1,000 half request lines", NUMBER, half(300 if tls else 1000, b"GET /sock")),
        attack("1,000 half heads", NUMBER, half(300 if tls else 1000, _HALF_HEAD), spread=10),
        attack("connections without a word", NUMBER, half(600, b"", plain=True)),
        attack("a head byte by byte", TIME, drip(150, _HALF_HEAD, b"a")),
        attack("a body byte by byte", TIME, drip(150, _LENGTH, b"a")),
        attack("chunks byte by byte", TIME, drip(150, _CHUNKED, b"1\r\na\r\n")),
        attack("opened and reset", NUMBER, dropped()),
    ]


ATTACKS = [
    *_connections("server", False),
    *_connections("server", True),
    *_connections("bridge", False),
    Attack("half TLS handshakes", NUMBER, half(400, _HELLO[:40], plain=True), tls=True),
    Attack("TLS handshakes without an end", NUMBER, half(400, _HELLO, plain=True), tls=True),
    Attack("plain HTTP on a TLS port", NUMBER, half(400, _HALF_HEAD, plain=True), tls=True),
    Attack("TLS, and then nothing", NUMBER, half_tls_sessions, tls=True),
    Attack("TLS handshakes, reset", NUMBER, dropped(), tls=True, spread=10),
    Attack("tokens, pipelined", REQUESTS, requests("GET", "/socket/token?a=b"), expected="HTTP"),
    Attack("tokens, a connection each", REQUESTS, anew("GET", "/socket/token?a=b")),
    Attack("tokens from 50 addresses", REQUESTS, requests("GET", "/socket/token?a=b"), spread=50),
    Attack("tokens, with a forged address each", REQUESTS, forged, expected="HTTP 200/429"),
    Attack(
        "pages of other names",
        REQUESTS,
        requests("GET", "/socket/token", Host="evil.example"),
        expected="HTTP 421",
    ),
    Attack("tokens, by JSONP", REQUESTS, requests("GET", "/socket/token?callback=f")),
    Attack("2,300 requests in one read", REQUESTS, one_read("GET", "/", 2300)),
    Attack("1,000 tokens in one read", REQUESTS, one_read("GET", "/socket/token", 1000)),
    Attack("pages unread", REQUESTS, unread("GET", "/sockets/iframe.html")),
    Attack("/info unread", REQUESTS, unread("GET", "/sockets/info")),
    Attack("pages that are not there", REQUESTS, requests("GET", "/" + "a" * 4000)),
    Attack("preflights", REQUESTS, requests("OPTIONS", "/sockets/000/x/xhr")),
    Attack("heads that are too long", REQUESTS, requests("GET", "/", X_A="a" * 20_000)),
    Attack(
        "400 headers",
        REQUESTS,
        requests("GET", "/", pipelined=4, **{f"X_{n}": "a" for n in range(400)}),
    ),
    Attack("bytes that are not HTTP", REQUESTS, half(300, bytes(range(256)) * 16)),
    Attack("an HTTP/2 preface", REQUESTS, half(300, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    Attack("upgrades, 500 at once", NUMBER, with_path(upgrade, 500)),
    Attack("upgrades, over TLS", NUMBER, with_path(upgrade, 200), tls=True),
    Attack("upgrades where nobody serves them", NUMBER, with_path(upgrade_nowhere, 500)),
    Attack("WebSockets, opened and reset", NUMBER, websockets_dropped),
    Attack("WebSockets, reset while they open", NUMBER, websockets_reset_in_the_middle),
    Attack("streams, 500 at once", NUMBER, with_path(stream, 500)),
    Attack("500 half bodies", NUMBER, with_path(half_body, 500)),
    Attack("polls of one session by 50", NUMBER, collisions),
    Attack("a new polling session a request", NUMBER, sessions),
    Attack(
        "xhr_send to sessions that are not there",
        REQUESTS,
        requests("POST", "/sockets/000/nobody/xhr_send", b"[]"),
    ),
]
