"""
The Redis store without a Redis: names, URLs, and what is said on the connections.
``tests/interop/test_redis_cluster.py`` has the real one.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import (
    EventLoggingObserver,
    MemoryReactorClock,
    StringTransport,
)
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import one_turn
from txtokensock import Backoff, TLSPolicy
from txtokensock.errors import InvalidOption, StoreUnavailable, UsageError
from txtokensock.jsontext import dumps, loads
from txtokensock.server import SHARED_WITH_NODE, RedisStore
from txtokensock.server.store.redis_connection import RedisConnection
from txtokensock.server.store.redis_layout import (
    NamespaceLayout,
    SharedLayout,
    UnsubscribeAll,
    decode_answer,
    decode_command,
    encode_unsubscribe_all,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)

WORDS = st.lists(st.sampled_from(["a", "channel", "sync", "all", "answers"]), min_size=1).map(
    ":".join
)


class LayoutTests(SynchronousTestCase):
    """Names and payloads."""

    @given(JSON)
    def test_own_namespace(self, value: Any) -> None:
        """Everything arrives as it was sent."""
        layout = NamespaceLayout("a")
        self.assertEqual(loads(layout.received(layout.published(dumps(value)))), value)

    @given(JSON)
    def test_shared(self, value: Any) -> None:
        """So does everything but text, which is read as JSON where it is some."""
        layout = SharedLayout()
        payload = layout.published(dumps(value))
        arrived = loads(layout.received(payload))
        if isinstance(value, str):
            self.assertEqual(payload, value.encode())
            with contextlib.suppress(ValueError):
                value = loads(payload)
        self.assertEqual(arrived, value)

    @given(st.binary())
    def test_anything_can_be_published_in_redis(self, payload: bytes) -> None:
        """Whatever others publish, what comes out is JSON."""
        loads(SharedLayout().received(payload))
        decode_command(payload)
        decode_answer(payload)

    @given(st.text(min_size=1))
    def test_names(self, name: str) -> None:
        """Channels come back as they went."""
        for layout in (SharedLayout(), NamespaceLayout("a.b")):
            self.assertEqual(layout.name(layout.channel(name)), name)

    def test_sync(self) -> None:
        """What servers tell each other is what Node's do; anything else means nothing."""
        self.assertEqual(
            json.loads(encode_unsubscribe_all("c")),
            {"command": "unsubscribeAll", "data": {"channel": "c"}},
        )
        command = decode_command(encode_unsubscribe_all("é"))
        assert isinstance(command, UnsubscribeAll)
        self.assertEqual(command.data.channel, "é")
        for payload in (b"null", b"{}", b'{"command":"x","data":{"channel":"c"}}', b"\xff"):
            self.assertIsNone(decode_command(payload))

    @given(WORDS, WORDS, WORDS)
    def test_apart(self, one: str, more: str, name: str) -> None:
        """No channel's name leads to what servers say to each other, here or next door."""
        try:
            ours, theirs = NamespaceLayout(one), NamespaceLayout(f"{one}:{more}")
        except InvalidOption:
            return
        for layout in (ours, theirs):
            spoken = {layout.all, layout.sync, layout.answers("sync")}
            self.assertNotIn(ours.channel(name), spoken)

    def test_bad_namespaces(self) -> None:
        """A namespace is one word, and not among the channels of another one."""
        for namespace in ("", "a b", "a*", 5, "a:channel", "a:channel:b"):
            with self.assertRaises(InvalidOption):
                RedisStore(namespace=namespace)  # type: ignore[arg-type]


