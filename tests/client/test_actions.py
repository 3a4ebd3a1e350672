"""
Actions: what the server calls.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from txtokensock.errors import ActionError, InvalidOption

from ..common import Calls, ServerTestCase


class ActionTestCase(ServerTestCase):
    """Calls actions, and looks at the answers."""

    def answer(self, name: Any, args: Any = None) -> Any:
        """What the server gets for a call."""
        self.session.call(name, args, fid="f1")
        self.settle()
        (message,) = self.session.received
        self.session.received.clear()
        self.assertEqual((message["rpc"], message["fid"]), ("_rpc", "f1"))
        return message["resp"]


class AnswerTests(ActionTestCase):
    """Every call has exactly one answer."""

    def setUp(self) -> None:
        super().setUp()

        async def coroutine(data: Any) -> Any:
            return [data, await succeed("later")]

        def raising(data: Any) -> Any:
            raise ValueError(f"bad {data}")

        async def raising_coroutine(data: Any) -> Any:
            raise ValueError("bad coroutine")

        def refusing(data: Any) -> Any:
            raise ActionError(data)

        self.socket = self.ready(
            expose_errors=True,
            actions={
                "plain": lambda data: {"got": data},
                "deferred": lambda data: succeed(data),
                "coroutine": coroutine,
                "nothing": lambda data: None,
                "raising": raising,
                "raising_coroutine": raising_coroutine,
                "failing": lambda data: fail(ValueError("bad deferred")),
                "refusing": refusing,
                "unsendable": lambda data: object(),
                "nan": lambda data: float("nan"),
                "silent": lambda data: fail(ValueError()),
                "nested": {"foo": lambda data: "foo", "deep": {"er": lambda data: "deep"}},
            },
        )

    def test_results(self) -> None:
        """Plain functions, Deferreds and coroutines; no result is null."""
        self.assertEqual(self.answer("plain", [1]), {"data": {"got": [1]}})
        self.assertEqual(self.answer("deferred", "x"), {"data": "x"})
        self.assertEqual(self.answer("coroutine", 1), {"data": [1, "later"]})
        self.assertEqual(self.answer("nothing"), {"data": None})

    def test_nested(self) -> None:
        """Dots lead into nested mappings."""
        self.assertEqual(self.answer("nested.foo"), {"data": "foo"})
        self.assertEqual(self.answer("nested.deep.er"), {"data": "deep"})

    def test_unknown(self) -> None:
        """An unknown name is answered; only own names are found, and only functions."""
        names = ["nope", "", ".", "nested", "nested.", "nested.nope", "plain.foo"]
        names += ["toString", "__class__", "__init__", "plain.__call__", "get", "keys"]
        names += ["__proto__", "hasOwnProperty", "nested.get", "nested..foo", "x" * 10_000]
        for name in names:
            self.assertEqual(self.answer(name), {"error": "Function not found"}, name)

    def test_raising(self) -> None:
        """The text of an exception goes out, its traceback into the log."""
        self.assertEqual(self.answer("raising", 1), {"error": "bad 1"})
        self.assertEqual(self.answer("raising_coroutine"), {"error": "bad coroutine"})
        self.assertEqual(self.answer("failing"), {"error": "bad deferred"})
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)

    def test_hidden(self) -> None:
        """By default the server gets a reference to the log, and no text."""
        socket = self.ready(actions={"bug": lambda data: fail(ValueError("/etc/app.toml"))})
        error = self.answer("bug")["error"]
        self.assertRegex(error, r"\AInternal error \(ref [0-9a-f]{8}\)\Z")
        self.flushLoggedErrors(ValueError)
        socket.actions["bug"] = lambda data: fail(ActionError("mind the gap"))
        self.assertEqual(self.answer("bug"), {"error": "mind the gap"})

    def test_error_without_text(self) -> None:
        """An empty error would be read as success: the exception's name goes out."""
        self.assertEqual(self.answer("silent"), {"error": "ValueError"})
        self.flushLoggedErrors(ValueError)

    def test_error_that_cannot_be_printed(self) -> None:
        """Even an exception that cannot say what it is is answered."""

        class UnprintableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        self.socket.actions["bad"] = lambda _: fail(UnprintableError())
        self.assertIn("error", self.answer("bad"))
        self.flushLoggedErrors()

    def test_action_error(self) -> None:
        """An ActionError goes out as it is, and is not logged."""
        for error in ("no", {"code": 42}, [1], 7, {}):
            self.assertEqual(self.answer("refusing", error), {"error": error})

    def test_falsy_action_error(self) -> None:
        """A falsy error would be read as success: that is a bug of the action."""
        for error in (None, 0, "", False):
            answer = self.answer("refusing", error)
            self.assertIn("peers read it as success", answer["error"])
        self.assertEqual(len(self.flushLoggedErrors()), 4)

    def test_unsendable(self) -> None:
        """A result without a JSON form is an error, and logged."""
        for name in ("unsendable", "nan"):
            self.assertIn("cannot be sent as JSON", self.answer(name)["error"])
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_unsendable_error(self) -> None:
        """So is an error without one."""
        for error in (object(), "\ud800"):
            self.socket.actions["bad"] = lambda _, error=error: fail(ActionError(error))
            self.assertEqual(self.answer("bad"), {"error": "the action's error has no JSON form"})

    def test_no_arguments(self) -> None:
        """Without ``args`` an action gets None."""
        self.session.send(
            {"internal": True, "command": "rpc", "data": {"fid": "f", "command": "plain"}}
        )
        self.settle()
        self.assertEqual(self.session.received[0]["resp"], {"data": {"got": None}})

    def test_many(self) -> None:
        """Answers go out in the order in which the actions finish."""
        waiting: list[Deferred[Any]] = []

        def slow(_: object) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.socket.actions["slow"] = slow
        for number in range(3):
            self.session.call("slow", None, fid=str(number))
        self.settle()
        for deferred in reversed(waiting):
            deferred.callback(None)
        self.settle()
        self.assertEqual([m["fid"] for m in self.session.received], ["2", "1", "0"])

    def test_too_many(self) -> None:
        """A thousand may run at once; further calls are refused, until one has finished."""
        waiting: list[Deferred[Any]] = []

        def slow(_: object) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        self.socket.actions["slow"] = slow
        for number in range(1001):
            self.session.call("slow", None, fid=str(number))
        self.settle()
        (refusal,) = self.session.received
        self.assertEqual(refusal["resp"], {"error": "Too many calls at once"})
        self.session.drop()
        self.advance(1)  # they go on when their connection is lost, and count
        self.session.call("plain", 1, fid="after")
        self.settle()
        self.assertEqual(self.session.received[-1]["resp"], {"error": "Too many calls at once"})
        waiting[0].callback(1)
        self.settle()
        self.session.received.clear()
        self.assertEqual(self.answer("plain", 1), {"data": {"got": 1}})


