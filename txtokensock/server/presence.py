"""
Who is subscribed to a channel, on all servers of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from msgspec import Raw, Struct

from ..errors import InvalidData
from ..jsontext import Malformed, decoder, dumps, loads
from ..support.checks import Check, is_number
from ..support.slices import Slices
from .peer import Peer
from .store.gathering import Answered
from .tokens import Identity

__all__ = ["LEASE", "Presence", "PresenceCount", "answer_presence", "ask_presence", "check_limit"]

LEASE = 10.0
"""
Seconds: no server is counted that was gone for longer.  Servers count when they are asked, and
have five for it, after the store had its five to tell them.
"""

_STEP = 32
"""Identities in one part of an answer."""

_MOST = 10_000
"""Identities that can be asked for."""

_MOST_BYTES = 1024 * 1024
"""Of identities in one server's answer."""


check_limit: Check[int] = Check(
    f"a whole number from 0 to {_MOST}",
    lambda value: is_number(value) and isinstance(value, int) and 0 <= value <= _MOST,
)
"""How many identities are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """
    Who is subscribed to a channel.

    :ivar channel: its name.
    :ivar count: how many peers are subscribed to it, of all servers that answered.
    :ivar identities: ``peer.auth`` of these, as many as were asked for and fit in 1 MiB a
        server; a person with two connections is there twice.
    :ivar servers: how many servers have answered.
    :ivar silent: how many did not, or not to the end, though the store still has them: they
        hang, or their machine has just gone.  Their peers are not counted, or not all named.
    :ivar lease: seconds: no peer of a server is counted that was killed longer ago than that.
    """

    channel: str
    count: int
    identities: list[Identity] = field(repr=False)
    servers: int
    silent: int
    lease: float = LEASE


class _Question(Struct):
    presence: str
    limit: int


class _Part(Struct):
    count: int  # in the first part, so that never more are named than are counted
    identities: list[Raw]


_decode_question = decoder(_Question)
_decode_part = decoder(_Part)


def ask_presence(channel: str, limit: int) -> bytes:
    """The question to all servers, see :meth:`IStoreLink.ask_servers`."""
    return dumps(_Question(channel, limit))


def answer_presence(
    question: bytes,
    channels: Mapping[str, Mapping[Peer, object]],
    slices: Slices,
    reply: Callable[[bytes, bool], None],
) -> None:
    """
    Answer the question for one server; one of another kind, of a later version, is not answered.

    :param channels: the peers of each channel.
    :param slices: for an answer that takes longer than a turn.
    :param reply: called with each part of the answer, and whether it is the last.
    """
    try:
        asked = _decode_question(question)
    except Malformed:
        return
    peers = channels.get(asked.presence, {})
    limit = min(max(0, asked.limit), _MOST)
    identities = _identities(tuple(islice(peers, limit)))
    _answer(identities, len(peers), slices, reply)


def _identities(peers: Iterable[Peer]) -> Iterator[Raw]:
    room = _MOST_BYTES
    for peer in peers:
        try:
            identity = dumps(peer.auth)
        except InvalidData:  # the application has put something into it
            continue
        room -= len(identity)
        if room < 0:
            return
        yield Raw(identity)


def _answer(
    identities: Iterator[Raw], count: int, slices: Slices, reply: Callable[[bytes, bool], None]
) -> None:
    some = list(islice(identities, _STEP))
    last = len(some) < _STEP
    reply(dumps(_Part(count, some)), last)
    if not last:
        slices.call(partial(_answer, identities, 0, slices, reply))


class PresenceCount:
    """
    Adds up the answers of all servers.

    :param channel: that was asked about.
    :param limit: identities that are wanted at most.
    """

    def __init__(self, channel: str, limit: int) -> None:
        self._channel = channel
        self._limit = limit
        self._count = 0
        self._identities: list[Identity] = []

    def add(self, part: bytes) -> None:
        """Add a part of one server's answer."""
        try:
            heard = _decode_part(part)
            room = self._limit - len(self._identities)
            identities = [loads(bytes(each)) for each in heard.identities[:room]]
        except Malformed:  # as no server of ours answers
            return
        self._count += heard.count
        self._identities += identities

    def result(self, answered: Answered) -> Presence:
        """
        :param answered: how many servers did.
        :return: the sum.
        """
        return Presence(
            channel=self._channel,
            count=self._count,
            identities=self._identities,
            servers=answered.servers,
            silent=answered.silent,
        )
