"""
What a SockJS server offers, as its ``/info`` says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.web import http

from ...errors import HandshakeRefused
from ...jsontext import Malformed, loads
from ...web.client.http_client import BodyTooLong, read_body
from .refusals import header_of, refused
from .session_target import SessionTarget

__all__ = ["InfoRequest"]

_LONGEST = 64 * 1024


class InfoRequest:
    """
    A request for ``/info``, under way.

    A ``base_url`` in the answer is not followed: it would lead to a server that the user did
    not choose.

    :ivar connected: fires with None when the connection is made; fails with what the
        connection failed with.
    :ivar answered: fires with whether the server offers WebSockets.  Fails with
        :class:`~txtokensock.errors.HandshakeRefused`, and with what the connection failed
        with.
    """

    def __init__(self, target: SessionTarget) -> None:
        self._client = target.http_context.client(connected=self._on_connected)
        # The cancelled request may know which step had not been answered, such as a proxy.
        self.connected: Deferred[None] = Deferred(lambda _: self.answered.cancel())
        self.answered: Deferred[bool] = Deferred.fromCoroutine(self._ask(target))

    def drop(self) -> None:
        """Drop the connection; nothing happens if the answer has come."""
        for unwanted in (self.connected, self.answered):
            unwanted.addErrback(lambda _: None)
        self.answered.cancel()
        self._client.abort()

    def _on_connected(self, transport: Any) -> None:
        if not self.connected.called:
            self.connected.callback(None)

    async def _ask(self, target: SessionTarget) -> bool:
        url = target.url("/info")
        try:
            response = await self._client.request("GET", url, headers=target.request_headers(url))
            if response.code != http.OK:
                raise refused("info", response.code, lambda name: header_of(response, name))
            info = loads(await read_body(response, _LONGEST))
        except (BodyTooLong, Malformed):
            info = None
        except Exception as problem:  # cancelled, too
            if not self.connected.called:
                self.connected.errback(problem)
            raise
        if not isinstance(info, dict):
            raise HandshakeRefused(
                "the answer to info is not a JSON object: is this a SockJS server?"
            )
        return info.get("websocket") is not False
