"""
Services that listen, for ``twistd``.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, NoReturn

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Site

from ..server import TokenSocketServer

__all__ = ["Listening", "Serving", "fail", "fail_to_start"]


_log = Logger()


def fail(problem: str, status: int) -> NoReturn:
    """
    End the process with one line: beside the log, which may be a file, and without the
    pages of help that twistd itself prints.
    """
    line = " ".join(problem.split())
    print(f"twistd tokensock: {line}", file=sys.__stderr__, flush=True)
    raise SystemExit(status)


def fail_to_start(problem: str) -> NoReturn:
    """
    The same, with status 1, where the process may be a daemon already.  Then nobody reads
    its standard error, and twistd in the foreground waits to hear of an exception: for a
    ``SystemExit`` it would wait for ever.
    """
    if not _is_daemon():
        fail(problem, 1)
    _log.critical("{problem}", problem=problem)
    sys.excepthook = lambda *_: None  # that says it all
    raise RuntimeError(problem)


def _is_daemon() -> bool:
    null = os.stat(os.devnull)
    try:
        return all(os.path.samestat(os.fstat(number), null) for number in range(3))
    except OSError:  # one of them is closed
        return False


class Listening(Service):
    """
    Listens while it runs, or ends the process with one line that says why it cannot.

    :param endpoint: where.
    :param description: the endpoint's string, for people.
    :param site: what is served.
    :param what: its name, for people.
    :param option: where another place can be chosen.
    """

    _log = Logger()

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        description: str,
        site: Site,
        what: str = "token-sockjs server",
        option: str = "serve --listen tcp:8081:interface=127.0.0.1",
    ) -> None:
        self._endpoint = endpoint
        self._description = description
        self._site = site
        self._what = what
        self._option = option
        self._port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Listen, while there may still be the privilege to."""
        outcome: list[Any] = []
        self._endpoint.listen(self._site).addBoth(outcome.append)
        if not outcome:
            fail_to_start(f"{self._description} does not listen at once")
        if isinstance(outcome[0], Failure):
            fail_to_start(self._explain(outcome[0].value))
        self._port = outcome[0]

    def startService(self) -> None:
        """Announce where."""
        super().startService()  # type: ignore[no-untyped-call]
        assert self._port is not None
        self._log.info("{what} on {address}", what=self._what, address=self._port.getHost())

    def stopService(self) -> Deferred[None]:
        """Listen no more."""
        super().stopService()  # type: ignore[no-untyped-call]
        port, self._port = self._port, None
        stopped = port.stopListening() if port is not None else None
        return stopped if isinstance(stopped, Deferred) else succeed(None)

    def _explain(self, problem: BaseException | None) -> str:
        if isinstance(problem, CannotListenError):
            reason = problem.socketError.strerror
            what_to_do = ""
            if problem.socketError.errno == errno.EADDRINUSE:
                what_to_do = (
                    ". Stop the program that does, or choose another place:"
                    f" {sys.argv[0]} --pidfile= -n tokensock {self._option}"
                )
            return f"cannot listen on {self._description}: {reason}{what_to_do}"
        return f"cannot listen on {self._description}: {problem}"


class Serving(MultiService):
    """
    A server and where it listens, which end in order: first nobody new comes in, then the
    server takes leave of those who are there, and last the pages go that say so.

    :param server: the server.
    :param listening: where its clients come in.
    :param admin: where its pages for operators are.
    :param welcome: for people, on the standard output.
    """

    _log = Logger()

    def __init__(
        self,
        server: TokenSocketServer,
        listening: Listening,
        admin: Listening | None = None,
        *,
        welcome: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._listening = listening
        self._admin = admin
        self._welcome = welcome
        for service in (server, listening, admin):
            if service is not None:
                service.setServiceParent(self)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Serve, and say so."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._welcome is not None:
            # Beside the log, whose time stamps would be in the way of copying.
            print(self._welcome, file=sys.__stdout__, flush=True)

    def stopService(self) -> Deferred[None]:
        """
        :return: fires with None when the last answer was sent or given up, see
            :meth:`TokenSocketServer.stopService`, and nothing listens any more.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # Both at once, in this order: nobody can come in between.
        closed = self._listening.stopService()
        stopped = self._server.stopService()
        count = len(self._server.peers())
        self._log.info("stopping, {count} peers finish what they asked for", count=count)
        await closed
        await stopped
        if self._admin is not None:
            await self._admin.stopService()
