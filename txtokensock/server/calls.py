"""
Calls from the server to one client.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from ..errors import CallTimeout, ConnectionLost, InvalidData, remote_error
from ..messages.from_client import ActionAnswer
from ..messages.from_server import encode_server_call
from ..support.slices import Slices
from ..support.timer import Deadline

__all__ = ["ServerCalls"]


class ServerCalls:
    """
    The calls that wait for an answer of one peer.  They belong to that peer: no other can
    answer them, and they fail when it goes.

    :param reactor: for their deadlines.
    :param send: sends an encoded message.
    :param credit: called with 1 for each answer that the peer may send from now on, and with
        -1 for each that is not waited for any more.
    :param timeout: seconds for a call that says nothing else.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        send: Callable[[bytes], None],
        credit: Callable[[int], None],
        timeout: float,
    ) -> None:
        self._reactor = reactor
        self._send = send
        self._credit = credit
        self._waiting: dict[str, tuple[Deferred[Any], Deadline]] = {}
        self._timeout = timeout
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def call(self, name: str, data: Any, timeout: float | None = None) -> Deferred[Any]:
        """
        Call an action of the client, see :meth:`Peer.rpc`.

        :param timeout: seconds.
        """
        timeout = timeout or self._timeout
        if not isinstance(name, str) or not name:
            return fail(InvalidData(f"an action's name must be non-empty text, not {name!r}"))
        if self._closed:
            return fail(ConnectionLost("the peer is gone", may_have_run=False))
        fid = str(uuid.uuid4())
        try:
            message = encode_server_call(fid, name, data)
        except InvalidData:
            return fail()
        timer = Deadline(self._reactor, partial(self._timed_out, fid, name, timeout))
        timer.start(timeout)

        def cancelled(_: Deferred[Any]) -> None:
            self._give_up(fid)

        answer: Deferred[Any] = Deferred(cancelled)
        self._waiting[fid] = (answer, timer)
        self._credit(1)
        self._send(message)
        return answer

    def answered(self, answer: ActionAnswer) -> bool:
        """:return: whether anybody waited for it."""
        waiting = self._forget(answer.fid)
        if waiting is None:
            return False
        if answer.error is not None:
            waiting.errback(remote_error(answer.error))
        else:
            waiting.callback(answer.data)
        return True

    def close(self, slices: Slices) -> Deferred[None]:
        """
        The peer is gone: fail all calls that wait, and all later ones.

        :param slices: many are failed in several turns.
        :return: fires with None when all have failed.
        """
        self._closed = True
        return slices.for_each(self._waiting, self._lose, at_a_time=64)

    def _lose(self, fid: str) -> None:
        waiting = self._give_up(fid)
        if waiting is not None:
            waiting.errback(ConnectionLost("the peer went before it answered"))

    def _timed_out(self, fid: str, name: str, timeout: float) -> None:
        waiting = self._give_up(fid)
        if waiting is not None:
            text = f"the peer did not answer {name!r} within {timeout:g} seconds"
            waiting.errback(CallTimeout(text, may_have_run=True))

    def _give_up(self, fid: str) -> Deferred[Any] | None:
        waiting = self._forget(fid)
        if waiting is not None:
            self._credit(-1)
        return waiting

    def _forget(self, fid: str) -> Deferred[Any] | None:
        if fid not in self._waiting:
            return None
        waiting, timer = self._waiting.pop(fid)
        timer.stop()
        return waiting
