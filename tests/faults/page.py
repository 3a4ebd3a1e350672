"""
The tables in ``docs/network-failures.rst``, out of those of the tests.

``python -m tests.faults.page`` prints them; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.error import ConnectionLost as TCPLost

from txtokensock.errors import CallTimeout, SessionLost

from .outcomes import UNANSWERED, Outcome
from .table import PAIRS, Pair

__all__ = ["BEGIN", "END", "row", "table"]

BEGIN = ".. The table begins; python -m tests.faults.page prints it."
END = ".. The table ends."

_CALL_SECONDS = UNANSWERED.seconds

WS, STREAM, POLL = "websocket", "xhr-streaming", "xhr-polling"

ROWS: list[tuple[str, list[tuple[str, str, Pair]]]] = [
    (
        "The token request",
        [
            ("the connection is refused", WS, ("token-connect", "TCP", "refuses")),
            ("nobody is there: packets vanish", WS, ("token-connect", "TCP", "ignores")),
            ("it is accepted, and nothing comes", WS, ("token", "connection", "stalls")),
            ("the answer comes byte by byte", WS, ("token", "connection", "drips")),
            ("it is reset, or closed", WS, ("token", "connection", "resets")),
            ("the answer breaks off", WS, ("token", "connection", "truncates")),
            ("401 or 403; the next attempt is slow", WS, ("token", "HTTP", "refuses")),
            (
                "429 or 503; ``Retry-After`` says when to try again",
                WS,
                ("token", "HTTP", "is unavailable"),
            ),
            ("500 and its like", WS, ("token", "HTTP", "fails")),
            ("410, or moved for good", WS, ("token", "HTTP", "is gone")),
            ("a login page, or another server", WS, ("token", "HTTP", "answers HTML")),
            ("no HTTP", WS, ("token", "HTTP", "answers no HTTP")),
        ],
    ),
    (
        "Connecting the socket",
        [
            ("the connection is refused", WS, ("connect", "TCP", "refuses")),
            ("packets vanish", WS, ("connect", "TCP", "ignores")),
            (
                "a proxy swallows the WebSocket: then the next transport is tried",
                WS,
                ("handshake", "connection", "stalls"),
            ),
            ("it answers the handshake with 403: the same", WS, ("handshake", "HTTP", "refuses")),
            ("it closes on it: the same", WS, ("handshake", "connection", "closes")),
            (
                "a proxy holds streams back: the same",
                STREAM,
                ("open", "connection", "stalls"),
            ),
            ("SockJS refuses with a close frame", WS, ("open", "frames", "refuses")),
            ("no SockJS frames", WS, ("open", "frames", "sends no frame")),
        ],
    ),
    (
        "Authentication",
        [
            ("no answer", WS, ("auth", "connection", "stalls")),
            ("the connection ends", WS, ("auth", "connection", "resets")),
            ("the token is refused", WS, ("auth", "messages", "does not know it")),
            (
                "it is accepted, and the server closes with that; what waits goes on waiting",
                WS,
                ("auth", "closing", "answers and says c, and ends at once"),
            ),
        ],
    ),
    (
        "A connection, and a call on it",
        [
            ("it is reset, or closed", WS, ("call", "connection", "resets")),
            ("it is closed in order", WS, ("call", "frames", "says goodbye")),
            (
                "the server says that it closes, and does not; nothing more is sent",
                WS,
                ("call", "closing", "says c, and ends never"),
            ),
            (
                "the answer comes, and the server closes with it",
                WS,
                ("call", "closing", "answers and says c, and ends at once"),
            ),
            (
                "the server closes for a call (1009, 4413 to 4416), twice where that is"
                " idempotent; the others go on one by one",
                WS,
                ("poison", "poison", "closes with 4413"),
            ),
            (
                "a call that is larger than the server has announced to take",
                WS,
                ("requests", "requests", "a call that is too large"),
            ),
            (
                "the server hangs, a cable is pulled, a firewall forgets the connection",
                WS,
                ("call", "connection", "stalls"),
            ),
            ("the call alone is not answered", WS, ("call", "connection", "omits")),
            ("it is answered too late", WS, ("call", "connection", "answers late")),
            ("it is answered twice", WS, ("call", "connection", "answers twice")),
            ("bytes that are not a WebSocket", WS, ("call", "WebSocket", "sends noise")),
            ("a frame that is none, or too large", WS, ("call", "frames", "sends no frame")),
            ("a message that cannot be read", WS, ("receive", "messages", "sends no JSON")),
            ("a flood of heartbeats", WS, ("receive", "frames", "floods with heartbeats")),
            ("the server ends a subscription", WS, ("receive", "messages", "unsubscribes us")),
        ],
    ),
    (
        "Over HTTP alone",
        [
            ("a response breaks off", STREAM, ("receive", "connection", "truncates")),
            ("a poll is answered with 404 or 502", POLL, ("receive", "HTTP", "fails")),
            ("a request with messages is not answered", POLL, ("send", "connection", "stalls")),
            ("it is answered with 500", POLL, ("send", "HTTP", "fails")),
            ("it is answered with 413", POLL, ("poison", "poison", "answers 413")),
        ],
    ),
    (
        "After a loss",
        [
            ("a subscription is not confirmed", WS, ("replay", "connection", "omits")),
            ("it is refused now", WS, ("replay", "messages", "refuses")),
        ],
    ),
    (
        "A function of yours raises, be it ``SystemExit``",
        [
            (
                "``authentication``, or ``headers``",
                WS,
                ("authentication", "functions", "raises SystemExit"),
            ),
            (
                "a listener of ``ready`` or ``reconnect``",
                WS,
                ("established", "functions", "raises SystemExit"),
            ),
            (
                "a listener of ``message``, or a handler",
                WS,
                ("handler", "functions", "raises SystemExit"),
            ),
            (
                "an action; the server is answered with an error",
                WS,
                ("action function", "functions", "raises SystemExit"),
            ),
        ],
    ),
    (
        "``end()``",
        [
            ("the server does not close", WS, ("close", "connection", "stalls")),
            ("it resets instead", WS, ("close", "connection", "resets")),
        ],
    ),
]
"""What happens, by when it does: in words, over a transport, and as a pair of the table."""


def table() -> str:
    """The table, as reStructuredText."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 34 40 9 17"
    yield ""
    yield from row("What happens", "What you see", "After", "Option")
    for when, rows in ROWS:
        yield from row(f"**{when}**", "", "", "")
        for what, transport, pair in rows:
            outcome = PAIRS[pair][transport]
            soon = f"{outcome.seconds:g} s" if outcome.seconds else _soon(outcome)
            names = outcome.option.split(", ") if outcome.option else []
            seen = _seen(outcome, over_http=transport != WS)
            yield from row(what, seen, soon, ", ".join(f"``{n}``" for n in names))


