"""
Attacks by callers of the bridge: with a key that allows little, or with none.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from .attack import Attack, Ground
from .link import Link

__all__ = ["ATTACKER_KEY", "ATTACKS"]

Run = Callable[[Ground], Awaitable[None]]

ATTACKER_KEY = "attackers-key"
"""A key for the channels ``news*`` and the function ``echo``."""

MIB = 1 << 20


def post(ground: Ground, path: str, body: Any, key: str = ATTACKER_KEY, **headers: str) -> bytes:
    """One request; a body that is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ground.address.request(
        "POST",
        path,
        data,
        Authorization=f"Bearer {key}",
        Content_Type="application/json",
        **headers,
    )


def asks(
    path: str, body: Any, *, lanes: int = 4, pipelined: int = 1, key: str = ATTACKER_KEY
) -> Run:
    """The same request, over and over, in some connections."""

    async def run(ground: Ground) -> None:
        data = post(ground, path, body, key) * pipelined

        async def behave(link: Link) -> None:
            async def ask() -> None:
                while True:
                    await link.send(data)
                    for _ in range(pipelined):
                        await link.response()

            await ask()

        await ground.crowd(lanes, behave)

    return run


def events(count: int, channels: int, *, length: int = 10, again: bool = False) -> Run:
    """Event streams of so many channels each."""

    async def run(ground: Ground) -> None:
        numbers = itertools.count()

        def listen() -> bytes:
            names = (f"news{next(numbers)}".ljust(length, "x") for _ in range(channels))
            query = "&".join(f"channel={name}" for name in names)
            return ground.address.request(
                "GET", f"/events?{query}", Authorization=f"Bearer {ATTACKER_KEY}"
            )

        async def once() -> Link:
            link = await ground.connect()
            await link.send(listen())
            await link.read()
            return link

        if again:
            await ground.again(once)
        else:
            await ground.crowd(count, lambda link: link.send(listen()))

    return run


async def slow_events(ground: Ground) -> None:
    """Readers of a channel who take nothing of what is published to it."""

    async def wait(link: Link) -> None:
        await link.send(
            ground.address.request(
                "GET", "/events?channel=news", Authorization=f"Bearer {ATTACKER_KEY}"
            )
        )
        await asyncio.sleep(10)

    async def publish(link: Link) -> None:
        while True:
            await link.send(post(ground, "/publish", {"channel": "news", "data": "x" * 900_000}))
            await link.response()

    await asyncio.gather(
        ground.crowd(30, wait, lambda: ground.connect(buffer=4096)), ground.crowd(2, publish)
    )


def idempotent(body: Any, lanes: int = 8) -> Run:
    """The same with an ``Idempotency-Key`` of its own each time."""

    async def run(ground: Ground) -> None:
        async def behave(link: Link) -> None:
            for number in itertools.count():
                key = f'"{id(link)}-{number}"'
                await link.send(post(ground, "/call", body, Idempotency_Key=key))
                await link.response()

        await ground.crowd(lanes, behave)

    return run


def signed(lanes: int = 8) -> Run:
    """Signatures that are wrong."""

    async def run(ground: Ground) -> None:
        query = "key=signer&timestamp=2030-01-01T00:00:00.000Z&seq=1&nonce=1&signature=" + "A" * 44
        body = json.dumps({"topic": "news", "args": ["x" * 500_000]}).encode()
        kind = "application/json"
        data = ground.address.request("POST", f"/publish?{query}", body, Content_Type=kind)

        async def behave(link: Link) -> None:
            while True:
                await link.send(data)
                await link.response()

        await ground.crowd(lanes, behave)

    return run


def half_bodies(count: int, size: int) -> Run:
    """Bodies of which the last byte does not come."""

    async def run(ground: Ground) -> None:
        data = post(ground, "/publish", b"x" * size)[:-1]
        await ground.crowd(count, lambda link: link.send(data))

    return run


def nested(depth: int) -> bytes:
    """A publish of data that is so deep."""
    return b'{"channel":"news","data":' + b"[" * depth + b"]" * depth + b"}"


def news(data: Any) -> dict[str, Any]:
    """A publish of these data."""
    return {"channel": "news", "data": data}


ECHO = {"rpc": "echo", "data": 1}

ENVELOPE = "over the bridge's limits"
SHARE = "more than a share"
MEMORY = "the bridge's memory"
KEYS = "without a key"


def _attack(name: str, kind: str, run: Run, expected: str = "", **more: Any) -> Attack:
    return Attack(name, kind, run, "bridge", expected=expected, **more)


