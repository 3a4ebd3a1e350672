"""
Limits of what one peer may use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

from ..messages.announced_limits import AnnouncedLimits
from ..sockjs.server.input_meter import InputLimits
from ..support.checks import check_count, check_positive
from ..support.portable import Portable
from .tokens import Identity

__all__ = ["OF_ONE_PEER", "LimitExceeded", "Limits", "LimitsFor"]

OF_ONE_PEER = (
    *("message_size", "json_depth", "channel_length", "channels", "calls"),
    *("messages_per_second", "message_burst", "call_timeout"),
)
"""What one peer may have otherwise than others, once it is authenticated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    How much one peer may use.  What a client can exceed by accident, which are
    ``message_size``, ``json_depth``, ``channel_length``, ``channels`` and ``calls``, is answered
    with an error that names the limit and its value, and counts for ``messages_per_second`` as
    1 for each KiB that had to be looked at.  A peer that exceeds another limit is closed, with a
    code and a reason of :mod:`txtokensock.server.close_codes`; so is one whose message, too large
    or nested too deep, does not say in its first or last bytes to what an answer belongs.  The
    others do not notice.  To lift the limit of a count, give :data:`sys.maxsize`.

    :ivar message_size: bytes of one message.
    :ivar frame_size: bytes of one SockJS frame, which holds messages as JSON texts: a
        larger WebSocket message is closed with 1009, a larger request answered 413.
    :ivar frame_messages: messages in one SockJS frame.
    :ivar json_depth: how deep lists and objects may nest in a message.  The decoder
        itself gives up at some hundreds.
    :ivar channel_length: bytes of a channel's name in UTF-8.
    :ivar channels: channels to which one peer may be subscribed.
    :ivar calls: requests of one peer in flight; a client that reconnects sends all that it
        had queued, and requests add up while hooks or the store are slow.
    :ivar messages_per_second: how many messages one peer may send in the long run.  Whatever
        else it sends counts as well: a WebSocket frame that goes on with a message, and each
        64 KiB of a frame, as 1; and as 10 a ping, a frame without a message, a poll beside
        an open one, and what is not a message, or not a frame, and is answered.  Answers to
        the server's own calls and pings do not count.
    :ivar message_burst: how many it may send at once after a silence; a client that
        reconnects sends all that it had queued.
    :ivar unauthenticated_size: bytes of one frame before ``auth`` has succeeded, and bytes
        that may wait meanwhile.  More is refused as for ``frame_size``: a WebSocket by the
        frame's header, before its bytes come.
    :ivar unauthenticated_per_second: ``messages_per_second`` until then.
    :ivar unauthenticated_burst: ``message_burst`` until then.
    :ivar buffered: bytes that may wait for a peer that reads slowly.
    :ivar buffered_total: bytes that may wait for all peers together, with what has come of
        their unfinished frames; when more do, those that hold the most are closed with 4001.
        It is ``buffered`` where that is more.
    :ivar in_flight_total: bytes that requests in flight hold for all peers together, about: 4 KiB
        each, and what their data take in memory.  When they hold more, only peers that hold less
        than an equal share begin new ones; the others are answered an error.
    :ivar undelivered: bytes of messages that may wait to be delivered to the peers of their
        channels, in all; beyond them messages are dropped, which is logged and counted.  Peers
        that publish are not read while their messages wait, so that only what comes from
        other servers, and what the application publishes without waiting, can be so much.
    :ivar connections_per_address: TCP connections from one IP address, from ``accept`` on, for
        :meth:`.TokenSocketServer.site`, as are the next three; see
        :class:`~txtokensock.web.server.site_limits.SiteLimits`.  Each polling client has two.
    :ivar head_timeout: seconds for the head of a request, and for the TLS handshake with it.
    :ivar body_timeout: seconds for the body of a request, and then as long as it comes at
        ``body_rate``.
    :ivar body_rate: bytes per second.
    :ivar tokens_per_second: token requests from one IP address in the long run; more are
        answered 429 before ``authentication``, which may be costly, is asked.
    :ivar token_burst: how many at once.
    :ivar peers_per_address: peers from one IP address; when as many again are just
        being refused, further ones are answered 429.  Behind a reverse proxy all come
        from the proxy's, unless ``trusted_proxies`` names it.
    :ivar token_lifetime: whole seconds from the token request to ``auth``.
    :ivar auth_timeout: seconds from the connection to the end of ``auth``.
    :ivar hook_timeout: seconds for one hook, and for ``authentication``.
    :ivar call_timeout: seconds for a request; and for a call to a client, where
        the caller says nothing else.
    :ivar shutdown_timeout: seconds that requests in flight have when the server stops, after the
        last peer was asked to go.
    :raises InvalidOption: for anything but positive numbers.
    """

    message_size: int = 1024 * 1024
    frame_size: int = 4 * 1024 * 1024
    frame_messages: int = 10_000
    json_depth: int = 64
    channel_length: int = 256
    channels: int = 1_000
    calls: int = 10_000
    messages_per_second: float = 1_000.0
    message_burst: int = 20_000
    unauthenticated_size: int = 8 * 1024
    unauthenticated_per_second: float = 5.0
    unauthenticated_burst: int = 50
    buffered: int = 4 * 1024 * 1024
    buffered_total: int = 32 * 1024 * 1024
    in_flight_total: int = 64 * 1024 * 1024
    undelivered: int = 64 * 1024 * 1024
    connections_per_address: int = 4_000
    head_timeout: float = 10.0
    body_timeout: float = 20.0
    body_rate: int = 500
    tokens_per_second: float = 20.0
    token_burst: int = 200
    peers_per_address: int = 1_000
    token_lifetime: int = 30
    auth_timeout: float = 10.0
    hook_timeout: float = 10.0
    call_timeout: float = 60.0
    shutdown_timeout: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check = check_count if isinstance(field.default, int) else check_positive
            check(f"limits.{field.name}", getattr(self, field.name))

    def announced(self) -> AnnouncedLimits:
        """Those that a client can exceed by accident, for the answer to its ``auth``."""
        names = AnnouncedLimits.__struct_fields__
        return AnnouncedLimits(**{name: getattr(self, name) for name in names})

    def within(self, server: Limits) -> Limits:
        """These, with what holds for all peers of a server, and before ``auth``, as it has it."""
        return replace(server, **{name: getattr(self, name) for name in OF_ONE_PEER})

    def input(self) -> InputLimits:
        """What a peer may send once it is authenticated."""
        return InputLimits(per_second=self.messages_per_second, burst=self.message_burst)

    def unauthenticated_input(self) -> InputLimits:
        """What a peer may send before that."""
        return InputLimits(
            frame_size=self.unauthenticated_size,
            waiting=self.unauthenticated_size,
            per_second=min(self.unauthenticated_per_second, self.messages_per_second),
            burst=min(self.unauthenticated_burst, self.message_burst),
        )


_PROBLEMS = {
    "message_size": "Message too large: the limit {} is {} bytes",
    "json_depth": "JSON nested too deep: the limit {} is {} lists and objects",
    "channel_length": "Channel name too long: the limit {} is {} bytes",
    "channels": "Too many channels: the limit {} is {}",
    "calls": "Too many requests in flight: the limit {} is {}",
    "in_flight_total": "Too much in flight: the limit {} is {} bytes for all peers",
}


class LimitExceeded(Portable):
    """
    A message exceeds a limit, which the text names with its value; the text is the answer.

    :ivar work: messages that would have made as much work to look at.
    """

    def __init__(self, text: str, work: int = 0) -> None:
        super().__init__(text)
        self.work = work

    @classmethod
    def of(cls, limit: str, limits: Limits, size: int = 0) -> LimitExceeded:
        """
        :param limit: the name of the limit.
        :param limits: of the peer.
        :param size: bytes of the message.
        """
        text = _PROBLEMS[limit].format(limit, getattr(limits, limit))
        # Not so much of the burst that a client would be closed that does it once.
        return cls(text, min(size >> 10, limits.message_burst // 4))


LimitsFor: TypeAlias = Callable[[Identity], Limits | None]
"""
Gives the limits of a peer that has just been authenticated, by its identity, which is
what ``authentication`` returned for it as it came back from JSON; None for those of all.  Only
what is counted for one peer is taken from them: ``message_size`` (within ``frame_size``),
``json_depth``, ``channel_length``, ``channels``, ``calls``, ``messages_per_second``,
``message_burst`` and ``call_timeout`` for its requests.
"""
