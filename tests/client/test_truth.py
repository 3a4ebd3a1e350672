"""
Whatever happens, what the client says of a request is what its peer knows of it.

The peer notes what arrives, and that note decides: no success without arrival, no "never sent" for
what arrived, nothing twice that may not be.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.kit.examples import examples
from tests.kit.truth import untruth
from txtokensock import Backoff
from txtokensock.errors import ActionError, ClientClosed
from txtokensock.server import Limits, TokenSocketServer
from txtokensock.testing import MemoryServer, ScriptedServer

CALL_TIMEOUT = 60.0
SOON = 15.0
"""Seconds after which all is well, for a server that closes and does not go has five."""

LONGEST = CALL_TIMEOUT + 30.0 + 10.0 * 4
SIGNS = (b"c[", b"\x88\x02\x03\xe9")
"""What the beginning of a close looks like: SockJS's frame, and a WebSocket's with 1001."""


class Link(ProtocolWrapper):
    """
    The client's end of a connection, which can break at any byte.

    :ivar up: bytes that the client may still send; None for any number.
    :ivar down: that it may still receive.
    :ivar closing: whether a sign of a close has come in.
    """

    def __init__(self, factory: WrappingFactory, wrapped: Any) -> None:
        super().__init__(factory, wrapped)
        self.up: int | None = None
        self.down: int | None = None
        self.closing = False

    def dataReceived(self, data: bytes) -> None:
        cut = self.down is not None and len(data) >= self.down
        if self.down is not None:
            data = data[: self.down]
            self.down -= len(data)
        self.closing = self.closing or any(sign in data for sign in SIGNS)
        super().dataReceived(data)
        if cut:
            self.transport.abortConnection()

    def write(self, data: bytes) -> None:
        if self.up is None or len(data) < self.up:
            if self.up is not None:
                self.up -= len(data)
            super().write(data)
        elif self.up:
            super().write(data[: self.up])
            self.up = 0
            self.transport.loseConnection()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))


@implementer(IStreamClientEndpoint)
class Links:
    """
    An endpoint whose connections are links.

    :ivar open: those that have not ended.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint
        self._factories: list[WrappingFactory] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        factory = WrappingFactory(protocolFactory)
        factory.noisy = False
        factory.protocol = Link
        self._factories.append(factory)
        # The client is given its own protocol, as it is over HTTP that it talks to.
        connecting = self._endpoint.connect(factory)
        return connecting.addCallback(lambda link: link.wrappedProtocol)  # type: ignore[attr-defined]

    @property
    def open(self) -> list[Link]:
        return [link for factory in self._factories for link in factory.protocols]


class RealPeer:
    """Our own server."""

    def __init__(
        self, arrived: Callable[[Any], Any], *, acks: bool, limits: Limits | None = None
    ) -> None:
        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(
                lambda request: {},
                actions={"f": lambda data, peer: arrived(data)},
                acks=acks,
                limits=limits or Limits(),
                reactor=clock,
            )
        )
        server = self.memory.server
        server.on("publish", lambda peer, channel, data: arrived(data) and None)
        server.on("subscribe", lambda peer, channel: arrived(("subscribe", channel)))
        server.on("unsubscribe", lambda peer, channel: arrived(("unsubscribe", channel)))

    def channels(self) -> set[str]:
        """What the client is subscribed to there."""
        return {channel for peer in self.memory.server.peers() for channel in peer.channels}

    def end_session(self, code: int) -> None:
        """Close in order."""
        for peer in self.memory.server.peers():
            peer.close(1000 if code == 1001 else code, "as the test wants it")

    def stop(self) -> None:
        self.memory.server.stopService()


