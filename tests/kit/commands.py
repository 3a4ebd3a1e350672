"""
Programs as child processes of the tests: the child's side of
:class:`tests.kit.processes.CommandedProgram`.

Each line on stdin is a command, ``{"id": 1, "do": "arm", ...}``; each line on stdout says what
happened: ``{"event":"ready",...}``, and ``{"event":"done","id":1,"result":...}`` when a command
was obeyed.  The program ends when its parent does, so that it cannot outlive the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from .resources import die_with_parent

__all__ = ["Commands"]


class Commands(LineOnlyReceiver):
    """
    The commands of the parent.

    :param obey: the functions that may be named by ``do``: they get what else the command says
        as keyword arguments, and return what JSON can hold, or a coroutine of that.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    def __init__(self, obey: Mapping[str, Callable[..., Any]]) -> None:
        self._obey = obey

    def run(self, start: Callable[[], Any]) -> None:
        """
        Run the reactor until the parent is gone.

        :param start: called first; it may be a coroutine function.
        """
        die_with_parent()
        StandardIO(self)
        reactor.callWhenRunning(self._do, start)
        reactor.run()

    def say(self, event: str, **fields: Any) -> None:
        """Tell the parent."""
        line = json.dumps({"event": event, **fields}, separators=(",", ":"), default=repr)
        if self.transport is not None:
            self.sendLine(line.encode("ascii"))

    def failed(self, failure: Failure) -> None:
        """The code of the tests failed, not what they test."""
        self.say("failed", why=failure.getTraceback())

    def lineReceived(self, line: bytes) -> None:
        command = json.loads(line)
        self._do(self._obey[command.pop("do")], command.pop("id", None), **command)

    def connectionLost(self, reason: Any = None) -> None:
        if reactor.running:
            reactor.stop()

    def _do(self, what: Callable[..., Any], number: int | None = None, **arguments: Any) -> None:
        async def do() -> None:
            result = what(**arguments)
            if hasattr(result, "__await__"):
                result = await result
            if number is not None:
                self.say("done", id=number, result=result)

        Deferred.fromCoroutine(do()).addErrback(self.failed)
