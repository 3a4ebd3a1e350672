"""
``TokenSocket`` against the real node-token-sockjs 2.1.11: tokens, and calls both ways.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater

from txtokensock import Timeouts
from txtokensock.errors import (
    ActionError,
    AttemptTimeout,
    CallTimeout,
    FunctionNotFound,
    RemoteError,
    TokenRefused,
    TokenServerError,
)

from .servers import NodeServer
from .support import Heard, NodeServerTestCase, within


class Tokens(NodeServerTestCase):
    """The token request, as Express reads and answers it."""

    async def test_refused(self) -> None:
        """An authentication function that says no: 403, told to who waits and to listeners."""
        socket, heard = self.client(authentication={"deny": 1}), Heard()
        socket.on("ready", heard)
        error = await self.failure_of(socket.when_ready(fail_after=1), TokenRefused)
        self.assertEqual((error.status, error.phase), (403, "token"))
        (first,) = (await heard.until(1))[0]
        self.assertIsInstance(first, TokenRefused)

    async def test_erroring(self) -> None:
        """An authentication function that fails: 500, a server error and no refusal."""
        socket = self.client(authentication={"fail": 1})
        error = await self.failure_of(socket.when_ready(fail_after=1), TokenServerError)
        self.assertEqual(error.status, 500)

    async def test_credentials(self) -> None:
        """What is nested and what must be escaped arrives as Express's qs reads it."""
        credentials = {"user": "ada & é", "nested": {"a": ["1", "2"], "b": {"c": True}}}
        socket = await self.ready_client(authentication=credentials)
        self.assertEqual(
            await socket.rpc("whoami", {}),
            {
                "user": "ada & é",
                "q": {"user": "ada & é", "nested": {"a": ["1", "2"], "b": {"c": "true"}}},
            },
        )

    async def test_credentials_from_a_function(self) -> None:
        """A coroutine function is asked for the credentials."""

        async def credentials() -> dict[str, Any]:
            await deferLater(reactor, 0)
            return {"user": "grace"}

        socket = await self.ready_client(authentication=credentials)
        self.assertEqual((await socket.rpc("whoami", {}))["user"], "grace")

    async def test_headers(self) -> None:
        """Headers go with the token request and with the WebSocket handshake alike."""
        await self.ready_client(headers={"X-Test": "seen"})
        await self.node.event("token", header="seen")
        await self.node.event("upgrade", header="seen")


class Addresses(NodeServerTestCase):
    """Where the server is, in the forms that people write, and where it is not."""

    async def test_forms(self) -> None:
        """Each of these means the same server."""
        port = self.node.port
        for host, options in [
            (f"127.0.0.1:{port}", {}),
            ("127.0.0.1", {"port": port}),
            (f"ws://127.0.0.1:{port}/", {}),
            (f"localhost:{port}", {}),
        ]:
            socket = await self.ready_client(host, **options)
            self.assertEqual(await socket.rpc("echo", host), host)

    async def test_wrong_token_path(self) -> None:
        """Express answers 404, in HTML."""
        socket = self.client(token_path="/nowhere")
        error = await self.failure_of(socket.when_ready(fail_after=1), TokenServerError)
        self.assertEqual(error.status, 404)

    async def test_wrong_socket_prefix(self) -> None:
        """Node never answers an upgrade that nobody serves: the deadline does."""
        # Node's process ends when we give up such an upgrade: other transports find nobody.
        socket = self.client(
            socket_prefix="/nowhere",
            transports=("websocket",),
            timeouts=Timeouts(handshake=0.3),
        )
        error = await self.failure_of(socket.when_ready(fail_after=1), AttemptTimeout)
        self.assertEqual(error.phase, "handshake")


