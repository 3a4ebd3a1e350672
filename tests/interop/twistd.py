"""
``twistd tokensock`` as child processes: :class:`Serve` and :class:`Bridge`.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import treq

from .servers import ReservedPort, Server
from .support import until, within

__all__ = ["Bridge", "NotifySocket", "Serve", "Twistd", "script"]


def script(name: str) -> str:
    """A program that was installed beside this Python, or one in PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


class Twistd(Server):
    """
    :param directory: where it runs; by default the checkout.
    :param environment: more of it.
    """

    def __init__(self, directory: Path | None = None, **environment: str) -> None:
        super().__init__()
        self.directory = directory or self.directory
        self._environment = environment

    def command(self) -> list[str]:
        return [script("twistd"), "--pidfile=", "-n", "tokensock", *self.arguments()]

    def arguments(self) -> list[str]:
        """Behind ``twistd tokensock``."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return self._environment

    # -- its pages for those who run it

    def probes(self) -> int:
        """The port of ``/readyz`` and ``/metrics``."""
        return self.port

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of these pages."""
        url = f"http://127.0.0.1:{self.probes()}{path}"
        response = await within(treq.get(url, persistent=False))
        return response.code, (await response.content()).decode()

    async def readiness(self) -> tuple[int, Any]:
        """Status and body of ``/readyz``."""
        status, body = await self.get("/readyz")
        return status, json.loads(body)

    async def until_ready(self, status: int = 200) -> Any:
        """What ``/readyz`` says, when it has that status."""
        body: Any = None

        async def ready() -> bool:
            nonlocal body
            found, body = await self.readiness()
            return found == status

        await until(ready, lambda: f"/readyz stays {body}\n{self.log()}")
        return body


class NotifySocket:
    """
    What systemd listens on for the states of a service.

    :param directory: where the socket is.
    :ivar path: of the socket.
    """

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = str(directory / "notify")
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        """What came since this was last asked."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        """The end."""
        self._socket.close()


class Serve(Twistd):
    """
    ``twistd -n tokensock serve`` on a port of its own.

    :param arguments: more of them.
    :param endpoint: where it listens, ``{}`` for the port.
    :param admin: whether it has admin pages, on another port.
    """

    name = "twistd tokensock serve"

    def __init__(
        self,
        *arguments: str,
        endpoint: str = "tcp:{}:interface=127.0.0.1",
        admin: bool = False,
        directory: Path | None = None,
    ) -> None:
        super().__init__(directory)
        self._arguments = ["serve", "--listen", endpoint.format(self.port), *arguments]
        self._admin = ReservedPort() if admin else None
        if self._admin is not None:
            self._arguments += ["--admin", f"tcp:{self._admin.number}:interface=127.0.0.1"]

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def arguments(self) -> list[str]:
        return self._arguments

    def probes(self) -> int:
        assert self._admin is not None
        return self._admin.number

    def is_ready(self, line: str) -> bool:
        return ("admin pages on" if self._admin else "token-sockjs server on") in line

    async def close(self) -> None:
        await super().close()
        if self._admin is not None:
            self._admin.release()


class Bridge(Twistd):
    """
    ``twistd -n tokensock bridge``.

    :param config: the file, in the directory or elsewhere.
    :ivar port: one for its HTTP, where the configuration says so.
    """

    name = "twistd tokensock bridge"

    def __init__(
        self,
        config: Path | str = "bridge.toml",
        directory: Path | None = None,
        **environment: str,
    ) -> None:
        super().__init__(directory, **environment)
        self._config = str(config)

    def arguments(self) -> list[str]:
        return ["bridge", "--config", self._config]

    def is_ready(self, line: str) -> bool:
        return "bridge started" in line
