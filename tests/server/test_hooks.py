"""
Hooks and the filter: the application's say.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, eventAsText

from txtokensock.errors import ActionError, InvalidOption
from txtokensock.server import DROP

from .support import Client, ServerTestCase, TokenServer

REQUESTS = {
    "subscribe": {"rpc": "_subscribe", "req": {"channel": "c"}, "uuid": "u"},
    "unsubscribe": {"rpc": "_unsubscribe", "req": {"channel": "c"}, "uuid": "u"},
    "publish": {"rpc": "_publish", "req": {"channel": "c", "data": [1]}, "uuid": "u"},
    "broadcast": {"rpc": "_broadcast", "req": {"data": [1]}, "uuid": "u"},
}


class HookTests(ServerTestCase):
    """Every event can be refused, in every way."""

    def start(self, event: str, hook: Any, **options: Any) -> tuple[TokenServer, Client]:
        """A server with a hook; its client is authenticated, save for that event."""
        server = self.serve(**options)
        server.service.on(event, hook)
        return server, server.client() if event == "authentication" else server.authenticated()

    def ask(self, event: str, hook: Any, **options: Any) -> Any:
        """The first answer to the event's request."""
        server, client = self.start(event, hook, **options)
        client.send(self.request(server, event))
        return client.received()[0]

    def request(self, server: TokenServer, event: str) -> Any:
        if event == "authentication":
            return {"rpc": "auth", "token": server.token(), "uuid": "u"}
        return REQUESTS[event]

    def test_arguments(self) -> None:
        """A hook gets the peer and what is asked for."""
        for event, wanted in (
            ("authentication", ({"user": "ada"},)),
            ("subscribe", ("c",)),
            ("unsubscribe", ("c",)),
            ("publish", ("c", [1])),
            ("broadcast", ([1],)),
        ):
            heard: list[Any] = []
            answer = self.ask(event, lambda peer, *rest, heard=heard: heard.append((peer, rest)))
            self.assertEqual(answer["resp"], "success")
            ((_, rest),) = heard
            self.assertEqual(rest, wanted)

    def test_agreement(self) -> None:
        """Everything but False agrees, at once or later."""

        async def coroutine(*_: Any) -> int:
            return 0

        for event in ("authentication", *REQUESTS):
            for hook in (
                lambda *_: None,
                lambda *_: "",
                lambda *_: succeed(True),
                coroutine,
            ):
                self.assertEqual(self.ask(event, hook)["resp"], "success")

    def test_error_without_json(self) -> None:
        """An error that cannot be sent refuses all the same, and before ``auth`` it is the end."""

        def refuse(*_: Any) -> None:
            raise ActionError(object())

        for event in ("authentication", *REQUESTS):
            server, client = self.start(event, refuse)
            client.send(self.request(server, event))
            self.assertEqual(client.received()[0]["error"], "Error")
            self.assertEqual(client.closed is not None, event == "authentication")

    def test_refusal(self) -> None:
        """False is Forbidden, an ActionError is the answer, an exception is its exposed text."""

        async def coroutine(*_: Any) -> bool:
            return False

        def bug(*_: Any) -> None:
            raise KeyError("x")

        for event in ("authentication", *REQUESTS):
            for hook, error in (
                (lambda *_: False, "Forbidden"),
                (lambda *_: succeed(False), "Forbidden"),
                (coroutine, "Forbidden"),
                (lambda *_: fail(ActionError({"code": 1})), {"code": 1}),
                (bug, "'x'"),
            ):
                self.assertEqual(self.ask(event, hook, expose_errors=True)["error"], error)
            self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_hidden_text(self) -> None:
        """By default the text of an exception stays in the log, beside a reference."""
        for event in ("authentication", *REQUESTS):
            with capturedLogs() as events:
                error = self.ask(event, lambda *_: fail(KeyError("sku")))["error"]
            self.assertRegex(error, r"\AInternal error \(ref [0-9a-f]{8}\)\Z")
            (text,) = [eventAsText(logged) for logged in events if "log_failure" in logged]
            for part in (error[-9:-1], "Traceback", f"{event} hook", "<Peer ", "['user']"):
                self.assertIn(part, text)
            self.assertNotRegex(text, r"\bada\b")  # which may be within a random id
            self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_refused_changes_nothing(self) -> None:
        """A refused subscription hears nothing; a refused unsubscription still does."""
        server, client = self.start("subscribe", lambda peer, channel: channel != "c")
        client.ask(REQUESTS["subscribe"])
        client.subscribe("d")
        server.service.on("unsubscribe", lambda peer, channel: False)
        client.ask({"rpc": "_unsubscribe", "req": {"channel": "d"}, "uuid": "u"})
        self.assertEqual(server.service.channels(), ["d"])

    def test_one_answer(self) -> None:
        """However many hooks refuse or agree, there is one answer."""
        server, client = self.start("publish", lambda *_: None)
        asked: list[str] = []
        for name, result in (("a", True), ("b", False), ("c", False)):
            server.service.on("publish", lambda *_, n=name, r=result: asked.append(n) or r)
        client.send(REQUESTS["publish"])
        self.assertEqual(
            client.received(), [{"rpc": "_publish", "uuid": "u", "error": "Forbidden"}]
        )
        self.assertEqual(asked, ["a", "b"])

    def test_too_slow(self) -> None:
        """A hook that says nothing in time refuses, is cancelled, and changes nothing later."""
        for event in ("authentication", *REQUESTS):
            pending: Deferred[Any] = Deferred(lambda d: d.callback(True))
            server, client = self.start(
                event, lambda *_, p=pending: p, limits={"hook_timeout": 2, "auth_timeout": 5}
            )
            client.send(self.request(server, event))
            self.assertEqual(client.received(), [])
            server.turn(2)
            self.assertEqual([m["error"] for m in client.received()], ["Timeout"])
            self.assertTrue(pending.called)
            self.assertEqual(server.service.channels(), [])

    def test_auth_timeout_bounds_the_hook(self) -> None:
        """The deadline of authentication holds whatever a hook's is."""
        pending: Deferred[Any] = Deferred()
        server, client = self.start("authentication", lambda *_: pending)
        server.turn(5)
        client.send(self.request(server, "authentication"))
        server.turn(5)
        self.assertEqual(client.received(), [])
        self.assertEqual(client.closed, (4408, "Not authenticated in time"))
        self.assertTrue(pending.called)

    def test_peer_goes(self) -> None:
        """
        A hook that finishes after its peer went changes nothing, even one that will not
        be cancelled.
        """
        for event in ("authentication", *REQUESTS):
            pending: Deferred[Any] = Deferred(lambda d: d.callback(True))
            server, client = self.start(event, lambda *_, p=pending: p)
            listener = server.authenticated() if event in ("publish", "broadcast") else None
            if listener is not None:
                listener.subscribe("c")
            client.send(self.request(server, event))
            client.drop()
            self.assertTrue(pending.called)
            server.turn()
            if listener is not None:
                self.assertEqual(listener.received(), [])
            else:
                self.assertEqual(server.service.peers(), [])
                self.assertEqual(server.service.channels(), [])

    def test_queued_requests_of_a_gone_peer(self) -> None:
        """What waits behind a slow hook is not done for a peer that went."""
        pending: Deferred[Any] = Deferred()
        server, client = self.start("subscribe", lambda peer, channel: pending)
        published: list[Any] = []
        server.service.on("publish", lambda *arguments: published.append(arguments))
        client.send(REQUESTS["subscribe"], REQUESTS["publish"], REQUESTS["unsubscribe"])
        client.drop()
        self.assertEqual(published, [])
        self.assertEqual(server.service.channels(), [])

    def test_many_queued_requests(self) -> None:
        """However many wait for a slow hook, each passes when it has decided."""
        slow: list[Deferred[None]] = [Deferred()]
        _, client = self.start("subscribe", lambda *_: slow[0])
        for number in range(900):
            client.send({**REQUESTS["subscribe"], "uuid": number})
        decision, slow[0] = slow[0], succeed(None)
        decision.callback(None)
        answers = [message for message in client.received() if "resp" in message]
        self.assertEqual([answer["uuid"] for answer in answers], list(range(900)))

    def test_order(self) -> None:
        """
        Requests for one channel pass in order through hooks of any speed, and other
        channels do not wait for them.
        """
        pending: dict[str, Deferred[Any]] = {"c": Deferred(), "d": Deferred()}
        server, client = self.start("subscribe", lambda peer, channel: pending[channel])
        for channel in ("c", "d"):
            client.send(
                {"rpc": "_subscribe", "req": {"channel": channel}},
                {"rpc": "_publish", "req": {"channel": channel, "data": 1}},
                {"rpc": "_unsubscribe", "req": {"channel": channel}},
            )
        pending["d"].callback(None)
        for _ in ("d", "c"):
            self.assertEqual(
                [m.get("command") or m["message"] for m in client.received()],
                ["subscribe", 1, "unsubscribe"],
            )
            if not pending["c"].called:
                pending["c"].callback(None)
        self.assertEqual(server.service.channels(), [])

    def test_bad_hooks(self) -> None:
        """Unknown events and what cannot be called are refused at once."""
        service = self.serve().service
        with self.assertRaises(InvalidOption):
            service.on("connect", lambda: None)  # type: ignore[arg-type]
        with self.assertRaises(InvalidOption):
            service.on("publish", 5)  # type: ignore[arg-type]
        with self.assertRaises(InvalidOption):
            service.on("publish", lambda peer, channel: None)

    def test_removed_hooks(self) -> None:
        """A hook that was removed is not asked."""
        server, client = self.start("publish", refuse := lambda *_: False)
        server.service.remove_hook("publish", refuse)
        server.service.remove_hook("publish", refuse)
        self.assertEqual(client.ask(REQUESTS["publish"])["resp"], "success")


