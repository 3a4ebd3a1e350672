"""
The pages of the HTTP side, and what requests for them have in common.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ...client.socket import TokenSocket
from ...errors import TokenSocketError
from ...web.server.answers import answer, set_status
from ..config.http import HttpConfig
from ..counters import Counters
from ..error_table import ErrorKind
from ..health import SideState
from ..shares import Share, Shares
from .api_keys import ApiKeys, Caller
from .api_requests import ApiRequest, bad_request, read_broadcast, read_call, read_publish
from .bridge_metrics import BridgeMetrics
from .event_streams import EventStreams
from .idempotency import IdempotencyCache
from .publishes import Publishing
from .responses import ApiResponse, Refusal, forbidden, json_response, refusal_of, unavailable
from .slots import Slots

__all__ = ["Pages"]

_NOBODY = "nobody"
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
"""Of every response."""

_GET = (b"GET", b"HEAD")
_POST = (b"POST",)


_Read: TypeAlias = Callable[[bytes], ApiRequest]
_Work: TypeAlias = Callable[[Caller, ApiRequest, int], Awaitable[ApiResponse]]
"""Does what is asked for; the number is the size of the body, in bytes."""

_Page: TypeAlias = Callable[[Any], Coroutine[Any, Any, bytes | None]]


class Pages(Resource):
    """
    ==================  ================================================================
    ``POST /call``      calls a function of the server
    ``POST /publish``   publishes to a channel
    ``POST /broadcast`` broadcasts
    ``GET /events``     the messages of channels, as Server-Sent Events
    ``GET /healthz``    200: the process lives and its reactor turns
    ``GET /readyz``     200 if every side can do its work, or 503; and each side's state
    ``GET /metrics``    for Prometheus
    ==================  ================================================================

    :param section: checked.
    :param authentication: of the same section.
    :param socket: upstream.
    :param shares: of it.
    :param counters: by rule; the rules of this side are its keys.
    :param states: of all sides.
    :param reactor: for the time.
    :ivar counts: what is counted of HTTP.
    :ivar stopping: whether nothing new is taken any more.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        section: HttpConfig,
        authentication: ApiKeys,
        *,
        socket: TokenSocket,
        shares: Shares,
        counters: Counters,
        states: Callable[[], list[SideState]],
        reactor: IReactorTime,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._socket = socket
        self._shares = shares
        self._counters = counters
        self._states = states
        self._reactor = reactor
        self.stopping = False
        self.requests = Slots("requests")
        self.streams = EventStreams(socket, counters, reactor)
        self.publishing = Publishing(socket, counters)
        self.answered = IdempotencyCache(reactor, 0, 0, 0)
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "http_in_flight": ("Requests that wait.", lambda: self.requests.all.taken),
            "http_streams": ("Event streams.", lambda: self.streams.slots.all.taken),
            "http_queued": (
                "Publishes that wait for upstream.",
                lambda: self.publishing.waiting.taken,
            ),
        }
        self.counts = BridgeMetrics(counters, states, gauges)
        self._authentication = authentication
        self.configure(section, authentication)
        self._pages: dict[bytes, tuple[tuple[bytes, ...], _Page]] = {
            b"call": (_POST, self.call),
            b"publish": (_POST, self.publish),
            b"broadcast": (_POST, self.broadcast),
            b"events": (_GET, self.events),
            b"healthz": (_GET, self.healthz),
            b"readyz": (_GET, self.readyz),
            b"metrics": (_GET, self.metrics),
        }

    def configure(self, section: HttpConfig, authentication: ApiKeys) -> None:
        """
        Other rules, for whatever comes from now on.  Event streams of keys that have
        changed end, and can come again.
        """
        before, self._authentication = self._authentication, authentication
        self.section = section
        self.streams.room = section.stream_buffer
        self.streams.end_others(lambda name: authentication.same(before, name))
        self.publishing.waiting.limit = section.queue_limit
        self.publishing.waiting_bytes.limit = section.queue_bytes
        self.answered.configure(
            section.idempotency_expiry, section.idempotency_limit, section.idempotency_bytes
        )

    def render(self, request: Any) -> int | bytes:
        """Answer with the page of that path.  It is given up where the connection is lost."""
        methods, page = self._pages.get(b"/".join(request.postpath), ((), None))
        if page is None or request.method not in methods:
            return self._no_page(request, methods)
        answered = Deferred.fromCoroutine(page(request))
        answered.addErrback(self._failed, request).addCallback(_write, request)
        if not answered.called:
            request.notifyFinish().addErrback(lambda _: answered.cancel())
        return NOT_DONE_YET

    # -- what the server does for those who ask

    async def call(self, request: Any) -> bytes:
        """Answer ``POST /call`` with the result of a function of the server."""

        async def do(caller: Caller, asked: ApiRequest, size: int) -> ApiResponse:
            if not self._socket.connected:
                raise unavailable("not connected to the server")
            timeout = min(asked.timeout or math.inf, self.section.call_timeout)
            value = await self._share(request, caller).call(
                lambda: self._socket.rpc(asked.name, asked.data, timeout=timeout), size
            )
            self._counters.count("http", f"{caller.name}/call", "out")
            return json_response(HTTPStatus.OK, {"args": [value]})

        return await self._post(request, "call", read_call, do)

    async def publish(self, request: Any) -> bytes:
        """Answer ``POST /publish``: publish to a channel."""

        def send(asked: ApiRequest) -> Deferred[None]:
            return self._socket.publish(asked.name, asked.data)

        return await self._publish(request, "publish", read_publish, send)

    async def broadcast(self, request: Any) -> bytes:
        """Answer ``POST /broadcast``: publish to everybody who is subscribed to anything."""

        def send(asked: ApiRequest) -> Deferred[None]:
            return self._socket.broadcast(asked.data)

        return await self._publish(request, "broadcast", read_broadcast, send)

    async def _publish(
        self, request: Any, route: str, read: _Read, send: Callable[[ApiRequest], Deferred[None]]
    ) -> bytes:
        async def do(caller: Caller, asked: ApiRequest, size: int) -> ApiResponse:
            rule, share = f"{caller.name}/{route}", self._share(request, caller)
            return await self.publishing.publish(rule, share, size, lambda: send(asked))

        return await self._post(request, route, read, do)

    async def events(self, request: Any) -> bytes | None:
        """Answer ``GET /events`` with a stream that lasts until one end closes it."""
        rule = _NOBODY
        try:
            if self.stopping:
                raise unavailable("the bridge is stopping")
            caller = self._caller(request, b"")
            rule = caller.name
            await self.streams.read(
                request,
                caller,
                self._share(request, caller),
                lambda: self._begin(request, "events", HTTPStatus.OK),
            )
            return None
        except (Refusal, TokenSocketError) as problem:
            refusal = problem if isinstance(problem, Refusal) else refusal_of(problem)
            self._counters.count("http", f"{rule}/events", "refused")
            return self._respond(request, "events", refusal.answer)

    # -- for those who run it

    async def healthz(self, request: Any) -> bytes:
        """Answer ``GET /healthz``: who gets an answer knows that the reactor turns."""
        return self._respond(request, "healthz", json_response(HTTPStatus.OK, {"alive": True}))

    async def readyz(self, request: Any) -> bytes:
        """
        Answer ``GET /readyz``: 200 if every side can do its work, else 503.  Only those who may
        read metrics learn why one is down.
        """
        try:
            details = self._caller(request, b"").metrics
        except Refusal:
            details = False
        states, now = self._states(), self._reactor.seconds()
        ready = all(state.up for state in states)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        sides = {state.name: state.described(now, details) for state in states}
        body = json_response(status, {"ready": ready, "sides": sides})
        return self._respond(request, "readyz", body)

    async def metrics(self, request: Any) -> bytes:
        """Answer ``GET /metrics``, to callers whose key allows it."""
        try:
            if not self._caller(request, b"").metrics:
                raise forbidden("this key may not read metrics")
        except Refusal as refusal:
            return self._respond(request, "metrics", refusal.answer)
        return self._respond(request, "metrics", self.counts.page())

    # -- what requests have in common

    async def _post(self, request: Any, route: str, read: _Read, do: _Work) -> bytes:
        """Whatever is wrong with a request is its answer."""
        name = _NOBODY
        try:
            if self.stopping:
                raise unavailable("the bridge is stopping")
            body = self._body(request)
            caller = self._caller(request, body)
            name = caller.name
            asked = read(body)
            if not caller.may(route, asked.name):
                raise forbidden(f"this key may not {route}" + f" {asked.name}".rstrip())

            async def work() -> ApiResponse:
                with self.requests.one(name, caller.concurrency):
                    self._counters.count("http", f"{name}/{route}", "in")
                    try:
                        return await do(caller, asked, len(body))
                    except TokenSocketError as problem:
                        # Its frames hold it, and the body, which may be a megabyte.
                        raise refusal_of(problem.with_traceback(None)) from None

            key = request.getHeader("idempotency-key")
            result = await self.answered.once(name, route, key, body, work)
        except Refusal as refusal:
            result = refusal.answer
        if result.status >= HTTPStatus.BAD_REQUEST:
            self._counters.count("http", f"{name}/{route}", "refused")
        return self._respond(request, route, result)

    def _body(self, request: Any) -> bytes:
        if request.too_large:
            limit = self.section.body_limit
            raise Refusal(ErrorKind.TOO_LARGE, f"the body has more than {limit} bytes")
        kind = (request.getHeader("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # Browsers ask first before they let a page send that.
            raise bad_request("the content type must be application/json")
        body: bytes = request.content.read()
        return body

    def _caller(self, request: Any, body: bytes) -> Caller:
        return self._authentication.caller(request, body, self._reactor.seconds())

    def _share(self, request: Any, caller: Caller) -> Share:
        """Upstream, a key is one caller; where there are none, an address is."""
        keys = self.section.authentication == "keys"
        who = caller.name if keys else getattr(request.getClientAddress(), "host", "")
        return self._shares.of(f"http {who}")

    def _respond(self, request: Any, route: str, result: ApiResponse) -> bytes:
        self._begin(request, route, result.status, *result.headers)
        return answer(request, result.status, result.body, result.content_type)

    def _begin(self, request: Any, route: str, status: int, *headers: tuple[str, str]) -> None:
        """Everything but the body."""
        self.counts.answered(route, status)
        set_status(request, status)
        for name, value in (*_HEADERS, *headers):
            request.setHeader(name, value)
        if self.stopping:
            request.setHeader("connection", "close")

    def _no_page(self, request: Any, methods: tuple[bytes, ...]) -> bytes:
        """Answer 404, or 405 with what could be asked."""
        if methods:
            allow = (("allow", b", ".join(methods).decode()),)
            phrase = HTTPStatus.METHOD_NOT_ALLOWED.phrase
            refusal = Refusal(ErrorKind.NO_SUCH_METHOD, phrase, headers=allow)
        else:
            refusal = Refusal(ErrorKind.NO_SUCH_PAGE, "there is no such page")
        return self._respond(request, "other", refusal.answer)

    def _failed(self, failure: Failure, request: Any) -> bytes | None:
        """Answer 500: it is our fault, and in the log."""
        if request.channel is None and failure.check(CancelledError):
            return None  # who asked is gone
        self._log.failure("a request failed", failure, event="http.failed")
        if request.channel is None:
            return None
        refusal = Refusal(ErrorKind.RUNTIME_ERROR)
        return self._respond(request, "other", refusal.answer)


def _write(body: bytes | None, request: Any) -> None:
    """End the response, unless who asked is gone."""
    if request.channel is not None:
        if body is not None:
            request.write(body)
        request.finish()
