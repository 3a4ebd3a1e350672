"""
``tokensock reply``: an action that a program answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..client.socket import TokenSocket
from ..errors import ActionError, shorten
from ..jsontext import Malformed, dumps, loads
from .commands import report_connection
from .output import notice

__all__ = ["reply"]

_MOST_OUTPUT = 1024 * 1024


async def reply(
    socket: TokenSocket,
    reactor: Any,
    *,
    name: str,
    command: Sequence[str],
    jobs: int,
    seconds: float,
) -> None:
    """
    Answer calls of the server, until this is cancelled.

    :param name: of the action; dots nest.
    :param command: the program and its arguments.  No shell reads them.
    :param jobs: how many may run at a time; other calls wait.
    :param seconds: how long one may run, after which it is killed.
    """
    free = DeferredSemaphore(jobs)

    def answer(data: Any) -> Deferred[Any]:
        return free.run(lambda: _run(reactor, command, data, seconds))

    actions: Any = answer
    for part in reversed(name.split(".")):  # "a.b" is b within a
        actions = {part: actions}
    socket.register(actions)
    ended = report_connection(socket)
    await socket.when_ready()
    notice(f"answering {name}")
    await ended


def _run(reactor: Any, command: Sequence[str], data: Any, seconds: float) -> Deferred[Any]:
    """Run the program once; cancelling it kills the program."""
    program = _Program(dumps(data) + b"\n")
    reactor.spawnProcess(program, command[0], command, env=None)
    return program.answered.addTimeout(
        seconds,
        reactor,
        lambda *_: Failure(ActionError(f"the program was killed after {seconds:g} seconds")),
    )


class _Program(ProcessProtocol):
    """
    One run of the program: the data goes to its stdin, and its stdout is the answer.

    :ivar answered: fires with the answer, null if it printed nothing.  Fails with an
        :class:`~txtokensock.ActionError` if the program does, with what it wrote to stderr last.
    """

    def __init__(self, data: bytes) -> None:
        self.answered: Deferred[Any] = Deferred(lambda _: self._kill())
        self._data = data
        self._output = {1: bytearray(), 2: bytearray()}

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._data)
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        output = self._output[childFD]
        output += data
        if len(output) <= _MOST_OUTPUT:
            return
        if childFD == 1:
            self._kill()
        del output[:-_MOST_OUTPUT]

    def _kill(self) -> None:
        assert self.transport is not None
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def processEnded(self, reason: Failure) -> None:
        if self.answered.called:
            return
        try:
            self.answered.callback(self._answer(reason))
        except ActionError:
            self.answered.errback()

    def _answer(self, reason: Failure) -> Any:
        if not reason.check(ProcessDone):
            said = self._output[2].decode(errors="replace").strip().splitlines()
            end: Any = reason.value
            how = f"status {end.exitCode}" if end.signal is None else f"signal {end.signal}"
            raise ActionError(shorten(said[-1]) if said else f"the program ended with {how}")
        text = bytes(self._output[1]).strip()
        try:
            return loads(text) if text else None
        except Malformed as problem:
            raise ActionError(f"the program printed no valid JSON: {problem}") from None
