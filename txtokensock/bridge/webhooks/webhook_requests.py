"""
The requests themselves, on treq.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IPolicyForHTTPS, IResponse

from ...web.client.http11 import Connection, Content
from ...web.client.retry_after import retry_after
from ...web.tls.policy import TLSPolicy, explain
from ..error_table import NeighbourUnavailable
from .signature import sign
from .target import Target

__all__ = ["Requests", "WebhookResponse", "WebhookUnreachable"]

LONGEST_ANSWER = 1024 * 1024
"""Bytes; what comes after that is not read."""


class WebhookUnreachable(NeighbourUnavailable):
    """No answer: no connection, broken off, or too late; the text says which."""


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """
    What a webhook answered.

    :ivar retry_after: seconds that it asks us to wait, or None.
    :ivar body: as it was sent, up to :data:`LONGEST_ANSWER` bytes.
    :ivar whole: whether that is all of it.
    """

    status: int
    content_type: str
    retry_after: float | None
    body: bytes = field(repr=False)
    whole: bool


class Requests:
    """
    Sends requests, on connections that are used again.

    :param tls: decides on certificates; None for the platform's authorities.
    :param agent: sends instead of Twisted's ``Agent``.
    :param now: seconds since the epoch.
    """

    def __init__(
        self,
        reactor: Any,
        tls: IPolicyForHTTPS | None = None,
        *,
        agent: IAgent | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._reactor = reactor
        self._now = now
        self._agent = agent
        self._pool, self._client = self._with(tls)

    def _with(self, tls: IPolicyForHTTPS | None) -> tuple[HTTPConnectionPool, HTTPClient]:
        pool = HTTPConnectionPool(self._reactor)
        pool._factory = _QuietFactory
        pool.maxPersistentPerHost = 8
        pool.cachedConnectionTimeout = 4  # many servers close idle ones after 5 seconds
        # Whoever sends again must know of it: order and attempts are counted.
        pool.retryAutomatically = False
        client = HTTPClient(
            self._agent or Agent(self._reactor, tls or TLSPolicy(), pool=pool),
            cookiejar=IndexableCookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
        return pool, client

    def use(self, tls: IPolicyForHTTPS | None) -> None:
        """Let this decide on the certificates of new connections; idle ones are closed."""
        pool = self._pool
        self._pool, self._client = self._with(tls)
        pool.persistent = False  # what is in flight there comes back to be closed
        pool.closeCachedConnections()

    def close(self) -> Deferred[None]:
        """:return: fires when no idle connection is left."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

    def send(
        self,
        target: Target,
        delivery: str,
        body: bytes,
        *,
        attempt: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> Deferred[WebhookResponse]:
        """
        Send one request.

        :param delivery: the id of what is delivered, the same each time.
        :param attempt: counted from 1.
        :param headers: that the message sets; what is not allowed is left out.
        :return: fires with the answer, whatever its status.  Fails with
            :class:`WebhookUnreachable`, at the latest after the target's timeout.
            Cancelling it drops the connection.
        """
        fields = self._fields(target, delivery, body, attempt, headers or {})

        def timed_out(*_: object) -> Failure:
            return Failure(WebhookUnreachable(f"no answer within {target.timeout:g} seconds"))

        return Deferred.fromCoroutine(self._send(target, fields, body)).addTimeout(
            target.timeout, self._reactor, timed_out
        )

    def _fields(
        self,
        target: Target,
        delivery: str,
        body: bytes,
        attempt: int,
        headers: Mapping[str, str],
    ) -> Headers:
        fields = Headers({"User-Agent": ["txtokensock"]})
        for name, value in headers.items():
            if name.lower() in target.allowed:
                fields.setRawHeaders(name, [value])
        for name, value in target.headers.items():
            fields.setRawHeaders(name, [value])
        timestamp = int(self._now())
        ours = {
            "Content-Type": "application/json",
            "Idempotency-Key": f'"{delivery}"',
            "Webhook-Id": delivery,
            "Webhook-Timestamp": str(timestamp),
            "Webhook-Attempt": str(attempt),
        }
        if target.keys:
            ours["Webhook-Signature"] = sign(target.keys, delivery, timestamp, body)
        for name, value in ours.items():
            fields.setRawHeaders(name, [value])
        return fields

    async def _send(self, target: Target, fields: Headers, body: bytes) -> WebhookResponse:
        try:
            response = await self._client.request(
                target.method,
                target.url,
                headers=fields,
                data=Content(body),
                allow_redirects=False,
                unbuffered=True,
            )
            content, whole = await _read(response)
        except CancelledError:
            raise
        except Exception as problem:
            if _is_cancelled(problem):
                raise CancelledError from None
            # Some of these quote the URL, which may hold a secret: the cause is left out.
            raise WebhookUnreachable(_reason(problem)) from None
        asked = response.headers.getRawHeaders(b"retry-after", [b""])[0]
        kind = response.headers.getRawHeaders(b"content-type", [b""])[0]
        return WebhookResponse(
            status=response.code,
            content_type=kind.decode("ascii", "replace").lower(),
            retry_after=retry_after(asked.decode("ascii", "replace"), self._now()),
            body=content,
            whole=whole,
        )


class _QuietFactory(HTTPConnectionPool._factory):  # type: ignore[misc,valid-type]
    """Without the two lines that each connection would write to the log."""

    noisy = False

    def buildProtocol(self, addr: object) -> Connection:
        return Connection(self._quiescentCallback)  # type: ignore[no-untyped-call]


def _reason(problem: Exception) -> str:
    if isinstance(problem, ResponseFailed) and problem.reasons:
        return _reason(problem.reasons[0].value)
    return explain(problem)


def _is_cancelled(problem: Exception) -> bool:
    """Whether that is how a request says that it was cancelled."""
    return isinstance(problem, ResponseFailed) and any(
        reason.check(CancelledError) for reason in problem.reasons
    )


def _read(response: IResponse) -> Deferred[tuple[bytes, bool]]:
    body = _Body()
    try:
        response.deliverBody(body)
    except Exception:
        # Decoders of a compressed body raise from here, and leave the connection open.
        body.drop()
        raise
    return body.read


class _Body(Protocol):
    """Collects a body, within bounds; cancelling ``read`` drops the connection."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.read: Deferred[tuple[bytes, bool]] = Deferred(lambda _: self.drop())

    def dataReceived(self, data: bytes) -> None:
        if self.read.called:
            return
        room = LONGEST_ANSWER - self._size
        self._parts.append(data[:room])
        self._size += len(data)
        if self._size > LONGEST_ANSWER:
            self.read.callback((b"".join(self._parts), False))
            self.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.read.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.read.callback((b"".join(self._parts), True))
        else:
            self.read.errback(reason)

    def drop(self) -> None:
        """Close the connection."""
        if self.transport is not None:
            self.transport.loseConnection()