class URLTests(SynchronousTestCase):
    """Where Redis is."""

    def test_urls(self) -> None:
        """Every form; the password is nowhere to be seen."""
        for url, text in (
            ("redis://", "redis://127.0.0.1:6379 database 0"),
            ("redis://h", "redis://h:6379 database 0"),
            ("redis://:s3cret@h:7/3", "redis://h:7 database 3"),
            ("rediss://me:s3cret@h", "rediss://h:6379 database 0"),
            ("redis://[::1]:7", "redis://::1:7 database 0"),
            ("unix://:s3cret@/run/r.sock?db=2", "unix:///run/r.sock database 2"),
            ("redis+sentinel://h/m", "redis+sentinel://h:26379/m database 0"),
            (
                "rediss+sentinel://me:s3cret@h:1,[::1]:2,[::2]/m%20n?db=3",
                "rediss+sentinel://h:1,::1:2,::2:26379/m n database 3",
            ),
        ):
            self.assertEqual(repr(RedisStore(url, SHARED_WITH_NODE)), f"<RedisStore {text}>")

    def test_credentials_beside_the_url(self) -> None:
        """They go before those in it, and are in nothing that is shown."""
        url = "redis://me:old@h"
        for more, expected in (
            ({}, ("me", "old")),
            ({"password": "s3cret"}, ("me", "s3cret")),
            ({"username": "you", "password": "s3cret"}, ("you", "s3cret")),
        ):
            store = RedisStore(url, "app", **more)  # type: ignore[arg-type]
            self.assertEqual((store._target.username, store._target.password), expected)
            self.assertNotIn("s3cret", repr(store) + repr(store._target))

    def test_options_of_other_urls(self) -> None:
        """What would do nothing is refused."""
        for url, option in (
            ("redis://h", {"tls": TLSPolicy()}),
            ("redis+sentinel://h/m", {"tls": TLSPolicy()}),
            ("rediss://h", {"sentinel_password": "s3cret"}),
        ):
            with self.assertRaises(InvalidOption) as caught:
                RedisStore(url, "a", **option)  # type: ignore[arg-type]
            self.assertTrue(str(caught.exception).startswith(next(iter(option))))

    def test_no_namespace(self) -> None:
        """To say nothing means to share it with Node's servers, for one more release."""
        store = RedisStore("redis://h")
        self.assertIsInstance(store._layout, SharedLayout)
        (warning,) = self.flushWarnings()
        self.assertIn("SHARED_WITH_NODE", warning["message"])
        for namespace in ("app", SHARED_WITH_NODE):
            RedisStore("redis://h", namespace)
        self.assertEqual(self.flushWarnings(), [])

    def test_bad_urls(self) -> None:
        """A bad one is refused without quoting it."""
        for url in (
            "http://s3cret@h",
            "redis://:s3cret@h:port",
            "redis://:s3cret@h/x",
            "redis://:s3cret@h/1/2",
            "unix://s3cret",
            "redis+sentinel://:s3cret@h",
            "redis+sentinel://:s3cret@h,i:x/m",
            "redis+sentinel://:s3cret@h/m?db=x",
            5,
        ):
            with self.assertRaises(InvalidOption) as caught:
                RedisStore(url, SHARED_WITH_NODE)  # type: ignore[arg-type]
            self.assertNotIn("s3cret", str(caught.exception))


class _Listener:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def channel_message(self, channel: str, message: bytes) -> None:
        self.heard.append((channel, message))

    def broadcast_message(self, message: bytes) -> None:
        self.heard.append(message)

    def unsubscribe_all(self, channel: str) -> None:
        self.heard.append(channel)

    def interrupted(self, seconds: float) -> None:
        self.heard.append(seconds)

    def missed(self, channel: str, seconds: float) -> None:
        self.heard.append((channel, seconds))

    def answer(self, question: bytes, reply: Any) -> None:
        reply(question, False)
        reply(b"2", True)


class _Connection:
    """One connection, seen from Redis."""

    def __init__(self, factory: Any, reactor: MemoryReactorClock) -> None:
        self.protocol = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.transport.abortConnection = self.lose  # type: ignore[method-assign]
        self.transport.loseConnection = self.lose  # type: ignore[method-assign]
        self.reactor = reactor
        self.lost = False
        self.protocol.makeConnection(self.transport)

    def commands(self) -> list[list[bytes]]:
        """The commands that came since this was last asked."""
        data = self.transport.value()
        self.transport.clear()
        commands = []
        while data:
            count, data = data[1:].split(b"\r\n", 1)
            command = []
            for _ in range(int(count)):
                length, data = data[1:].split(b"\r\n", 1)
                command.append(data[: int(length)])
                data = data[int(length) + 2 :]
            commands.append(command)
        return commands

    def reply(self, *replies: bytes) -> None:
        """Redis says something."""
        for reply in replies:
            self.protocol.dataReceived(reply)
            for _ in range(20):  # the parser in pure Python takes a turn for each part
                self.reactor.advance(0)

    def lose(self) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


def _array(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def _subscribed(channel: bytes) -> bytes:
    return b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(channel), channel)


PROBE = b"00000000-0000-4000-8000-000000000000"
ASKED = [[b"SETEX", PROBE, b"0", b""], [b"GETDEL", PROBE]]
"""What Redis is asked, besides ``PING``; each is sent when what was asked before is answered."""

SERVES = (b"+PONG\r\n", b"-ERR invalid expire time in 'setex' command\r\n", b"$-1\r\n")
"""What one that serves answers."""


async def nothing(protocol: Any) -> None:
    """Nothing else is asked."""