class RegistrationTests(ActionTestCase):
    """Which actions there are."""

    def test_unregister(self) -> None:
        """unregister() removes a function, or all those within a name; runs go on."""
        actions = {"a": {"b": lambda _: 1, "c": lambda _: 2}, "d": {"e": {"f": lambda _: 3}}}
        socket = self.ready(actions=actions)
        socket.unregister("a.b")
        self.assertEqual(list(socket.actions["a"]), ["c"])
        self.assertEqual(list(actions["a"]), ["b", "c"], "those of the user are untouched")
        socket.unregister("d")
        self.assertEqual(list(socket.actions), ["a"])
        for name in ("a.b", "d", "x", ""):
            self.assertRaises(InvalidOption, socket.unregister, name)

    def test_register(self) -> None:
        """register() adds, and replaces what has the same name."""
        socket = self.ready(actions={"a": lambda _: 1, "b": lambda _: 2})
        socket.register({"b": lambda _: 3, "c": {"d": lambda _: 4}})
        socket.actions["e"] = lambda _: 5
        del socket.actions["a"]
        answers = [self.answer(name) for name in ("a", "b", "c.d", "e")]
        self.assertEqual(
            answers, [{"error": "Function not found"}, {"data": 3}, {"data": 4}, {"data": 5}]
        )

    def test_invalid(self) -> None:
        """What cannot be called is refused, and its place is named."""
        for actions, place in (
            ({"a": 1}, "actions.a"),
            ({"a": {"b": None}}, "actions.a.b"),
            ({"a.b": len}, "'a.b'"),
            ({"": len}, "''"),
            ({1: len}, "1"),
            ([len], "actions"),
        ):
            self.assertIn(
                place, str(self.assertRaises(InvalidOption, self.client, actions=actions))
            )
            client = self.client()
            self.assertRaises(InvalidOption, client.register, actions)


