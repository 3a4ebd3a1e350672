"""
Real JavaScript clients against our ``TokenSocketServer``: they must not notice that it is
not node-token-sockjs.
"""

from __future__ import annotations

from typing import Any

from txtokensock.errors import ConnectionLost, RemoteError
from txtokensock.server import Peer

from .embedded import EmbeddedServer
from .peers import CallFailed, JavaScriptPeer
from .support import InteropTestCase, until, within


class JavaScriptClients:
    """The tests for each of them; a subclass says which client it is."""

    client: tuple[str, ...]
    programs = ("node", "npm")

    async def setUp(self: Any) -> None:
        await super().setUp()  # type: ignore[misc]
        self.embedded = self.server()
        self.addCleanup(self.embedded.close)
        await self.embedded.start()

    def server(self: Any) -> EmbeddedServer:
        """What the clients connect to."""
        return EmbeddedServer()

    def program(self: Any) -> JavaScriptPeer:
        """A client that is not started yet."""
        return JavaScriptPeer(self.embedded.url, *self.client)

    async def peer(self: Any) -> tuple[JavaScriptPeer, Peer]:
        """A client that is ready, and what the server has of it."""
        peer = await self.started(self.program())
        # Before the client is killed: a polling one is missed only after some seconds.
        self.addCleanup(self.embedded.stop)
        return peer, self.embedded.server.peers()[-1]

    async def test_calls(self: Any) -> None:
        """Calls to the server: every kind of data, nested names, errors of all kinds."""
        peer, _ = await self.peer()
        hard = 'é 😀 \0 \u2028 \x7f " \\ </script>'
        for value in [{}, [], None, True, 0, -1.5, "", hard, {hard: [hard, {"a": []}]}]:
            self.assertEqual(await peer.call("rpc", "echo", value), value)
        self.assertEqual(await peer.call("rpc", "something.nested", 1), {"nested": 1})
        credentials = {"user": "ada", "nested": {"a": ["1"]}}
        self.assertEqual(await peer.call("rpc", "whoami", {}), credentials)
        for name, error in [("fail", "nope"), ("fail", {"code": 42}), ("missing", None)]:
            failure = await self.assertFailure(within(peer.call("rpc", name, error)), CallFailed)
            self.assertEqual(failure.args[0], error or "Function not found")

    async def test_called(self: Any) -> None:
        """Calls from the server, to functions that answer or fail."""
        _, there = await self.peer()
        self.assertEqual(await within(there.rpc("ping", {"x": "é"})), {"x": "é"})
        self.assertEqual(await within(there.rpc("nested.foo", 1)), {"foo": 1})
        failure = await self.assertFailure(within(there.rpc("boom", {})), RemoteError)
        self.assertEqual(failure.error, "action failed")

    async def test_channels(self: Any) -> None:
        """
        Two clients talk, the server publishes and broadcasts, one unsubscribes; each call
        is called back, where the original leaves the caller waiting (section 5).  That
        messages may be missing is no news to them.
        """
        here, there = await self.peer()
        other, _ = await self.peer()
        for peer in [here, other]:
            await peer.call("subscribe", "channel1")
        self.assertEqual(there.channels, ["channel1"])
        self.embedded.server._context.hub.missed("channel1", 1.5)
        await here.call("publish", "channel1", {"foo": "bar"})
        await self.embedded.server.publish("channel1", "é \0")
        await other.call("broadcast", [1])
        for peer in [here, other]:
            await peer.event("message", count=3)
            heard = [(event["channel"], event["message"]) for event in peer.seen("message")]
            messages = [{"foo": "bar"}, "é \0", [1]]
            self.assertEqual(heard, [("channel1", message) for message in messages])
        await here.call("unsubscribe", "channel1")
        await other.call("publish", "channel1", "last")
        await other.event("message", message="last")
        await here.call("rpc", "echo", {})
        self.assertEqual(here.seen("message", message="last"), [])

    async def test_refused(self: Any) -> None:
        """A refusal reaches the callback."""
        peer, there = await self.peer()
        for call in [("subscribe", "forbidden"), ("publish", "forbidden", {})]:
            failure = await self.assertFailure(within(peer.call(*call)), CallFailed)
            self.assertEqual(failure.args[0], "Forbidden")
        self.assertEqual(there.channels, [])

    async def test_restart(self: Any) -> None:
        """A server that restarts finds its clients again, with their subscriptions."""
        peer, _ = await self.peer()
        await peer.call("subscribe", "channel1")
        await self.embedded.restart()
        await self.embedded.asked.until(2)
        await peer.until(lambda: [one for one in peer.seen("reconnect") if not one.get("error")])
        await peer.call("publish", "channel1", 1)
        await peer.event("message", channel="channel1", message=1)
        self.assertEqual(await peer.call("rpc", "echo", 1), 1)

    async def test_end(self: Any) -> None:
        """The server sees a client go that says good-bye, and one that is killed."""
        polite, there = await self.peer()
        killed, also_there = await self.peer()
        waiting = [peer.rpc("never", {}) for peer in [there, also_there]]
        await polite.call("end")
        await killed.kill()
        for call in waiting:
            await self.assertFailure(within(call), ConnectionLost)
        # A call of the last one fails before it is counted no more.
        await until(lambda: not self.embedded.server.peers(), "end of both peers")


class TokenSocketClient(JavaScriptClients, InteropTestCase):
    """npm's token-sockjs-client 2.2.0: websocket, bare frames, no ``/info``."""

    client = ("token-sockjs-client",)


class WebSocket(JavaScriptClients, InteropTestCase):
    """sockjs-client 1.6.1 over websocket."""

    client = ("sockjs-client", "websocket")


class XHRStreaming(JavaScriptClients, InteropTestCase):
    """The same over xhr-streaming."""

    client = ("sockjs-client", "xhr-streaming")


class XHRPolling(JavaScriptClients, InteropTestCase):
    """The same over xhr-polling."""

    client = ("sockjs-client", "xhr-polling")


class EventSource(JavaScriptClients, InteropTestCase):
    """The same over eventsource."""

    client = ("sockjs-client", "eventsource")
