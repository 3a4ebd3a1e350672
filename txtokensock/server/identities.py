"""
The peers of an identity, on all servers of the store: closing them, and calling their actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..errors import InvalidData, InvalidOption, shorten
from ..jsontext import Malformed, decoder, dumps, nested_deeper_than
from ..sockjs.frames import check_close
from ..support.checks import check_instance, check_seconds
from ..support.slices import Slices
from .peer import Peer
from .store.gathering import PATIENCE, Answered

__all__ = [
    "AskServers",
    "ClosedPeers",
    "PeerAnswers",
    "answer_identities",
    "close_identity",
    "matches",
    "rpc_identity",
]

_DEEPEST = 64
"""How deep a question may nest, so that to look at it takes little of the stack."""

_MOST_CALLS = 1000
"""Peers that a server calls for one question."""

_MOST_BYTES = 1024 * 1024
"""Of results in one server's answer."""


class AskServers(Protocol):
    """Has a question answered by all servers, see :meth:`IStoreLink.ask_servers`."""

    def __call__(
        self, question: bytes, heard: Callable[[bytes], object], patience: float = PATIENCE
    ) -> Deferred[Answered]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPeers:
    """
    What became of :meth:`TokenSocketServer.close_identity`.

    :ivar peers: how many were closed, on all servers that answered.
    :ivar servers: how many servers have answered: no such peer of theirs is left.
    :ivar silent: how many did not, though the store still has them: they hang, or their machine
        has just gone.  Their peers may be connected yet.
    """

    peers: int
    servers: int
    silent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAnswers:
    """
    What became of :meth:`TokenSocketServer.rpc_identity`.

    :ivar results: what the actions returned, by ``peer.id``.
    :ivar failures: why others have no result, in words, by ``peer.id``: what the action failed
        with, that the peer went or did not answer in time, or that the results of its server
        have more than 1 MiB together.
    :ivar uncalled: how many peers more were meant; a server calls 1,000.
    :ivar servers: how many servers have answered.
    :ivar silent: how many did not, see :class:`ClosedPeers`; some of their peers may have been
        called, and some of those may be in ``results``.
    """

    results: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    uncalled: int = 0
    servers: int
    silent: int


class _Close(Struct, tag_field="ask", tag="close_identity"):
    match: dict[str, Any]
    code: int
    reason: str


class _Closed(Struct):
    closed: int


class _Call(Struct, tag_field="ask", tag="rpc_identity"):
    match: dict[str, Any]
    name: str
    data: Any
    timeout: float


class _Called(Struct, omit_defaults=True):
    """One peer's answer; or, at the end, how many were not called."""

    peer: str = ""
    result: Any = None
    failure: str | None = None
    uncalled: int = 0


_decode_question: Callable[[bytes], _Close | _Call] = decoder(_Close | _Call)  # type: ignore[arg-type]
_decode_closed = decoder(_Closed)
_decode_called = decoder(_Called)


def matches(match: Any, value: Any) -> bool:
    """
    Whether a JSON value has all that another one asks for: an object matches one that has its
    members, a list one of the same length whose elements match, all else what is equal to it.
    The value may be an identity that the application has changed.
    """
    if isinstance(match, str):  # as most of what all peers are asked for
        return bool(match == value)
    if isinstance(match, dict):
        if not isinstance(value, dict | Mapping):
            return False
        for name, wanted in match.items():
            if name not in value or not matches(wanted, value[name]):
                return False
        return True
    if isinstance(match, list):
        return (
            isinstance(value, list | tuple)
            and len(match) == len(value)
            and all(map(matches, match, value))
        )
    if isinstance(match, bool) or isinstance(value, bool):
        return match is value  # for 1 equals True
    return bool(match == value)


async def close_identity(
    ask: AskServers, match: Mapping[str, Any], code: int, reason: str
) -> ClosedPeers:
    """Have all servers close the peers of an identity, see the method of the service."""
    check_close(code, reason)
    closed = 0

    def heard(part: bytes) -> None:
        nonlocal closed
        try:
            closed += _decode_closed(part).closed
        except Malformed:  # as no server of ours answers
            return

    answered = await ask(_encoded(_Close(_checked(match), code, reason)), heard)
    return ClosedPeers(peers=closed, servers=answered.servers, silent=answered.silent)


