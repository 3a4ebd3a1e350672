"""
``TokenSocket`` against our own server, over real sockets: what the JavaScript servers
cannot show, for they acknowledge nothing and close with one code for everything.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredList

from txtokensock import Backoff, TokenSocket
from txtokensock.errors import Forbidden, RemoteError, SockJSClosed

from .embedded import EmbeddedServer
from .support import Heard, InteropTestCase, within


class TokenSocketOnEmbeddedServer(InteropTestCase):
    """No program but this one is needed."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.embedded = EmbeddedServer()
        self.addCleanup(self.embedded.close)
        await self.embedded.start()
        self.socket = TokenSocket(
            self.embedded.url,
            actions={"nested": {"foo": lambda data: {"foo": data}}},
            authentication={"user": "ada", "nested": {"a": [1]}},
            backoff=Backoff(cap=0.25),
            reactor=reactor,
        )
        self.addCleanup(self.socket.end)
        self.socket.startService()
        await within(self.socket.when_ready(fail_after=1))

    async def test_calls(self) -> None:
        """Calls in both directions, and their errors as they were sent."""
        credentials = {"user": "ada", "nested": {"a": ["1"]}}
        self.assertEqual(await within(self.socket.rpc("whoami")), credentials)
        self.assertEqual(await within(self.socket.rpc("something.nested", 1)), {"nested": 1})
        failing = within(self.socket.rpc("fail", {"code": 42}))
        self.assertEqual((await self.assertFailure(failing, RemoteError)).error, {"code": 42})
        (peer,) = self.embedded.server.peers()
        self.assertEqual(await within(peer.rpc("nested.foo", "é \0")), {"foo": "é \0"})

    async def test_acknowledgements(self) -> None:
        """A publish fires with the server's answer: a refusal belongs to its Deferred."""
        errors, heard = Heard(), Heard()
        self.socket.on("error", errors)
        await within(self.socket.subscribe("channel1", heard))
        await within(self.socket.publish("channel1", "123"))
        await heard.until(1)
        self.assertEqual(heard, [("123",)])
        refused = within(self.socket.publish("forbidden", {}))
        await self.assertFailure(refused, Forbidden)
        self.assertEqual(errors, [])

    async def test_restart(self) -> None:
        """A server that restarts says so, answers what is in flight, and is found again."""
        lost, heard = Heard(), Heard()
        self.socket.on("disconnect", lost)
        await within(self.socket.subscribe("channel1", heard))
        calls = [self.socket.rpc("echo", n, idempotent=True) for n in range(300)]
        await self.embedded.restart()
        answers = await within(DeferredList(calls, fireOnOneErrback=True))
        self.assertEqual([answer for _, answer in answers], list(range(300)))
        (reason,) = (await lost.until(1))[0]
        self.assertIsInstance(reason, SockJSClosed)
        self.assertEqual(reason.code, 4503)
        await self.embedded.asked.until(2)
        await within(self.socket.publish("channel1", {"back": True}))
        self.assertEqual(await heard.until(1), [({"back": True},)])

    async def test_many_messages(self) -> None:
        """Ten thousand messages arrive all, once, and in order."""
        subscription = await within(self.socket.subscribe("channel1"))
        published = DeferredList([self.socket.publish("channel1", n) for n in range(10_000)])

        async def received() -> list[Any]:
            messages = []
            async for message in subscription:
                messages.append(message)
                if len(messages) == 10_000:
                    break
            return messages

        self.assertEqual(await within(received()), list(range(10_000)))
        await within(published)
