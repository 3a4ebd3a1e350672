"""
Attacks that take more than one message, over every carrier.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.kit.tables import each
from txtokensock.errors import ConnectionLost, RemoteError
from txtokensock.server import Peer, close_codes

from ..support import LIMITS
from .carriers import CARRIERS
from .stage import HostileTestCase, ask

CALL_ERRORS = {
    "text": "x",
    "number": 5,
    "true": True,
    "list": [1],
    "object": {"message": "x"},
    "empty_object": {},
    "proto": {"__proto__": {"message": []}},
}


class _ConversationTests(HostileTestCase):
    def peer(self) -> Peer:
        """The attacker, as the server sees it."""
        return self.stage.service.peers()[-1]

    def called(self, session: Any) -> tuple[Deferred[Any], str]:
        """The server calls the attacker: what it waits for, and the call's fid."""
        answer = self.peer().rpc("tell", 1, timeout=5)
        (call,) = ask(session)
        return answer, call["data"]["fid"]


@each({name: (carrier,) for name, carrier in CARRIERS.items()})
class TokenTests(_ConversationTests):
    """Tokens that were good."""

    def run_case(self, carrier: Any) -> None:
        """A token serves once, however it is tried; a second one is a new identity."""
        self.attack(carrier)
        self.survived()

    def attack(self, carrier: Any) -> None:
        stage = self.stage
        auth = {"rpc": "auth", "token": stage.token(), "uuid": "u"}
        hints = {"acks": 1, "limits": {**LIMITS, "calls": 1000}}
        won = {"rpc": "auth", "uuid": "u", "resp": "success", "tx": hints}
        lost = {"rpc": "auth", "uuid": "u", "error": "Token not found"}
        first, second = carrier(stage), carrier(stage)
        self.assertEqual(ask(first, auth), [won])
        self.assertEqual(ask(second, auth), [lost])
        self.assertEqual(second.closed, close_codes.AUTHENTICATION_REFUSED)
        # In one frame, with a call that must not get in before it.
        third = carrier(stage)
        auth["token"] = stage.token()
        echo = {"rpc": "echo", "req": 1, "uuid": "e"}
        echoed = {"rpc": "echo", "uuid": "e", "resp": 1}
        self.assertEqual(ask(third, auth, echo, auth, echo), [won, echoed, lost])
        self.assertEqual(third.closed, close_codes.AUTHENTICATION_REFUSED)
        # In place of the identity that the peer has.
        auth["token"] = stage.token()
        self.assertEqual(ask(first, auth, echo), [won, echoed])
        self.assertEqual(ask(first, auth), [lost])
        self.assertEqual(first.closed, close_codes.AUTHENTICATION_REFUSED)
        # Too late.
        auth["token"] = stage.token()
        stage.pass_time(30)
        fourth = carrier(stage)
        self.assertEqual(ask(fourth, auth), [lost])


@each(
    {
        f"{name}_{kind}": (carrier, error)
        for name, carrier in CARRIERS.items()
        for kind, error in CALL_ERRORS.items()
    }
)
class CallErrorTests(_ConversationTests):
    """Errors of every type, as the answer to a call of the server."""

    def run_case(self, carrier: Any, error: Any) -> None:
        """The application gets an exception that it can print."""
        self.attack(carrier, error)
        self.survived()

    def attack(self, carrier: Any, error: Any) -> None:
        session = self.stage.authenticated_over(carrier)
        answer, fid = self.called(session)
        self.assertEqual(ask(session, {"rpc": "_rpc", "fid": fid, "resp": {"error": error}}), [])
        problem = self.failureResultOf(answer, RemoteError).value
        self.assertIsInstance(str(problem), str)
        session.leave()


