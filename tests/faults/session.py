"""
One session of an honest token-sockjs server.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall

from .carriers import Carrier, close_frame
from .scene import Scene

if TYPE_CHECKING:
    from .peer import Peer

__all__ = ["PeerSession"]

_LONG_ENOUGH = 4096
"""Bytes after which a streaming response ends; servers take 128 KiB."""


@dataclass(frozen=True)
class _Utterance:
    """
    :ivar step: what it is part of.
    :ivar messages: JSON, or None where it opens or closes the session, or is a heartbeat.
    :ivar code: with which it closes it.
    :ivar heartbeat: whether it is that.
    :ivar spoilt: whether it was said before, or should have been.
    """

    step: str
    messages: tuple[Any, ...] | None = None
    code: int | None = None
    heartbeat: bool = False
    spoilt: bool = False

    @property
    def texts(self) -> list[str]:
        return [json.dumps(message) for message in self.messages or ()]

    def encode(self, carrier: Carrier) -> bytes:
        if self.messages is not None:
            return carrier.texts(self.texts)
        if self.code is not None:
            return carrier.closing(self.code, "Go away!")
        if self.heartbeat:
            return carrier.heartbeat()
        return carrier.opening()


class PeerSession:
    """
    :param peer: the server.
    :param number: 1 for its first.
    :ivar carrier: what takes frames now, or None.
    :ivar authenticated: whether ``auth`` was accepted.
    :ivar channels: that it is subscribed to.
    :ivar ended: whether it is over.
    """

    def __init__(self, peer: Peer, number: int) -> None:
        self._peer = peer
        self.number = number
        self.carrier: Carrier | None = None
        self.authenticated = False
        self.channels: list[str] = []
        self.ended = False
        self._opened = False
        self._outgoing: deque[_Utterance] = deque()
        self._answers: dict[str, Callable[[Any], object]] = {}
        self._said_since_auth = 0
        self._calls: set[IDelayedCall] = set()

    # -- carriers

    @property
    def attached(self) -> bool:
        """Whether somebody is there who may still hear of it."""
        return self.carrier is not None and not self.carrier.out.muted

    def attach(self, carrier: Carrier) -> None:
        """Frames go here from now on."""
        if self.carrier is not None:
            self._peer.overlaps.append("a second receiver")
        self.carrier = carrier
        if not self._opened:
            self._opened = True
            self._say(_Utterance("open"))
        self._flush()

    def carrier_lost(self, carrier: Carrier) -> None:
        """The client is gone."""
        if self.carrier is carrier:
            self.end()

    def end(self) -> None:
        """Forget all."""
        self.ended = True
        self.carrier = None
        self._outgoing.clear()
        self._answers.clear()
        calls, self._calls = self._calls, set()
        for call in calls:
            call.cancel()
        self._peer.forget(self)

    # -- sending

    def say(self, step: str, *messages: Any) -> None:
        """Send messages, in one frame."""
        self._say(_Utterance(step, messages))

    def close(self, step: str, code: int = 3000) -> None:
        """Close it in order."""
        self._say(_Utterance(step, code=code))

    def beat(self, step: str) -> None:
        """Send a heartbeat."""
        self._say(_Utterance(step, heartbeat=True))

    def close_frame_received(self, code: int) -> None:
        """The client closes its WebSocket."""
        carrier = self.carrier
        assert carrier is not None
        scene = Scene(
            carrier.out,
            close_frame(code),
            self._peer.deadline("close"),
            carrier,
            proceed=carrier.out.close,
        )
        self._peer.play("close", scene)

    def _say(self, utterance: _Utterance) -> None:
        if not self.ended:
            self._outgoing.append(utterance)
            self._flush()

    def _flush(self) -> None:
        while self.carrier is not None and self._outgoing:
            self._send(self._outgoing.popleft(), self.carrier)

    def _send(self, utterance: _Utterance, carrier: Carrier) -> None:
        if carrier.single:
            self.carrier = None
        honest = utterance.encode(carrier)
        carrier.sent += len(honest)

        def proceed() -> None:
            if carrier.single or carrier.sent > _LONG_ENOUGH:
                self._finish(carrier)
            if utterance.code is not None:
                self.end()

        def keep() -> None:
            if carrier.single and not self.ended:
                self.carrier = carrier

        again = replace(utterance, spoilt=True)
        scene = Scene(
            carrier.out,
            honest,
            self._peer.deadline(utterance.step),
            carrier,
            utterance.texts,
            proceed,
            keep,
            self._later,
            lambda: self._say(again),
        )
        step = utterance.step
        if self.authenticated and step != "auth":
            self._said_since_auth += 1
            if self._said_since_auth == 1 and self.number > 1 and self._peer.awaits("replay"):
                step = "replay"
        if utterance.spoilt:
            scene.give()
        else:
            self._peer.play(step, scene)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        """Unless the session is over by then: its connections come and go."""

        def now() -> None:
            self._calls.discard(call)
            what()

        call = self._peer.reactor.callLater(seconds, now)
        self._calls.add(call)

    def finish_response(self) -> None:
        """End a streaming response: the client asks for the next one."""
        if self.carrier is not None and not self.carrier.websocket and not self.carrier.single:
            self._finish(self.carrier)

    def _finish(self, carrier: Carrier) -> None:
        if carrier.websocket:
            return
        if self.carrier is carrier:
            self.carrier = None
        self._peer.release(carrier)
        carrier.finish()

    # -- token-sockjs

    def received(self, text: str) -> None:
        """A message came in."""
        message = json.loads(text)
        self._peer.record.take(message)
        name, request = message["rpc"], message.get("req")
        answer = {"rpc": name, "uuid": message.get("uuid")}
        if name == "auth":
            self._auth(message, answer)
        elif name == "_rpc":
            self._answers.pop(message["fid"], lambda _: None)(message["resp"])
        elif name == "_ping":
            self.say("ping", {**answer, "resp": {"message": "pong"}})
        elif name == "_subscribe":
            self.channels.append(request["channel"])
            self.say("subscribe", {**answer, "resp": "success"}, _notice("subscribe", request))
        elif name == "_unsubscribe":
            if request["channel"] in self.channels:
                self.channels.remove(request["channel"])
            self.say("subscribe", {**answer, "resp": "success"}, _notice("unsubscribe", request))
        elif name == "_publish":
            self.say("publish", {**answer, "resp": "success"})
            self._peer.publish(request["channel"], request["data"])
        elif name == "poison":
            self.say("poison", {**answer, "resp": request})
        elif name != "hold" or not self._peer.holding:
            self.say("call", {**answer, "resp": request})

    def _auth(self, message: Any, answer: Any) -> None:
        if not self._peer.spend(message["token"]):
            self.say("auth", {**answer, "error": "Token not found"})
            self.close("auth", 1000)
            return
        self.authenticated = True
        hint: dict[str, Any] = {"acks": 1} if self._peer.acks else {}
        if self._peer.limits is not None:
            hint["limits"] = self._peer.limits
        self.say("auth", {**answer, "resp": "success", **({"tx": hint} if hint else {})})

    def call(self, fid: str, name: str, args: Any, answered: Callable[[Any], object]) -> None:
        """Call an action of the client."""
        self._answers[fid] = answered
        data = {"fid": fid, "command": name, "args": args}
        self.say("action", {"internal": True, "command": "rpc", "data": data})


def _notice(command: str, request: Any) -> dict[str, Any]:
    return {"internal": True, "command": command, "data": {"channel": request["channel"]}}
