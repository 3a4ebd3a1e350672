"""The names that fragments of code in the pages take for granted."""

# ruff: noqa: F401
from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from klein import Klein
from msgspec import Struct
from twisted.application.internet import ClientService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from txtokensock import (
    ActionError,
    AllHostsFailed,
    Backoff,
    ConnectionLost,
    FunctionNotFound,
    Gap,
    RemoteError,
    Subscription,
    TokenRefused,
    TokenSocket,
)
from txtokensock.server import (
    DROP,
    SHARED_WITH_NODE,
    Limits,
    Peer,
    RedisStore,
    TokenSocketServer,
    query,
)
from txtokensock.sockjs import InputLimits, SockJSClientEndpoint, SockJSResource
from txtokensock.testing import MemoryServer, ScriptedServer, StubTokenSocket, result_of


class User(Struct):
    id: int


class Price(Struct):
    cents: int


def authenticate(request: Request) -> dict[str, Any]:
    return {"user": query(request)["user"]}


def echo(data: Any, peer: Peer) -> Any:
    return data


def read(data: Any, peer: Peer) -> Any:
    return data


def hello(data: Any) -> str:
    return "hello"


def handler(message: Any) -> None:
    print(message)


def show(message: Any) -> None:
    print(message)


async def store(message: Any) -> None:
    print(message)


async def fetch_ticket() -> str:
    return "ticket"


host = "example.com"
key = "secret"
socket = TokenSocket(host)
server = TokenSocketServer(authenticate)
application = Application("app")
root: Any = Resource()
admin: Any = Resource()
pages = Resource()
app = Klein()
backoff = Backoff()
database: Any = None
sessions: Any = None
network: Any = None
tor: Any = None
peer: Any = None
memory = MemoryServer(lambda clock: TokenSocketServer(authenticate, reactor=clock))
scripted = ScriptedServer()
client = memory.client()
stub = StubTokenSocket()
factory: Any = None