class ScriptedPeer:
    """A server that may say nothing any more, and not end its connection when it closes."""

    def __init__(self, arrived: Callable[[Any], Any], *, acks: bool) -> None:
        self.memory = ScriptedServer()
        self.memory.close = "ignore"  # a close that the client answers: TCP goes on
        self._channels: tuple[Any, set[str]] = (None, set())
        self.memory.acks = acks
        self._acks = acks
        self._arrived = arrived
        self.memory.respond = self._respond

    def _respond(self, session: Any, message: Any) -> None:
        if message["rpc"] == "f":
            outcome = self._arrived(message["req"])
            answer: Any = lambda result: session.open and session.answer(message, result)  # noqa: E731
            if isinstance(outcome, Deferred):
                outcome.addCallbacks(answer, lambda _: session.refuse(message, "no"))
            else:
                answer(outcome)
        elif message["rpc"] == "_publish":
            self._arrived(message["req"]["data"])
            if self._acks:
                session.answer(message, "success")
        elif message["rpc"] in ("_subscribe", "_unsubscribe"):
            name, kind = message["req"]["channel"], message["rpc"][1:]
            self._arrived((kind, name))
            if self._channels[0] is not session:
                self._channels = session, set()
            (set.add if kind == "subscribe" else set.discard)(self._channels[1], name)
            (session.subscribed if kind == "subscribe" else session.unsubscribed)(name)
        else:
            session.answer(message, "pong")

    def channels(self) -> set[str]:
        """What the client is subscribed to there."""
        session, channels = self._channels
        return channels if session is self.memory.session else set()

    def end_session(self, code: int) -> None:
        """Only begin to close, as a server that has much to do."""
        for session in self.memory.open_sessions:
            if code == 1001:
                session.close_websocket(1001)
            else:
                session.send_frame(f'c[{code},"as the test wants it"]')

    def stop(self) -> None:
        self.memory.script()
        for session in self.memory.sessions:
            session.read_again()


PEERS = {
    "ours": lambda arrived: RealPeer(arrived, acks=True),
    "ours, as Node's": lambda arrived: RealPeer(arrived, acks=False),
    "ours, with little room": lambda arrived: RealPeer(
        arrived, acks=True, limits=Limits(calls=4, messages_per_second=100, message_burst=10)
    ),
    "scripted": lambda arrived: ScriptedPeer(arrived, acks=True),
    "scripted, as Node's": lambda arrived: ScriptedPeer(arrived, acks=False),
}


@dataclass
class Asked:
    """
    One request.

    :ivar key: what the peer notes of it: its number, or what is asked of which channel.
    :ivar before: how often that had arrived before.
    :ivar again: whether it may arrive twice.
    :ivar publish: whether it is one.
    :ivar at_once: whether the peer answers it at once, or late or never.
    :ivar since: when it was asked for.
    :ivar timeout: seconds that it may take.
    :ivar outcomes: what its Deferred fired with.
    :ivar arrived: how often it had arrived by then, and since it was asked for.
    :ivar there: whether the peer had the channel that is to be left.
    :ivar losses: how many there had been when it was asked for, and by then.
    :ivar sign: whether a sign of a close was there when that was.
    """

    key: Any
    before: int
    again: bool
    publish: bool
    at_once: bool
    since: float
    timeout: float
    outcomes: list[Any]
    arrived: int = 0
    there: bool = False
    losses: tuple[int, int] = (0, 0)
    sign: bool = False


