"""
How to test an application with pytest, without sockets and without waiting::

    python -m pytest examples/test_with_pytest.py

pytest finds the fixtures, whose names begin with ``tokensock``, where the package is installed.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct
from twisted.internet.task import Clock

from txtokensock import CallTimeout, ConnectionLost, TokenSocket, UnexpectedData
from txtokensock.server import Peer, TokenSocketServer
from txtokensock.testing import MakeServer, ScriptedServer, StubTokenSocket, result_of


class Price(Struct):
    """What the server answers."""

    cents: int


async def order(client: TokenSocket, product: str, pieces: int) -> int:
    """The application: order something, tell everybody, and return what it costs."""
    price = await client.rpc("price", product, type=Price)
    await client.publish("orders", {"product": product, "pieces": pieces})
    return pieces * price.cents


def test_calls_and_publishes() -> None:
    """A stub answers at once, and notes what was asked."""
    stub = StubTokenSocket({"price": lambda product: {"cents": 250}})
    assert result_of(order(stub, "tea", 2)) == 500
    assert stub.calls == [("price", "tea")]
    assert stub.published == [("orders", {"product": "tea", "pieces": 2})]


def test_nonsense_of_the_server() -> None:
    """Nothing is published where the price is none."""
    stub = StubTokenSocket({"price": lambda product: "free"})
    with pytest.raises(UnexpectedData):
        result_of(order(stub, "tea", 2))
    assert stub.published == []


def test_slow_server() -> None:
    """A fault, by its name."""
    stub = StubTokenSocket()
    stub.fault("timeout")
    with pytest.raises(CallTimeout):
        result_of(order(stub, "tea", 2))


def shop(clock: Clock) -> TokenSocketServer:
    """The server, which would be imported from the application."""

    def price(product: Any, peer: Peer) -> Any:
        return {"cents": 250}

    return TokenSocketServer(lambda request: True, actions={"price": price}, reactor=clock)


def test_subscribers_hear_of_it(tokensock_server: MakeServer) -> None:
    """Two clients and the real server; the test itself is a coroutine."""
    memory = tokensock_server(shop)

    async def talk() -> Any:
        async with memory.client() as ada, memory.client() as grace:
            orders = await grace.subscribe("orders")
            await order(ada, "tea", 2)
            return await anext(aiter(orders))

    assert memory.result(talk()) == {"product": "tea", "pieces": 2}


def test_comes_back(tokensock_server: MakeServer) -> None:
    """After a fault of the network, and the time that the client waits."""
    memory = tokensock_server(shop)
    client = memory.client()
    client.startService()
    memory.settle()
    memory.fault("drop")
    memory.settle()
    assert not client.connected
    memory.advance(1)
    assert memory.result(order(client, "tea", 2)) == 500


def test_lost_order(tokensock_scripted_server: ScriptedServer) -> None:
    """A server that takes the call, and hangs up instead of an answer."""
    server = tokensock_scripted_server
    server.respond = lambda session, message: session.hang_up()
    client = server.client()
    client.startService()
    lost = server.failure(order(client, "tea", 2), ConnectionLost)
    assert lost.may_have_run
