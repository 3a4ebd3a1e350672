"""
Real proxies as child processes: :class:`TinyProxy` and :class:`MicroSocks`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.kit.processes import SilentProgram

from .servers import Server


def tinyproxy_command(directory: Path, port: int, *lines: str) -> list[str]:
    """
    How Debian's tinyproxy is run.

    :param directory: for its configuration.
    :param lines: more of that.
    """
    file = directory / "tinyproxy.conf"
    text = "\n".join([f"Port {port}", "Listen 127.0.0.1", *lines, ""])
    file.write_text(text, encoding="ascii")
    return ["tinyproxy", "-d", "-c", str(file)]


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
        lines = ["LogLevel Info", "MaxClients 200"]
        if credentials:
            lines.append(f"BasicAuth {' '.join(credentials)}")
        self._command = tinyproxy_command(Path(self._directory.name), self.port, *lines)

    @property
    def url(self) -> str:
        """What a client is told to go through, credentials included."""
        user = f"{':'.join(self._credentials)}@" if self._credentials else ""
        return f"http://{user}127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return self._command

    def is_ready(self, line: str) -> bool:
        return "Accepting connections" in line

    def tunnels(self, port: int, host: str = "127.0.0.1") -> int:
        """How often it was asked for a connection to there, in vain or not, by its log so far."""
        return sum(f"CONNECT {host}:{port} HTTP" in line for line in self.output)

    async def close(self) -> None:
        await super().close()
        self._directory.cleanup()


class MicroSocks(SilentProgram, Server):
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

    def clients(self, port: int, host: str = "127.0.0.1") -> int:
        """How many clients it has connected to there."""
        return sum(f"connected to {host}:{port}" in line for line in self.output)
