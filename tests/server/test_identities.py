"""
Acting on the peers of an identity, on all servers of a store.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import one_turn, python_calls
from txtokensock.errors import InvalidData, InvalidOption, StoreUnavailable, UsageError
from txtokensock.server import SHARED_WITH_NODE, RedisStore, identities
from txtokensock.server.identities import matches

from .support import Client, TwoServersTestCase

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
)


class MatchTests(SynchronousTestCase):
    """Which identities are meant."""

    def test_subset(self) -> None:
        """All that is asked for is there; the rest of the identity does not count."""
        identity = {"user": "ada", "n": 1, "on": True, "org": {"id": 5, "roles": ["a", "b"]}}
        for match in (
            {},
            {"user": "ada"},
            {"n": 1.0},
            {"on": True},
            {"org": {}},
            {"org": {"id": 5}, "user": "ada"},
            {"org": {"roles": ["a", "b"]}},
        ):
            self.assertTrue(matches(match, identity), match)
        for match in (
            {"user": "bob"},
            {"user": None},
            {"nobody": None},
            {"n": True},
            {"on": 1},
            {"org": 5},
            {"org": {"id": 5, "name": "x"}},
            {"org": {"roles": ["a"]}},
            {"org": {"roles": {"a": "b"}}},
        ):
            self.assertFalse(matches(match, identity), match)

    def test_changed_identity(self) -> None:
        """What the application has put into an identity counts as its JSON would."""
        identity = {"org": MappingProxyType({"id": 5}), "roles": ("a", "b")}
        self.assertTrue(matches({"org": {"id": 5}, "roles": ["a", "b"]}, identity))
        self.assertFalse(matches({"org": {"id": 6}}, identity))

    def test_cost(self) -> None:
        """Each peer of a server is looked at for each question, which takes a call a member."""
        match, identity = {"user": "eve"}, {"user": "ada", "org": {"id": 5}}
        self.assertLessEqual(python_calls(matches, match, identity), 2)

    @given(JSON, st.dictionaries(st.sampled_from("xyz"), JSON))
    def test_properties(self, value: Any, more: dict[str, Any]) -> None:
        """Everything matches itself, and itself with other members."""
        self.assertTrue(matches(value, value))
        if isinstance(value, dict):
            self.assertTrue(matches(value, more | value))


class IdentityTestCase(TwoServersTestCase):
    """What both kinds of questions have in common."""

    def closed(self, client: Client) -> Any:
        """With what it was closed, or None."""
        client.texts()
        return client.closed


class CloseTests(IdentityTestCase):
    """``close_identity``."""

    def test_all_servers(self) -> None:
        """Its peers are closed on both, and get what was sent before; nobody else is."""
        ada = [server.authenticated("user=ada") for server in (self.one, self.two, self.two)]
        bob = self.two.authenticated("user=bob")
        stranger = self.two.client()
        for client in ada:
            client.subscribe("c")
        self.one.service.publish("c", "goodbye")
        result = self.successResultOf(self.one.service.close_identity({"user": "ada"}, "Banned"))
        self.assertEqual((result.peers, result.servers, result.silent), (3, 2, 0))
        for client in ada:
            self.assertEqual(client.received(), [{"channel": "c", "message": "goodbye"}])
            self.assertEqual(client.closed, (4410, "Banned"))
        for client in (bob, stranger):
            self.assertIsNone(self.closed(client))
        result = self.successResultOf(self.one.service.close_identity({"user": "ada"}))
        self.assertEqual((result.peers, result.servers), (0, 2))

    def test_code(self) -> None:
        """The code and the reason can be the application's own."""
        client = self.two.authenticated("user=ada")
        self.one.service.close_identity({}, "", code=3001)
        self.assertEqual(self.closed(client), (3001, ""))
        client = self.two.authenticated("user=ada")
        self.one.service.close_identity({})
        self.assertEqual(self.closed(client), (4410, "Closed by the application"))

    def test_many(self) -> None:
        """Many are closed in several turns, and counted when all are."""
        clients = [self.two.authenticated("user=ada") for _ in range(50)]
        closing = self.one.service.close_identity({})
        self.assertNoResult(closing)
        for _ in range(10):
            self.clock.advance(0)
        self.assertEqual(self.successResultOf(closing).peers, 50)
        self.assertEqual({self.closed(client)[0] for client in clients}, {4410})

    def test_many_questions(self) -> None:
        """Of many at once a few are answered in a turn, in order, and so are all in the end."""
        self.one.authenticated("user=ada")
        question = b'{"ask":"close_identity","match":{"user":"eve"},"code":4410,"reason":""}'
        replies: list[int] = []
        for number in range(100):
            self.one.service._hub.answer(question, lambda *_, n=number: replies.append(n))  # type: ignore[misc]
        self.assertLess(len(replies), 10)
        one_turn(self.clock)
        self.assertLess(len(replies), 20)
        for _ in range(20):
            one_turn(self.clock)
        self.assertEqual(replies, list(range(100)))

    def test_bad_questions(self) -> None:
        """What cannot be asked fails by name, and closes nobody."""
        client = self.one.authenticated("user=ada")
        nested: Any = {}
        for _ in range(100):
            nested = {"user": nested}
        for match, options, error in (
            (None, {}, InvalidOption),
            ("ada", {}, InvalidOption),
            ({"user": object()}, {}, InvalidData),
            (nested, {}, InvalidData),
            ({}, {"code": 1001}, InvalidOption),
            ({}, {"reason": "x" * 124}, InvalidOption),
        ):
            self.failureResultOf(self.one.service.close_identity(match, **options), error)
        self.assertIsNone(self.closed(client))

    def test_not_running(self) -> None:
        """A server that does not run reaches nobody."""
        self.successResultOf(self.one.service.stopService())
        self.failureResultOf(self.one.service.close_identity({}), StoreUnavailable)

    def test_silent_server(self) -> None:
        """One that does not answer in time is said to be silent; or nobody waits for it."""
        self.one.authenticated("user=ada")
        self.two.service._hub.answer = lambda question, reply: None  # type: ignore[method-assign]
        cancelled = self.one.service.close_identity({"user": "bob"})
        closing = self.one.service.close_identity({"user": "ada"})
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.clock.advance(4.9)
        self.assertNoResult(closing)
        self.clock.advance(0.1)
        result = self.successResultOf(closing)
        self.assertEqual((result.peers, result.servers, result.silent), (1, 1, 1))

    def test_hostile_questions(self) -> None:
        """Whatever else comes there is not answered, and does no harm."""
        client = self.one.authenticated("user=ada")
        question = {"ask": "close_identity", "match": {}, "code": 4410, "reason": "x"}
        broken: list[Any] = [
            None,
            [],
            {},
            question | {"ask": "other"},
            question | {"match": None},
            question | {"match": []},
            question | {"code": 1001},
            question | {"code": "4410"},
            question | {"reason": "é" * 100},
            question | {"reason": 5},
        ]
        texts = [json.dumps(each).encode() for each in broken]
        deep = json.dumps(question).encode().replace(b"{}", b'{"a":' * 5000 + b"1" + b"}" * 5000)
        for text in (*texts, b"\xff", b"", deep):
            self.one.service._hub.answer(text, lambda *_: self.fail("answered"))
        self.assertIsNone(self.closed(client))

    def test_shared_layout(self) -> None:
        """Where any client can speak as a server does, there is no such thing."""
        clock = MemoryReactorClock()
        endpoint = TCP4ClientEndpoint(clock, "127.0.0.1", 6379)
        store = RedisStore(namespace=SHARED_WITH_NODE, endpoint=endpoint)
        server = self.serve(store=store, clock=clock)
        failure = self.failureResultOf(server.service.close_identity({}), UsageError)
        self.assertIn("namespace", str(failure.value))