class FilterTests(ServerTestCase):
    """The filter decides what each peer gets."""

    def messages(self, filter: Any, *published: Any) -> list[list[Any]]:
        """What two peers on a channel get."""
        server = self.serve(filter=filter)
        clients = [server.authenticated() for _ in range(2)]
        for client in clients:
            client.subscribe("c")
        for data in published:
            self.successResultOf(server.service.publish("c", data))
        return [[m["message"] for m in client.received()] for client in clients]

    def test_falsy_values_pass(self) -> None:
        """Only DROP drops."""
        values = [0, "", False, None, [], {}, 1]
        self.assertEqual(self.messages(lambda peer, channel, m: m, *values), [values, values])
        self.assertEqual(self.messages(lambda peer, channel, m: DROP, *values), [[], []])

    def test_each_peer_has_its_own(self) -> None:
        """A filter may change its copy of the message; the next peer's is untouched."""

        def mark(peer: Any, channel: str, message: Any) -> Any:
            message["seen"].append(channel)
            return message

        seen = [{"seen": ["c"]}]
        self.assertEqual(self.messages(mark, {"seen": []}), [seen, seen])

    def test_per_peer(self) -> None:
        """One peer's message may differ from another's, or be dropped for it alone."""
        first: list[Any] = []

        def only_one(peer: Any, channel: str, message: Any) -> Any:
            first.append(peer)
            return message if peer is first[0] else DROP

        self.assertEqual(self.messages(only_one, 1, 2), [[1, 2], []])

    def test_failures(self) -> None:
        """A filter that raises, or returns what is no JSON, drops that message, logged."""

        def odd(peer: Any, channel: str, message: Any) -> Any:
            return message if message else 1 / message if message == 0 else object()

        self.assertEqual(self.messages(odd, 0, None, 5), [[5], [5]])
        self.assertEqual(len(self.flushLoggedErrors()), 4)

    def test_base_exceptions(self) -> None:
        """So does one that raises what is not an Exception: the store goes on."""

        def leave(peer: Any, channel: str, message: Any) -> Any:
            if message == 1:
                raise SystemExit(3)
            return message

        self.assertEqual(self.messages(leave, 1, 2), [[2], [2]])
        self.assertEqual(len(self.flushLoggedErrors()), 2)