async def rpc_identity(
    ask: AskServers, match: Mapping[str, Any], name: str, data: Any, timeout: float
) -> PeerAnswers:
    """Have all servers call the peers of an identity, see the method of the service."""
    if not isinstance(name, str) or not name:
        raise InvalidData(f"an action's name must be non-empty text, not {name!r}")
    check_seconds("timeout", timeout)
    answers = PeerAnswers(servers=0, silent=0)
    uncalled = 0

    def heard(part: bytes) -> None:
        nonlocal uncalled
        try:
            called = _decode_called(part)
        except Malformed:  # as no server of ours answers
            return
        uncalled += called.uncalled
        if called.failure is not None:
            answers.failures[called.peer] = called.failure
        elif called.peer:
            answers.results[called.peer] = called.result

    question = _encoded(_Call(_checked(match), name, data, timeout))
    answered = await ask(question, heard, timeout + PATIENCE)
    return replace(answers, uncalled=uncalled, servers=answered.servers, silent=answered.silent)


def _checked(match: Any) -> dict[str, Any]:
    return dict(check_instance("match", match, Mapping))  # type: ignore[type-abstract]


def _encoded(question: Struct) -> bytes:
    encoded = dumps(question)
    if nested_deeper_than(encoded, _DEEPEST):
        raise InvalidData(f"match, or data, nests deeper than {_DEEPEST - 1} levels")
    return encoded


def answer_identities(
    question: bytes,
    peers: Iterable[Peer],
    slices: Slices,
    reply: Callable[[bytes, bool], None],
) -> None:
    """
    Do for one server what the question asks; one of another kind, or of a later version, is not
    answered.

    :param peers: all of this server.
    :param slices: for what takes longer than a turn.
    :param reply: called with each part of the answer, and whether it is the last.
    """
    if nested_deeper_than(question, _DEEPEST):
        return
    try:
        asked = _decode_question(question)
        if isinstance(asked, _Close):
            check_close(asked.code, asked.reason)
        else:
            check_seconds("timeout", asked.timeout)
    except (Malformed, InvalidOption):
        return
    meant = partial(_is_meant, asked.match)
    if isinstance(asked, _Close):
        _close(asked, peers, meant, slices, reply)
    else:
        _Calls(asked, meant, reply).call(peers, slices)


def _is_meant(match: Mapping[str, Any], peer: Peer) -> bool:
    return peer.authenticated and matches(match, peer.auth)


def _close(
    asked: _Close,
    peers: Iterable[Peer],
    meant: Callable[[Peer], bool],
    slices: Slices,
    reply: Callable[[bytes, bool], None],
) -> None:
    closed = 0

    def close(peer: Peer) -> None:
        nonlocal closed
        if meant(peer):
            peer.close(asked.code, asked.reason)
            closed += 1

    done = slices.for_each(peers, close)
    done.addCallback(lambda _: reply(dumps(_Closed(closed)), True))


class _Calls:
    """The calls that one server makes for one question."""

    def __init__(
        self, asked: _Call, meant: Callable[[Peer], bool], reply: Callable[[bytes, bool], None]
    ) -> None:
        self._asked = asked
        self._meant = meant
        self._reply = reply
        self._room = _MOST_BYTES
        self._called = 0
        self._uncalled = 0
        self._waiting = 1  # for the calls to have been made

    def call(self, peers: Iterable[Peer], slices: Slices) -> None:
        """Call all that are meant; their answers go out as they come."""
        slices.for_each(peers, self._call).addCallback(self._done)

    def _call(self, peer: Peer) -> None:
        if not self._meant(peer):
            return
        if self._called == _MOST_CALLS:
            self._uncalled += 1
            return
        self._called += 1
        self._waiting += 1
        asked = self._asked
        called = peer.rpc(asked.name, asked.data, timeout=asked.timeout)
        called.addCallbacks(self._result, self._failure, (peer,), errbackArgs=(peer,))
        called.addCallback(self._done)

    def _result(self, result: Any, peer: Peer) -> None:
        part = dumps(_Called(peer.id, result))
        self._room -= len(part)
        if self._room < 0:
            text = (
                f"its result was dropped: those of its server have more than {_MOST_BYTES} bytes"
            )
            part = dumps(_Called(peer.id, failure=text))
        self._reply(part, False)

    def _failure(self, failure: Failure, peer: Peer) -> None:
        self._reply(dumps(_Called(peer.id, failure=shorten(str(failure.value)))), False)

    def _done(self, _: None) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._reply(dumps(_Called(uncalled=self._uncalled)), True)
