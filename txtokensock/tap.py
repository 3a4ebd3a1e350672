"""
``twistd tokensock``: options to services.

The options only parse; :func:`makeService` builds.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.web.server import Site

from .server import TokenSocketServer
from .server.demo import ACTIONS, authenticate

__all__ = ["Options", "makeService"]

EMBEDDED_LISTEN = "tcp:8080:interface=127.0.0.1"
"""Where the embedded server listens, and where ``tokensock`` looks for one."""


def _fail(problem: str, status: int) -> NoReturn:
    """
    End the process with one line: beside the log, which may be a file, and without the
    pages of help that twistd itself prints.
    """
    print(f"twistd tokensock: {problem}", file=sys.__stderr__, flush=True)
    raise SystemExit(status)


class ServeOptions(usage.Options):
    """``twistd tokensock serve``."""

    synopsis = "[options]"
    longdesc = "A token-sockjs server, in memory, with the actions echo and whoami."
    optParameters = [
        ["listen", "l", EMBEDDED_LISTEN, "Where to listen: a Twisted endpoint string."],
    ]


class Options(usage.Options):
    """``twistd tokensock``."""

    synopsis = "[serve] [options]"
    longdesc = (
        "Without a command: an embedded token-sockjs server on 127.0.0.1:8080, to try"
        " things out with the command 'tokensock'."
    )
    subCommands = [
        ["serve", None, ServeOptions, "Serve the token-sockjs protocol."],
    ]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, or exit with status 2 and one line that says what is wrong."""
        try:
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except usage.UsageError as problem:
            _fail(f"{problem} (see twistd tokensock --help)", 2)


def makeService(options: Options, reactor: Any = None) -> IService:
    """
    The service for ``twistd``'s options.

    :param reactor: the reactor; by default the global one.
    :raises SystemExit: with status 2, for an option that cannot be.
    """
    if reactor is None:
        from twisted.internet import reactor
    listen = options.subOptions["listen"] if options.subCommand else EMBEDDED_LISTEN
    try:
        endpoint = serverFromString(reactor, listen)
    except Exception as problem:
        # Whatever the endpoint's parser stumbles over: ValueError, TypeError, KeyError ...
        _fail(f"--listen {listen}: {problem}", 2)
    server = TokenSocketServer(authenticate, actions=ACTIONS, ping=True, reactor=reactor)
    service = MultiService()
    server.setServiceParent(service)  # type: ignore[no-untyped-call]
    site = Site(server.resource())
    site.noisy = False
    listening = Listening(endpoint, listen, site, server)
    listening.setServiceParent(service)  # type: ignore[no-untyped-call]
    return service


class Listening(Service):
    """
    Listens while it runs, or ends the process with one line that says why it cannot.

    :param endpoint: where.
    :param description: the endpoint's string, for people.
    :param site: what is served.
    :param server: whose paths are announced.
    """

    _log = Logger()

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        description: str,
        site: Site,
        server: TokenSocketServer,
    ) -> None:
        self._endpoint = endpoint
        self._description = description
        self._site = site
        self._server = server
        self._port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Listen, while there may still be the privilege to."""
        outcome: list[Any] = []
        self._endpoint.listen(self._site).addBoth(outcome.append)
        if not outcome:
            _fail(f"{self._description} does not listen at once", 1)
        if isinstance(outcome[0], Failure):
            _fail(self._explain(outcome[0].value), 1)
        self._port = outcome[0]

    def startService(self) -> None:
        """Announce where."""
        super().startService()  # type: ignore[no-untyped-call]
        assert self._port is not None
        address = self._port.getHost()
        self._log.info("token-sockjs server on {address}", address=address)
        if self._description == EMBEDDED_LISTEN:
            # Beside the log, whose time stamps would be in the way of copying.
            print(_welcome(), file=sys.__stdout__, flush=True)

    def stopService(self) -> Deferred[None]:
        """Listen no more."""
        super().stopService()  # type: ignore[no-untyped-call]
        port, self._port = self._port, None
        stopped = port.stopListening() if port is not None else None
        return stopped if isinstance(stopped, Deferred) else succeed(None)

    def _explain(self, problem: BaseException | None) -> str:
        if isinstance(problem, CannotListenError):
            return (
                f"cannot listen on {self._description}: {problem.socketError.strerror}."
                " Stop the program that does, or choose another place:"
                " twistd -n tokensock serve --listen tcp:8081:interface=127.0.0.1"
            )
        return f"cannot listen on {self._description}: {problem}"


def _welcome() -> str:
    command = _command()
    return f"""\
A token-sockjs server is on http://127.0.0.1:8080, in memory, for this machine only.
Try it from a second terminal:

    {command} rpc echo '{{"foo":"bar"}}'
    {command} listen channel1
    {command} publish channel1 '{{"foo":"bar"}}'
"""


def _command() -> str:
    """``tokensock`` as it can be typed in another terminal."""
    if shutil.which("tokensock"):
        return "tokensock"
    beside = Path(sys.argv[0]).absolute().with_name("tokensock")
    return str(beside) if beside.exists() else "tokensock"