class Calls(NodeServerTestCase):
    """Calls to the server."""

    async def setUp(self) -> None:
        await super().setUp()
        self.socket = await self.ready_client()

    async def test_every_kind_of_data(self) -> None:
        """What goes out comes back the same, for each JSON type and for hard texts."""
        hard = 'é 😀 \0 \u2028 \x7f " \\ </script>'
        values = [{}, [], None, True, False, 0, -1.5, 2**53, "", hard, {hard: [hard, {"a": []}]}]
        for value in values:
            self.assertEqual(await self.socket.rpc("echo", value), value)

    async def test_nested(self) -> None:
        """A name with dots reaches a function inside an object."""
        answer = await self.socket.rpc("something.nested", {"foo": "bar"})
        self.assertEqual(answer, {"nested": {"foo": "bar"}})

    async def test_errors(self) -> None:
        """Whatever the server calls an error is at hand as it was sent, and readable."""
        for name, data, error, text in [
            ("fail", {}, "nope", "nope"),
            ("fail", {"message": "no", "fields": {"a": 1}}, {"message": "no", "a": 1}, "no"),
            ("failobj", {}, {"message": "bad", "code": 42}, "bad"),
        ]:
            failure = await self.failure_of(self.socket.rpc(name, data), RemoteError)
            self.assertEqual(failure.error, error)
            self.assertIn(text, str(failure))

    async def test_missing_function(self) -> None:
        """A function that is not there has an error of its own, also inside an object."""
        for name in ["missing", "something", "something.missing"]:
            await self.failure_of(self.socket.rpc(name, {}), FunctionNotFound)

    async def test_big(self) -> None:
        """Four million characters there and back, in many TCP segments and one frame."""
        text = "0123456789abcdé" * (4_000_000 // 15)
        self.assertEqual(await self.socket.rpc("echo", {"text": text}), {"text": text})

    async def test_a_thousand_at_once(self) -> None:
        """Each of a thousand concurrent calls gets its own answer, and is sent once."""
        calls = [self.socket.rpc("echo", {"n": n}) for n in range(1000)]
        answers = await within(gatherResults(calls))
        self.assertEqual(answers, [{"n": n} for n in range(1000)])
        await self.socket.rpc("whoami", {})
        await self.node.event("frame", rpc="whoami")
        self.assertEqual(len(self.node.seen("frame", rpc="echo")), 1000)

    async def test_no_answer(self) -> None:
        """A call that is never answered fails in time, and says that it may have run."""
        failure = await self.failure_of(self.socket.rpc("slow", {}, timeout=0.2), CallTimeout)
        self.assertTrue(failure.may_have_run)
        self.assertEqual(await self.socket.rpc("echo", 1), 1)

    async def test_late_answer(self) -> None:
        """The answer to a cancelled call is dropped, and others are not disturbed."""
        errors = Heard()
        self.socket.on("error", errors)
        call = self.socket.rpc("slow", {"ms": 50})
        await self.node.event("frame", rpc="slow")
        call.cancel()
        await self.failure_of(call, CancelledError)
        # Sent later and answered after as long a time: its answer comes behind the other.
        self.assertEqual(await self.socket.rpc("slow", {"ms": 50, "n": 2}), {"ms": 50, "n": 2})
        self.assertEqual(errors, [])

    async def test_ping(self) -> None:
        """
        The pings that a client sends by itself are answered with a pong, or where the
        server was not given ``ping: true`` with an error, and both are a sign of life.
        """
        without_ping = await self.started(NodeServer(self.redis))
        for server in [self.node, without_ping]:
            lost = Heard()
            socket = await self.ready_client(server.url, ping=0.02, ping_timeout=5)
            socket.on("disconnect", lost)
            await server.event("frame", count=5, rpc="_ping")
            self.assertEqual(lost, [])


class Actions(NodeServerTestCase):
    """Calls from the server: ``callme`` passes on what our action answered."""

    async def callme(self, command: str, args: Any = None, **actions: Any) -> Any:
        """The answer of that action, by way of the server."""
        socket = await self.ready_client(actions=actions)
        return await socket.rpc("callme", {"command": command, "args": args})

    async def test_found(self) -> None:
        """Plain functions, Deferreds and coroutines answer alike; falsy answers too."""

        async def coroutine(args: Any) -> Any:
            return await deferLater(reactor, 0, lambda: {"later": args})

        def deferred(args: Any) -> Deferred[Any]:
            return deferLater(reactor, 0, lambda: [args])

        actions = {"plain": lambda args: args, "deferred": deferred, "coroutine": coroutine}
        socket = await self.ready_client(actions=actions)
        for command, args, answer in [
            ("plain", {"x": "é \0"}, {"x": "é \0"}),
            ("plain", 0, 0),
            ("plain", None, None),
            ("deferred", 1, [1]),
            ("coroutine", 1, {"later": 1}),
        ]:
            call = {"command": command, "args": args}
            self.assertEqual(await socket.rpc("callme", call), answer)

    async def test_nested(self) -> None:
        """The server's dots reach into nested mappings."""
        answer = await self.callme("nested.foo", 1, nested={"foo": lambda args: args + 1})
        self.assertEqual(answer, 2)

    async def test_unknown(self) -> None:
        """The server is told of a name that is not there, where the original never answers."""
        await self.failure_of(self.callme("missing"), FunctionNotFound)
        await self.failure_of(self.callme("__class__"), FunctionNotFound)

    async def test_failing(self) -> None:
        """An exception is logged here, and the server gets a reference to the log."""

        def action(args: Any) -> None:
            raise LookupError("no such user")

        failure = await self.failure_of(self.callme("action", action=action), RemoteError)
        self.assertRegex(failure.error, r"\AInternal error \(ref [0-9a-f]{8}\)\Z")
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    async def test_failing_on_purpose(self) -> None:
        """An :exc:`ActionError` carries any JSON to the server, and is not logged."""

        def action(args: Any) -> None:
            raise ActionError({"message": "no", "code": 7})

        failure = await self.failure_of(self.callme("action", action=action), RemoteError)
        self.assertEqual(failure.error, {"message": "no", "code": 7})

    async def test_during_authentication(self) -> None:
        """A server that asks the client before it answers ``auth`` gets its answer."""
        socket = await self.ready_client(
            authentication={"callfirst": "who.are.you"},
            actions={"who": {"are": {"you": lambda args: {"was": args}}}},
        )
        first = (await socket.rpc("whoami", {}))["first"]
        self.assertEqual(first, {"answer": {"was": {"asked": "first"}}})

    async def test_unknown_during_authentication(self) -> None:
        """The same for a name that is not there: no deadlock."""
        socket = await self.ready_client(authentication={"callfirst": "missing"})
        first = (await socket.rpc("whoami", {}))["first"]
        self.assertEqual(first, {"error": "Function not found"})