class CallTests(IdentityTestCase):
    """``rpc_identity``."""

    def answer(self, client: Client, **answer: Any) -> Any:
        """The client answers the call that has come; gives what was called."""
        (call,) = client.received()
        client.send({"rpc": "_rpc", "fid": call["data"]["fid"], "resp": answer})
        self.clock.advance(0)
        return call["data"]["command"], call["data"]["args"]

    def test_all_servers(self) -> None:
        """The clients of that identity are called on both; each answers for itself."""
        ada = [server.authenticated("user=ada") for server in (self.one, self.two, self.two)]
        bob = self.two.authenticated("user=bob")
        calling = self.one.service.rpc_identity({"user": "ada"}, "ui.notify", {"text": "hi"})
        self.assertEqual(self.answer(ada[0], data=None), ("ui.notify", {"text": "hi"}))
        self.answer(ada[1], data=[1])
        self.assertNoResult(calling)
        self.answer(ada[2], error="Function not found")
        answers = self.successResultOf(calling)
        (one,), (two, three) = (each.service.peers()[:2] for each in (self.one, self.two))
        self.assertEqual(answers.results, {one.id: None, two.id: [1]})
        self.assertEqual(answers.failures, {three.id: "Function not found"})
        self.assertEqual((answers.servers, answers.silent, answers.uncalled), (2, 0, 0))
        self.assertEqual(bob.received(), [])

    def test_no_answer(self) -> None:
        """A client that goes, or does not answer in time, is a failure; nobody is one too few."""
        gone, mute = (self.two.authenticated("user=ada") for _ in range(2))
        ids = [peer.id for peer in self.two.service.peers()]
        calling = self.one.service.rpc_identity({}, "f", timeout=7)
        gone.drop()
        self.clock.advance(6.9)
        self.assertNoResult(calling)
        self.clock.advance(0.1)
        answers = self.successResultOf(calling)
        self.assertEqual(answers.results, {})
        self.assertIn("went", answers.failures[ids[0]])
        self.assertIn("within 7 seconds", answers.failures[ids[1]])
        self.assertEqual(len(mute.received()), 1)
        nobody = self.successResultOf(self.one.service.rpc_identity({"user": "eve"}, "f"))
        self.assertEqual((nobody.results, nobody.failures, nobody.servers), ({}, {}, 2))

    def test_large_results(self) -> None:
        """Results of one server are bounded in bytes, and who has none for that is said."""
        ada = [self.two.authenticated("user=ada") for _ in range(3)]
        calling = self.one.service.rpc_identity({}, "f")
        for client in ada:
            self.answer(client, data="x" * 500_000)
        answers = self.successResultOf(calling)
        self.assertEqual(len(answers.results), 2)
        self.assertIn("dropped", "".join(answers.failures.values()))

    def test_many(self) -> None:
        """Of very many a server calls some, and says how many it did not."""
        self.patch(identities, "_MOST_CALLS", 20)
        ada = [self.two.authenticated("user=ada") for _ in range(50)]
        calling = self.one.service.rpc_identity({}, "f", timeout=1)
        for _ in range(10):
            self.clock.advance(0)
        self.assertEqual([len(client.received()) for client in ada], [1] * 20 + [0] * 30)
        self.clock.advance(1)
        self.clock.advance(0)
        answers = self.successResultOf(calling)
        self.assertEqual((len(answers.failures), answers.uncalled), (20, 30))

    def test_silent_server(self) -> None:
        """One that does not answer has as long as clients have, and 5 seconds more."""
        self.two.service._hub.answer = lambda question, reply: None  # type: ignore[method-assign]
        calling = self.one.service.rpc_identity({}, "f", timeout=7)
        self.clock.advance(11.9)
        self.assertNoResult(calling)
        self.clock.advance(0.1)
        answers = self.successResultOf(calling)
        self.assertEqual((answers.servers, answers.silent), (1, 1))

    def test_bad_questions(self) -> None:
        """What cannot be asked fails by name; what cannot be understood is not answered."""
        rpc_identity = self.one.service.rpc_identity
        for arguments, timeout, error in (
            (("ada", "f"), 1, InvalidOption),
            (({}, ""), 1, InvalidData),
            (({}, 5), 1, InvalidData),
            (({}, "f", object()), 1, InvalidData),
            (({}, "f"), 0, InvalidOption),
        ):
            self.failureResultOf(rpc_identity(*arguments, timeout=timeout), error)
        client = self.one.authenticated("user=ada")
        question = {"ask": "rpc_identity", "match": {}, "name": "f", "data": 1, "timeout": 1}
        for broken in ({"name": 5}, {"timeout": -1}, {"timeout": None}, {"match": None}):
            text = json.dumps(question | broken).encode()
            self.one.service._hub.answer(text, lambda *_: self.fail("answered"))
        self.assertEqual(client.received(), [])
