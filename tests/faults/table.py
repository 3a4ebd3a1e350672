"""
The table: what can go wrong, at which step, and what a user sees of it.

The steps of connecting are the TCP connection to the token route, its answer, that to
``/info`` (with ``info=True``), the TCP connection of the session, the answer to the
WebSocket handshake (over HTTP, the head of the first response), SockJS's ``o``, and the
answer to ``auth``.

Those of a connection are the answers to a call, to a subscription, to a publish and to a
ping, and to a call that the peer cannot take (among others, not idempotent, or alone in
flight); a call of the client's action; a heartbeat while such an action runs; a message of a
channel; over HTTP, the next response that carries frames, and the answers to requests that
carry ours; what is said first on a new connection after a loss; and the answer to the
client's close.

Others are functions of the user's, which raise when the client calls them, and requests that no
server takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from txtokensock.errors import (
    AuthenticationAborted,
    AuthenticationRefused,
    CallTimeout,
    ConnectFailed,
    CredentialsUnavailable,
    Forbidden,
    FunctionNotFound,
    HandshakeRefused,
    InvalidChannel,
    InvalidData,
    MessageTooLarge,
    RemoteError,
    SockJSRefused,
    SubscriptionEnded,
    TokenInvalid,
    TokenRefused,
    TokenServerError,
    TokenUnreachable,
    UnsolicitedError,
)

from .closing import ENDS, SIGNS, closing
from .functions import FUNCTIONS, PLAIN
from .outcomes import (
    CLOSED,
    CUT,
    NOTHING,
    SILENT,
    UNANSWERED,
    Outcome,
    call_fails,
    fails,
    gives_up,
    late,
    lost,
    reported,
)
from .poison import REQUESTS

__all__ = ["PAIRS", "TABLE", "TRANSPORTS", "Group", "Pair"]

WS, RAW = "websocket", "websocket-raw"
STREAM, EVENTS, POLL = "xhr-streaming", "eventsource", "xhr-polling"
TRANSPORTS = (WS, RAW, STREAM, EVENTS, POLL)
WEBSOCKETS = (WS, RAW)
STREAMS = (STREAM, EVENTS)
HTTP = (STREAM, EVENTS, POLL)
FRAMED = (WS, *HTTP)
NOT_POLL = (*WEBSOCKETS, *STREAMS)
INFORMED = (WS, STREAM)

Pair = tuple[str, str, str]
"""A step, a kind of faults, and a fault of it; see :data:`~.misbehaviour.KINDS`."""


@dataclass(frozen=True)
class Group:
    """
    Faults that users see alike.

    :ivar step: where they happen.
    :ivar kind: of the faults.
    :ivar faults: their names.
    :ivar outcome: what is seen.
    :ivar transports: over which.
    """

    step: str
    kind: str
    faults: Sequence[str]
    outcome: Outcome
    transports: Sequence[str] = TRANSPORTS


# -- faults that come together

HANG = ("stalls", "half-opens", "stops halfway", "trickles")
CUTS = ("resets", "closes", "truncates", "breaks off", "speaks first")
SKIP = ("omits", "answers late")
FINE = ("hesitates", "drips", "answers twice")

BROKEN_FRAMES = (
    *("sends no frame", "opens again", "sends half an array", "sends an array of anything"),
    *("sends an object for an array", "sends a broken close", "sends a close of anything"),
    *("sends no UTF-8", "sends a frame too large"),
)
EMPTY_FRAMES = ("sends a heartbeat", "sends messages", "sends half a surrogate")
BROKEN_WEBSOCKET = (
    *("sends reserved bits", "sends an unknown opcode", "sends binary", "sends a masked frame"),
    *("sends a ping in pieces", "sends a ping too long", "continues what never began"),
    *("begins anew within", "promises a length of 2**63", "promises a length too large"),
    *("closes with one byte", "closes with a code that is none", "closes with no text"),
    *("sends no UTF-8 in a WebSocket", "speaks HTTP again", "sends noise"),
)
ODD_WEBSOCKET = ("pongs unasked", "sends in fragments")
BROKEN_STREAM = ("sends a broken chunk", "sends a line without an end")

NO_ANSWERS = (
    *("sends no JSON", "sends JSON of anything", "sends wrong types", "sends NaN"),
    *("sends deep JSON", "answers to nobody"),
)
MESSAGE_FLOODS = (
    *("floods with answers", "floods with messages", "floods with calls"),
    "floods with no JSON",
)
AND_MORE = (
    *("subscribes us unasked", "sends to other channels", "calls what is not there"),
    *("calls what is not callable", "calls without a name", "gives commands"),
)
NEITHER = ("answers nothing", "answers an empty error")

STATUSES = (
    *("refuses", "knows us not", "has no such page", "is gone", "fails", "is unavailable"),
    *("has had too much", "redirects", "redirects for good", "redirects nowhere"),
)
NO_HTTP = (
    *("answers no HTTP", "answers no HTTP and stays", "answers a broken status"),
    *("answers an empty line", "answers a header of binary", "answers a huge line"),
    *("answers two lengths", "answers a length that is none", "answers an unknown encoding"),
)
BROKEN_BODIES = ("answers a broken chunk", "answers a negative chunk")
NO_SOCKJS = ("answers HTML", "answers 200", "answers an empty response")
HEAD_FLOODS = ("floods the head", "floods one line of the head")


# -- connecting

_UNREACHABLE = fails(TokenUnreachable, "token")
_SERVER_ERROR = fails(TokenServerError, "token")
_NO_HANDSHAKE = fails(HandshakeRefused, "handshake")
_SLOW_NO_HANDSHAKE = fails(HandshakeRefused, "handshake", 10.0, "timeouts.handshake")
_NOT_OPENED = fails(SockJSRefused, "open")
_ABORTED = fails(AuthenticationAborted, "auth")

_TOKEN = [
    Group("token-connect", "TCP", ["refuses"], _UNREACHABLE),
    Group("token-connect", "TCP", ["ignores"], late("token")),
    Group("token-connect", "connection", ["stalls", "half-opens"], late("token")),
    Group("token-connect", "connection", ["resets", "closes", "speaks first"], _UNREACHABLE),
    Group("token", "connection", [*HANG, *SKIP], late("token")),
    Group("token", "connection", CUTS, _UNREACHABLE),
    Group("token", "connection", [*FINE, "answers and resets"], NOTHING),
    Group(
        "token",
        "connection",
        ["floods"],
        fails(TokenUnreachable, "token", 10.0, "timeouts.token"),
    ),
    Group("token", "HTTP", ["refuses", "knows us not"], fails(TokenRefused, "token")),
    Group(
        "token",
        "HTTP",
        [
            *("has no such page", "fails", "is unavailable", "has had too much"),
            *("says nothing", "redirects", "redirects nowhere"),
        ],
        _SERVER_ERROR,
    ),
    Group(
        "token",
        "HTTP",
        ["is gone", "redirects for good"],
        gives_up(TokenServerError, "token"),
    ),
    Group(
        "token", "HTTP", [*NO_HTTP, *BROKEN_BODIES, "answers a line without a colon"], _UNREACHABLE
    ),
    Group("token", "HTTP", ["promises more", "floods with 100 Continue"], late("token")),
    Group(
        "token",
        "HTTP",
        HEAD_FLOODS,
        fails(TokenUnreachable, "token", 10.0, "timeouts.token"),
    ),
    Group(
        "token",
        "HTTP",
        ["floods the body"],
        fails(TokenInvalid, "token", 10.0, "timeouts.token"),
    ),
    Group(
        "token",
        "HTTP",
        [
            *NO_SOCKJS,
            "answers broken gzip",
            *("answers no JSON", "answers no text", "answers a list", "answers null"),
            *("answers a number for a token", "answers an empty token", "answers deep JSON"),
            "answers a body too long",
        ],
        fails(TokenInvalid, "token"),
    ),
]

_INFO = [
    Group("info", "connection", [*HANG, *SKIP], late("handshake"), INFORMED),
    Group("info", "connection", CUTS, _NO_HANDSHAKE, INFORMED),
    Group("info", "connection", ["floods"], _SLOW_NO_HANDSHAKE, INFORMED),
    Group("info", "connection", [*FINE, "answers and resets"], NOTHING, INFORMED),
    Group(
        "info",
        "HTTP",
        [
            *(*STATUSES, *NO_HTTP, *BROKEN_BODIES, "says nothing"),
            *("answers HTML", "answers no JSON", "answers no text", "answers a list"),
            *("answers null", "answers deep JSON", "answers a body too long"),
        ],
        _NO_HANDSHAKE,
        INFORMED,
    ),
    Group("info", "HTTP", HEAD_FLOODS, _SLOW_NO_HANDSHAKE, INFORMED),
    Group("info", "HTTP", ["floods the body"], _SLOW_NO_HANDSHAKE, INFORMED),
    Group(
        "info",
        "HTTP",
        ["promises more", "floods with 100 Continue"],
        late("handshake"),
        INFORMED,
    ),
    Group("info", "HTTP", ["answers 200", "answers a number for a token"], NOTHING, INFORMED),
]

_CONNECT = [
    Group("connect", "TCP", ["refuses"], fails(ConnectFailed, "connect")),
    Group("connect", "TCP", ["ignores"], late("connect")),
    Group("connect", "connection", ["stalls", "half-opens"], late("handshake")),
    Group("connect", "connection", ["resets", "closes", "speaks first"], _NO_HANDSHAKE),
    Group("connect", "connection", ["floods"], _NO_HANDSHAKE, WEBSOCKETS),
]

_HANDSHAKE = [
    Group(
        "handshake", "connection", ["stalls", "half-opens", "trickles", *SKIP], late("handshake")
    ),
    Group(
        "handshake",
        "connection",
        ["stops halfway"],
        late("handshake"),
        (*WEBSOCKETS, EVENTS, POLL),
    ),
    Group("handshake", "connection", ["stops halfway"], late("open"), [STREAM]),
    Group("handshake", "connection", ["resets", "closes"], _NO_HANDSHAKE),
    Group(
        "handshake",
        "connection",
        ["truncates", "breaks off"],
        _NO_HANDSHAKE,
        (*WEBSOCKETS, EVENTS, POLL),
    ),
    Group("handshake", "connection", ["truncates", "breaks off"], _NOT_OPENED, [STREAM]),
    Group("handshake", "connection", ["speaks first"], late("handshake"), WEBSOCKETS),
    Group("handshake", "connection", ["speaks first"], _NO_HANDSHAKE, HTTP),
    Group("handshake", "connection", ["floods"], _SLOW_NO_HANDSHAKE),
    Group("handshake", "connection", ["hesitates", "drips"], NOTHING),
    Group("handshake", "connection", ["answers twice"], _NOT_OPENED, [WS, *STREAMS]),
    Group("handshake", "connection", ["answers twice"], _ABORTED, [RAW]),
    Group("handshake", "connection", ["answers twice"], _NO_HANDSHAKE, [POLL]),
    Group(
        "handshake",
        "HTTP",
        [*STATUSES, *NO_HTTP, "answers broken gzip", "says nothing"],
        _NO_HANDSHAKE,
    ),
    Group("handshake", "HTTP", ["answers a line without a colon"], NOTHING, WEBSOCKETS),
    Group("handshake", "HTTP", ["answers a line without a colon"], _NO_HANDSHAKE, HTTP),
    Group(
        "handshake",
        "HTTP",
        [*BROKEN_BODIES, *NO_SOCKJS, "promises more"],
        _NO_HANDSHAKE,
        (*WEBSOCKETS, EVENTS),
    ),
    Group("handshake", "HTTP", [*BROKEN_BODIES, *NO_SOCKJS], _NOT_OPENED, (STREAM, POLL)),
    Group("handshake", "HTTP", ["promises more"], late("open"), (STREAM, POLL)),
    Group("handshake", "HTTP", HEAD_FLOODS, _SLOW_NO_HANDSHAKE),
    Group("handshake", "HTTP", ["floods with 100 Continue"], late("handshake")),
    Group("handshake", "HTTP", ["floods the body"], _NO_HANDSHAKE, (*WEBSOCKETS, EVENTS)),
    Group("handshake", "HTTP", ["floods the body"], _NOT_OPENED, (STREAM, POLL)),
    Group(
        "handshake",
        "HTTP",
        [
            *("accepts another key", "forgets to upgrade", "upgrades to something else"),
            *("picks an extension", "picks a protocol", "answers HTTP/3.7"),
        ],
        _NO_HANDSHAKE,
        WEBSOCKETS,
    ),
]

_OPEN = [
    Group(
        "open",
        "connection",
        ["stalls", "half-opens", "trickles", *SKIP],
        late("open"),
        FRAMED,
    ),
    Group("open", "connection", ["stops halfway"], late("open"), [WS, *STREAMS]),
    Group("open", "connection", ["stops halfway"], late("auth"), [POLL]),
    Group(
        "open",
        "connection",
        ["resets", "closes", "speaks first", "floods"],
        _NOT_OPENED,
        FRAMED,
    ),
    Group("open", "connection", ["truncates", "breaks off"], _NOT_OPENED, [WS, *STREAMS]),
    Group("open", "connection", ["truncates", "breaks off"], _ABORTED, [POLL]),
    Group("open", "connection", ["hesitates", "drips"], NOTHING, FRAMED),
    Group("open", "connection", ["answers twice"], _ABORTED, FRAMED),
    Group(
        "open",
        "frames",
        [
            *("says goodbye", "refuses", "sends messages", "sends half a surrogate"),
            *(name for name in BROKEN_FRAMES if name != "opens again"),
        ],
        _NOT_OPENED,
        FRAMED,
    ),
    Group("open", "frames", ["sends an empty frame"], late("open"), [WS, *STREAMS]),
    Group("open", "frames", ["sends an empty frame"], _NOT_OPENED, [POLL]),
    Group("open", "frames", ["sends a heartbeat", "floods with heartbeats"], late("open"), FRAMED),
    Group("open", "WebSocket", [*BROKEN_WEBSOCKET, "closes the WebSocket"], _NOT_OPENED, [WS]),
    Group("open", "WebSocket", ODD_WEBSOCKET, NOTHING, [WS]),
    Group("open", "WebSocket", ["floods with pings"], late("open"), [WS]),
    Group(
        "open",
        "WebSocket",
        ["floods with fragments"],
        fails(SockJSRefused, "open", 10.0, "timeouts.open"),
        [WS],
    ),
    Group("open", "stream", BROKEN_STREAM, _NOT_OPENED, STREAMS),
]

_AUTH = [
    Group("auth", "connection", [*HANG, *SKIP], late("auth")),
    Group("auth", "connection", [*CUTS, "floods"], _ABORTED),
    Group("auth", "connection", FINE, NOTHING),
    Group("auth", "frames", ["says goodbye", "refuses", *BROKEN_FRAMES], _ABORTED, FRAMED),
    Group("auth", "frames", [*EMPTY_FRAMES, "floods with heartbeats"], late("auth"), FRAMED),
    Group("auth", "frames", ["sends an empty frame"], late("auth"), [WS, *STREAMS]),
    Group("auth", "frames", ["sends an empty frame"], _ABORTED, [POLL]),
    Group(
        "auth",
        "HTTP",
        [*STATUSES, *NO_HTTP, "answers broken gzip", *BROKEN_BODIES, *NO_SOCKJS],
        _ABORTED,
        [POLL],
    ),
    Group("auth", "WebSocket", [*BROKEN_WEBSOCKET, "closes the WebSocket"], _ABORTED, WEBSOCKETS),
    Group("auth", "WebSocket", ODD_WEBSOCKET, NOTHING, WEBSOCKETS),
    Group("auth", "WebSocket", ["floods with pings"], late("auth"), WEBSOCKETS),
    Group(
        "auth",
        "WebSocket",
        ["floods with fragments"],
        fails(AuthenticationAborted, "auth", 30.0, "timeouts.auth"),
        WEBSOCKETS,
    ),
    Group("auth", "stream", BROKEN_STREAM, _ABORTED, STREAMS),
    Group(
        "auth",
        "messages",
        ["refuses", "does not know it", "answers an error of anything"],
        fails(AuthenticationRefused, "auth"),
    ),
    Group(
        "auth",
        "messages",
        [
            *NO_ANSWERS,
            *MESSAGE_FLOODS,
            *("answers with another uuid", "forgets the uuid", "reports an error"),
            "floods with errors",
        ],
        late("auth"),
    ),
    Group("auth", "messages", [*AND_MORE, *NEITHER, "unsubscribes us"], NOTHING),
]


# -- connected


def _answers(step: str, cut: Outcome = CUT) -> Iterator[Group]:
    """
    What all answers on a connection have in common.

    :param cut: what is seen of a connection that is lost at that moment.
    """
    yield Group(step, "connection", HANG, SILENT)
    yield Group(step, "connection", [*CUTS, "floods"], cut)
    yield Group(step, "connection", ["answers and resets"], replace(cut, asked=None), NOT_POLL)
    yield Group(step, "connection", SKIP, UNANSWERED)
    yield Group(step, "connection", FINE, NOTHING)
    yield Group(step, "messages", [*NO_ANSWERS, *MESSAGE_FLOODS], UNANSWERED)
    yield Group(step, "messages", ["refuses"], call_fails(Forbidden))
    yield Group(step, "messages", ["does not know it"], call_fails(FunctionNotFound))
    yield Group(step, "messages", ["answers an error of anything"], call_fails(RemoteError))
    yield Group(step, "messages", [*AND_MORE, *NEITHER], NOTHING)
    yield Group(step, "messages", ["unsubscribes us"], reported(SubscriptionEnded))


_CALL = [
    *_answers("call"),
    Group("call", "frames", BROKEN_FRAMES, CUT, FRAMED),
    Group("call", "frames", ["says goodbye", "refuses", "cannot take it"], CLOSED, FRAMED),
    Group("call", "frames", [*EMPTY_FRAMES, "floods with heartbeats"], UNANSWERED, FRAMED),
    Group("call", "messages", ["answers with another uuid", "forgets the uuid"], UNANSWERED),
    Group(
        "call",
        "messages",
        ["reports an error", "floods with errors"],
        replace(reported(UnsolicitedError), asked=CallTimeout),
    ),
    Group("call", "frames", ["sends an empty frame"], UNANSWERED, [WS, *STREAMS]),
    Group("call", "frames", ["sends an empty frame"], CUT, [POLL]),
    Group("call", "WebSocket", BROKEN_WEBSOCKET, CUT, WEBSOCKETS),
    Group("call", "WebSocket", ["closes the WebSocket"], CLOSED, WEBSOCKETS),
    Group("call", "WebSocket", ODD_WEBSOCKET, NOTHING, WEBSOCKETS),
    Group("call", "WebSocket", ["floods with pings"], UNANSWERED, WEBSOCKETS),
    Group(
        "call",
        "WebSocket",
        ["floods with fragments"],
        replace(CUT, seconds=60.0, option="call_timeout"),
        WEBSOCKETS,
    ),
    Group("call", "stream", BROKEN_STREAM, CUT, STREAMS),
    Group(
        "call",
        "HTTP",
        [
            *STATUSES,
            *NO_HTTP,
            "answers broken gzip",
            *BROKEN_BODIES,
            *NO_SOCKJS,
            "says nothing",
            "floods the body",
        ],
        CUT,
        [POLL],
    ),
    Group("call", "HTTP", ["promises more"], SILENT, [POLL]),
]

_SUBSCRIBE = [
    *_answers("subscribe", replace(CUT, asked=None)),
    # The notice that follows says it as well as the answer.
    Group("subscribe", "messages", ["answers with another uuid", "forgets the uuid"], NOTHING),
]

_PUBLISH = [
    *_answers("publish"),
    Group("publish", "messages", ["answers with another uuid", "forgets the uuid"], UNANSWERED),
]

_CUT_ALONE = replace(CUT, asked=None)
_SILENT_ALONE = replace(SILENT, asked=None)
_CLOSED_ALONE = replace(CLOSED, asked=None)

_ACTION = [
    Group("action", "connection", HANG, _SILENT_ALONE),
    Group("action", "connection", [*CUTS, "floods"], _CUT_ALONE),
    Group("action", "connection", ["answers and resets"], _CUT_ALONE, NOT_POLL),
    Group("action", "connection", [*SKIP, *FINE], NOTHING),
    Group("action", "messages", [*NO_ANSWERS, *MESSAGE_FLOODS, *AND_MORE, *NEITHER], NOTHING),
    Group("action", "messages", ["unsubscribes us"], reported(SubscriptionEnded)),
    Group(
        "action",
        "messages",
        ["reports an error", "floods with errors"],
        reported(UnsolicitedError),
    ),
    Group("acting", "connection", ["stalls", "half-opens", "stops halfway"], _SILENT_ALONE),
    Group("acting", "connection", [*CUTS, "floods"], _CUT_ALONE),
    Group("acting", "connection", ["answers and resets"], _CUT_ALONE, NOT_POLL),
    Group("acting", "connection", [*SKIP, "hesitates", "drips"], NOTHING),
    Group("acting", "frames", ["says goodbye", "refuses"], _CLOSED_ALONE, FRAMED),
]

_RECEIVE = [
    Group("receive", "connection", HANG, _SILENT_ALONE),
    Group("receive", "connection", [*CUTS, "floods", "answers and resets"], _CUT_ALONE),
    Group("receive", "connection", [*SKIP, *FINE], NOTHING),
    Group("receive", "frames", BROKEN_FRAMES, _CUT_ALONE, FRAMED),
    Group("receive", "frames", ["says goodbye", "refuses"], _CLOSED_ALONE, FRAMED),
    Group("receive", "frames", ["cannot take it"], _CLOSED_ALONE, FRAMED),
    Group("receive", "frames", [*EMPTY_FRAMES, "floods with heartbeats"], NOTHING, FRAMED),
    Group("receive", "WebSocket", BROKEN_WEBSOCKET, _CUT_ALONE, WEBSOCKETS),
    Group("receive", "WebSocket", ["closes the WebSocket"], _CLOSED_ALONE, WEBSOCKETS),
    Group("receive", "WebSocket", [*ODD_WEBSOCKET, "floods with pings"], NOTHING, WEBSOCKETS),
    Group("receive", "WebSocket", ["floods with fragments"], _CUT_ALONE, WEBSOCKETS),
    Group("receive", "stream", BROKEN_STREAM, _CUT_ALONE, STREAMS),
    Group(
        "receive",
        "HTTP",
        [*STATUSES, *NO_HTTP, "answers broken gzip", *BROKEN_BODIES, *NO_SOCKJS, "says nothing"],
        _CUT_ALONE,
        [POLL],
    ),
    Group("receive", "messages", [*NO_ANSWERS, *MESSAGE_FLOODS, *AND_MORE], NOTHING),
    Group("receive", "messages", ["unsubscribes us"], reported(SubscriptionEnded)),
    Group("receive", "messages", ["floods with errors"], reported(UnsolicitedError)),
]

_AGAIN = [
    Group("again", "connection", [*HANG, "omits"], _SILENT_ALONE, HTTP),
    Group("again", "connection", [*CUTS, "floods", "answers twice"], _CUT_ALONE, HTTP),
    Group("again", "connection", ["answers and resets"], _CUT_ALONE, STREAMS),
    Group("again", "connection", ["answers late", "hesitates", "drips"], NOTHING, HTTP),
    Group(
        "again",
        "HTTP",
        [
            *STATUSES,
            *NO_HTTP,
            "answers broken gzip",
            *BROKEN_BODIES,
            *NO_SOCKJS,
            "says nothing",
            "ends the response",
        ],
        _CUT_ALONE,
        HTTP,
    ),
    Group("again", "HTTP", ["promises more"], _SILENT_ALONE, (STREAM, POLL)),
    Group("again", "HTTP", ["promises more"], _CUT_ALONE, [EVENTS]),
    Group(
        "again",
        "HTTP",
        [*HEAD_FLOODS, "floods the body"],
        replace(_SILENT_ALONE, error=CUT.error),
        HTTP,
    ),
    Group("again", "HTTP", ["floods with 100 Continue"], _SILENT_ALONE, HTTP),
]

_TRANSFER = 3.0
"""Seconds that a slow link may take for what the step sends."""

_SENDING = replace(
    lost(CUT.error or Exception, 30.0, "timeouts.send", asked=...), transfer=_TRANSFER
)
_CUT_SENDING = replace(CUT, asked=...)

_SEND = [
    Group(
        "send", "connection", HANG[:3], replace(SILENT, asked=..., transfer=_TRANSFER), WEBSOCKETS
    ),
    Group("send", "connection", [*HANG, *SKIP], _SENDING, HTTP),
    Group("send", "connection", [*CUTS, "floods"], _CUT_SENDING),
    Group("send", "connection", ["answers and resets"], _CUT_SENDING, WEBSOCKETS),
    Group("send", "connection", FINE, NOTHING, HTTP),
    Group(
        "send",
        "HTTP",
        [
            *(*STATUSES, *NO_HTTP, *BROKEN_BODIES),
            *("answers HTML", "answers 200", "answers a line without a colon"),
            "floods the body",
        ],
        _CUT_SENDING,
        HTTP,
    ),
    Group("send", "HTTP", [*HEAD_FLOODS, "floods with 100 Continue"], _SENDING, HTTP),
    Group("send", "HTTP", ["says nothing", "answers an empty response"], NOTHING, HTTP),
]

_PING = [
    Group("ping", "connection", [*HANG, *SKIP], _SILENT_ALONE, FRAMED),
    Group(
        "ping",
        "connection",
        [*CUTS, "floods"],
        replace(_SILENT_ALONE, error=CUT.error),
        FRAMED,
    ),
    Group("ping", "connection", FINE, NOTHING),
    Group("ping", "connection", HANG[:3], _SILENT_ALONE, [RAW]),
    Group(
        "ping",
        "connection",
        [*CUTS, "floods"],
        replace(_SILENT_ALONE, error=CUT.error),
        [RAW],
    ),
    Group("ping", "connection", SKIP, NOTHING, [RAW]),
    Group(
        "ping", "messages", ["refuses", "does not know it", *NEITHER, *AND_MORE], NOTHING, FRAMED
    ),
    Group("ping", "messages", ["unsubscribes us"], reported(SubscriptionEnded), FRAMED),
]

_SKIPPED_REPLAY = reported(CallTimeout, 60.0, "call_timeout")

_REPLAY = [
    Group("replay", "connection", HANG, SILENT),
    Group("replay", "connection", [*CUTS, "floods"], CUT),
    Group("replay", "connection", ["answers and resets"], replace(CUT, asked=None)),
    Group("replay", "connection", SKIP, _SKIPPED_REPLAY),
    Group("replay", "connection", FINE, NOTHING),
    Group("replay", "frames", BROKEN_FRAMES, CUT, FRAMED),
    Group("replay", "frames", ["says goodbye", "refuses", "cannot take it"], CLOSED, FRAMED),
    Group("replay", "frames", [*EMPTY_FRAMES, "floods with heartbeats"], _SKIPPED_REPLAY, FRAMED),
    Group("replay", "messages", [*NO_ANSWERS, *MESSAGE_FLOODS], _SKIPPED_REPLAY),
    Group("replay", "messages", ["refuses"], reported(Forbidden)),
    Group("replay", "messages", ["does not know it"], reported(FunctionNotFound)),
    Group("replay", "messages", [*AND_MORE, *NEITHER], NOTHING),
]

_CLOSE_LATE = lost(CLOSED.error or Exception, 5.0, "timeouts.close", asked=None)

_CLOSE = [
    Group("close", "connection", [*HANG, *SKIP], _CLOSE_LATE, WEBSOCKETS),
    Group("close", "connection", ["hesitates"], _CLOSE_LATE, WEBSOCKETS),
    Group(
        "close",
        "connection",
        [*CUTS, "floods", "answers and resets", "drips", "answers twice"],
        _CLOSED_ALONE,
        WEBSOCKETS,
    ),
    Group("close", "WebSocket", BROKEN_WEBSOCKET, _CLOSE_LATE, WEBSOCKETS),
    Group("close", "WebSocket", ["floods with pings"], _CLOSE_LATE, WEBSOCKETS),
    Group("close", "frames", [*BROKEN_FRAMES, *EMPTY_FRAMES, "says goodbye"], _CLOSE_LATE, [WS]),
    Group("close", "frames", ["floods with heartbeats"], _CLOSE_LATE, [WS]),
    Group("sending-close", "connection", [*HANG, *SKIP], _CLOSE_LATE, HTTP),
    Group(
        "sending-close",
        "connection",
        [*CUTS, "floods", "drips", "answers twice", "answers and resets"],
        _CLOSED_ALONE,
        HTTP,
    ),
    Group(
        "sending-close", "HTTP", [*STATUSES, *NO_HTTP, "answers broken gzip"], _CLOSED_ALONE, HTTP
    ),
]

# -- closing, wherever frames are due


_SOON = ("at once", "200 ms later")


def _closing(ends: Iterable[str], signs: Iterable[str], *, answers: bool) -> list[str]:
    return [closing(sign, end, answers=answers) for sign in signs for end in ends]


def _closings(
    step: str,
    seen: Outcome,
    answered: Outcome | None = None,
    transports: Sequence[str] = TRANSPORTS,
) -> Iterator[Group]:
    """
    A close at one step, with every sign and at every speed.

    :param seen: of one that comes instead of the answer.
    :param answered: of one that comes with the answer, in one segment: over a poll there is
        no such thing.
    """
    for answers, outcome in ((False, seen), (True, answered)):
        if outcome is None:
            continue
        for signs, over in ((tuple(SIGNS), [WS]), (["a close frame"], [RAW])):
            over = [one for one in over if one in transports]
            late = replace(outcome, seconds=5.0, option="timeouts.close")
            yield Group(step, "closing", _closing(_SOON, signs, answers=answers), outcome, over)
            yield Group(step, "closing", _closing(["never"], signs, answers=answers), late, over)
        # Over HTTP the client has nothing to wait for.
        over = [one for one in (STREAMS if answers else HTTP) if one in transports]
        yield Group(step, "closing", _closing(ENDS, ["c"], answers=answers), outcome, over)


_CLOSINGS = [
    *_closings("open", _NOT_OPENED, _ABORTED, FRAMED),
    *_closings("auth", _ABORTED, _ABORTED),
    *_closings("call", CLOSED, replace(CLOSED, asked=None)),
    *_closings("subscribe", _CLOSED_ALONE, _CLOSED_ALONE),
    *_closings("publish", CLOSED, _CLOSED_ALONE),
    *_closings("action", _CLOSED_ALONE, _CLOSED_ALONE),
    *_closings("acting", _CLOSED_ALONE),
    *_closings("receive", _CLOSED_ALONE, _CLOSED_ALONE),
    *_closings("replay", CLOSED, replace(CLOSED, asked=...)),
    *_closings("close", _CLOSED_ALONE, transports=WEBSOCKETS),
]
_CLOSINGS = [group for group in _CLOSINGS if group.transports]


# -- calls that the peer cannot take

_POISON = [
    group
    for step in ("poison", "poison once", "poison alone")
    for group in (
        Group(
            step,
            "poison",
            [f"closes with {code}" for code in (1009, 4413, 4414, 4415, 4416)],
            CLOSED,
        ),
        Group(step, "poison", ["closes its WebSocket with 1009"], CLOSED, WEBSOCKETS),
        Group(step, "poison", ["answers 413"], CUT, HTTP),
    )
]

_TOO_LARGE = [name for name in REQUESTS if "too large" in name]
_NO_DATA = [name for name in REQUESTS if "too deep" in name or "a call of" in name]
_NO_CHANNEL = [name for name in REQUESTS if "too long" in name or "too many" in name]

_REQUESTS = [
    Group("requests", "requests", _TOO_LARGE, call_fails(MessageTooLarge)),
    Group("requests", "requests", _NO_DATA, call_fails(InvalidData)),
    Group("requests", "requests", _NO_CHANNEL, call_fails(InvalidChannel)),
]


# -- functions of the user's

_FUNCTIONS = [
    *(
        Group(step, "functions", list(FUNCTIONS), outcome)
        for step, outcome in {
            "authentication": fails(CredentialsUnavailable, "token"),
            "headers": fails(CredentialsUnavailable, "token"),
            "established": NOTHING,
            "failed": _SERVER_ERROR,
            "disconnect": _CUT_ALONE,
            "gap": _CUT_ALONE,
            "error": reported(UnsolicitedError),
            "message": NOTHING,
            "handler": NOTHING,
            "on_confirmation": NOTHING,
            "action function": NOTHING,
        }.items()
    ),
    Group("retry_policy", "functions", PLAIN, replace(_CUT_ALONE, pause=30.0)),
    Group("retry", "functions", PLAIN, reported(Forbidden)),
]

TABLE: list[Group] = [
    *(*_TOKEN, *_INFO, *_CONNECT, *_HANDSHAKE, *_OPEN, *_AUTH),
    *(*_CALL, *_SUBSCRIBE, *_PUBLISH, *_ACTION, *_RECEIVE, *_AGAIN, *_SEND, *_PING),
    *(*_REPLAY, *_CLOSE, *_CLOSINGS, *_POISON, *_REQUESTS, *_FUNCTIONS),
]


def _pairs() -> dict[Pair, dict[str, Outcome]]:
    pairs: dict[Pair, dict[str, Outcome]] = {}
    for group in TABLE:
        for fault in group.faults:
            outcomes = pairs.setdefault((group.step, group.kind, fault), {})
            for transport in group.transports:
                assert transport not in outcomes, (group.step, group.kind, fault, transport)
                outcomes[transport] = group.outcome
    return pairs


PAIRS = _pairs()
"""What is seen of each pair, by the transport."""
