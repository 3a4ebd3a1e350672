"""
HTTP/1.1 as a client speaks it: h11, within bounds (no I/O).
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import h11

from ...support.portable import Portable

__all__ = ["HTTP11", "LONGEST_HEAD", "BadResponse", "Event", "HeadTooLong"]

LONGEST_HEAD = 64 * 1024
"""Bytes of a status and its headers."""

_LONGEST_HEADS = 4 * LONGEST_HEAD
"""Bytes of the head of a response and of the interim responses (1xx) before it."""

_LONGEST_LINE = 1024
"""Bytes of what stands between chunks, and of the trailers behind them, that h11 keeps."""

# h11 0.16 matches lines with regular expressions that take quadratic time where a line holds
# many blanks in a row and then a character that is not allowed: 16 seconds for 64 KiB.
_MOST_BLANKS = 256
_BLANKS = b" " * _MOST_BLANKS

_HEAD_END = re.compile(rb"\n\r?\n")
_HEAD_START = b"HTTP/"

_WITH_BODY = (b"POST", b"PUT")
"""Methods that are expected to have a body: where there is none, the length says so."""

_END = h11.EndOfMessage()

Event: TypeAlias = (
    h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage | type[h11.NEED_DATA]
)


class BadResponse(Portable):
    """
    What the server sent is not a valid response.

    The text does not quote it: it may be our own request, sent back with its secrets.
    """


class HeadTooLong(BadResponse):
    """The head of a response is longer than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the head of the response is over {limit // 1024} KiB")


class HTTP11:
    """
    One connection, as h11 sees it.  h11 is given a head only when that is complete, so that
    h11's own limit can be a small one, for what stands between chunks.

    :param longest_heads: bytes of all heads of one response together; one of them may take
        :data:`LONGEST_HEAD` at most.
    :ivar ended_by_close: whether the last body ended because the connection did, so that its
        end may be missing.
    """

    def __init__(self, longest_heads: int = _LONGEST_HEADS) -> None:
        self._longest_heads = longest_heads
        self._http = _new()
        self._unread = bytearray()
        self._searched = 0
        self._heads_size = 0
        self._response: h11.Response | None = None
        self._starved = False  # while the body is read, h11 has used up what it was given
        self._closed = False
        self.ended_by_close = False

    @property
    def reusable(self) -> bool:
        """
        Whether another request may follow: request and response are complete, neither side
        wants to close, and nothing came in after the response.
        """
        state = self._http.our_state
        kept = state is h11.DONE or (state is h11.MUST_CLOSE and self._kept_by_old)
        return (
            kept
            and state is self._http.their_state
            and not self._unread
            and not self._http.trailing_data[0]
        )

    @property
    def switched(self) -> bool:
        """Whether the connection speaks something else from now on, as after CONNECT."""
        return self._http.their_state is h11.SWITCHED_PROTOCOL

    @property
    def unread(self) -> bytes:
        """Bytes that came in and belong to no event yet."""
        return bytes(self._unread)

    def send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> bytes:
        """
        :return: the bytes to write.
        :raises h11.LocalProtocolError: if the event may not be sent now.
        """
        return self._http.send(event)

    def send_whole(self, head: h11.Request, content: bytes | None) -> bytes:
        """
        Send a request all at once.  h11 hears of no body: it would look at the head anew for
        each length, and count what is complete.

        :param head: says nothing of a body, so that it may serve for many requests.
        :param content: the body, if there is one.
        :return: the bytes to write.
        """
        written = self._http.send(head)
        self._http.send(_END)
        if content is None:
            if head.method not in _WITH_BODY:
                return written
            content = b""
        return b"%bContent-Length: %d\r\n\r\n%b" % (written[:-2], len(content), content)

    def start_next_cycle(self) -> None:
        """Begin another request; see :attr:`reusable`."""
        if self._kept_by_old:
            self._http = _new()
        else:
            self._http.start_next_cycle()

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the server, in pieces of any size."""
        self._unread += data

    def receive_eof(self) -> None:
        """Note that the server sends nothing more."""
        self._closed = True

    def next_event(self) -> Event:
        """
        The next event of the response, until that has ended.

        :return: ``NEED_DATA`` where the event has not come in yet.
        :raises BadResponse: if the response is not valid HTTP, or breaks off.
        """
        if self._http.their_state is h11.SEND_RESPONSE:
            if not self._unread or not self._pass_head():
                return h11.NEED_DATA
        elif self._starved and not self._pass_body():
            return h11.NEED_DATA
        try:
            event = self._http.next_event()
            while event is h11.NEED_DATA and self._pass_body():
                event = self._http.next_event()
        except h11.RemoteProtocolError:
            raise BadResponse("the response is not valid HTTP") from None
        # h11's classes are abstract ones, for which isinstance takes long.
        if type(event) is h11.InformationalResponse and event.status_code == 101:
            raise BadResponse("the server switched to another protocol")
        if type(event) is h11.Response:
            self._heads_size = 0
            self._response = event
        self._starved = event is h11.NEED_DATA
        allowed: Any = event
        return allowed  # type: ignore[no-any-return]

    def _pass_head(self) -> bool:
        """Give h11 a head, if it is complete."""
        if not _HEAD_START.startswith(self._unread[: len(_HEAD_START)]):
            raise BadResponse("the response is not valid HTTP")
        end = _HEAD_END.search(self._unread, self._searched)
        size = len(self._unread) if end is None else end.end()
        limit = min(LONGEST_HEAD, self._longest_heads - self._heads_size)
        if size > limit:
            raise HeadTooLong(LONGEST_HEAD if size > LONGEST_HEAD else self._longest_heads)
        if end is None:
            self._searched = max(size - 2, 0)
            return False
        head = self._take(size)
        if _BLANKS in head.replace(b"\t", b" "):
            raise BadResponse(f"the head of the response has {_MOST_BLANKS} blanks in a row")
        self._http.receive_data(head)
        self._searched = 0
        self._heads_size += size
        return True

    def _pass_body(self) -> bool:
        """Give h11 what has come in of a body; return whether there was anything."""
        if not self._unread:
            if not self._closed or self.ended_by_close:
                return False
            self.ended_by_close = True
            self._http.receive_data(b"")
            return True
        size = len(self._unread)
        if _BLANKS in self._unread.replace(b"\t", b" ") and self._is_chunked:
            size = _MOST_BLANKS  # so that no long line comes in one piece
        self._http.receive_data(self._take(size))
        return True

    @property
    def _is_chunked(self) -> bool:
        return self._response is not None and b"transfer-encoding" in dict(self._response.headers)

    @property
    def _kept_by_old(self) -> bool:
        """
        Whether a server of HTTP/1.0 keeps the connection (RFC 9112, section 9.3): h11 does not
        look at that.
        """
        response = self._response
        if response is None or response.http_version >= b"1.1":
            return False
        options = b",".join(value for name, value in response.headers if name == b"connection")
        names = {option.strip().lower() for option in options.split(b",")}
        return b"keep-alive" in names and b"close" not in names

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken


def _new() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_LINE)