class Machine(RuleBasedStateMachine):
    """One client and its peer, which notes what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.deferreds: list[Deferred[Any]] = []
        self.arrivals: Counter[Any] = Counter()
        self.numbers: dict[int, Asked] = {}
        self.held: list[tuple[Deferred[Any], int]] = []
        self.problems: list[Any] = []
        self.lost = 0
        globalLogPublisher.addObserver(self._log)

    def _log(self, event: Any) -> None:
        if "log_failure" in event:
            self.problems.append(event["log_failure"])

    @initialize(
        kind=st.sampled_from(sorted(PEERS)),
        transport=st.sampled_from(
            [
                *("websocket", "websocket", "websocket-raw"),
                *("xhr-streaming", "eventsource", "xhr-polling"),
            ]
        ),
    )
    def begin(self, kind: str, transport: str) -> None:
        self.peer: Any = PEERS[kind](self.arrived)
        self.acks = "Node" not in kind
        self.memory = self.peer.memory
        if "scripted" in kind:
            transport = "websocket"
        self.links = Links(self.memory.network.endpoint())
        self.client = self.memory.client(
            endpoint=self.links,
            transports=(transport,),
            backoff=Backoff(jitter=lambda: 1.0),
        )
        self.client.on("disconnect", self._disconnected)
        self.client.startService()
        self.memory.settle()

    def _disconnected(self, _: Exception) -> None:
        self.lost += 1

    def arrived(self, data: Any) -> Any:
        """What the peer does with what came in."""
        if isinstance(data, tuple):
            self.arrivals[data] += 1
            return None
        number = data if isinstance(data, int) else data[0]
        self.arrivals[number] += 1
        if self.numbers[number].at_once:
            return number
        answer: Deferred[Any] = Deferred()
        self.held.append((answer, number))
        return answer

    # -- the user

    def ask(
        self,
        deferred: Deferred[Any],
        key: Any = None,
        *,
        again: bool = False,
        publish: bool = False,
        at_once: bool = True,
        timeout: float = CALL_TIMEOUT,
        there: bool = False,
    ) -> None:
        now = self.memory.clock.seconds()
        key = len(self.asked) if key is None else key
        before = self.arrivals[key]
        asked = Asked(key, before, again, publish, at_once, now, timeout, [])
        asked.there, asked.losses = there, (self.lost, self.lost)
        self.asked.append(asked)
        if isinstance(key, int):
            self.numbers[key] = asked
        self.deferreds.append(deferred)

        def fired(outcome: Any) -> None:
            asked.outcomes.append(outcome)
            asked.arrived = self.arrivals[key] - before
            asked.losses = asked.losses[0], self.lost
            asked.there = asked.there and self.client.connected
            asked.sign = any(link.closing for link in self.links.open)
            late = self.memory.clock.seconds() - asked.since - asked.timeout
            assert late < 0.001, asked

        deferred.addBoth(fired)

    def data(self, size: int) -> Any:
        number = len(self.asked)
        return number if size == 1 else [number, "x" * size]

    @rule(
        again=st.booleans(),
        at_once=st.booleans(),
        timeout=st.sampled_from([CALL_TIMEOUT, 1.0, 10.0]),
        size=st.sampled_from([1, 1, 1, 50_000]),
    )
    def rpc(self, again: bool, at_once: bool, timeout: float, size: int) -> None:
        call = self.client.rpc("f", self.data(size), idempotent=again, timeout=timeout)
        self.ask(call, again=again, at_once=at_once, timeout=timeout)

    @rule(waits=st.lists(st.sampled_from([0, 0.1, 1, 12]), min_size=1, max_size=3))
    def several(self, waits: list[float]) -> None:
        """Calls of all kinds, and time for some of them."""
        for seconds in waits:
            for again in (True, False):
                for at_once in (True, False):
                    self.rpc(again=again, at_once=at_once, timeout=10.0, size=1)
            self.memory.advance(seconds)

    @rule(count=st.sampled_from([1, 3, 20]), size=st.sampled_from([1, 1, 20_000]))
    def publish(self, count: int, size: int) -> None:
        for _ in range(count):
            publishing = self.client.publish("c", self.data(size))
            self.ask(publishing, publish=True)

    @rule(channel=st.sampled_from(["c", "d"]))
    def subscribe(self, channel: str) -> None:
        self.ask(self.client.subscribe(channel), ("subscribe", channel), again=True)

    @rule(channel=st.sampled_from(["c", "d"]))
    def unsubscribe(self, channel: str) -> None:
        there = self.client.connected and channel in self.peer.channels()
        leaving = self.client.unsubscribe(channel)
        self.ask(leaving, ("unsubscribe", channel), again=True, there=there)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        data.draw(st.sampled_from(self.deferreds[-10:])).cancel()

    @rule()
    def reconnect_now(self) -> None:
        self.client.reconnect_now()

    @rule(again=st.booleans())
    def end(self, again: bool) -> None:
        self.client.end()
        if again:
            self.client.startService()

    @rule()
    def start(self) -> None:
        self.client.startService()

    # -- time, the network and the peer

    @rule(seconds=st.sampled_from([0, 0.05, 0.5, 3, 12, 65]))
    def wait(self, seconds: float) -> None:
        self.memory.advance(seconds)

    @precondition(lambda self: self.links.open)
    @rule(
        data=st.data(),
        up=st.booleans(),
        count=st.integers(1, 400) | st.integers(400, 60_000),
        asked=st.sampled_from([0, 3]),
    )
    def cut(self, data: Any, up: bool, count: int, asked: int) -> None:
        """A connection breaks after that many bytes more, of what is asked for now or later."""
        link = data.draw(st.sampled_from(self.links.open))
        if up:
            link.up = count
        else:
            link.down = count
        self.publish(count=asked, size=1)

    @precondition(lambda self: self.links.open)
    @rule(data=st.data())
    def drop(self, data: Any) -> None:
        data.draw(st.sampled_from(self.links.open)).transport.abortConnection()

    @rule(code=st.sampled_from([1001, 3000, 4413, 4429, 4503]), asked=st.sampled_from([0, 0, 3]))
    def close(self, code: int, asked: int) -> None:
        """Things are asked for as soon as the client has heard of that."""
        self.peer.end_session(code)
        self.memory.settle()
        self.publish(count=asked, size=1)

    @rule(code=st.sampled_from([1001, 3000, 4413]), count=st.integers(0, 5))
    def close_in_the_middle(self, code: int, count: int) -> None:
        """In the very turn in which much is asked for."""
        for _ in range(count):
            self.rpc(again=True, at_once=True, timeout=CALL_TIMEOUT, size=1)
        self.peer.end_session(code)
        self.publish(count=count, size=1)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), fails=st.booleans())
    def answer_late(self, data: Any, fails: bool) -> None:
        held = data.draw(st.sampled_from(self.held))
        self.held.remove(held)
        answer, number = held
        if answer.called:  # the peer has given it up
            return
        if fails:
            answer.errback(Failure(ActionError("no")))
        else:
            answer.callback(number)

    # -- what must hold

    @invariant()
    def settled(self) -> None:
        self.memory.settle()

    def judge(self) -> None:
        """Each outcome, by the peer's record."""
        for asked in self.asked:
            (outcome,) = asked.outcomes
            outcome = outcome.value if isinstance(outcome, Failure) else outcome
            if isinstance(asked.key, int):
                arrived = self.arrivals[asked.key]
                promised = not asked.publish or self.acks
            else:  # what is asked of a channel has no number
                arrived, promised = asked.arrived, False
                if not isinstance(outcome, Exception):
                    self.judge_confirmed(asked)
                if isinstance(outcome, ClientClosed):
                    continue  # says that there is no subscription, not that nobody was asked
            said = untruth(outcome, arrived, again=asked.again, promised=promised)
            assert not said, (said, asked)
            if not isinstance(outcome, Exception) and isinstance(asked.key, int):
                self.judge_success(asked, outcome, arrived)

    def judge_confirmed(self, asked: Asked) -> None:
        if asked.key[0] == "subscribe":
            assert asked.before + asked.arrived, ("confirmed by nobody", asked)
        elif asked.there and not asked.sign and asked.losses[0] == asked.losses[1]:
            assert asked.arrived, ("left by nobody", asked)

    def judge_success(self, asked: Asked, outcome: Any, arrived: int) -> None:
        if not asked.publish:
            assert outcome == asked.key, ("another's answer", asked)
        elif not self.acks:
            # It was handed to a connection that had shown no sign of a close; if it did not
            # arrive, that was lost after that.
            assert not asked.sign, ("handed to a connection that closes", asked)
            assert arrived or self.lost > asked.losses[1], ("no connection was lost", asked)

    def judge_end(self) -> None:
        """All is well again: what is wanted is subscribed to, and a call is answered."""
        assert self.client.connected
        forgotten = [asked for asked in self.asked if not asked.outcomes]
        assert not forgotten, ("neither sent nor answered", forgotten)
        self.judge()
        assert self.peer.channels() == set(self.client.channels())
        self.subscribe("d")
        self.unsubscribe("c")
        self.memory.advance(1)
        assert self.peer.channels() == {"d"}
        self.rpc(again=False, at_once=True, timeout=1.0, size=1)
        self.memory.settle()
        assert self.asked[-1].outcomes == [self.asked[-1].key], self.asked[-1]

    def teardown(self) -> None:
        try:
            if not hasattr(self, "peer"):
                return
            for link in self.links.open:
                link.up = link.down = None
            for asked in self.asked:
                asked.at_once = True
            for answer, number in self.held:
                if not answer.called:
                    answer.callback(number)
            if self.client.running:
                if not self.client.connected:
                    self.client.reconnect_now()
                self.memory.advance(SOON)
                self.judge_end()
            self.memory.advance(LONGEST)
            ended = self.client.end()
            self.memory.advance(6)
            assert ended.called
            self.judge()  # also of what was asked for when it had ended
            self.peer.stop()
            self.memory.advance(70)
            assert not self.memory.open_connections
            assert not self.memory.clock.getDelayedCalls(), self.memory.clock.getDelayedCalls()
            del self.deferreds[:], self.held[:]
            gc.collect(1)
            assert not self.problems, self.problems
        finally:
            globalLogPublisher.removeObserver(self._log)


class TruthTests(SynchronousTestCase):
    """Random requests, closes at random bytes, reconnects, and answers that come late or never."""

    def test_truth(self) -> None:
        """What the client says happened is what the peer says happened."""
        run_state_machine_as_test(
            Machine,
            settings=examples(
                120, stateful_step_count=30, suppress_health_check=list(HealthCheck)
            ),
        )
