"""
The HTTP API with which programs that are no clients act on all servers of the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from ...errors import StoreUnavailable, UsageError
from ...jsontext import Malformed, decoder, dumps
from ...web.server.answers import JSON, Answer, LateAnswer, method_not_allowed, no_page
from ..close_codes import CLOSED_BY_APPLICATION
from ..service import TokenSocketServer

__all__ = ["MOST_BYTES", "AdminAPI"]

T = TypeVar("T")

MOST_BYTES = 64 * 1024
"""Of a request's body."""


class _Publish(Struct, forbid_unknown_fields=True):
    channel: str
    data: Any


class _Close(Struct, forbid_unknown_fields=True):
    match: dict[str, Any]
    reason: str = CLOSED_BY_APPLICATION.reason
    code: int = CLOSED_BY_APPLICATION.code


_decode_publish = decoder(_Publish)
_decode_close = decoder(_Close)


class AdminAPI(Resource):
    """
    ==================  ===================================================================
    ``POST /publish``   ``{"channel": ..., "data": ...}``: see
                        :meth:`TokenSocketServer.publish`
    ``POST /close``     ``{"match": ..., "reason": ..., "code": ...}``, the last two of which
                        may be left out: see :meth:`TokenSocketServer.close_identity`
    ``GET /presence``   ``?channel=...&limit=...``, the last of which may be left out: see
                        :meth:`TokenSocketServer.presence`
    ==================  ===================================================================

    Each answers 200 with what the method gives, in JSON; 400 for what cannot be done, and 503
    while the store cannot be reached, with the reason in ``error``.

    :param server: that acts.
    """

    def __init__(self, server: TokenSocketServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for path, method, act in (
            (b"publish", b"POST", _publish),
            (b"close", b"POST", _close),
            (b"presence", b"GET", _presence),
        ):
            self.putChild(path, _Act(server, method, act))

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Find nothing at all other paths."""
        return no_page()

    def render(self, request: Any) -> Answer:
        """Answer 404: there is no page at the root."""
        answer: Answer = no_page().render(request)
        return answer


async def _publish(server: TokenSocketServer, request: Any) -> Any:
    asked = _decode_publish(request.content.read())
    await server.publish(asked.channel, asked.data)
    return {}


async def _close(server: TokenSocketServer, request: Any) -> Any:
    asked = _decode_close(request.content.read())
    return await server.close_identity(asked.match, asked.reason, code=asked.code)


async def _presence(server: TokenSocketServer, request: Any) -> Any:
    names = {b"channel", b"limit"}
    if b"channel" not in request.args or set(request.args) - names:
        raise Malformed("the query has to be channel=NAME, and perhaps limit=NUMBER")
    channel = request.args[b"channel"][-1].decode("utf-8", "replace")
    limit = request.args.get(b"limit", [b"100"])[-1]
    if not limit.isdigit() or len(limit) > 9:
        raise Malformed("limit has to be a whole number")
    return await server.presence(channel, limit=int(limit))


class _Act(Resource):
    """One thing that can be done."""

    _log = Logger()

    def __init__(
        self,
        server: TokenSocketServer,
        method: bytes,
        act: Callable[[TokenSocketServer, Any], Awaitable[Any]],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._method = method
        self._act = act

    def getChild(self, path: bytes, request: Any) -> IResource:
        return no_page()

    def render(self, request: Any) -> Answer:
        if request.method != self._method:
            return method_not_allowed(request, [self._method])
        acting: Deferred[Any] = Deferred.fromCoroutine(self._act(self._server, request))  # type: ignore[arg-type]
        late = LateAnswer(request, acting.cancel)

        def give(status: int, body: bytes) -> None:
            if not late.lost:
                request.setHeader(b"cache-control", b"no-store")
                late.give(status, body + b"\n", JSON)

        def refuse(status: int, why: str) -> None:
            give(status, dumps({"error": why}))

        def failed(failure: Failure) -> None:
            if late.lost:
                return
            if failure.check(Malformed, UsageError):
                refuse(HTTPStatus.BAD_REQUEST, str(failure.value))
            elif failure.check(StoreUnavailable):
                refuse(HTTPStatus.SERVICE_UNAVAILABLE, str(failure.value))
            else:
                self._log.failure("an API request failed", failure, event="admin_api.failed")
                refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")

        acting.addCallback(dumps).addCallbacks(lambda body: give(HTTPStatus.OK, body), failed)
        return NOT_DONE_YET
