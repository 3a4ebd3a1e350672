"""
A program that only type checkers read: what they infer, and what they refuse.

What they are to refuse has ``type: ignore``; mypy reports those that nothing needs.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, assert_type

from msgspec import Struct
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Request

from txtokensock import Subscription, TLSPolicy, TokenSocket
from txtokensock.server import MemoryStore, Peer, RedisStore, TokenSocketServer
from txtokensock.sockjs import SockJSClientEndpoint, SockJSResource, Transport


def by_class(request: Request) -> bool:
    return request.getHeader("x") is not None


def by_interface(request: IRequest) -> bool:
    return True


async def by_coroutine(request: Request) -> dict[str, str] | None:
    return None


async def objects_of_twisted(reactor: Any) -> None:
    """What provides an interface is taken where one is asked for."""
    endpoint = HostnameEndpoint(reactor, "example.com", 80)
    TokenSocket(endpoint=endpoint, agent=Agent(reactor), tls=BrowserLikePolicyForHTTPS())
    TokenSocket(endpoint="unix:/run/app.sock", tls=TLSPolicy())
    TokenSocket(endpoint=8080)  # type: ignore[arg-type]
    factory = Factory.forProtocol(Protocol)
    SockJSResource(factory)
    SockJSResource(Protocol)  # type: ignore[arg-type]
    await SockJSClientEndpoint(reactor, "http://example.com", endpoint=endpoint).connect(factory)
    server = TokenSocketServer(by_class, store=MemoryStore())
    TokenSocketServer(by_interface, store=RedisStore("redis://127.0.0.1", "app"))
    TokenSocketServer(by_coroutine, actions={"echo": lambda data, peer: data})
    TokenSocketServer(lambda request: True, reactor=Clock(), store=object())  # type: ignore[arg-type]
    server.site(Resource())
    Resource().putChild(b"app", server.resource())


class User(Struct):
    id: int


@dataclass
class Price:
    cents: int


class Measured(TypedDict):
    celsius: float


def take_price(price: Price) -> None:
    print(price.cents)


def any_subscription(subscription: Subscription) -> None:
    """A subscription of any messages needs no parameter."""


async def data(client: TokenSocket, peer: Peer) -> None:
    """The result is of the type that was asked for, and anything where none was."""
    assert_type(await client.rpc("user"), Any)
    assert_type(await client.rpc("user", {"id": 5}, type=User), User)
    assert_type(await client.rpc("users", type=list[User]), list[User])
    assert_type(await client.rpc("prices", type=dict[str, Price]), dict[str, Price])
    assert_type(await client.rpc("measure", type=Measured), Measured)
    await client.rpc("user", type="User")  # type: ignore[call-overload]

    assert_type(await peer.rpc("user", type=User), User)
    assert_type(await peer.rpc("user"), Any)

    prices = await client.subscribe("prices", type=Price)
    assert_type(prices, Subscription[Price])
    async for price in prices:
        assert_type(price, Price)
    await client.subscribe("prices", take_price, type=Price)
    await client.subscribe("prices", lambda price: print(price.cents), type=Price)
    await client.subscribe("prices", take_price, type=User)  # type: ignore[arg-type]
    async for message in await client.subscribe("prices"):
        assert_type(message, Any)


def may_publish(peer: Peer, channel: str, data: object) -> bool:
    return True


async def words(client: TokenSocket, server: TokenSocketServer) -> None:
    """Events, transports and policies are words, and no other words will do."""
    assert_type(client.transport, Transport | None)
    TokenSocket(transports=["websocket", "xhr-polling"])
    TokenSocket(transports=("websockets",))  # type: ignore[arg-type]
    client.on("ready", lambda error: None)
    client.once("message", lambda channel, data: None)
    client.on("readdy", lambda error: None)  # type: ignore[arg-type]
    server.on("publish", may_publish)
    server.on("published", may_publish)  # type: ignore[arg-type]
    await client.subscribe("news", overflow="drop-oldest")