def row(*cells: str) -> Iterator[str]:
    """The lines of one row."""
    for number, cell in enumerate(cells):
        yield f"   {'*' if not number else ' '} - {cell}".rstrip()


def _soon(outcome: Outcome) -> str:
    return "" if outcome.what == "nothing" else "at once"


def _seen(outcome: Outcome, *, over_http: bool) -> str:
    if outcome.what == "nothing":
        return "nothing"
    name = _name(outcome.error)
    match outcome.what:
        case "fails":
            return f"{name}, phase ``{outcome.phase}``; there is another attempt"
        case "gives up":
            return f"{name}, phase ``{outcome.phase}``; the client gives up"
        case "lost":
            call = "" if outcome.asked in (None, ...) else f"; the call: {_name(outcome.asked)}"
            if outcome.asked is CallTimeout and outcome.seconds > _CALL_SECONDS:
                call += f" after {_CALL_SECONDS:g} s"  # does not wait for that
            if over_http and outcome.error is TCPLost:
                name = _name(SessionLost)
            return f"``disconnect`` with {name}{call}"
        case "call fails":
            return f"the call: {name}"
        case _:
            return f"``error`` with {name}"


def _name(error: object) -> str:
    assert isinstance(error, type)
    if error.__module__ == "txtokensock.errors":
        return f":class:`~txtokensock.errors.{error.__name__}`"
    return f"Twisted's ``{error.__name__}``"


if __name__ == "__main__":
    from . import healthy

    print(table(), healthy.table(), sep="\n", end="")