@each({name: (carrier,) for name, carrier in CARRIERS.items()})
class CallTests(_ConversationTests):
    """Answers to calls of the server."""

    def run_case(self, carrier: Any) -> None:
        """Each call gets the first answer of its own peer, and nobody else's."""
        self.attack(carrier)
        self.survived()

    def attack(self, carrier: Any) -> None:
        session = self.stage.authenticated_over(carrier)
        answer, fid = self.called(session)
        other = self.stage.authenticated_over(carrier)
        theirs = {"rpc": "_rpc", "fid": fid, "resp": {"data": "forged"}}
        self.assertEqual(ask(other, theirs), [])
        self.assertNoResult(answer)
        mine = {"rpc": "_rpc", "fid": fid, "resp": {"data": "mine"}}
        self.assertEqual(ask(session, mine, mine, theirs), [])
        self.assertEqual(self.successResultOf(answer), "mine")
        # Without resp, which makes node-token-sockjs crash; here it is None.
        other.leave()
        self.stage.turn()
        answer, fid = self.called(session)
        self.assertEqual(ask(session, {"rpc": "_rpc", "fid": fid}), [])
        self.assertIsNone(self.successResultOf(answer))
        # A call that leads to a call, answered by the one who called.
        session.send(json.dumps({"rpc": "ask", "req": [1], "uuid": "u"}))
        (call,) = ask(session)
        reply = {"rpc": "_rpc", "fid": call["data"]["fid"], "resp": {"data": [2]}}
        self.assertEqual(ask(session, reply), [{"rpc": "ask", "uuid": "u", "resp": [2]}])
        # Never answered.
        answer, fid = self.called(session)
        session.leave()
        self.stage.pass_time(10)
        self.failureResultOf(answer, ConnectionLost)


@each({name: (carrier,) for name, carrier in CARRIERS.items()})
class ApplicationTests(_ConversationTests):
    """What the application does when it is asked."""

    def run_case(self, carrier: Any) -> None:
        """An action that raises is answered and logged; one that never answers is not kept."""
        self.attack(carrier)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.survived()

    def attack(self, carrier: Any) -> None:
        session = self.stage.authenticated_over(carrier)
        boom = {"rpc": "boom", "uuid": "u"}
        (answer,) = ask(session, boom)
        self.assertRegex(answer.pop("error"), r"\AInternal error \(ref [0-9a-f]{8}\)\Z")
        self.assertEqual(answer, boom)
        never = {"rpc": "never", "uuid": "u"}
        self.assertEqual(ask(session, never, never, {"rpc": "ask", "req": 1})[1:], [])
        session.leave()


@each({name: (carrier,) for name, carrier in CARRIERS.items()})
class SlowHookTests(_ConversationTests):
    """A peer that goes while a hook is still deciding."""

    def run_case(self, carrier: Any) -> None:
        """It is in no channel then, whatever the hook says."""
        self.attack(carrier)
        self.survived()

    def attack(self, carrier: Any) -> None:
        service = self.stage.service
        decisions: list[Deferred[None]] = []

        async def slow(*_: Any) -> None:
            try:
                await Deferred()
            except CancelledError:  # it decides, whether anybody still waits or not
                decisions.append(Deferred())
                await decisions[-1]

        for event in ("authentication", "subscribe", "publish"):
            service.on(event, slow)
            self.addCleanup(service.remove_hook, event, slow)
        stranger = carrier(self.stage)
        token = self.stage.token()
        self.assertEqual(ask(stranger, {"rpc": "auth", "token": token}), [])
        self.assertEqual(
            ask(stranger, {"rpc": "auth", "token": token, "uuid": "u"}),
            [{"rpc": "auth", "uuid": "u", "error": "Forbidden"}],
        )
        self.assertEqual(stranger.closed, close_codes.NOT_AUTHENTICATED)
        service.remove_hook("authentication", slow)
        session = self.stage.authenticated_over(carrier)
        requests = [
            {"rpc": rpc, "req": {"channel": "witness", "data": "late"}, "uuid": n}
            for n, rpc in enumerate(["_subscribe", "_publish"] * 300)
        ]
        self.assertEqual(ask(session, *requests), [])
        session.leave()
        self.stage.pass_time(6)
        for event in ("subscribe", "publish"):
            service.remove_hook(event, slow)
        # Two auths, and the first of each kind of the requests: the others had not begun.
        self.assertEqual(len(decisions), 2)
        while decisions:
            decisions.pop().callback(None)
