"""
``Idempotency-Key``: a request that is sent twice with one gets the first answer again.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...support.waiters import Waiters
from ..error_table import ErrorKind
from .api_requests import bad_request
from .responses import ApiResponse, Refusal, unavailable

__all__ = ["IdempotencyCache"]

_LONGEST_KEY = 255
_SHARE = 8
"""One answer may take an eighth of the room, so that it does not drive out all others."""


@dataclass(eq=False)
class _Entry:
    """
    :ivar request: digest of what was asked for.
    :ivar answer: None until there is one.
    :ivar expires: seconds since the epoch, once there is an answer.
    """

    request: bytes
    answer: ApiResponse | None = None
    expires: float = 0.0
    work: Deferred[None] | None = None
    waiting: Waiters[ApiResponse] = field(default_factory=Waiters)


class IdempotencyCache:
    """
    The answers that were given to idempotency keys.  They are kept in memory: a restart
    forgets them.

    :param reactor: for the time.
    :param expiry: seconds that an answer is kept.
    :param limit: answers that are kept; the oldest makes room.
    :param room: bytes of them.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, expiry: float, limit: int, room: int) -> None:
        self._reactor = reactor
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._size = 0
        self.configure(expiry, limit, room)

    def configure(self, expiry: float, limit: int, room: int) -> None:
        """Use other numbers from now on."""
        self._expiry = expiry
        self._limit = limit
        self._room = room

    def __len__(self) -> int:
        return len(self._entries)

    async def once(
        self,
        caller: str,
        route: str,
        key: str | None,
        body: bytes,
        do: Callable[[], Awaitable[ApiResponse]],
    ) -> ApiResponse:
        """
        Do something, or give the answer that it had.  What is done goes on although who
        asked is gone: they may ask again.

        :param caller: whose key it is; others' keys are other keys.
        :param key: the header; None to do it in any case.
        :param do: gives the answer; what it raises is a :class:`.responses.Refusal`.
        :raises Refusal: 422 for a key that was used for something else, 400 for none that
            could be, 503 where all room is taken by what is not answered yet.
        """
        if key is None:
            return await do()
        if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
            raise bad_request(f"Idempotency-Key must be text of 1 to {_LONGEST_KEY} characters")
        self._forget_old()
        name = (caller, route, key)
        request = hashlib.sha256(body).digest()
        entry = self._entries.get(name)
        if entry is None:
            entry = self._begin(name, request, do)
        elif entry.request != request:
            raise Refusal(
                ErrorKind.KEY_USED_OTHERWISE,
                "this Idempotency-Key was used for another request",
            )
        if entry.answer is not None:
            return entry.answer
        return await entry.waiting.wait()

    def stop(self) -> None:
        """Fail the requests that are not answered yet."""
        for entry in list(self._entries.values()):
            if entry.work is not None:
                entry.work.cancel()

    # -- details

    def _begin(
        self, name: tuple[str, str, str], request: bytes, do: Callable[[], Awaitable[ApiResponse]]
    ) -> _Entry:
        while len(self._entries) >= self._limit:
            if not self._forget_oldest():
                raise unavailable("as many Idempotency-Keys as can be kept wait for their answers")
        entry = self._entries[name] = _Entry(request)

        async def work() -> None:
            try:
                answer = await do()
            except Refusal as refusal:
                answer = refusal.answer
            except CancelledError:
                answer = unavailable("the bridge is stopping").answer
            except Exception:
                self._log.failure("a request failed", event="http.failed")
                answer = Refusal(ErrorKind.RUNTIME_ERROR, final=True).answer
            self._settle(name, entry, answer)

        entry.work = Deferred.fromCoroutine(work())
        return entry

    def _settle(self, name: tuple[str, str, str], entry: _Entry, answer: ApiResponse) -> None:
        entry.work = None
        entry.answer = answer
        if answer.final:
            entry.answer = kept = self._fitting(answer)
            entry.expires = self._reactor.seconds() + self._expiry
            self._entries.move_to_end(name)  # so that they are in the order of expiring
            self._size += len(kept.body)
            while self._size > self._room and self._forget_oldest():
                pass
        else:
            # Nothing was done, so that the next request with this key may do it.
            del self._entries[name]
        entry.waiting.fire(answer)

    def _fitting(self, answer: ApiResponse) -> ApiResponse:
        if len(answer.body) <= self._room // _SHARE:
            return answer
        return Refusal(
            ErrorKind.ANSWER_NOT_KEPT,
            "this was done and answered, but the answer was too long to be kept",
        ).answer

    def _forget_old(self) -> None:
        now = self._reactor.seconds()
        for name, entry in list(self._entries.items()):
            if entry.answer is not None:
                if entry.expires > now:
                    return  # all that was answered later expires later
                self._forget(name)

    def _forget_oldest(self) -> bool:
        for name, entry in self._entries.items():
            if entry.answer is not None:
                self._forget(name)
                return True
        return False

    def _forget(self, name: tuple[str, str, str]) -> None:
        answer = self._entries.pop(name).answer
        self._size -= len(answer.body) if answer is not None else 0
