"""
A session over a transport that only notes what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autobahn.wamp import message as wire
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.types import CloseDetails, ComponentConfig
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.wamp.realm import (
    RealmLost,
    RequestTimeout,
    Unserializable,
    WampError,
)
from txtokensock.bridge.wamp.wamp_session import WampSession

HOSTILE = {"self": 1, "fun": 2, "error": 3, "details": 4, "options": 5, "topic": 6}


class Transport:
    """Notes messages; its ``transport`` is Twisted's."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.aborted = self.is_closed = False
        self.reading = True
        self.transport = self
        self.transport_details = None
        self.refuses: type[Exception] | None = None

    def send(self, message: Any) -> None:
        if self.refuses is not None:
            raise self.refuses("no")
        self.sent.append(message)

    def abortConnection(self) -> None:
        self.aborted = True

    def pauseProducing(self) -> None:
        assert self.reading
        self.reading = False

    def resumeProducing(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        """An orderly end."""


class SessionTests(SynchronousTestCase):
    """A joined session."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.session = WampSession(ComponentConfig("realm1"), reactor=self.clock)
        self.transport = Transport()
        self.session._transport = self.transport
        self.session._session_id = 1
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.session.onClose(True)
        self.assertEqual(list(self.clock.getDelayedCalls()), [])

    @property
    def last(self) -> Any:
        return self.transport.sent[-1]

    def get(self, message: Any) -> None:
        """The router sends it."""
        self.session.onMessage(message)

    def registered(self, on_call: Any) -> None:
        self.session.register("com.x", "exact", on_call)
        self.get(wire.Registered(self.last.request, 7))

    def test_hostile_event(self) -> None:
        """No name of an argument does any harm."""
        heard: list[Any] = []

        def event(
            topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], _: int | None
        ) -> None:
            heard.append((topic, args, kwargs))

        self.session.subscribe("com.x", "exact", event)
        self.get(wire.Subscribed(self.last.request, 5))
        self.get(wire.Event(5, 1, args=[1], kwargs=HOSTILE))
        self.assertEqual(heard, [("com.x", [1], HOSTILE)])

    def test_hostile_error(self) -> None:
        """The same for the arguments of an error."""
        called = self.session.call("com.x", [1], HOSTILE, 5)
        self.assertEqual(self.last.kwargs, HOSTILE)
        self.get(wire.Error(48, self.last.request, "com.no", args=[1], kwargs=HOSTILE))
        self.assertEqual(self.failureResultOf(called, WampError).value.kwargs, HOSTILE)

    def test_result(self) -> None:
        """A result has arguments of both kinds, or of none."""
        for args, kwargs in (([1, 2], {"a": 3}), (None, None), ([], {})):
            called = self.session.call("com.x", [], {}, 5)
            self.get(wire.Result(self.last.request, args=args, kwargs=kwargs))
            self.assertEqual(self.successResultOf(called), (args or [], kwargs or {}))

    def test_unregister(self) -> None:
        """What was taken back is not called, and is taken back once."""
        registering = self.session.register("com.x", "exact", lambda *_: succeed(([1], {})))
        self.get(wire.Registered(self.last.request, 7))
        undo = self.successResultOf(registering)
        undone = undo()
        self.get(wire.Invocation(9, 7))  # it was on its way
        self.assertEqual(self.last.args, [1])
        (unregister,) = [one for one in self.transport.sent if isinstance(one, wire.Unregister)]
        self.get(wire.Unregistered(unregister.request))
        self.successResultOf(undone)
        self.get(wire.Invocation(10, 7))
        self.assertEqual(self.last.error, "wamp.error.no_such_procedure")
        sent = len(self.transport.sent)
        self.successResultOf(undo())
        self.assertEqual(len(self.transport.sent), sent)

    def test_calls_are_forgotten(self) -> None:
        """Nothing is kept of a call that was answered, whatever the answer was."""
        answers: list[Deferred[Any]] = []

        def call(*_: object) -> Deferred[Any]:
            answers.append(Deferred(lambda one: one.errback(WampError("wamp.error.canceled"))))
            return answers[-1]

        self.registered(call)
        for number in range(3):
            self.get(wire.Invocation(number, 7))
        answers[0].callback(([], {}))
        answers[1].errback(WampError("com.no"))
        self.get(wire.Interrupt(2))
        self.assertEqual(self.session._running, {})

    def test_hostile_call(self) -> None:
        """And of a call."""
        self.registered(lambda name, args, kwargs, _: succeed((args, kwargs)))
        self.get(wire.Invocation(9, 7, args=[1], kwargs=HOSTILE))
        self.assertEqual((self.last.args, self.last.kwargs), ([1], HOSTILE))

    def test_burst(self) -> None:
        """
        A burst is handled in slices, in order, and not read on meanwhile; what had come
        before the end is handled before it.
        """
        heard: list[Any] = []
        self.session.subscribe("com.x", "exact", lambda _, args, *__: heard.append(args[0]))
        self.get(wire.Subscribed(self.last.request, 5))
        for turn in range(1, 4):
            for number in range(1000):
                self.get(wire.Event(5, 1, args=[number]))
            self.assertLess(len(heard), 1000 * turn - 900)
            self.assertFalse(self.transport.reading)
            self.get(wire.Event(5, 1, args=["last"]))
            if turn < 3:
                for _ in range(20):
                    self.clock.advance(0)
                self.assertTrue(self.transport.reading)
            else:
                self.session.onClose(True)
            self.assertEqual(heard, [*range(1000), "last"] * turn)

    def test_unasked(self) -> None:
        """Answers to nothing, and messages about nothing, are ignored."""
        for message in [
            wire.Published(99, 1),
            wire.Subscribed(99, 1),
            wire.Registered(99, 1),
            wire.Unregistered(0, registration=99),
            wire.Result(99, args=[1]),
            wire.Error(48, 99, "com.no"),
            wire.Event(99, 1),
            wire.Interrupt(99),
        ]:
            self.get(message)
        self.get(wire.Invocation(9, 99))
        self.assertEqual(self.last.error, "wamp.error.no_such_procedure")

    def test_failing_listener(self) -> None:
        """A listener that raises is logged, and the session lives."""
        self.registered(lambda *_: 1 / 0)
        self.get(wire.Invocation(9, 7))
        self.assertEqual(self.last.error, "wamp.error.runtime_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_interrupt(self) -> None:
        """A caller's withdrawal cancels what runs; the router is answered once."""
        cancelled: list[Any] = []
        running: Deferred[Any] = Deferred(
            lambda d: cancelled.append(1) or d.errback(WampError("wamp.error.canceled"))
        )
        self.registered(lambda *_: running)
        self.get(wire.Invocation(9, 7))
        self.get(wire.Interrupt(9))
        self.assertEqual((cancelled, self.last.error), ([1], "wamp.error.canceled"))

    def test_call_timeout(self) -> None:
        """A procedure that is silent is withdrawn from; its late result is ignored."""
        called = self.session.call("com.x", [], {}, 5)
        request = self.last.request
        self.clock.advance(5)
        self.failureResultOf(called, RequestTimeout)
        self.assertIsInstance(self.last, wire.Cancel)
        self.get(wire.Result(request, args=[1]))
        self.assertFalse(self.transport.aborted)

    def test_silent_router(self) -> None:
        """A router that does not answer is not to be trusted with more."""
        published = self.session.publish("com.x", [1], {})
        self.clock.advance(10)
        self.failureResultOf(published, RequestTimeout)
        self.assertTrue(self.transport.aborted)

    def test_behind_events(self) -> None:
        """The answer to a request may be behind events, a minute long; it is answered once."""
        for answered in (True, False):
            published = self.session.publish("com.x", [1], {})
            request = self.last.request
            for _ in range(59):
                self.get(wire.Event(99, 1))
                self.clock.advance(1)
            self.assertFalse(self.transport.aborted)
            if answered:
                self.get(wire.Published(request, 1))
                self.successResultOf(published)
            else:
                self.get(wire.Event(99, 1))
                self.clock.advance(1)
                self.failureResultOf(published, RequestTimeout)
                self.assertTrue(self.transport.aborted)

    def test_lost(self) -> None:
        """Whatever waits fails when the connection goes, and what is asked afterwards."""
        waiting = [
            self.session.publish("com.x", [], {}),
            self.session.subscribe("com.x", "exact", lambda *_: None),
            self.session.call("com.x", [], {}, 5),
        ]
        self.session.onClose(False)
        for deferred in [*waiting, self.session.publish("com.x", [], {})]:
            self.failureResultOf(deferred, RealmLost)

    def test_unserializable(self) -> None:
        """What the serializer refuses fails alone."""
        self.transport.refuses = ValueError
        published = self.session.publish("com.x", [1], {})
        self.failureResultOf(published, Unserializable)

    def test_nothing_can_be_sent(self) -> None:
        """An answer that the serializer refuses, and the error instead of it as well."""
        self.registered(lambda *_: succeed(([1], {})))
        self.transport.refuses = ValueError
        self.get(wire.Invocation(9, 7))
        self.transport.refuses = None
        self.get(wire.Invocation(10, 7))
        self.assertEqual(self.last.args, [1])

    def test_answer_cannot_be_sent(self) -> None:
        """Then the caller is told so."""
        sent = self.transport.send

        def send(message: Any) -> None:
            if isinstance(message, wire.Yield):
                raise ValueError("no")
            sent(message)

        self.patch(self.transport, "send", send)
        self.registered(lambda *_: succeed(([1], {})))
        self.get(wire.Invocation(9, 7))
        self.assertEqual(
            (self.last.error, self.last.args),
            ("wamp.error.invalid_payload", ["the answer is not serializable"]),
        )

    def test_invalid_topic(self) -> None:
        """A topic made of a strange channel is not sent: routers drop who sends it."""
        for topic in ("com.x y", "com..x", "", "com.#"):
            self.failureResultOf(self.session.publish(topic, [], {}), WampError)
        self.assertEqual(self.transport.sent, [])

    def test_revoked(self) -> None:
        """A registration that is taken away is told of."""
        revoked: list[int] = []
        self.session.register(
            "com.x", "exact", lambda *_: succeed(([], {})), on_revoked=lambda: revoked.append(1)
        )
        self.get(wire.Registered(self.last.request, 7))
        self.get(wire.Unregistered(0, registration=7))
        self.assertEqual(revoked, [1])

    def test_exclude_me(self) -> None:
        """What is published does not come back, and is acknowledged."""
        self.session.publish("com.x", [1], {"self": 2})
        self.assertEqual((self.last.exclude_me, self.last.acknowledge), (True, True))
        self.get(wire.Published(self.last.request, 1))

    def test_closing(self) -> None:
        """A router that does not say good-bye is left without."""
        self.session.close()
        self.assertIsInstance(self.last, wire.Goodbye)
        self.clock.advance(5)
        self.assertTrue(self.transport.aborted)

    def test_unsubscribe(self) -> None:
        """
        Listeners of one topic share its subscription; the last that goes ends it, and none twice.
        """
        undos = []
        for _ in range(2):
            subscribing = self.session.subscribe("com.x", "exact", lambda *_: None)
            self.get(wire.Subscribed(self.last.request, 5))
            undos.append(self.successResultOf(subscribing))
        sent = len(self.transport.sent)
        self.successResultOf(undos[0]())
        self.successResultOf(undos[0]())
        self.assertEqual(len(self.transport.sent), sent)
        undone = undos[1]()
        self.assertIsInstance(self.last, wire.Unsubscribe)
        self.get(wire.Error(34, self.last.request, "wamp.error.no_such_subscription"))
        self.successResultOf(undone)

    def test_transport_lost(self) -> None:
        """A connection that Autobahn knows to be gone: requests fail, answers are not missed."""
        answer: Deferred[Any] = Deferred()
        self.registered(lambda *_: answer)
        self.get(wire.Invocation(9, 7))
        self.transport.refuses = TransportLost
        self.failureResultOf(self.session.publish("com.x", [1], {}), RealmLost)
        answer.callback(([1], {}))
        self.session.close()

    def test_answer_after_the_end(self) -> None:
        """What a call comes to when the connection is gone is told to nobody; it is cancelled."""
        ended: list[object] = []

        def cancelled(answer: Deferred[Any]) -> None:
            ended.append(answer)
            answer.callback(([], {}))

        self.registered(lambda *_: Deferred(cancelled))
        self.get(wire.Invocation(9, 7))
        sent = len(self.transport.sent)
        self.session.onClose(True)
        self.assertEqual((len(ended), len(self.transport.sent)), (1, sent))

    def test_failures_of_ours(self) -> None:
        """Whatever fails here is logged; a caller hears no more than that."""
        self.session.subscribe("com.x", "exact", lambda *_: 1 / 0)
        self.get(wire.Subscribed(self.last.request, 5))
        self.get(wire.Event(5, 1))
        self.registered(lambda *_: fail(ZeroDivisionError()))
        self.get(wire.Invocation(9, 7))
        self.assertEqual((self.last.error, self.last.args), ("wamp.error.runtime_error", []))
        self.session.onUserError(Failure(ZeroDivisionError()), "in Autobahn")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_progress(self) -> None:
        """A part of a result is not the result."""
        called = self.session.call("com.x", [], {}, 5)
        request = self.last.request
        self.get(wire.Result(request, args=[1], progress=True))
        self.assertNoResult(called)
        self.get(wire.Result(request, args=[2]))
        self.assertEqual(self.successResultOf(called), ([2], {}))

    def test_encrypted(self) -> None:
        """What is encrypted for somebody else is no event, no call and no result."""
        secret = {"payload": b"x", "enc_algo": "cryptobox", "enc_serializer": "json"}
        heard: list[object] = []
        self.session.subscribe("com.x", "exact", lambda *event: heard.append(event))
        self.get(wire.Subscribed(self.last.request, 5))
        self.get(wire.Event(5, 1, **secret))
        self.registered(lambda *call: heard.append(call))
        self.get(wire.Invocation(9, 7, **secret))
        self.assertEqual(self.last.error, "wamp.error.invalid_payload")
        called = self.session.call("com.x", [], {}, 5)
        self.get(wire.Result(self.last.request, **secret))
        self.assertIn("encrypted", str(self.failureResultOf(called, WampError).value))
        self.assertEqual(heard, [])

    def test_closing_before_it_is_joined(self) -> None:
        """There is no realm to leave then: the connection goes at once."""
        self.session._session_id = None
        self.session.close()
        self.assertEqual(self.transport.sent, [])
        self.session.close()
        self.session.onLeave(CloseDetails("wamp.close.goodbye_and_out", None))
