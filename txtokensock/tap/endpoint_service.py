"""
A service that listens, for ``twistd``.
"""

from __future__ import annotations

import errno
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Site

from ..address import shown_address
from .fatal import fail_to_start

__all__ = ["EndpointService"]


@define(eq=False, repr=False, slots=False)
class EndpointService(Service):
    """
    Listens while it runs.  If it cannot, it ends the process with one line that says why.

    :param endpoint: where to listen.
    :param description: the endpoint's string, for people.
    :param site: the site to serve.
    :param what: its name, for people.
    :param elsewhere: what chooses another place: a command, or an option with an example.
    """

    _log = Logger()

    _endpoint: IStreamServerEndpoint
    _description: str
    site: Site
    _what: str
    _elsewhere: str
    _port: IListeningPort | None = field(init=False, default=None)

    def privilegedStartService(self) -> None:
        """Listen before ``twistd`` gives up its privileges."""
        outcome: list[Any] = []
        self._endpoint.listen(self.site).addBoth(outcome.append)
        if not outcome:
            fail_to_start(f"{self._description} does not listen at once")
        if isinstance(outcome[0], Failure):
            fail_to_start(self._explain(outcome[0].value))
        self._port = outcome[0]

    def startService(self) -> None:
        """Write to the log where the service listens."""
        super().startService()  # type: ignore[no-untyped-call]
        assert self._port is not None
        address = self._port.getHost()
        self._log.info(
            "{what} on {address}",
            event="serve.listening",
            what=self._what,
            address=shown_address(address) or address,
        )

    def stopService(self) -> Deferred[None]:
        """:return: fires with None when nobody can connect any more."""
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
                    f". Stop the program that does, or choose another place: {self._elsewhere}"
                )
            return f"cannot listen on {self._description}: {reason}{what_to_do}"
        return f"cannot listen on {self._description}: {problem}"
