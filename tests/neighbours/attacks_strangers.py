"""
Attacks by those who have an open session and no token.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Awaitable, Callable

from txtokensock.testing.rfc6455 import BINARY, CLOSE, PING, PONG

from .attack import Attack, Ground
from .link import Link, both, frame, message, messages

__all__ = ["ATTACKS", "CONTINUATION", "DEEP", "flood"]

CONTINUATION = 0
MIB = 1 << 20

DEEP = "[" * 100_000
"""JSON that has no end, and is deep."""


def header(size: int, first: int = 0x81, masked: int = 0x80) -> bytes:
    """The header of a frame of that size, of which the payload is still to come."""
    return bytes([first, masked | 127]) + struct.pack("!Q", size) + b"\0\0\0\0"


def once(data: bytes, count: int = 200) -> Callable[[Ground], Awaitable[None]]:
    """Many strangers, each of whom sends this."""

    async def run(ground: Ground) -> None:
        async def behave(link: Link) -> None:
            await both(link.send(data), link.read_on())

        await ground.crowd(count, behave, ground.websocket)

    return run


def flood(
    data: bytes,
    *,
    first: bytes = b"",
    count: int = 10,
    times: int | None = None,
    authenticated: bool = False,
    reads: bool = True,
    channels: tuple[str, ...] = (),
) -> Callable[[Ground], Awaitable[None]]:
    """
    Some who send the same again and again.

    :param first: once before it.
    :param times: how often; None for as long as it goes.
    :param authenticated: whether they have a token each.
    :param reads: whether they read what comes.
    :param channels: to which they are subscribed.
    """

    async def run(ground: Ground) -> None:
        async def behave(link: Link) -> None:
            await link.send(first)
            if reads:
                await both(link.pour(data, times), link.read_on())
            else:
                await link.pour(data, times)

        if not authenticated:
            await ground.crowd(count, behave, ground.websocket)
            return
        peers = await ground.prepare(count, *channels, buffer=0 if reads else 4096)
        await ground.crowd(count, behave, _each(peers))

    return run


def _each(links: list[Link]) -> Callable[[], Awaitable[Link]]:
    left = iter(links)

    async def next_one() -> Link:
        return next(left)

    return next_one


async def half_bodies(ground: Ground) -> None:
    """Bodies of 4 MiB for sessions that are there, of which the last byte never comes."""

    async def behave(link: Link) -> None:
        path = ground.address.new_session()
        await link.send(ground.address.request("POST", f"{path}/xhr", b""))
        await link.response()
        head = ground.address.request("POST", f"{path}/xhr_send", b"", Content_Length=f"{4 * MIB}")
        await link.send(head)
        await both(link.pour(b" " * 65536, 63), link.read_on())

    await ground.crowd(100, behave)


async def half_forms(ground: Ground) -> None:
    """The same as forms, which JSONP sends."""

    async def behave(link: Link) -> None:
        path = f"{ground.address.new_session()}/jsonp_send"
        form = "application/x-www-form-urlencoded"
        head = ground.address.request(
            "POST", path, b"d=", Content_Length=f"{4 * MIB}", Content_Type=form
        )
        await link.send(head)
        await both(link.pour(b"%20" * 20_000, 68), link.read_on())

    await ground.crowd(60, behave)


async def chunked_bodies(ground: Ground) -> None:
    """The same without a length."""

    async def behave(link: Link) -> None:
        path = f"{ground.address.new_session()}/xhr_send"
        head = ground.address.request(
            "POST", path, b"", Content_Length="-", Transfer_Encoding="chunked"
        )
        await link.send(head)
        await both(link.pour(b"8000\r\n" + b" " * 32768 + b"\r\n", 127), link.read_on())

    await ground.crowd(100, behave)


_SMALL_CHUNKS = b"1\r\n \r\n" * 8000


async def small_chunks(ground: Ground) -> None:
    """Bodies in chunks of one byte."""

    async def behave(link: Link) -> None:
        path = f"{ground.address.new_session()}/xhr_send"
        head = ground.address.request(
            "POST", path, b"", Content_Length="-", Transfer_Encoding="chunked"
        )
        await link.send(head)
        await both(link.pour(_SMALL_CHUNKS, 40), link.read_on())

    await ground.crowd(10, behave)


async def wrong_tokens(ground: Ground) -> None:
    """A session each for a token that nobody gave."""

    async def attempt() -> Link:
        link = await ground.websocket()
        await link.send(messages({"rpc": "auth", "token": "0" * 36, "uuid": "u"}))
        while not link.code:
            await link.read()
        return link

    await ground.again(attempt)


MEMORY = "strangers' memory"
INPUT = "strangers' input"
NONSENSE = "strangers' nonsense"

_PART = frame(b" " * 4096, CONTINUATION, final=False)

ATTACKS = [
    Attack(
        "250 unfinished frames of 4 MiB",
        MEMORY,
        flood(b" " * 65536, first=header(4 * MIB), count=250, times=63),
        expected="1009",
    ),
    Attack(
        "120 unfinished frames of 4 MiB, from 30 addresses over TLS",
        MEMORY,
        flood(b" " * 65536, first=header(4 * MIB), count=120, times=63),
        tls=True,
        expected="1009",
        spread=30,
    ),
    Attack(
        "250 unfinished binary frames of 4 MiB",
        MEMORY,
        flood(b" " * 65536, first=header(4 * MIB, 0x82), count=250, times=63),
    ),
    Attack(
        "250 fragments without an end",
        MEMORY,
        flood(_PART, first=frame("[", final=False), count=250),
    ),
    Attack(
        "empty fragments",
        INPUT,
        flood(frame("", CONTINUATION, final=False) * 500, first=frame("[", final=False)),
        spread=10,
    ),
    Attack(
        "fragments of one byte",
        INPUT,
        flood(frame(" ", CONTINUATION, final=False) * 500, first=frame("[", final=False)),
        spread=10,
    ),
    Attack("a frame of 2^62 bytes", MEMORY, once(header(1 << 62)), expected="1009|1002"),
    Attack("100 half bodies of 4 MiB", MEMORY, half_bodies),
    Attack("60 half forms of 4 MiB", MEMORY, half_forms),
    Attack("100 bodies in chunks", MEMORY, chunked_bodies),
    Attack("bodies in chunks of one byte", INPUT, small_chunks),
    Attack("strangers' pings", INPUT, flood(frame("x" * 100, PING) * 500), expected="4429"),
    Attack("pings from ten addresses", INPUT, flood(frame("", PING) * 500), spread=10),
    Attack("pings over TLS", INPUT, flood(frame("", PING) * 500), tls=True, spread=10),
    Attack("strangers' pongs", INPUT, flood(frame("", PONG) * 500), spread=10),
    Attack(
        "pongs that nobody asked for, over TLS", INPUT, flood(frame("a", PONG) * 500), tls=True
    ),
    Attack("strangers' empty frames", INPUT, flood(frame("") * 500), spread=10),
    Attack("strangers' empty arrays", INPUT, flood(frame("[]") * 500), spread=10),
    Attack("strangers' empty binary frames", INPUT, flood(frame("", BINARY) * 500), spread=10),
    Attack("strangers' frames with spaces", INPUT, flood(frame(" " * 4000) * 50), spread=10),
    Attack("compressed frames", NONSENSE, once(b"\xc1\x85" + bytes(9)), expected="1002"),
    Attack(
        "frames with every reserved bit", NONSENSE, once(b"\xf1\x85" + bytes(9)), expected="1002"
    ),
    Attack("reserved opcodes", NONSENSE, once(b"\x83\x80" + bytes(4)), expected="1002"),
    Attack("reserved control opcodes", NONSENSE, once(b"\x8b\x80" + bytes(4)), expected="1002"),
    Attack("frames without a mask", NONSENSE, once(b"\x81\x02[]"), expected="1002"),
    Attack("pings in fragments", NONSENSE, once(frame("", PING, final=False)), expected="1002"),
    Attack("pings of 200 bytes", NONSENSE, once(frame("x" * 200, PING)), expected="1002"),
    Attack("a continuation of nothing", NONSENSE, once(frame("x", CONTINUATION)), expected="1002"),
    Attack("a close of one byte", NONSENSE, once(frame("x", CLOSE)), expected="1002"),
    Attack("text that is not UTF-8", NONSENSE, once(frame(b'["\xff\xfe"]')), expected="1007"),
    Attack("JSON without an end", NONSENSE, once(frame(DEEP[:8000])), expected="3000"),
    Attack("large JSON without an end", NONSENSE, once(frame(DEEP)), expected="1009|3000"),
    Attack(
        "a call before auth, deep", NONSENSE, once(frame(json.dumps(["[" * 4000]))), expected="44"
    ),
    Attack(
        "10,000 calls before auth",
        INPUT,
        flood(messages(*[message("echo")] * 40), count=50),
        expected="4401",
    ),
    Attack("wrong tokens", INPUT, wrong_tokens),
    Attack("wrong tokens, over TLS", INPUT, wrong_tokens, tls=True, spread=10),
]
