"""
Publishes, which may wait for the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...client.socket import TokenSocket
from ...errors import RemoteError
from ..capacity import Capacity
from ..counters import Counters
from ..shares import Share
from .responses import ApiResponse, json_response, unavailable

__all__ = ["Publishing"]

_ID_BITS = 53  # those of WAMP are 1 to 2**53
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
        self._waiting: dict[Share, dict[Deferred[None], int]] = {}

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
                await share.call_in_turn(send, size)
            except RemoteError as problem:
                if problem.error != _STORE_UNAVAILABLE:
                    raise
                raise unavailable("the server's store is unavailable") from None
            self._counters.count("http", rule, "out")
            return _accepted()
        if not self._take(share, size):
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
        self._waiting.setdefault(share, {})[sent] = size
        sent.addCallbacks(
            lambda _: self._counters.count("http", rule, "out"), self._lost, errbackArgs=(rule,)
        ).addBoth(lambda _: self._over(share, sent, size))
        return _accepted(queued=True)

    def _take(self, share: Share, size: int) -> bool:
        while size <= self.waiting_bytes.limit:
            if self.waiting_bytes.take(size):
                if self.waiting.take():
                    return True
                self.waiting_bytes.give(size)
                if not self._make_room(share, lambda publishes: len(publishes), 1):
                    break
            elif not self._make_room(share, lambda publishes: sum(publishes.values()), size):
                break
        return False

    def _make_room(
        self, share: Share, amount: Callable[[dict[Deferred[None], int]], int], more: int
    ) -> bool:
        """
        One caller does not take all the room: the latest publish of the one who has the most
        makes room, if that one has more than this one will.
        """
        most = max(self._waiting.values(), key=amount, default={})
        if amount(most) <= amount(self._waiting.get(share, {})) + more:
            return False
        latest, _ = most.popitem()
        latest.cancel()
        return True

    def _over(self, share: Share, sent: Deferred[None], size: int) -> None:
        publishes = self._waiting[share]
        publishes.pop(sent, None)
        if not publishes:
            del self._waiting[share]
        self._give(size)

    def _give(self, size: int) -> None:
        self.waiting_bytes.give(size)
        self.waiting.give()

    def _lost(self, failure: Failure, rule: str) -> None:
        """Who published it has been told that it would be sent: now it is said here."""
        refused = failure.check(RemoteError) is not None
        self._counters.count("http", rule, "refused" if refused else "dropped")
        displaced = failure.check(CancelledError) is not None
        self._log.warn(
            "{rule}: a publish that waited is lost: {problem}",
            event="http.publish_lost",
            rule=rule,
            problem="others have less that waits" if displaced else failure.getErrorMessage(),
        )


def _accepted(**more: object) -> ApiResponse:
    """With an id, as Crossbar's publisher gives one."""
    return json_response(HTTPStatus.ACCEPTED, {"id": secrets.randbits(_ID_BITS) + 1, **more})
