"""Attacks by WAMP sessions on the router to which a bridge is connected."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from .attack import Attack, Ground
from .link import Link, both, frame

__all__ = ["ATTACKS"]

Run = Callable[[Ground], Awaitable[None]]

MIB = 1 << 20

CALL, PUBLISH = 48, 16
TOPIC = "com.example.news."
PROCEDURE = "com.example.rpc."


def publish(data: Any, topic: str = "a") -> list[Any]:
    """An event, without its number."""
    return [PUBLISH, {}, TOPIC + topic, [data]]


def call(data: Any, procedure: str = "echo") -> list[Any]:
    """A call, without its number."""
    return [CALL, {}, PROCEDURE + procedure, [data]]


def sends(*requests: list[Any], lanes: int = 2, most: int = 1 << 30) -> Run:
    """
    Sessions that send these again and again.

    :param most: how often.
    """

    async def run(ground: Ground) -> None:
        async def behave(link: Link) -> None:
            await link.join_realm("realm1")
            numbers = itertools.count(1)

            async def send() -> None:
                for _ in range(most):
                    for kind, *rest in requests:
                        text = json.dumps([kind, next(numbers), *rest])
                        await link.send(frame(text))
                    await asyncio.sleep(0)

            await both(send(), link.read_on())

        await ground.crowd(lanes, behave, ground.router_connection)

    return run


def nested(depth: int) -> Any:
    """A list in a list in ..."""
    data: list[Any] = []
    for _ in range(depth - 1):
        data = [data]
    return data


ENVELOPE = "over the server's limits, by WAMP"
SHARE = "more than a share, by WAMP"


def _attack(name: str, kind: str, run: Run) -> Attack:
    return Attack(name, kind, run, "wamp")


ATTACKS = [
    _attack("events of 1.5 MB", ENVELOPE, sends(publish("x" * 1_500_000), most=4)),
    _attack("events of 600 kB of quotes", ENVELOPE, sends(publish('"' * 600_000), most=4)),
    _attack("events that are 100 deep", ENVELOPE, sends(publish(nested(100)), most=100)),
    _attack("topics of 300 characters", ENVELOPE, sends(publish(1, "x" * 300), most=100)),
    _attack("calls of 1.5 MB", ENVELOPE, sends(call("x" * 1_500_000), most=4)),
    _attack("calls that are 100 deep", ENVELOPE, sends(call(nested(100)), most=100)),
    _attack("calls of names of 100 kB", ENVELOPE, sends(call(1, "x" * 100_000), most=20)),
    _attack("events, as many as it takes", SHARE, sends(publish(1))),
    _attack("events of 100 kB, as many as it takes", SHARE, sends(publish("x" * 100_000))),
    _attack("calls by WAMP, as many as it takes", SHARE, sends(call(1))),
    _attack("calls by WAMP that nobody answers", SHARE, sends(call(1, "wait"), most=2000)),
]
