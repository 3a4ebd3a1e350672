"""
Attacks by peers who are authenticated.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from txtokensock.testing.rfc6455 import PING, PONG

from .attack import Attack, Ground
from .attacks_strangers import CONTINUATION, flood
from .link import Link, both, frame, message, messages

__all__ = ["ATTACKS", "call", "frames", "raw", "stream", "xhr_send"]

Run = Callable[[Ground], Awaitable[None]]

MIB = 1 << 20


def peers(count: int, behave: Callable[[Link], Awaitable[Any]], *channels: str) -> Run:
    """Some peers who all do this."""

    async def run(ground: Ground) -> None:
        found = await ground.prepare(count, *channels)
        await asyncio.gather(*(ground.play(peer, behave) for peer in found))

    return run


def frames(data: bytes, count: int = 1, *, channels: int = 0, audience: int = 0) -> Run:
    """
    Some peers, each of whom sends this once, and reads.

    :param channels: how many each of the audience is subscribed to.
    :param audience: how many others listen, and read.
    """
    names = tuple(f"news{number}" for number in range(channels))

    async def run(ground: Ground) -> None:
        listeners = await ground.prepare(audience, *names)
        senders = await ground.prepare(count)

        async def listen(link: Link) -> None:
            await link.read_on()

        async def send(link: Link) -> None:
            await both(link.send(data), link.read_on())

        await asyncio.gather(
            *(ground.play(peer, listen) for peer in listeners),
            *(ground.play(peer, send) for peer in senders),
        )

    return run


def anew(again: bool) -> Run:
    """Peers with a token each, who are gone as soon as they are in."""

    async def run(ground: Ground) -> None:
        async def once() -> Link:
            link = await ground.peer()
            if again:
                await link.send(messages(*[message("ask")] * 20))
            return link

        await ground.again(once)

    return run


async def slow_readers(ground: Ground) -> None:
    """Fifty who publish large messages to themselves, and read nothing."""
    found = await ground.prepare(50, buffer=4096)
    large = "x" * (MIB // 2)

    async def behave(link: Link) -> None:
        channel = f"own{id(link)}"
        await link.send(messages(message("_subscribe", {"channel": channel})))
        publish = messages({"rpc": "_publish", "req": {"channel": channel, "data": large}})
        await link.pour(publish, 8)
        await asyncio.sleep(10)

    await asyncio.gather(*(ground.play(peer, behave) for peer in found))


async def slow_audience(ground: Ground) -> None:
    """One who publishes to fifty who read nothing."""
    found = await ground.prepare(50, "slow", buffer=4096)
    [sender] = await ground.prepare(1)

    async def wait(link: Link) -> None:
        await asyncio.sleep(10)

    async def publish(link: Link) -> None:
        data = {"channel": "slow", "data": "x" * (MIB // 4)}
        await both(link.pour(messages({"rpc": "_publish", "req": data}), 40), link.read_on())

    await asyncio.gather(
        *(ground.play(peer, wait) for peer in found), ground.play(sender, publish)
    )


async def stream(ground: Ground, link: Link) -> tuple[str, Link]:
    """Receive an authenticated session's frames here: its path, and a connection to send by."""
    path = ground.address.new_session()
    token = await ground.address.token(ground.setup_source())
    await link.send(ground.address.request("POST", f"{path}/xhr_streaming", b""))
    sender = await ground.connect()
    await xhr_send(ground, sender, path, [{"rpc": "auth", "token": token, "uuid": "a"}])
    await link.until(b"success")
    return path, sender


