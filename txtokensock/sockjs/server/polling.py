"""
The HTTP requests of polling sessions: xhr, eventsource, htmlfile and jsonp.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.web.http import (
    INTERNAL_SERVER_ERROR,
    NO_CONTENT,
    OK,
    REQUEST_ENTITY_TOO_LARGE,
    Request,
)
from twisted.web.server import NOT_DONE_YET

from ...support.portable import Portable
from ...web.server.answers import (
    Answer,
    LateAnswer,
    Page,
    allow_origin,
    answer,
    not_found,
    preflight,
    typed_answer,
    uncacheable,
)
from ...web.server.header_text import header
from ..frames import FrameError, decode_client_frame, is_utf8
from .framing import CALLBACK, EVENTSOURCE, XHR_POLLING, XHR_STREAMING, Framing, htmlfile, jsonp
from .request_info import RequestInfo
from .session_table import SessionTable
from .stream import FrameStream

__all__ = ["PollingPages"]

_MOST_FIELDS = 10


class _Refused(Portable):
    """A request is refused; the text is the answer's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class PollingPages:
    """
    Answers the requests of polling sessions.

    :param table: the sessions.
    """

    def __init__(self, table: SessionTable) -> None:
        self._table = table

    def page(self, name: str, session_id: str) -> Page | None:
        """
        :param name: the last part of a session's URL.
        :return: the methods of that page; None if there is no such page.
        """
        match name:
            case "xhr":
                return self._with_preflight(partial(self._receive, session_id, XHR_POLLING))
            case "xhr_streaming":
                return self._with_preflight(partial(self._receive, session_id, XHR_STREAMING))
            case "xhr_send":
                return self._with_preflight(partial(self._xhr_send, session_id))
            case "eventsource":
                return {b"GET": partial(self._receive, session_id, EVENTSOURCE)}
            case "htmlfile":
                return {b"GET": partial(self._receive_by_script, session_id, htmlfile)}
            case "jsonp":
                return {b"GET": partial(self._receive_by_script, session_id, jsonp)}
            case "jsonp_send":
                return {b"POST": partial(self._jsonp_send, session_id)}
        return None

    def _with_preflight(self, action: Callable[[Request], Answer]) -> Page:
        return {b"POST": action, b"OPTIONS": self._preflight}

    def _preflight(self, request: Request) -> Answer:
        return preflight(request, b"OPTIONS, POST")

    # -- responses with frames

    def _receive(self, session_id: str, framing: Framing, request: Request) -> Answer:
        allow_origin(request)
        return self._attach(session_id, framing, request)

    def _receive_by_script(
        self, session_id: str, framing: Callable[[str], Framing], request: Request
    ) -> Answer:
        try:
            callback = _callback(request)
        except _Refused as refused:
            return answer(request, refused.status, str(refused))
        request.setHeader(b"x-content-type-options", b"nosniff")
        return self._attach(session_id, framing(callback), request)

    def _attach(self, session_id: str, framing: Framing, request: Request) -> Answer:
        self._session_headers(request)
        session = self._table.find(session_id)
        if session is None:
            info = RequestInfo.of(request, framing.transport)
            admitted = self._table.admit(info)
            if isinstance(admitted, int):
                return answer(request, admitted)
            session = self._table.start_polling(session_id, admitted, info)
        session.attach(FrameStream(request, framing, self._table.options.response_limit))
        return NOT_DONE_YET

    def _session_headers(self, request: Request) -> None:
        uncacheable(request)
        if self._table.options.cookie_needed:
            # Load balancers keep a session on the server that set the cookie.
            cookie = request.getCookie(b"JSESSIONID") or b"dummy"
            request.setHeader(b"set-cookie", b"JSESSIONID=%s; path=/" % cookie)

    # -- requests with messages

    def _xhr_send(self, session_id: str, request: Request) -> Answer:
        allow_origin(request)
        return self._send(session_id, request, self._body, (NO_CONTENT, ""))

    def _jsonp_send(self, session_id: str, request: Request) -> Answer:
        # Konqueror mishandles 204.
        return self._send(session_id, request, self._form_body, (OK, "ok"))

    def _send(
        self,
        session_id: str,
        request: Request,
        body_of: Callable[[Request, int], bytes],
        taken: tuple[int, str],
    ) -> Answer:
        self._session_headers(request)
        session = self._table.find(session_id)
        if session is None:
            return not_found(request)
        try:
            body = body_of(request, session.frame_size)
            if not body:
                raise _Refused(INTERNAL_SERVER_ERROR, "Payload expected.")
            messages = decode_client_frame(body)
        except _Refused as refused:
            session.refused(_size(request))
            return answer(request, refused.status, str(refused))
        except FrameError:
            session.refused(_size(request))
            return answer(request, INTERNAL_SERVER_ERROR, "Broken JSON encoding.")

        def wait() -> Callable[[int], None]:
            late = LateAnswer(request)
            return lambda status: late.give(*_outcome(status, taken))

        status = session.received(messages, len(body), wait)
        if status is None:
            return NOT_DONE_YET
        return typed_answer(request, *_outcome(status, taken))

    def _body(self, request: Any, most: int) -> bytes:
        # twisted.web has read all of it, into a file if it is large: only here does it get
        # into memory.
        if _size(request) > most:
            raise _Refused(REQUEST_ENTITY_TOO_LARGE, "Too large.")
        request.content.seek(0)
        body: bytes = request.content.read()
        return body

    def _form_body(self, request: Request, most: int) -> bytes:
        body = self._body(request, most)
        content_type = (header(request, b"content-type") or "").partition(";")[0]
        if content_type.strip().lower() != "application/x-www-form-urlencoded":
            return body
        return _unquoted(_field(body))


def _outcome(status: int, taken: tuple[int, str]) -> tuple[int, str]:
    """:return: the status and the body of the answer to a request with messages."""
    return taken if status == NO_CONTENT else (status, "")


def _field(form: bytes) -> bytes:
    """The field ``d`` of a form, empty if there is none."""
    for field in form.split(b"&", _MOST_FIELDS)[:_MOST_FIELDS]:
        name, _, value = field.partition(b"=")
        if name == b"d":
            return value
    return b""


def _unquoted(value: bytes) -> bytes:
    """
    Decode the value of a field.  The standard library takes a second for a million escapes; to
    Python's own, which differ in how they begin, a codec of C takes hundredths.
    """
    escaped = value.replace(b"\\", rb"\\").replace(b"+", b" ").replace(b"%", rb"\x")
    if is_utf8(value):
        try:
            return escaped.decode("unicode_escape").encode("latin-1")
        except UnicodeDecodeError:  # an escape without two digits
            pass
    raise _Refused(INTERNAL_SERVER_ERROR, "Payload expected.")


def _size(request: Any) -> int:
    """Bytes of a request's body."""
    size: int = request.content.seek(0, 2)
    return size


def _callback(request: Any) -> str:
    values = request.args.get(b"c") or request.args.get(b"callback")
    if not values:
        raise _Refused(INTERNAL_SERVER_ERROR, '"callback" parameter required')
    callback: str = values[0].decode("utf-8", "replace")
    if not CALLBACK.fullmatch(callback):
        raise _Refused(INTERNAL_SERVER_ERROR, 'invalid "callback" parameter')
    return callback
