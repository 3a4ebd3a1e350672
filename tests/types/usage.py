"""
A program that only type checkers read: what they infer, and what they refuse.

What they are to refuse has ``type: ignore``; mypy reports those that nothing needs.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any, assert_type

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Request

from txtokensock import TLSPolicy, TokenSocket
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