class ConnectionTests(ActionTestCase):
    """Calls, and the connection that they come on."""

    def test_during_authentication(self) -> None:
        """
        A server may call, and wait for the answer, before it answers auth.
        """
        self.server.script(auth=lambda session: session.call("who", "args"))
        client = self.started(actions={"who": lambda data: ["me", data]})
        self.assertFalse(client.connected)
        (answer,) = self.session.received
        self.assertEqual(answer, {"rpc": "_rpc", "fid": "fid", "resp": {"data": ["me", "args"]}})
        self.session.accept_auth()
        self.settle()
        self.assertTrue(client.connected)

    def test_messages_during_authentication(self) -> None:
        """Messages and notices may come before the answer to auth as well."""

        def early(session: Any) -> None:
            session.publish("c", 1)
            session.subscribed("c")
            session.accept_auth()

        self.server.script(auth=early)
        client, heard = self.client(), Calls()
        client.onmessage(heard)
        client.startService()
        self.settle()
        self.assertEqual(heard, [("c", 1)])
        self.assertTrue(client.connected)

    def test_answer_outlives_its_connection(self) -> None:
        """It is dropped: neither the old nor the next connection gets it."""
        waiting: Deferred[Any] = Deferred()
        self.ready(actions={"slow": lambda _: waiting})
        self.session.call("slow")
        self.settle()
        self.session.drop()
        self.advance(0.1)
        waiting.callback("late")
        self.settle()
        self.assertEqual([session.received for session in self.server.sessions], [[], []])

    def test_failure_outlives_its_connection(self) -> None:
        """A failure is logged all the same."""
        waiting: Deferred[Any] = Deferred()
        self.ready(actions={"slow": lambda _: waiting})
        self.session.call("slow")
        self.settle()
        self.session.drop()
        self.settle()
        waiting.errback(ValueError("late"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_action_ends_the_client(self) -> None:
        """An action may end the client that it belongs to."""
        ends: list[Any] = []
        client = self.client(actions={"quit": lambda _: ends.append(client.end())})
        client.startService()
        self.settle()
        self.session.call("quit")
        self.settle()
        self.successResultOf(ends[0])

    def call_at_once(self, *arguments: Any) -> list[int]:
        """The server calls ``f`` with each in one frame.  The messages of each frame it gets."""
        call = {"internal": True, "command": "rpc"}
        self.session.send(
            *({**call, "data": {"fid": "i", "command": "f", "args": one}} for one in arguments)
        )
        self.settle()
        return [len(frame) for frame in self.session.frames[1:]]

    def test_answers_of_one_read(self) -> None:
        """They leave in one frame, in order, before the calls that were made meanwhile."""

        def action(data: int) -> int:
            client.rpc("g", data).addErrback(lambda _: None)
            return data

        client = self.ready(actions={"f": action})
        self.assertEqual(self.call_at_once(1, 2, 3), [3, 3])
        answers = [one["resp"]["data"] for one in self.session.received[:3]]
        self.assertEqual(answers, [1, 2, 3])
        self.assertEqual([one["req"] for one in self.session.received[3:]], [1, 2, 3])

    def test_answers_within_the_limits(self) -> None:
        """No frame of answers has more messages, or bytes, than the server takes."""
        self.server.limits = {"frame_messages": 3, "frame_size": 3000}
        self.ready(actions={"f": lambda data: "x" * data})
        self.assertEqual(self.call_at_once(1, 1, 1, 1, 900, 900), [3, 2, 1])

    def test_server_that_does_not_read_answers(self) -> None:
        """It is not read either while a hundred answers wait for it; then all go out."""
        self.ready(actions={"big": lambda _: "x" * 1000})
        self.session.stop_reading()
        for number in range(1000):
            self.session.call("big", None, fid=str(number))
        self.settle()
        written = self.server.network.connections[-1][0].bytes_written
        self.assertLess(written, 200_000)
        self.session.read_again()
        self.settle()
        fids = [message["fid"] for message in self.session.received]
        self.assertEqual(fids, [str(number) for number in range(1000)])
