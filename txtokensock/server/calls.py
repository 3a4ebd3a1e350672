"""
Calls from the server to one client.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail

from ..errors import CallTimeout, ConnectionLost, InvalidData, remote_error
from ..messages.from_client import ActionAnswer
from ..messages.from_server import encode_server_call
from ..support.slices import Slices
from ..support.timer import Deadline

__all__ = ["ServerCalls"]


class _ServerCall:
    """One call that waits for its answer."""

    __slots__ = ("answer", "due", "fid", "group", "name")

    def __init__(self, group: _SameTimeout, fid: str, name: str) -> None:
        self.group = group
        self.fid = fid
        self.name = name
        self.due = 0.0
        self.answer: Deferred[Any] = Deferred(self._cancelled)

    def _cancelled(self, _: Deferred[Any]) -> None:
        self.group.give_up(self.fid)


class _SameTimeout:
    """
    The calls of one peer that have the same time.  What begins first is late first, so that one
    timer is enough for all, however many wait.

    :param slices: many that are late end in several turns.
    :param seconds: that each has.
    :ivar seconds: the same.
    :param give_up: ends the wait for one.
    """

    def __init__(
        self,
        slices: Slices,
        seconds: float,
        give_up: Callable[[str], _ServerCall | None],
    ) -> None:
        self.give_up = give_up
        self._slices = slices
        self.seconds = seconds
        self._calls: dict[_ServerCall, None] = {}
        self._deadline = Deadline(slices.reactor, self._on_deadline)

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: _ServerCall) -> None:
        call.due = self._slices.reactor.seconds() + self.seconds
        self._calls[call] = None
        if not self._deadline.running:
            self._deadline.start(self.seconds)

    def remove(self, call: _ServerCall) -> None:
        del self._calls[call]
        if not self._calls:
            self._deadline.stop()

    def _on_deadline(self) -> None:
        late = []
        for call in self._calls:
            if call.due > self._deadline.noticed:
                self._deadline.start(max(0.0, call.due - self._slices.reactor.seconds()))
                break
            late.append(call)
        self._slices.for_each(late, self._late, at_a_time=64)

    def _late(self, call: _ServerCall) -> None:
        if self.give_up(call.fid) is not None:
            text = f"the peer did not answer {call.name!r} within {self.seconds:g} seconds"
            call.answer.errback(CallTimeout(text, may_have_run=True))


class ServerCalls:
    """
    The calls that wait for an answer of one peer.  They belong to that peer: no other can
    answer them, and they fail when it goes.

    :param slices: many that end at once do in several turns.
    :param send: sends an encoded message.
    :param credit: called with 1 for each answer that the peer may send from now on, and with
        -1 for each that is not waited for any more.
    :param timeout: seconds for a call that says nothing else.
    """

    def __init__(
        self,
        slices: Slices,
        send: Callable[[bytes], None],
        credit: Callable[[int], None],
        timeout: float,
    ) -> None:
        self._slices = slices
        self._send = send
        self._credit = credit
        self._waiting: dict[str, _ServerCall] = {}
        self._groups: dict[float, _SameTimeout] = {}
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
        group = self._groups.get(timeout)
        if group is None:
            group = self._groups[timeout] = _SameTimeout(self._slices, timeout, self._give_up)
        call = self._waiting[fid] = _ServerCall(group, fid, name)
        group.add(call)
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
            call.group.remove(call)
            if not call.group:
                del self._groups[call.group.seconds]
        return call