class LinkTestCase(SynchronousTestCase):
    """With a link to a Redis of the test's."""

    namespace: Any = SHARED_WITH_NODE

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.listener = _Listener()
        self.connected = 0
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", 6379)
        store = RedisStore(namespace=self.namespace, endpoint=endpoint, timeout=5)
        self.link = store.connect(self.listener, self.reactor)  # type: ignore[arg-type]
        self.commands, self.subscriber = self.connect(), self.connect()

    def tearDown(self) -> None:
        closed = self.link.close()
        for pending in self.reactor.tcpClients[self.connected :]:
            pending[2].clientConnectionFailed(None, Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertFalse(self.link.available)

    def connect(self) -> _Connection:
        """The next connection is made."""
        factory = self.reactor.tcpClients[self.connected][2]
        self.connected += 1
        return _Connection(factory, self.reactor)


class AskingTests(LinkTestCase):
    """What servers of a namespace of our own ask each other."""

    namespace = "n"

    def setUp(self) -> None:
        super().setUp()
        self.commands.reply(*SERVES)
        self.subscriber.reply(b"+PONG\r\n")
        asked = self.subscriber.commands()[1:]
        self.subscriber.reply(*(_subscribed(channel) for _, channel in asked))
        self.channel = asked[2][1]
        self.commands.commands()
        self.parts: list[bytes] = []
        self.outcome = self.link.ask_servers(b'"who?"', self.parts.append)
        ((_, channel, self.question),) = self.commands.commands()
        self.assertEqual(channel, b"n:sync")

    def hear(self, channel: bytes, payload: bytes) -> None:
        self.subscriber.reply(_array(b"message", channel, payload))

    def ask(self) -> list[bytes]:
        """What this server publishes when it hears its own question."""
        self.hear(b"n:sync", self.question)
        published = self.commands.commands()
        self.assertEqual([each[:2] for each in published], [[b"PUBLISH", self.channel]] * 2)
        return [each[2] for each in published]

    def test_answers(self) -> None:
        """They are complete when as many servers have answered as Redis has told."""
        first, last = self.ask()
        for payload in (first, last, first):
            self.hear(self.channel, payload)
        self.commands.reply(b":2\r\n")
        self.assertNoResult(self.outcome)
        self.hear(self.channel, last)
        self.assertEqual(self.successResultOf(self.outcome), (2, 0))
        self.assertEqual(self.parts, [b'"who?"', b"2"] * 2)
        self.hear(self.channel, last)  # late
        self.assertEqual(len(self.parts), 4)

    def test_silent(self) -> None:
        """One that has not ended its answer after five seconds is silent."""
        first, last = self.ask()
        self.commands.reply(b":3\r\n")
        for payload in (first, last, first, b"{}", b"?"):
            self.hear(self.channel, payload)
        self.reactor.advance(5)
        self.assertEqual(self.successResultOf(self.outcome), (1, 2))

    def test_nobody(self) -> None:
        """A server that does not even hear itself knows nothing."""
        self.commands.reply(b":1\r\n")
        self.reactor.advance(5)
        self.failureResultOf(self.outcome, StoreUnavailable)
        again = self.link.ask_servers(b"1", self.parts.append)
        self.commands.reply(b":0\r\n")
        self.failureResultOf(again, StoreUnavailable)

    def test_redis_refuses(self) -> None:
        """Where Redis does not take the question, that is what who asks is told."""
        self.commands.reply(b"-NOPERM no permissions\r\n")
        self.failureResultOf(self.outcome, StoreUnavailable)

    def test_cancelled(self) -> None:
        """Answers that nobody waits for any more are dropped."""
        self.outcome.cancel()
        self.failureResultOf(self.outcome, CancelledError)
        self.commands.reply(b":1\r\n")
        for payload in self.ask():
            self.hear(self.channel, payload)
        self.assertEqual(self.parts, [])

    def test_closed(self) -> None:
        """A link that is closed fails who waits."""
        self.commands.reply(b":1\r\n")
        self.tearDown()
        self.failureResultOf(self.outcome, StoreUnavailable)

    def test_others_of_redis(self) -> None:
        """Unreadable questions, and commands of other versions, are passed over."""
        for payload in (b"?", b'{"command":"ask"}', b'{"command":"later","data":{}}'):
            self.hear(b"n:sync", payload)
        self.assertEqual((self.commands.commands(), self.listener.heard), ([], []))
        self.outcome.cancel()
        self.failureResultOf(self.outcome, CancelledError)


class LinkTests(LinkTestCase):
    """A link, from its first connection to its close."""

    def test_asking(self) -> None:
        """What clients can publish to as well is no channel for servers."""
        self.answer()
        asked = self.link.ask_servers(b"1", lambda part: None)
        self.failureResultOf(asked, UsageError)
        question = b'{"command":"ask","id":1,"server":"s","question":1}'
        self.subscriber.reply(_array(b"message", b"___sync___", question))
        self.assertEqual(self.commands.commands(), [])

    def answer(self) -> None:
        """Redis answers on both."""
        for connection in (self.commands, self.subscriber):
            self.assertEqual(connection.commands(), [[b"PING"]])
        self.commands.reply(*SERVES)
        self.assertEqual(self.commands.commands(), ASKED)
        self.subscriber.reply(b"+PONG\r\n")
        asked = self.subscriber.commands()
        self.assertEqual(asked[:2], [[b"SUBSCRIBE", b"___all___"], [b"SUBSCRIBE", b"___sync___"]])
        self.subscriber.reply(*(_subscribed(channel) for _, channel in asked))
        self.restored = [channel for _, channel in asked[2:]]

    def failed(self, deferred: Deferred[Any]) -> str:
        return str(self.failureResultOf(deferred, StoreUnavailable).value)

    def test_not_before_it_answers(self) -> None:
        """A Redis that is connected and says nothing is not there."""
        self.assertFalse(self.link.available)
        self.failed(self.link.spend_token("t"))
        self.successResultOf(self.link.subscribe("c"))
        self.answer()
        self.assertTrue(self.link.available)
        self.assertEqual(self.restored, [b"c"])

    def test_known(self) -> None:
        """At a start it takes a moment until it is known whether Redis answers."""
        first, cancelled = self.link.known(), self.link.known()
        self.assertNoResult(first)
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.answer()
        self.successResultOf(first)
        self.successResultOf(self.link.known())
        self.commands.lose()
        self.successResultOf(self.link.known())

    def test_known_to_fail(self) -> None:
        """A failure is known as well, and so is the end of the link."""
        first = self.link.known()
        self.commands.lose()
        self.successResultOf(first)
        self.subscriber.lose()
        self.tearDown()
        self.successResultOf(self.link.known())
        self.setUp()
        waiting = self.link.known()
        self.tearDown()
        self.successResultOf(waiting)
        self.setUp()

    def test_many_channels(self) -> None:
        """Thousands are asked for again, and given up, in several turns of the reactor."""
        names = [f"c{number}" for number in range(1000)]
        for name in names:
            self.successResultOf(self.link.subscribe(name))
        self.subscriber.protocol.dataReceived(b"+PONG\r\n")
        asked = self.subscriber.commands()
        self.assertLess(len(asked), 100)
        self.link.unsubscribe("c999")
        while self.reactor.getDelayedCalls()[0].getTime() <= self.reactor.seconds():
            one_turn(self.reactor)
            asked += self.subscriber.commands()
        expected = [name.encode() for name in names[:-1]]
        restored = [command[1] for command in asked if command[0] == b"SUBSCRIBE"]
        self.assertEqual(restored[2:], expected)
        for name in names[:-1]:
            self.link.unsubscribe(name)
        confirmed = self.link.subscribe("c998")
        asked = self.subscriber.commands()
        self.assertLess(len(asked), 300)
        self.reactor.advance(0)
        asked += self.subscriber.commands()
        given_up = [command[1] for command in asked if command[0] == b"UNSUBSCRIBE"]
        self.assertEqual(given_up, expected[:-1])
        confirmed.cancel()
        self.failureResultOf(confirmed)

    def test_tokens(self) -> None:
        """``SETEX`` and ``GETDEL``, as Node's servers and atomically."""
        self.answer()
        issued = self.link.issue_token("t", b"{}", 30)
        self.assertEqual(self.commands.commands(), [[b"SETEX", b"t", b"30", b"{}"]])
        self.commands.reply(b"+OK\r\n")
        self.assertIsNone(self.successResultOf(issued))
        for reply, outcome in (
            (b"$2\r\n{}\r\n", b"{}"),
            (b"$3\r\n123\r\n", b"123"),
            (b"$-1\r\n", None),
            (b"-WRONGTYPE Operation against a key\r\n", None),
        ):
            spent = self.link.spend_token("t")
            self.assertEqual(self.commands.commands(), [[b"GETDEL", b"t"]])
            self.commands.reply(reply)
            self.assertEqual(self.successResultOf(spent), outcome)

    def test_errors(self) -> None:
        """What Redis refuses is unavailable; the arguments are in no text."""
        self.answer()
        for reply, text in (
            (b"-OOM command not allowed\r\n", "OOM command not allowed"),
            (b"-ERR unknown command `GETDEL`, with args beginning with: `s3cret`\r\n", "6.2"),
        ):
            spent = self.link.spend_token("s3cret")
            self.commands.reply(reply)
            self.assertIn(text, message := self.failed(spent))
            self.assertNotIn("s3cret", message)

    def test_timeout(self) -> None:
        """A command that is not answered in time fails, and the connection is made again."""
        self.answer()
        published = self.link.publish("c", b"1")
        self.reactor.advance(5)
        self.failed(published)
        self.assertTrue(self.commands.lost)
        self.assertEqual((self.link.available, self.link.since), (False, 5))
        self.failed(self.link.publish("c", b"1"))
        self.reactor.advance(2)  # the first wait is shorter
        self.commands = self.connect()
        self.commands.reply(*SERVES)
        self.assertEqual((self.link.available, self.link.since), (True, 7))

    def test_read_only(self) -> None:
        """After a failover: another connection, until there is one that takes writes."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.answer()
        issued = self.link.issue_token("t", b"{}", 30)
        self.commands.reply(b"-READONLY You can't write against a read only replica.\r\n")
        self.assertIn("READONLY", self.failed(issued))
        self.assertEqual((self.commands.lost, self.link.available), (True, False))
        self.assertIn("READONLY", self.link.problem or "")
        for _ in range(3):
            self.reactor.advance(5)
            if self.subscriber.commands():  # a ping
                self.subscriber.reply(_array(b"pong", b""))
            self.commands = self.connect()
            self.assertEqual(self.commands.commands(), [[b"PING"]])
            self.commands.reply(b"+PONG\r\n")
            self.assertEqual(self.commands.commands(), ASKED[:1])
            self.commands.reply(b"-READONLY You can't write against a read only replica.\r\n")
            self.assertTrue(self.commands.lost)
            self.assertFalse(self.link.available)
        self.assertEqual(len([each for each in logged if each.get("event") == "redis.failed"]), 1)
        self.reactor.advance(5)
        self.commands = self.connect()
        self.commands.reply(*SERVES)
        self.assertEqual((self.link.available, self.link.problem), (True, None))

    def test_full(self) -> None:
        """A Redis whose memory is full is not ready, keeps its connection, and is asked again."""
        self.answer()
        issued = self.link.issue_token("t", b"{}", 30)
        self.commands.reply(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n")
        self.failed(issued)
        self.assertEqual((self.link.available, self.commands.lost), (False, False))
        self.commands.commands()
        spent = self.link.spend_token("t")  # which makes room
        self.commands.reply(b"$2\r\n{}\r\n")
        self.successResultOf(spent)
        self.commands.commands()
        full = (SERVES[0], b"-OOM command not allowed\r\n")
        for replies, available in ((full, False), (SERVES, True)):
            self.reactor.advance(10)
            self.assertEqual(self.commands.commands(), [[b"PING"]])
            self.commands.reply(*replies)
            self.commands.commands()
            self.subscriber.commands()
            self.subscriber.reply(_array(b"pong", b""))
            self.assertEqual(self.link.available, available)

    def test_full_at_start(self) -> None:
        """It is not ready from the start, and what was issued before can be spent."""
        self.commands.reply(SERVES[0], b"-OOM command not allowed\r\n")
        self.assertEqual((self.link.available, self.commands.lost), (False, False))
        self.assertIn("OOM", self.link.problem or "")
        spent = self.link.spend_token("t")
        self.commands.reply(b"$2\r\n{}\r\n")
        self.assertEqual(self.successResultOf(spent), b"{}")

    def test_does_not_serve(self) -> None:
        """
        Whatever keeps tokens from being issued or spent is named once, and in readiness, until
        it is over; where another connection may help, another one is made.
        """
        for error, reconnects in (
            (b"-BUSY Redis is busy running a script\r\n", False),
            (b"-NOPERM this user has no permissions to run the 'setex' command\r\n", False),
            (b"-ERR unknown command `GETDEL`, with args beginning with: `t`\r\n", False),
            (b"-CLUSTERDOWN Hash slot not served\r\n", True),
            (b"-MOVED 3999 127.0.0.1:6381\r\n", True),
            (b"-NOAUTH Authentication required.\r\n", True),
        ):
            self.tearDown()
            self.setUp()
            logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
            self.answer()
            for _ in range(3):
                spent = self.link.spend_token("t")
                if not self.commands.lost:
                    self.commands.reply(error)
                self.failed(spent)
            self.assertEqual((self.link.available, self.commands.lost), (False, reconnects))
            self.assertIsNotNone(self.link.problem)
            self.assertNotIn("`t`", self.link.problem or "")
            told = [each for each in logged if each["log_level"] is LogLevel.error]
            self.assertEqual(len(told), 1, error)
            self.reactor.advance(2 if reconnects else 10)
            if reconnects:
                self.commands = self.connect()
            self.commands.reply(*SERVES)
            self.assertEqual((self.link.available, self.link.problem), (True, None))

    def test_publishing_refused(self) -> None:
        """A channel that is forbidden is a matter of that channel; the log says it once."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.answer()
        for _ in range(3):
            published = self.link.publish("c", b"1")
            self.commands.reply(b"-NOPERM this user has no permissions to access a channel\r\n")
            self.assertIn("NOPERM", self.failed(published))
        self.assertEqual((self.link.available, self.link.problem), (True, None))
        self.assertEqual(len([each for each in logged if each["log_level"] is LogLevel.error]), 1)

    def test_not_redis(self) -> None:
        """What does not speak Redis's protocol, or is something else, is named once."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for greeting, reason in (
            (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "does not speak"),
            (b"+OK POP3 ready\r\n", "is no Redis"),
            (b":1\r\n", "is no Redis"),
        ):
            for connection in (self.commands, self.subscriber):
                connection.reply(greeting)
                self.assertTrue(connection.lost)
            self.assertFalse(self.link.available)
            self.assertIn(reason, self.link.problem or "")
            self.reactor.advance(5)
            self.commands, self.subscriber = self.connect(), self.connect()
        told = [each["why"] for each in logged if each.get("event") == "redis.failed"]
        self.assertEqual(len(told), 3)
        self.assertEqual([each for each in logged if "log_failure" in each], [])

    def test_peer_gone(self) -> None:
        """Who asked and left is no failure of Redis's, and takes nobody else's answer along."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.answer()
        gone, other = self.link.spend_token("t"), self.link.spend_token("u")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.commands.reply(b"$1\r\n1\r\n", b"$1\r\n2\r\n")
        self.assertEqual(self.successResultOf(other), b"2")
        self.assertEqual([each for each in logged if each["log_level"] > LogLevel.info], [])

    def test_reasons(self) -> None:
        """Why Redis cannot be reached is told once, by both connections together."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for connection in (self.commands, self.subscriber):
            connection.lose()
        self.assertIn("the connection was lost", self.link.problem or "")
        for _ in range(3):
            self.reactor.advance(5)
            for pending in self.reactor.tcpClients[self.connected :]:
                pending[2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
                self.connected += 1
        self.assertIn("it cannot be connected to", self.link.problem or "")
        told = [each["why"] for each in logged if each.get("event") == "redis.failed"]
        self.assertEqual(len(told), 2)

    def test_loading(self) -> None:
        """A Redis that answers but does not serve is asked again."""
        self.commands.reply(b"-LOADING Redis is loading the dataset in memory\r\n")
        self.assertTrue(self.commands.lost)
        self.assertFalse(self.link.available)
        self.reactor.advance(2)
        self.connect().reply(*SERVES)
        self.assertTrue(self.link.available)

    def test_silence(self) -> None:
        """Idle connections are asked whether they live."""
        self.answer()
        for _ in range(2):
            self.reactor.advance(10)
            self.commands.reply(*SERVES)
            self.assertEqual(self.subscriber.commands(), [[b"PING"]])
            self.subscriber.reply(_array(b"pong", b""))  # as a subscriber is answered
        self.reactor.advance(10)
        self.commands.reply(*SERVES)
        self.assertEqual(self.subscriber.commands(), [[b"PING"]])
        self.reactor.advance(5)
        self.assertTrue(self.subscriber.lost)
        self.assertTrue(self.link.available)

    def test_subscriptions(self) -> None:
        """Each fires when Redis has confirmed it, and one command is enough for many."""
        self.answer()
        first, second = self.link.subscribe("c"), self.link.subscribe("c")
        self.assertEqual(self.subscriber.commands(), [[b"SUBSCRIBE", b"c"]])
        self.assertNoResult(first)
        second.cancel()
        self.failureResultOf(second)
        self.subscriber.reply(_subscribed(b"c"))
        self.successResultOf(first)
        self.successResultOf(self.link.subscribe("c"))
        self.assertEqual(self.subscriber.commands(), [])
        self.subscriber.reply(_array(b"message", b"c", b'{"a":1}'))
        self.subscriber.reply(_array(b"message", b"c", b"text"))
        self.subscriber.reply(_array(b"message", b"other", b"1"))
        self.subscriber.reply(_array(b"message", b"___all___", b"2"))
        sync = encode_unsubscribe_all("c")
        self.subscriber.reply(_array(b"message", b"___sync___", sync))
        self.assertEqual(self.listener.heard, [("c", b'{"a":1}'), ("c", b'"text"'), b"2", "c"])

    def test_answered_at_once(self) -> None:
        """A reply that came before anybody asked is taken for the answer; nobody waits."""
        for reply in (b"-ERR out of order\r\n", b"+OK\r\n"):
            self.tearDown()
            self.setUp()
            self.answer()
            self.subscriber.reply(reply)
            self.successResultOf(self.link.subscribe("c"))

    def test_subscription_refused(self) -> None:
        """Who may not listen is told, and is not subscribed; asking again is possible."""
        self.answer()
        first, second = self.link.subscribe("c"), self.link.subscribe("c")
        self.subscriber.reply(b"-NOPERM this user has no permissions to access a channel\r\n")
        for refused in (first, second):
            self.assertIn("NOPERM", self.failed(refused))
        self.subscriber.commands()
        again = self.link.subscribe("c")
        self.assertEqual(self.subscriber.commands(), [[b"SUBSCRIBE", b"c"]])
        self.subscriber.reply(_subscribed(b"c"))
        self.successResultOf(again)

    def test_subscription_refused_later(self) -> None:
        """One that a new connection is refused ends for those who had it."""
        self.answer()
        waiting = self.link.subscribe("c")
        self.subscriber.reply(_subscribed(b"c"))
        self.successResultOf(waiting)
        self.subscriber.lose()
        self.reactor.advance(2)
        self.subscriber = self.connect()
        self.subscriber.reply(b"+PONG\r\n", *[_subscribed(b"x")] * 2)
        self.subscriber.reply(b"-NOPERM this user has no permissions to access a channel\r\n")
        self.assertEqual(self.listener.heard, [2.0, "c"])

    def test_gap(self) -> None:
        """
        Each channel is told how long it may have missed messages, when they come again: since
        anything was heard, of whichever connection that was.
        """
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.answer()
        for channel in (b"c", b"d"):
            self.link.subscribe(channel.decode())
            self.subscriber.reply(_subscribed(channel))
        self.reactor.advance(1)
        self.subscriber.reply(_array(b"message", b"c", b"1"))
        self.reactor.advance(3)
        self.subscriber.lose()
        self.link.unsubscribe("d")
        self.link.subscribe("new")
        self.reactor.advance(2)
        self.subscriber = self.connect()
        self.subscriber.reply(b"+PONG\r\n", *[_subscribed(b"x")] * 2)
        self.subscriber.lose()  # before it confirms any of them
        self.reactor.advance(2)
        self.subscriber = self.connect()
        self.subscriber.reply(b"+PONG\r\n", *[_subscribed(b"x")] * 2)
        self.assertEqual(self.listener.heard, [("c", b"1"), 5.0, 2.0])
        self.subscriber.reply(_subscribed(b"c"), _subscribed(b"new"))
        self.assertEqual(self.listener.heard[3:], [("c", 7.0)])
        told = [each["seconds"] for each in logged if each.get("event") == "redis.gap"]
        self.assertEqual(told, [5.0, 2.0])

    def test_lost_tokens(self) -> None:
        """
        Behind a loss a token may be gone that was issued before: who has it is to come back
        with another one, as long as such tokens live.
        """
        self.answer()
        self.link.issue_token("t", b"{}", 40)
        self.commands.reply(b"+OK\r\n")
        self.commands.lose()
        self.reactor.advance(2)
        self.commands = self.connect()
        self.commands.reply(*SERVES)
        self.commands.commands()
        for number in range(5):
            spent = self.link.spend_token("t")
            self.commands.reply(b"$-1\r\n")
            if number < 4:
                self.assertIn("may have been lost", self.failed(spent))
            else:
                self.assertIsNone(self.successResultOf(spent))
            self.reactor.advance(10)  # and a ping
            self.commands.reply(*SERVES)
            self.subscriber.reply(_array(b"pong", b""))

    def test_subscription_failed(self) -> None:
        """
        One that Redis cannot have now, and does not forbid, is asked for again on another
        connection: who waits for it hears what comes when it is back.
        """
        self.answer()
        waiting = self.link.subscribe("c")
        self.subscriber.reply(b"-BUSY Redis is busy running a script\r\n")
        self.successResultOf(waiting)
        self.assertTrue(self.subscriber.lost)
        self.assertIn("BUSY", self.link.problem or "")
        self.reactor.advance(2)
        self.subscriber = self.connect()
        self.subscriber.reply(b"+PONG\r\n")
        asked = self.subscriber.commands()
        self.assertEqual(asked[-1], [b"SUBSCRIBE", b"c"])
        self.subscriber.reply(*(_subscribed(channel) for _, channel in asked[1:]))
        self.assertIsNone(self.link.problem)
        self.subscriber.reply(_array(b"message", b"c", b"1"))
        self.assertEqual(self.listener.heard, [2.0, ("c", b"1")])

    def test_deaf_for_a_while(self) -> None:
        """Where nobody subscribes, Redis is asked again every ten seconds."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.commands.reply(*SERVES)
        self.subscriber.reply(b"+PONG\r\n", *[b"-NOPERM no permissions\r\n"] * 2)
        for replies in ([b"-NOPERM no permissions\r\n"] * 2, [_subscribed(b"x")] * 2):
            self.assertEqual(self.link.problem, "NOPERM no permissions")
            self.subscriber.commands()
            self.reactor.advance(10)
            self.commands.reply(*SERVES)
            self.subscriber.reply(b"+PONG\r\n")
            self.assertEqual(
                self.subscriber.commands(),
                [[b"PING"], [b"SUBSCRIBE", b"___all___"], [b"SUBSCRIBE", b"___sync___"]],
            )
            self.subscriber.reply(*replies)
        self.assertIsNone(self.link.problem)
        self.assertEqual(len([each for each in logged if each.get("event") == "redis.deaf"]), 1)

    def test_deaf(self) -> None:
        """Where servers may not hear each other, readiness and the log say so, until they may."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.commands.reply(*SERVES)
        self.subscriber.reply(b"+PONG\r\n", *[b"-NOPERM no permissions\r\n"] * 2)
        self.assertEqual((self.link.available, self.link.problem), (True, "NOPERM no permissions"))
        self.assertEqual(len([each for each in logged if each.get("event") == "redis.deaf"]), 1)
        asked = self.link.subscribe("c")
        self.subscriber.reply(*(_subscribed(name) for name in (b"___all___", b"___sync___", b"c")))
        self.successResultOf(asked)
        self.assertIsNone(self.link.problem)

    def test_unsubscribed_meanwhile(self) -> None:
        """Nobody waits for a subscription that is wanted no more."""
        self.answer()
        waiting = self.link.subscribe("c")
        self.link.unsubscribe("c")
        self.successResultOf(waiting)
        self.assertEqual(
            self.subscriber.commands(), [[b"SUBSCRIBE", b"c"], [b"UNSUBSCRIBE", b"c"]]
        )

    def test_lost_meanwhile(self) -> None:
        """Nobody waits for a Redis that went; what is wanted is asked for when it is back."""
        self.answer()
        waiting = self.link.subscribe("c")
        self.link.subscribe("d")
        self.subscriber.lose()
        self.successResultOf(waiting)
        self.link.unsubscribe("d")
        self.successResultOf(self.link.subscribe("e"))
        self.reactor.advance(2)  # the first wait is shorter
        self.subscriber = self.connect()
        self.subscriber.reply(b"+PONG\r\n")
        asked = self.subscriber.commands()
        self.assertEqual([channel for _, *rest in asked[1:] for channel in rest][2:], [b"c", b"e"])

    def test_password(self) -> None:
        """It goes to Redis and nowhere else; Redis is asked again when it said no."""
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", 6379)
        store = RedisStore("redis://me:s3cret@h/2", SHARED_WITH_NODE, endpoint=endpoint)
        self.link.close()
        self.connected = len(self.reactor.tcpClients)
        self.link = store.connect(self.listener, self.reactor)  # type: ignore[arg-type]
        refused, accepted = self.connect(), self.connect()
        self.assertEqual(refused.commands(), [[b"AUTH", b"me", b"s3cret"]])
        refused.reply(b"-WRONGPASS invalid username-password pair\r\n")
        self.assertTrue(refused.lost)
        accepted.reply(b"+OK\r\n")
        self.assertEqual(accepted.commands()[1:], [[b"SELECT", b"2"]])
        self.reactor.advance(2)  # the first wait is shorter
        self.assertEqual(self.connect().commands(), [[b"AUTH", b"me", b"s3cret"]])
        self.assertFalse(re.search("s3cret", repr(self.link) + repr(store)))
        self.assertEqual(len(self.flushLoggedErrors()), 0)


class BackoffTests(SynchronousTestCase):
    """How soon a connection is made again."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.connections: list[_Connection] = []
        store = RedisStore(namespace=SHARED_WITH_NODE)
        self.connection = RedisConnection(
            self.reactor,
            TCP4ClientEndpoint(self.reactor, "127.0.0.1", 6379),
            lambda: store._build(None),
            lambda: None,
            lambda: None,
            nothing,
            Backoff(cap=5.0, jitter=lambda: 1.0),
        )
        self.connect()

    def tearDown(self) -> None:
        closed = self.connection.close()
        for pending in self.reactor.tcpClients[len(self.connections) :]:
            pending[2].clientConnectionFailed(None, Failure(ConnectionDone()))
        self.successResultOf(closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def connect(self) -> None:
        """The next connection is made."""
        factory = self.reactor.tcpClients[len(self.connections)][2]
        self.connections.append(_Connection(factory, self.reactor))

    def wait(self) -> float:
        """Seconds to the next attempt, which then begins."""
        [call] = self.reactor.getDelayedCalls()
        seconds = call.getTime() - self.reactor.seconds()
        self.reactor.advance(seconds)
        self.assertEqual(len(self.reactor.tcpClients), len(self.connections) + 1)
        return round(seconds, 3)

    def test_dropped_at_once(self) -> None:
        """A Redis that lets in and drops is asked less and less often."""
        waits = []
        for _ in range(8):
            self.connections[-1].lose()
            waits.append(self.wait())
            self.connect()
        self.assertEqual(waits[:4], [0.1, 0.2, 0.4, 0.8])
        self.assertEqual(waits[-2:], [5.0, 5.0])

    def test_answered_for_a_while(self) -> None:
        """After ten seconds of answers it is asked again at once; after fewer it is not."""
        for lasts, expected in ((1, [0.1, 0.2, 0.4]), (10, [0.1, 0.1, 0.1])):
            self.tearDown()
            self.setUp()
            waits = []
            for _ in range(3):
                self.connections[-1].reply(b"+PONG\r\n")
                self.reactor.advance(lasts)
                self.connections[-1].lose()
                waits.append(self.wait())
                self.connect()
            self.assertEqual(waits, expected)


class EndpointTests(SynchronousTestCase):
    """Whereto the URL leads, twice: for commands, and to listen."""

    def connecting(self, url: str) -> MemoryReactorClock:
        """The reactor of a store that begins to connect."""
        reactor = MemoryReactorClock()
        listener: Any = object()
        link = RedisStore(url, "app").connect(listener, reactor)
        reactor.advance(0)
        link.close()
        return reactor

    def test_tcp(self) -> None:
        """A host, with TLS or without."""
        for url, port in (("redis://127.0.0.1:6380/0", 6380), ("rediss://127.0.0.1", 6379)):
            clients = self.connecting(url).tcpClients
            self.assertEqual({client[:2] for client in clients}, {("127.0.0.1", port)})

    def test_unix(self) -> None:
        """A socket's path."""
        clients = self.connecting("unix:///run/redis.sock?db=1").unixClients
        self.assertEqual({client[0] for client in clients}, {"/run/redis.sock"})

    def test_sentinels(self) -> None:
        """A sentinel is asked first."""
        clients = self.connecting("redis+sentinel://127.0.0.1:26380/main/0").tcpClients
        self.assertEqual({client[:2] for client in clients}, {("127.0.0.1", 26380)})
