"""
Publishes, which may wait for the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...client.socket import TokenSocket
from ...errors import RemoteError
from ..capacity import Capacity
from ..counters import Counters
from ..shares import Share
from .responses import ApiResponse, json_response, unavailable

__all__ = ["Publishing"]

_LARGEST_ID = 2**53
_STORE_UNAVAILABLE = "Store unavailable"
"""What txtokensock's server says where it could not publish at present."""


class Publishing:
    """
    Hands publishes to the server, or keeps some while it is away.

    :param counters: count the outcomes of those that waited, on the side ``http``.
    :ivar waiting: how many wait for the server, and may.
    :ivar waiting_bytes: how large they are, and may be.
    """

    _log = Logger()

    def __init__(self, socket: TokenSocket, counters: Counters) -> None:
        self._socket = socket
        self._counters = counters
        self.waiting = Capacity(0)
        self.waiting_bytes = Capacity(0)

    async def publish(
        self, rule: str, share: Share, size: int, send: Callable[[], Deferred[None]]
    ) -> ApiResponse:
        """
        :param rule: for the counters.
        :param share: of the caller.
        :param size: bytes.
        :param send: publishes or broadcasts.
        :return: 202, and ``queued`` where it waits for the server.
        :raises Refusal: 503, where as many wait as may, or the server's store is unavailable.
        :raises TokenSocketError: where the server refused it, or might not have got it.
        """
        if self._socket.connected:
            try:
                await share.call(send, size)
            except RemoteError as problem:
                if problem.error != _STORE_UNAVAILABLE:
                    raise
                raise unavailable("the server's store is unavailable") from None
            self._counters.count("http", rule, "out")
            return _accepted()
        if not self._take(size):
            self._log.warn(
                "{rule}: refused, {count} publishes wait for the server",
                event="http.queue_full",
                rule=rule,
                count=self.waiting.taken,
            )
            raise unavailable("not connected, and no more can wait for that")
        sent = share.call(send, size)
        if sent.called:
            self._give(size)
            await sent  # not even taken
        sent.addCallbacks(
            lambda _: self._counters.count("http", rule, "out"), self._lost, errbackArgs=(rule,)
        ).addBoth(lambda _: self._give(size))
        return _accepted(queued=True)

    def _take(self, size: int) -> bool:
        if not self.waiting_bytes.take(size):
            return False
        if self.waiting.take():
            return True
        self.waiting_bytes.give(size)
        return False

    def _give(self, size: int) -> None:
        self.waiting_bytes.give(size)
        self.waiting.give()

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


def _accepted(**more: object) -> ApiResponse:
    """With an id, as Crossbar's publisher gives one."""
    return json_response(HTTPStatus.ACCEPTED, {"id": secrets.randbelow(_LARGEST_ID) + 1, **more})
