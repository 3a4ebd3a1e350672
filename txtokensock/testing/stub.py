"""
A client without a server, for tests of code that only calls and publishes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ..actions import Action, Actions, check_actions, find_action
from ..client.request import Request
from ..client.request_queue import RequestQueue
from ..client.socket import TokenSocket
from ..errors import (
    ActionError,
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    FunctionNotFound,
    QueueFull,
    remote_error,
)
from ..jsontext import dumps, loads
from ..messages.from_client import (
    Broadcast,
    Call,
    ClientMessage,
    Publish,
    decode_client_message,
)
from ..support.checks import check_choice, check_count
from ..support.user_functions import call_user_function

__all__ = ["RequestFault", "StubTokenSocket"]

RequestFault: TypeAlias = Literal["forbidden", "lost", "timeout", "full", "closed"]
"""
What becomes of a request:

``"forbidden"``
    the server refuses it: :class:`~txtokensock.errors.Forbidden`;
``"lost"``
    the connection goes before the answer: :class:`~txtokensock.errors.ConnectionLost`, and it may
    have run;
``"timeout"``
    no answer in time: :class:`~txtokensock.errors.CallTimeout`, and it may have run;
``"full"``
    too many wait already: :class:`~txtokensock.errors.QueueFull`;
``"closed"``
    the client was stopped, or gave up: :class:`~txtokensock.errors.ClientClosed`.
"""

_ERRORS: dict[RequestFault, Callable[[str], Exception]] = {
    "forbidden": lambda what: remote_error("Forbidden", what),
    "lost": lambda what: ConnectionLost(f"{what}: the connection was lost"),
    "timeout": lambda what: CallTimeout(f"{what}: no answer in time", may_have_run=True),
    "full": lambda what: QueueFull(f"{what}: the queue is full"),
    "closed": lambda what: ClientClosed(f"{what}: the client was stopped"),
}


class StubTokenSocket(TokenSocket):
    """
    A client whose calls are answered by functions of the test, at once::

        client = StubTokenSocket({"heater": {"switch": lambda on: on}})
        application = Thermostat(client)
        ...
        assert client.calls == [("heater.switch", True)]

    ``rpc``, ``publish`` and ``broadcast`` are those of :class:`~txtokensock.TokenSocket`, down to
    what they refuse: data goes through JSON, both ways.  After ``end()`` they fail.  All else is
    that of a client that nobody has started: it waits for a server.  Use :class:`MemoryServer`
    for tests of what subscribes.

    :param answers: what can be called, by name; mappings nest.  Each function gets the data of
        the call; its result (that of its Deferred, of its coroutine) is the answer, and an
        :class:`~txtokensock.errors.ActionError` is the error.  What else it raises is what the
        call fails with.  Other calls fail with
        :class:`~txtokensock.errors.FunctionNotFound`.
    :ivar calls: the name and the data of each call so far, whatever became of it.
    :ivar published: channel and data of each publish.
    :ivar broadcasts: the data of each broadcast.
    """

    def __init__(self, answers: Actions | None = None) -> None:
        check_actions(answers or {}, ("data",), "answers")
        super().__init__("http://stub.test", proxy=False, reactor=Clock())
        self._idle = False  # it need not be started
        self._faults: list[RequestFault] = []
        self.calls: list[tuple[str, Any]] = []
        self.published: list[tuple[str, Any]] = []
        self.broadcasts: list[Any] = []
        self._core.request_queue = _Answers(answers or {}, self)

    def fault(self, name: RequestFault, times: int = 1) -> None:
        """
        Let requests fail: the next ones that are made, after those of earlier faults.

        :param times: how many.
        :raises InvalidOption: if there is no such fault.
        """
        check_choice("the fault", name, get_args(RequestFault))
        self._faults += [name] * check_count("times", times)

    def take_fault(self) -> RequestFault | None:
        """What becomes of the next request, which is made now; None where it is answered."""
        return self._faults.pop(0) if self._faults else None


class _Answers(RequestQueue):
    """Stands where requests wait for a connection, and answers them."""

    def __init__(self, answers: Actions, stub: StubTokenSocket) -> None:
        super().__init__(Clock(), 1, 1, lambda _: None)
        self._answers = answers
        self._stub = stub

    def submit(self, request: Request, timeout: float) -> Deferred[Any]:
        if self.closed is not None:
            return fail(self.closed.copy(request.what))
        answer, data = self._note(decode_client_message(request.payload))
        fault = self._stub.take_fault()
        if fault is not None:
            return fail(_ERRORS[fault](request.what))
        if answer is None:
            return fail(FunctionNotFound("Function not found", request.what))

        def failed(failure: Failure) -> Failure:
            error = failure.value
            if isinstance(error, ActionError):
                return Failure(remote_error(error.error, request.what))
            return failure

        answered = call_user_function(answer, data)
        return answered.addCallbacks(lambda result: loads(dumps(result)), failed)

    def _note(self, message: ClientMessage) -> tuple[Action | None, Any]:
        """What is asked, and the function that answers it."""
        stub = self._stub
        match message:
            case Call(name=name, data=data):
                stub.calls.append((name, data))
                return find_action(self._answers, name), data
            case Publish(channel=channel, data=data):
                stub.published.append((channel, data))
            case Broadcast(data=data):
                stub.broadcasts.append(data)
        return (lambda _: None), None
