"""
The peers of an identity, on all servers of the store: closing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred

from ..errors import InvalidData, InvalidOption
from ..jsontext import Decoder, Malformed, dumps, nested_deeper_than
from ..sockjs.frames import check_close
from ..support.checks import check_instance
from ..support.slices import Slices
from .peer import Peer
from .store.gathering import Answered

__all__ = ["AskServers", "ClosedPeers", "answer_identities", "close_identity", "matches"]

_DEEPEST = 64
"""How deep a question may nest, so that to look at it takes little of the stack."""

AskServers = Callable[[bytes, Callable[[bytes], object]], Deferred[Answered]]
"""See :meth:`IStoreLink.ask_servers`."""


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


class _Close(Struct, tag_field="ask", tag="close_identity"):
    match: dict[str, Any]
    code: int
    reason: str


class _Closed(Struct):
    closed: int


_decode_question = Decoder(_Close)
_decode_closed = Decoder(_Closed)


def matches(match: Any, value: Any) -> bool:
    """
    Whether a JSON value has all that another one asks for: an object matches one that has its
    members, a list one of the same length whose elements match, all else what is equal to it.
    """
    if isinstance(match, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and matches(wanted, value[name]) for name, wanted in match.items()
        )
    if isinstance(match, list | tuple):
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


def _checked(match: Any) -> dict[str, Any]:
    return dict(check_instance("match", match, Mapping))  # type: ignore[type-abstract]


def _encoded(question: Struct) -> bytes:
    encoded = dumps(question)
    if nested_deeper_than(encoded, _DEEPEST):
        raise InvalidData(f"match nests deeper than {_DEEPEST - 1} levels")
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
        check_close(asked.code, asked.reason)
    except (Malformed, InvalidOption):
        return
    closed = 0

    def close(peer: Peer) -> None:
        nonlocal closed
        if peer.authenticated and matches(asked.match, peer.auth):
            peer.close(asked.code, asked.reason)
            closed += 1

    done = slices.for_each(peers, close)
    done.addCallback(lambda _: reply(dumps(_Closed(closed)), True))