ATTACKS = [
    _attack(
        "a publish just under 1 MiB", ENVELOPE, asks("/publish", news("x" * (MIB - 60))), "HTTP"
    ),
    _attack(
        "a call just under 1 MiB",
        ENVELOPE,
        asks("/call", {"rpc": "echo", "data": "x" * (MIB - 60)}),
        "HTTP",
    ),
    _attack("a publish of quotes", ENVELOPE, asks("/publish", news('"' * 500_000)), "HTTP"),
    _attack(
        "a publish of control characters",
        ENVELOPE,
        asks("/publish", news("\x01" * 170_000)),
        "HTTP",
    ),
    _attack(
        "a publish of emoji",
        ENVELOPE,
        asks("/publish", b'{"channel":"news","data":"' + "😀".encode() * 250_000 + b'"}'),
        "HTTP",
    ),
    _attack("data 60 deep", ENVELOPE, asks("/publish", nested(60)), "HTTP"),
    _attack(
        "data 62 to 64 deep",
        ENVELOPE,
        asks("/call", b'{"rpc":"echo","data":' + b"[" * 63 + b"]" * 63 + b"}"),
        "HTTP",
    ),
    _attack("data 100 deep", ENVELOPE, asks("/publish", nested(100)), "HTTP 400"),
    _attack("data 100,000 deep", ENVELOPE, asks("/publish", nested(100_000)), "HTTP 400"),
    _attack("data deep, without an end", ENVELOPE, asks("/publish", b"[" * 900_000), "HTTP 400"),
    _attack(
        "a channel of 300 characters",
        ENVELOPE,
        asks("/publish", {"channel": "news" + "x" * 296, "data": 1}),
        "HTTP 40",
    ),
    _attack(
        "a channel of 256 euro signs",
        ENVELOPE,
        asks("/publish", {"channel": "news" + "€" * 100, "data": 1}),
        "HTTP 40",
    ),
    _attack(
        "a number of 100,000 digits",
        ENVELOPE,
        asks("/publish", b'{"channel":"news","data":' + b"1" * 100_000 + b"}"),
        "HTTP",
    ),
    _attack("a body of 3 MB", ENVELOPE, asks("/publish", news("x" * 3_000_000)), "HTTP 413"),
    _attack(
        "streams of channels of 300 characters", ENVELOPE, events(8, 4, length=300), "HTTP 40"
    ),
    _attack("16 streams of 64 channels", SHARE, events(16, 64), "HTTP"),
    _attack("100 streams of 64 channels", SHARE, events(100, 64), "HTTP"),
    _attack("streams that come and go", SHARE, events(1, 8, again=True)),
    _attack("calls, as many as it takes", SHARE, asks("/call", ECHO, lanes=40), "HTTP"),
    _attack("calls, pipelined", SHARE, asks("/call", ECHO, lanes=8, pipelined=50), "HTTP"),
    _attack("publishes, as many as it takes", SHARE, asks("/publish", news(1), lanes=40), "HTTP"),
    _attack(
        "publishes, pipelined", SHARE, asks("/publish", news(1), lanes=8, pipelined=50), "HTTP"
    ),
    _attack(
        "publishes of 900 kB, as many as it takes",
        SHARE,
        asks("/publish", news("x" * 900_000), lanes=16),
        "HTTP",
    ),
    _attack("calls that nobody answers", SHARE, asks("/call", {"rpc": "wait"}, lanes=100), "HTTP"),
    _attack(
        "broadcasts that are not allowed",
        SHARE,
        asks("/broadcast", {"data": 1}, lanes=16),
        "HTTP 403",
    ),
    _attack(
        "channels that are not allowed",
        SHARE,
        asks("/publish", {"channel": "honest", "data": 1}, lanes=16),
        "HTTP 403",
    ),
    _attack("200 half bodies of 1 MiB", MEMORY, half_bodies(200, 1_000_000)),
    _attack("900 half bodies", MEMORY, half_bodies(900, 100)),
    _attack("readers of events who do not read", MEMORY, slow_events, seconds=1.5),
    _attack("idempotency keys", MEMORY, idempotent(ECHO), "HTTP"),
    _attack(
        "idempotency keys of large answers",
        MEMORY,
        idempotent({"rpc": "echo", "data": "x" * 500_000}),
        "HTTP",
    ),
    _attack("keys that nobody has", KEYS, asks("/call", ECHO, lanes=16, key="wrong"), "HTTP 401"),
    _attack(
        "keys that nobody has, with large bodies",
        KEYS,
        asks("/call", {"rpc": "echo", "data": "x" * 900_000}, key="wrong"),
        "HTTP 401",
    ),
    _attack("keys that are too long", KEYS, asks("/call", ECHO, key="x" * 8000), "HTTP 401"),
    _attack("wrong signatures", KEYS, signed(), "HTTP 401"),
]
