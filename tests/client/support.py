"""
What several tests of the client share.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from txtokensock import Subscription
from txtokensock.errors import (
    RemoteError,
)

from ..common import Calls, ServerTestCase

SECRET = "s3cret"


async def take(iterator: AsyncIterator[Any], number: int) -> list[Any]:
    """The next messages of an iteration."""
    return [await anext(iterator) for _ in range(number)]


class RPCTestCase(ServerTestCase):
    """With a client that is ready."""

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.ready()

    def call(self, *arguments: Any, **options: Any) -> tuple[Deferred[Any], Any]:
        """A call, and the request that the server got."""
        call = self.socket.rpc(*arguments, **options)
        self.settle()
        return call, self.session.received[-1]

    def error_of(self, error: Any) -> Any:
        """What a call fails with that the server answers so."""
        call, request = self.call("f")
        self.session.refuse(request, error)
        self.settle()
        return self.failure(call, RemoteError)


class ChannelTestCase(ServerTestCase):
    """With a client that is ready, and hears of errors."""

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.ready(call_timeout=20)
        self.errors = Calls()
        self.socket.on("error", self.errors)

    @property
    def requests(self) -> list[tuple[str, str]]:
        """What the newest session was asked for, shortly."""
        return [(m["rpc"], (m["req"] or {}).get("channel")) for m in self.session.received]

    def subscribing(self, channel: str = "c", handler: Any = None) -> Deferred[Any]:
        """A subscription that was asked for, and not confirmed."""
        subscribing = self.socket.subscribe(channel, handler)
        self.settle()
        return subscribing

    def subscribed(self, channel: str = "c", handler: Any = None) -> Any:
        """A confirmed subscription."""
        subscribing = self.subscribing(channel, handler)
        self.session.subscribed(channel)
        self.settle()
        return self.successResultOf(subscribing)

    def confirm_all(self) -> None:
        """Confirm whatever the newest session was asked for."""
        for rpc, channel in self.requests:
            if rpc == "_subscribe":
                self.session.subscribed(channel)
            elif rpc == "_unsubscribe":
                self.session.unsubscribed(channel)
        self.settle()


class TokenTestCase(ServerTestCase):
    """Asks for one token, as a client does."""

    def fail_with(self, respond: Any, *kinds: type[Exception], **options: Any) -> Any:
        """The error of an attempt where the token route does this."""
        self.server.script(token=respond)
        options.setdefault("authentication", {"password": SECRET})
        client = self.client(**options)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        error = self.failure(failed, *kinds)
        self.assertEqual(error.phase, "token")
        client.end()
        self.settle()
        self.assertEqual(self.server.open_connections, 0)
        for text in (str(error), repr(error)):
            self.assertNotIn(SECRET, text)
        return error


class SubscriptionTestCase(ServerTestCase):
    """With a client that is ready, and small buffers."""

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.ready(buffer_limit=4)

    def subscribed(self, channel: str = "c", handler: Any = None) -> Subscription:
        """A confirmed subscription."""
        subscribing = self.socket.subscribe(channel, handler)
        self.settle()
        self.session.subscribed(channel)
        self.settle()
        return self.successResultOf(subscribing)

    def publish(self, *messages: Any, channel: str = "c") -> None:
        """Messages on the channel, a frame each."""
        for message in messages:
            self.session.publish(channel, message)
        self.settle()

    @property
    def reading(self) -> bool:
        """Whether the client reads from its connection."""
        heard = self.session.pongs
        self.session.ping()
        self.settle()
        return self.session.pongs > heard
