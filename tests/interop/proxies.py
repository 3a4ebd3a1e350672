"""
Real proxies as child processes: :class:`TinyProxy` and :class:`MicroSocks`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from .servers import Server


class TinyProxy(Server):
    """
    Debian's tinyproxy, an HTTP proxy.

    :param credentials: user and password that it asks for, if it does.
    """

    name = "tinyproxy"

    def __init__(self, *credentials: str) -> None:
        super().__init__()
        self._credentials = credentials
        self._directory = tempfile.TemporaryDirectory(prefix="txtokensock-tinyproxy-")
        lines = [f"Port {self.port}", "Listen 127.0.0.1", "LogLevel Info", "MaxClients 200"]
        if credentials:
            lines.append(f"BasicAuth {' '.join(credentials)}")
        self._file = Path(self._directory.name) / "tinyproxy.conf"
        self._file.write_text("\n".join([*lines, ""]), encoding="ascii")

    @property
    def url(self) -> str:
        """What a client is told to go through, credentials included."""
        user = f"{':'.join(self._credentials)}@" if self._credentials else ""
        return f"http://{user}127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return ["tinyproxy", "-d", "-c", str(self._file)]

    def is_ready(self, line: str) -> bool:
        return "Accepting connections" in line

    def tunnels(self, port: int, host: str = "127.0.0.1") -> int:
        """How often it was asked for a connection to there, in vain or not, by its log so far."""
        return sum(f"CONNECT {host}:{port} HTTP" in line for line in self.output)

    async def close(self) -> None:
        await super().close()
        self._directory.cleanup()


class MicroSocks(Server):
    """
    Debian's microsocks, a SOCKS5 proxy.

    :param credentials: user and password that it asks for, if it does.
    """

    name = "microsocks"

    def __init__(self, *credentials: str) -> None:
        super().__init__()
        self._credentials = credentials

    @property
    def url(self) -> str:
        """What a client is told to go through, credentials included."""
        user = f"{':'.join(self._credentials)}@" if self._credentials else ""
        return f"socks5://{user}127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        options = ["-i", "127.0.0.1", "-p", str(self.port)]
        if self._credentials:
            user, password = self._credentials
            options += ["-u", user, "-P", password]
        return ["microsocks", *options]

    def is_ready(self, line: str) -> bool:
        return line == "listening"

    async def start(self) -> None:
        """It says nothing by itself when it is ready."""
        asking = Deferred.fromCoroutine(self._ask())
        try:
            await super().start()
        finally:
            asking.addErrback(lambda _: None)
            asking.cancel()

    async def _ask(self) -> None:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        while True:
            try:
                connected = await connectProtocol(endpoint, Protocol())
            except ConnectError:
                await deferLater(reactor, 0.01)
            else:
                connected.transport.abortConnection()
                self.say("listening")
                return

    def clients(self, port: int, host: str = "127.0.0.1") -> int:
        """How many clients it has connected to there."""
        return sum(f"connected to {host}:{port}" in line for line in self.output)
