"""
Calls from the server to one client.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail

from ..errors import CallTimeout, ConnectionLost, InvalidData, InvalidOption, remote_error
from ..messages.from_client import ActionAnswer
from ..messages.from_server import encode_server_call
from ..support.checks import check_seconds
from ..support.deadlines import Deadlines, Late
from ..support.slices import Slices

__all__ = ["ServerCalls"]


class _ServerCall:
    """One call that waits for its answer."""

    __slots__ = ("answer", "fid", "give_up", "name", "seconds")

    def __init__(
        self,
        give_up: Callable[[str], _ServerCall | None],
        fid: str,
        name: str,
        seconds: float,
    ) -> None:
        self.give_up = give_up
        self.fid = fid
        self.name = name
        self.seconds = seconds
        self.answer: Deferred[Any] = Deferred(self._cancelled)

    def _cancelled(self, _: Deferred[Any]) -> None:
        self.give_up(self.fid)

    def late(self) -> None:
        if self.give_up(self.fid) is not None:
            text = f"the peer did not answer {self.name!r} within {self.seconds:g} seconds"
            self.answer.errback(CallTimeout(text, may_have_run=True))


class ServerCalls:
    """
    The calls that wait for an answer of one peer.  They belong to that peer: no other can
    answer them, and they fail when it goes.

    :param slices: many that end at once do in several turns.
    :param deadlines: for those that take too long.
    :param send: sends an encoded message.
    :param credit: called with 1 for each answer that the peer may send from now on, and with
        -1 for each that is not waited for any more.
    :param timeout: seconds for a call that says nothing else.
    """

    __slots__ = (
        "_closed",
        "_credit",
        "_deadlines",
        "_send",
        "_slices",
        "_timeout",
        "_waiting",
    )

    def __init__(
        self,
        slices: Slices,
        deadlines: Deadlines[Late],
        send: Callable[[bytes], None],
        credit: Callable[[int], None],
        timeout: float,
    ) -> None:
        self._slices = slices
        self._deadlines = deadlines
        self._send = send
        self._credit = credit
        self._waiting: dict[str, _ServerCall] = {}
        self._timeout = timeout
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def call(self, name: str, data: Any, timeout: float | None = None) -> Deferred[Any]:
        """
        Call an action of the client, see :meth:`Peer.rpc`.

        :param timeout: seconds.
        """
        if not isinstance(name, str) or not name:
            return fail(InvalidData(f"an action's name must be non-empty text, not {name!r}"))
        if self._closed:
            return fail(ConnectionLost("the peer is gone", may_have_run=False))
        fid = str(uuid.uuid4())
        try:
            seconds = check_seconds("timeout", timeout) if timeout else self._timeout
            message = encode_server_call(fid, name, data)
        except (InvalidData, InvalidOption):
            return fail()
        call = self._waiting[fid] = _ServerCall(self._give_up, fid, name, seconds)
        self._deadlines.add(call, seconds, self._slices.reactor.seconds())
        self._credit(1)
        self._send(message)
        return call.answer

    def answered(self, answer: ActionAnswer) -> bool:
        """:return: whether anybody waited for it."""
        call = self._forget(answer.fid)
        if call is None:
            return False
        if answer.error is not None:
            call.answer.errback(remote_error(answer.error))
        else:
            call.answer.callback(answer.data)
        return True

    def close(self) -> Deferred[None]:
        """
        The peer is gone: fail all calls that wait, and all later ones.

        :return: fires with None when all have failed.
        """
        self._closed = True
        return self._slices.for_each(self._waiting, self._lose, at_a_time=64)

    def _lose(self, fid: str) -> None:
        call = self._give_up(fid)
        if call is not None:
            call.answer.errback(ConnectionLost("the peer went before it answered"))

    def _give_up(self, fid: str) -> _ServerCall | None:
        call = self._forget(fid)
        if call is not None:
            self._credit(-1)
        return call

    def _forget(self, fid: str) -> _ServerCall | None:
        call = self._waiting.pop(fid, None)
        if call is not None:
            self._deadlines.remove(call, call.seconds)
        return call