async def slow_streams(ground: Ground) -> None:
    """Polling sessions over streams that nobody reads, each of which asks for echoes."""

    async def behave(link: Link) -> None:
        path, sender = await stream(ground, link)
        for _ in range(10):
            await xhr_send(ground, sender, path, [message("echo", "x" * (MIB // 2))])
        await asyncio.sleep(10)

    await ground.crowd(20, behave)


async def xhr_send(ground: Ground, link: Link, path: str, objects: list[Any]) -> None:
    """Send messages of the session at that path, and wait until they are taken."""
    body = json.dumps([json.dumps(each) for each in objects]).encode()
    await link.send(ground.address.request("POST", f"{path}/xhr_send", body))
    await link.response()


async def polls(ground: Ground) -> None:
    """One authenticated polling session, polled by eight connections, over and over."""
    path = ground.address.new_session()
    token = await ground.address.token(ground.setup_source())
    first = await ground.connect()
    await first.send(ground.address.request("POST", f"{path}/xhr", b""))
    await first.response()
    await xhr_send(ground, first, path, [{"rpc": "auth", "token": token, "uuid": "a"}])

    async def behave(link: Link) -> None:
        poll = ground.address.request("POST", f"{path}/xhr", b"") * 20
        await both(link.pour(poll), link.read_on())

    await ground.crowd(8, behave)


async def empty_sends(ground: Ground) -> None:
    """One authenticated polling session that is sent nothing, over and over."""
    path = ground.address.new_session()
    token = await ground.address.token(ground.setup_source())
    first = await ground.connect()
    await first.send(ground.address.request("POST", f"{path}/xhr", b""))
    await first.response()
    await xhr_send(ground, first, path, [{"rpc": "auth", "token": token, "uuid": "a"}])

    async def behave(link: Link) -> None:
        send = ground.address.request("POST", f"{path}/xhr_send", b"[]") * 50
        await both(link.pour(send), link.read_on())

    await ground.crowd(4, behave)


def raw(*texts: str) -> bytes:
    """One SockJS frame with these texts, which may be anything."""
    return frame(json.dumps(texts))


def call(data: str) -> str:
    """A call with this JSON, which may be anything."""
    return '{"rpc":"echo","req":' + data + ',"uuid":"u"}'


INPUT = "peers' input"
TURNS = "long turns"
MEMORY = "peers' memory"
LIMITS = "limits that answer"

_PUBLISH = {"rpc": "_publish", "req": {"channel": "news0", "data": 1}}
_BROADCAST = {"rpc": "_broadcast", "req": {"data": 1}}
_CHANNELS = [{"channel": f"c{number}"} for number in range(10_000)]

ATTACKS = [
    Attack(
        "60,000 empty arrays",
        INPUT,
        flood(frame("[]") * 1000, times=60, count=1, authenticated=True),
        expected="4429",
    ),
    Attack(
        "60,000 pings",
        INPUT,
        flood(frame("", PING) * 1000, times=60, count=1, authenticated=True),
        expected="4429",
    ),
    Attack(
        "60,000 pings, unread",
        INPUT,
        flood(frame("x" * 125, PING) * 1000, times=60, count=5, authenticated=True, reads=False),
    ),
    Attack(
        "60,000 pongs",
        INPUT,
        flood(frame("", PONG) * 1000, times=60, count=1, authenticated=True),
        expected="4429",
    ),
    Attack(
        "60,000 empty frames",
        INPUT,
        flood(frame("") * 1000, times=60, count=1, authenticated=True),
        expected="4429",
    ),
    Attack(
        "60,000 empty fragments",
        INPUT,
        flood(
            frame("", CONTINUATION, final=False) * 1000,
            first=frame("[", final=False),
            times=60,
            count=1,
            authenticated=True,
        ),
        expected="4429|1009",
    ),
    Attack(
        "empty arrays by ten, over TLS",
        INPUT,
        flood(frame("[]") * 1000, authenticated=True),
        tls=True,
        spread=10,
    ),
    Attack(
        "small calls by ten",
        INPUT,
        flood(messages(*[message("echo", 1)] * 100), authenticated=True),
    ),
    Attack(
        "small calls by ten, over TLS",
        INPUT,
        flood(messages(*[message("echo", 1)] * 100), authenticated=True),
        tls=True,
    ),
    Attack(
        "calls of what is not there",
        INPUT,
        flood(messages(*[message("no.such." + "x" * 100)] * 100), authenticated=True, count=4),
    ),
    Attack(
        "answers that nobody asked for",
        INPUT,
        flood(
            messages(*[{"rpc": "_rpc", "fid": "x", "resp": {"data": 1}}] * 1000),
            authenticated=True,
            count=4,
        ),
    ),
    Attack(
        "texts that are not JSON", INPUT, flood(raw(*["{"] * 1000), authenticated=True, count=4)
    ),
    Attack(
        "numbers instead of messages",
        INPUT,
        flood(raw(*["5"] * 1000), authenticated=True, count=4),
    ),
    Attack(
        "requests without a name",
        INPUT,
        flood(raw(*['{"rpc":5,"uuid":"u"}'] * 1000), authenticated=True, count=4),
    ),
    Attack(
        "auth again and again",
        INPUT,
        flood(
            messages({"rpc": "auth", "token": "0" * 36, "uuid": "u"}), authenticated=True, count=4
        ),
    ),
    Attack(
        "messages of 1 MB at full rate",
        INPUT,
        flood(messages(message("echo", "x" * 1_000_000)), authenticated=True, count=4, reads=True),
    ),
    Attack(
        "messages of 1 MB at full rate, over TLS",
        INPUT,
        flood(messages(message("echo", "x" * 1_000_000)), authenticated=True, count=4),
        tls=True,
    ),
    Attack(
        "messages of 1 MB that nobody reads",
        MEMORY,
        flood(
            messages(message("echo", "x" * 1_000_000)), authenticated=True, count=20, reads=False
        ),
    ),
    Attack(
        "calls of echoes of quotes",
        MEMORY,
        flood(messages(message("echo", '"\\' * 120_000)), authenticated=True, count=4),
    ),
    Attack(
        "frames of 4 MiB with spaces",
        INPUT,
        flood(frame(" " * (4 * MIB - 20)), authenticated=True, count=4),
    ),
    Attack(
        "1 MB of numbers",
        TURNS,
        flood(raw(call("[" + "1," * 500_000 + "1]")), authenticated=True, count=4),
    ),
    Attack(
        "1 MB of empty objects",
        TURNS,
        flood(raw(call("[" + "{}," * 330_000 + "{}]")), authenticated=True, count=4),
    ),
    Attack(
        "objects with 50,000 members",
        TURNS,
        flood(
            raw(call(json.dumps({str(n): n for n in range(50_000)}))), authenticated=True, count=4
        ),
    ),
    Attack(
        "a number of 500,000 digits",
        TURNS,
        flood(raw(call("1" * 500_000)), authenticated=True, count=4),
    ),
    Attack(
        "numbers beyond all bounds",
        TURNS,
        flood(
            raw(*[call("1e400"), call("-1e-400"), call("9" * 4000)] * 20),
            authenticated=True,
            count=4,
        ),
    ),
    Attack(
        "escapes of surrogates",
        TURNS,
        flood(raw(call('"' + "\\ud800" * 100_000 + '"')), authenticated=True, count=4),
    ),
    Attack(
        "quotes without an end",
        TURNS,
        flood(raw(call('"' * 500_000)), authenticated=True, count=4),
    ),
    Attack(
        "JSON 65 deep", LIMITS, flood(raw(call("[" * 65 + "]" * 65)), authenticated=True, count=4)
    ),
    Attack(
        "JSON 100,000 deep",
        LIMITS,
        flood(raw(call("[" * 100_000 + "]" * 100_000)), authenticated=True, count=4),
    ),
    Attack(
        "brackets within text",
        TURNS,
        flood(raw(call(json.dumps("[" * 400_000))), authenticated=True, count=4),
    ),
    Attack(
        "10,000 broadcasts in a frame, 1,000 channels",
        TURNS,
        frames(messages(*[_BROADCAST] * 10_000), channels=1000, audience=1),
        seconds=1.5,
    ),
    Attack(
        "2,000 broadcasts in a frame, ten peers",
        TURNS,
        frames(messages(*[_BROADCAST] * 2_000), channels=1000, audience=10),
        seconds=1.5,
    ),
    Attack(
        "10,000 publishes in a frame, 20 peers",
        TURNS,
        frames(messages(*[_PUBLISH] * 10_000), channels=1, audience=20),
        seconds=1.5,
    ),
    Attack(
        "publishes of 500 kB to 40 peers",
        TURNS,
        frames(
            messages({"rpc": "_publish", "req": {"channel": "news0", "data": "x" * 500_000}}) * 6,
            channels=1,
            audience=40,
        ),
        seconds=1.5,
    ),
    Attack(
        "10,000 subscriptions in a frame",
        TURNS,
        frames(messages(*[message("_subscribe", each) for each in _CHANNELS]), 2),
    ),
    Attack(
        "10,000 ends of subscriptions in a frame",
        TURNS,
        frames(messages(*[message("_unsubscribe", each) for each in _CHANNELS]), 2),
    ),
    Attack(
        "one channel, subscribed and not, 5,000 times",
        TURNS,
        frames(
            messages(
                *[
                    message("_subscribe", {"channel": "a"}),
                    message("_unsubscribe", {"channel": "a"}),
                ]
                * 5000
            ),
            2,
        ),
    ),
    Attack(
        "10,000 calls in a frame",
        TURNS,
        frames(messages(*[message("echo", number) for number in range(10_000)]), 4),
    ),
    Attack(
        "10,000 calls in a frame, over TLS",
        TURNS,
        frames(messages(*[message("echo", number) for number in range(10_000)]), 4),
        tls=True,
    ),
    Attack(
        "names of channels that are too long",
        LIMITS,
        flood(
            messages(*[message("_subscribe", {"channel": "c" * 300})] * 100),
            authenticated=True,
            count=4,
        ),
    ),
    Attack(
        "names of channels of 1 MB",
        LIMITS,
        flood(
            messages(message("_subscribe", {"channel": "c" * 1_000_000})),
            authenticated=True,
            count=4,
        ),
    ),
    Attack(
        "2,000 channels each",
        LIMITS,
        frames(messages(*[message("_subscribe", each) for each in _CHANNELS[:2000]]), 10),
    ),
    Attack("15,000 calls that wait", LIMITS, frames(messages(*[message("ask")] * 5_000) * 3, 2)),
    Attack(
        "messages over the size",
        LIMITS,
        flood(messages(message("echo", "x" * 1_500_000)), authenticated=True, count=4),
    ),
    Attack(
        "frames over the size",
        LIMITS,
        flood(frame(" " * (5 * MIB)), authenticated=True, count=4),
        expected="1009",
    ),
    Attack(
        "20,000 messages in a frame",
        LIMITS,
        flood(messages(*[5] * 20_000), authenticated=True, count=4),
        expected="4002",
    ),
    Attack(
        "calls to clients that do not answer",
        MEMORY,
        frames(messages(*[message("ask", "x" * 200)] * 1_000), 4),
    ),
    Attack("fifty who do not read what they publish", MEMORY, slow_readers, seconds=1.5),
    Attack("an audience that does not read", MEMORY, slow_audience, seconds=1.5),
    Attack("streams that nobody reads", MEMORY, slow_streams, seconds=1.5),
    Attack("polls of one session", INPUT, polls),
    Attack("sends of nothing to one session", INPUT, empty_sends),
    Attack("peers who come and go", INPUT, anew(False)),
    Attack("peers who go while calls wait", INPUT, anew(True)),
    Attack("peers who come and go, over TLS", INPUT, anew(False), tls=True),
]
