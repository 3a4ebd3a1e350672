"""
The HTTP route that gives tokens to clients that ``authentication`` knows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import (
    BAD_REQUEST,
    FORBIDDEN,
    INTERNAL_SERVER_ERROR,
    NO_CONTENT,
    NOT_ALLOWED,
    OK,
    SERVICE_UNAVAILABLE,
)
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..errors import ActionError, InvalidData, StoreUnavailable
from ..jsontext import dumps
from ..support.user_functions import UserFunctionTimeout, as_exception, begin_user_function, within
from ..web.server.answers import (
    MISDIRECTED,
    Answer,
    LateAnswer,
    answer,
    done,
    no_page,
    typed_answer,
)
from ..web.server.client_rates import ClientRates
from ..web.server.header_text import header
from ..web.server.hosts import HostPolicy
from ..web.server.origins import OriginPolicy
from ..web.server.parsed_forms import warn_of_parsed_forms
from ..web.server.trusted_proxies import TrustedProxies
from .server_context import ServerContext
from .tokens import encode_identity, issue

__all__ = ["Authenticate", "TokenRoute"]

Authenticate = Callable[[IRequest], Any] | Callable[[Request], Any]
"""
Gets the HTTP request, and returns what to attach to the peer: a mapping of JSON, or True
for an empty one.  None and False refuse it (403), an exception is an error (500).  It may
return a Deferred or be a coroutine function.
"""

# What Express would take for a callback and JavaScript for a function: names, dots and
# indices.  Anything else is refused instead of mended.
_CALLBACK = re.compile(rb"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*|\[\d+\])*", re.ASCII)
_LONGEST_CALLBACK = 128


class TokenRoute(Resource):
    """
    ``200 {"token":T}``, ``403 {"error":"Forbidden"}``, ``500`` or ``503`` with an error.

    :param authenticate: see :data:`Authenticate`.
    :param context: what the server's peers share.
    :param jsonp: whether ``?callback=f`` gives a script to all pages, where ``origins`` allow
        all; others get one if they prove that they are allowed.
    """

    _log = Logger()

    def __init__(
        self,
        authenticate: Authenticate,
        context: ServerContext,
        jsonp: bool,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._authenticate = authenticate
        self._context = context
        self._jsonp = jsonp

    def admit(self, origins: OriginPolicy, hosts: HostPolicy, proxies: TrustedProxies) -> None:
        """
        Decide by these from now on, and by the limits that the context has now.

        :param origins: whose pages may have tokens.
        :param hosts: which names it answers to.
        :param proxies: which may say who the client is.
        """
        self._origins = origins
        self._hosts = hosts
        self._proxies = proxies
        context, limits = self._context, self._context.limits
        self._rates = ClientRates(
            limits.tokens_per_second, limits.token_burst, context.reactor.seconds
        )

    def getChild(self, path: bytes, request: Any) -> IResource:
        """A slash at the end means nothing, as in Express; below it there is nothing."""
        if not path and not request.postpath:
            return self
        _hide_query(request)
        return no_page()

    def render(self, request: Any) -> Answer:
        """Answer ``GET``, and the ``OPTIONS`` of a page that asks whether it may."""
        warn_of_parsed_forms(request)
        self._proxies.look_at(request)
        readable = self._allow_reading(request)
        if not self._hosts.allow(request):
            return self._refuse(request, HTTPStatus.MISDIRECTED_REQUEST, MISDIRECTED)
        callback = self._callback(request)
        if request.method not in (b"GET", b"OPTIONS"):
            request.setHeader(b"allow", b"GET, OPTIONS")
            return self._refuse(request, NOT_ALLOWED, "Method not allowed")
        if not self._allow(request, callback, readable):
            return self._refuse(request, FORBIDDEN, "Forbidden")
        if callback is not None and not _is_callback(callback):
            return self._refuse(request, BAD_REQUEST, "Invalid callback")
        if request.method == b"OPTIONS":
            return self._preflight(request)
        if not self._rates.take(request.getClientAddress()):
            return answer(request, *self._answer(request, *self._too_many(request), callback))
        deciding = Deferred.fromCoroutine(self._token(request))
        decided: list[Any] = []
        deciding.addBoth(decided.append)
        if decided:
            return typed_answer(request, *self._decided(decided[0], request, callback))
        late = LateAnswer(request, deciding.cancel)

        def give(_: object) -> None:
            if not late.lost:
                late.give(*self._decided(decided[0], request, callback))

        deciding.addCallback(give)
        return NOT_DONE_YET

    def _allow(self, request: Any, callback: bytes | None, readable: bool | None) -> bool:
        if callback is None:
            return self._origins.allow(request, readable)
        return self._origins.allow_script(request, everyone=self._jsonp)

    def _too_many(self, request: Any) -> tuple[int, dict[str, Any]]:
        limit, limits = "tokens_per_second", self._context.limits
        rate = limits.tokens_per_second
        self._context.refusals.exceeded(limit, limits, "token requests")
        # Until there is another token for the address.
        request.setHeader(b"retry-after", b"%d" % max(1, math.ceil(1 / rate)))
        error = f"Too many token requests: the limit {limit} is {rate:.10g}"
        return HTTPStatus.TOO_MANY_REQUESTS, {"error": error}

    def _callback(self, request: Any) -> bytes | None:
        if request.method != b"GET":
            return None
        values: list[bytes] = request.args.get(b"callback", [])
        return values[0] if values and values[0] else None

    def _refuse(self, request: Any, status: int, error: str) -> Answer:
        return answer(request, *self._answer(request, status, {"error": error}))

    def _preflight(self, request: Any) -> Answer:
        request.setHeader(b"access-control-allow-methods", b"GET")
        wanted = request.getHeader(b"access-control-request-headers")
        if wanted is not None:
            request.setHeader(b"access-control-allow-headers", wanted)
        self._context.observer.token_answered(NO_CONTENT)
        _hide_query(request)
        return done(request, NO_CONTENT)

    async def _token(self, request: Any) -> tuple[int, dict[str, Any]]:
        """:return: status and body."""
        context = self._context
        link = context.hub.link
        if link is not None and not link.available:
            # The server may have been started a moment ago.  A store of somebody else's may be
            # from before there was this method.
            known = getattr(link, "known", None)
            if known is not None:
                await known()
        if link is None:
            context.refusals.not_running()
        if link is None or not link.available or not context.peers.open:
            # Before the credentials are looked at: they may be costly to look at.
            return SERVICE_UNAVAILABLE, {"error": "Service unavailable"}
        identity = begin_user_function(self._authenticate, request)
        if isinstance(identity, Deferred):
            identity.addErrback(as_exception)
            identity = await within(context.limits.hook_timeout, context.reactor, identity)
        if identity is None or identity is False:
            return FORBIDDEN, {"error": "Forbidden"}
        token = await issue(link, encode_identity(identity), context.limits.token_lifetime)
        return OK, {"token": token}

    def _decided(
        self, outcome: Any, request: Any, callback: bytes | None
    ) -> tuple[int, bytes, str]:
        status, body = self._failed(outcome) if isinstance(outcome, Failure) else outcome
        return self._answer(request, status, body, callback)

    def _failed(self, failure: Failure) -> tuple[int, dict[str, Any]]:
        if failure.check(StoreUnavailable):
            return SERVICE_UNAVAILABLE, {"error": "Service unavailable"}
        if isinstance(failure.value, ActionError):
            return INTERNAL_SERVER_ERROR, {"error": failure.value.error}
        if failure.check(UserFunctionTimeout):
            self._log.warn(
                "authentication took too long and was cancelled", event="authentication.timeout"
            )
        else:
            # The text of an exception from there may tell strangers too much.
            self._log.failure("authentication failed", failure, event="authentication.failed")
        return INTERNAL_SERVER_ERROR, {"error": "Internal server error"}

    def _answer(
        self, request: Any, status: int, body: dict[str, Any], callback: bytes | None = None
    ) -> tuple[int, bytes, str]:
        """
        :param callback: of a page that may load a script.
        :return: status, body and content type.
        """
        self._context.observer.token_answered(status)
        _hide_query(request)
        try:
            text = dumps(body)
        except InvalidData:
            text = b'{"error":"Internal server error"}'
        if callback is None:
            return status, text, "application/json; charset=utf-8"
        # A browser does not run the script of an error, and its page would not hear why.
        return OK, _script(callback, text), "text/javascript; charset=utf-8"

    def _allow_reading(self, request: Any) -> bool | None:
        """
        Set the headers that keep an answer to those that it is for.

        :return: whether its ``Origin`` is allowed; None without one.
        """
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"vary", b"Origin")
        origin = header(request, b"origin")
        if origin is None:
            return None
        allowed = self._origins.allow_origin(request, origin)
        if allowed:
            request.setHeader(b"access-control-allow-origin", request.getHeader(b"origin"))
            request.setHeader(b"access-control-allow-credentials", b"true")
        return allowed


def _hide_query(request: Any) -> None:
    """
    The query holds credentials, and a site of somebody else's logs the URL of a finished
    request.
    """
    request.uri = request.path


def _is_callback(name: bytes) -> bool:
    return len(name) <= _LONGEST_CALLBACK and _CALLBACK.fullmatch(name) is not None


def _script(callback: bytes, body: bytes) -> bytes:
    """
    As Express writes it: the comment keeps the name from being read as anything else, and
    two characters that JSON allows in text were line ends to older JavaScript.
    """
    for separator, escaped in ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029")):
        body = body.replace(separator, escaped)
    return b"/**/ typeof %s === 'function' && %s(%s);" % (callback, callback, body)
