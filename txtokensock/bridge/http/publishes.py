"""
Publishes, which may wait for the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...client.socket import TokenSocket
from ...errors import RemoteError
from ...support.waiters import Waiters
from ..counters import Counters
from .responses import ApiResponse, json_response, unavailable

__all__ = ["Publishing"]

_LARGEST_ID = 2**53


class Publishing:
    """
    Hands publishes to the server, or keeps some while it is away.

    :param counters: count what becomes of those that waited, on the side ``http``.
    """

    _log = Logger()

    def __init__(self, socket: TokenSocket, counters: Counters) -> None:
        self._socket = socket
        self._counters = counters
        self._count = 0
        self._bytes = 0
        self._idle: Waiters[None] = Waiters()
        self.limit = 0
        self.room = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._count

    async def publish(
        self, rule: str, size: int, send: Callable[[], Deferred[None]]
    ) -> ApiResponse:
        """
        :param rule: for the counters.
        :param size: bytes.
        :param send: publishes or broadcasts.
        :return: 202, and ``queued`` where it waits for the server.
        :raises Refusal: 503, where as many wait as may.
        :raises TokenSocketError: where the server refused it, or might not have got it.
        """
        if self._socket.connected:
            await send()
            self._counters.count("http", rule, "out")
            return _accepted()
        if self._count >= self.limit or self._bytes + size > self.room:
            self._log.warn(
                "{rule}: refused, {count} publishes wait for the server",
                event="http.queue_full",
                rule=rule,
                count=self._count,
            )
            raise unavailable("not connected, and no more can wait for that")
        sent = send()
        if sent.called:
            await sent  # not even taken
        self._count += 1
        self._bytes += size
        sent.addCallbacks(
            lambda _: self._counters.count("http", rule, "out"), self._lost, errbackArgs=(rule,)
        ).addBoth(lambda _: self._left(size))
        return _accepted(queued=True)

    def drained(self) -> Deferred[None]:
        """:return: fires when none waits any more."""
        return self._idle.wait() if self._count else succeed(None)

    def _lost(self, failure: Failure, rule: str) -> None:
        """Who published it has been told that it would be sent: now it is said here."""
        refused = failure.check(RemoteError) is not None
        self._counters.count("http", rule, "refused" if refused else "dropped")
        self._log.warn(
            "{rule}: a publish that waited is lost: {problem}",
            event="http.publish_lost",
            rule=rule,
            problem=failure.getErrorMessage(),
        )

    def _left(self, size: int) -> None:
        self._count -= 1
        self._bytes -= size
        if not self._count:
            self._idle.fire()


def _accepted(**more: object) -> ApiResponse:
    """With an id, as Crossbar's publisher gives one."""
    return json_response(HTTPStatus.ACCEPTED, {"id": secrets.randbelow(_LARGEST_ID) + 1, **more})
