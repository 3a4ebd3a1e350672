"""
Sends what a rule has for its webhook, and reads the answer.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent, IPolicyForHTTPS

from ...web.client.dialer import Dialer
from ...web.client.http_client import WebClient, read_body_up_to
from ...web.client.retry_after import retry_after
from ...web.tls.policy import explain
from ..error_table import NeighbourUnavailable
from .signature import sign
from .target import Target

__all__ = ["Requests", "WebhookResponse", "WebhookUnreachable", "new_id"]

LONGEST_ANSWER = 1024 * 1024
"""Bytes; what comes after that is not read."""

_MOST_IDLE = 8


class WebhookUnreachable(NeighbourUnavailable):
    """No answer: no connection, broken off, or too late; the text says which."""


def new_id() -> str:
    """An id for a delivery, unique among all bridges."""
    return f"msg_{uuid.uuid4().hex}"


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
    :param agent: sends them instead; it minds its own connections.
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
        self._client = self._with(tls)

    def _with(self, tls: IPolicyForHTTPS | None) -> WebClient:
        return WebClient(
            self._reactor,
            Dialer(self._reactor, tls=tls, proxy=False),
            CookieJar(DefaultCookiePolicy(allowed_domains=())),
            persistent=True,
            most_idle=_MOST_IDLE,
            agent=self._agent,
        )

    def use(self, tls: IPolicyForHTTPS | None) -> None:
        """Let this decide on the certificates of new connections; idle ones are closed."""
        client, self._client = self._client, self._with(tls)
        client.close()  # what is in flight there is let come to its end

    def close(self) -> Deferred[None]:
        """:return: fires when no idle connection is left, in a few seconds at the latest."""
        return self._client.close()

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
        fields = {"user-agent": "txtokensock"}
        given = {n: value for n, value in (headers or {}).items() if n.lower() in target.allowed}
        for group in (given, target.headers, ours):
            fields |= {name.lower(): value for name, value in group.items()}

        def timed_out(*_: object) -> Failure:
            return Failure(WebhookUnreachable(f"no answer within {target.timeout:g} seconds"))

        return Deferred.fromCoroutine(self._send(target, fields, body)).addTimeout(
            target.timeout, self._reactor, timed_out
        )

    async def _send(
        self, target: Target, fields: Mapping[str, str], body: bytes
    ) -> WebhookResponse:
        try:
            response = await self._client.request(
                target.method, target.url, headers=fields, body=body
            )
            content, whole = await read_body_up_to(response, LONGEST_ANSWER)
        except CancelledError:
            raise
        except Exception as problem:
            # Some of these quote the URL, which may hold a secret: the cause is left out.
            raise WebhookUnreachable(explain(problem)) from None
        asked = response.headers.getRawHeaders(b"retry-after", [b""])[0]
        kind = response.headers.getRawHeaders(b"content-type", [b""])[0]
        return WebhookResponse(
            status=response.code,
            content_type=kind.decode("ascii", "replace").lower(),
            retry_after=retry_after(asked.decode("ascii", "replace"), self._now()),
            body=content,
            whole=whole,
        )
