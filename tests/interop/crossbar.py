"""
A real Crossbar router as a child process: :class:`Crossbar`.

It has an environment of its own, for what it needs is much, and none of ours to choose:
``.crossbar`` beside this file, made once a checkout.
"""

from __future__ import annotations

import fcntl
import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .servers import Server

ROOT = Path(__file__).parents[2]
HOME = Path(__file__).with_name(".crossbar")
PACKAGES = ["crossbar", "h11", "msgspec", "treq"]  # besides, what our component needs
INSTALL_SECONDS = 540.0

REALM = "realm1"
TICKET = "the ticket"
CRA_SECRET = "the secret"


class CrossbarMissing(Exception):
    """Crossbar cannot be installed; the text is pip's."""


@functools.cache
def install_crossbar() -> Path:
    """
    Make the environment, where it is not there yet.  It blocks, on purpose: there is
    nothing else to do meanwhile.  The lock lets two test runs take turns.

    :return: the program.
    :raises CrossbarMissing: if it cannot.
    """
    HOME.mkdir(exist_ok=True)
    wanted = " ".join([*PACKAGES, sys.version])
    installed = HOME / "installed.txt"
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != wanted:
            installed.unlink(missing_ok=True)
            _run([sys.executable, "-m", "venv", "--clear", str(HOME / "venv")])
            pip = [str(HOME / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            _run([*pip, "--disable-pip-version-check", *PACKAGES])
            installed.write_text(wanted)
    return HOME / "venv" / "bin" / "crossbar"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_SECONDS,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise CrossbarMissing(str(problem)) from None
    if done.returncode:
        raise CrossbarMissing(f"{' '.join(command)} failed:\n{done.stdout}")


class Crossbar(Server):
    """
    One node with one realm, on one port for WebSocket (path ``/ws``) and RawSocket.
    Everybody may do anything; ``/ticket`` and ``/cra`` want authentication.

    :param components: configurations of components, each in a container of its own.
    """

    name = "crossbar"
    start_seconds = 60.0

    def __init__(self, *components: dict[str, Any]) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="txtokensock-crossbar-")
        self._components = components
        self._ready = 1 + len(components)
        self._program = install_crossbar()

    @property
    def url(self) -> str:
        """For WebSocket."""
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def rawsocket_url(self) -> str:
        """For RawSocket."""
        return f"rs://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        config = Path(self._directory.name) / "config.json"
        config.write_text(json.dumps(self.config()))
        (Path(self._directory.name) / "node.pid").unlink(missing_ok=True)
        return [str(self._program), "start", f"--cbdir={self._directory.name}", "--color=false"]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def is_ready(self, line: str) -> bool:
        return "NODE_BOOT_COMPLETE" in line

    async def close(self) -> None:
        await super().close()
        self._directory.cleanup()

    def config(self) -> dict[str, Any]:
        """The node's configuration, with the transports below one port."""
        return {
            "version": 2,
            "workers": [self._router(), *map(self._container, self._components)],
        }

    def _router(self) -> dict[str, Any]:
        return {
            "type": "router",
            "realms": [{"name": REALM, "roles": [_role("anonymous"), _role("bridge")]}],
            "transports": [
                {
                    "type": "universal",
                    "endpoint": self._listens(),
                    "rawsocket": {"serializers": ["cbor", "msgpack", "json"]},
                    "websocket": {
                        "ws": {
                            "type": "websocket",
                            "serializers": ["cbor", "msgpack", "json"],
                        },
                        "ticket": {"type": "websocket", "auth": {"ticket": _ticket()}},
                        "cra": {"type": "websocket", "auth": {"wampcra": _cra()}},
                    },
                }
            ],
        }

    def _listens(self) -> dict[str, Any]:
        return {"type": "tcp", "port": self.port, "interface": "127.0.0.1"}

    def _container(self, component: dict[str, Any]) -> dict[str, Any]:
        transport = {
            "type": "websocket",
            "url": self.url,
            "endpoint": {"type": "tcp", "host": "127.0.0.1", "port": self.port},
        }
        whole = {"type": "class", "realm": REALM, "transport": transport, **component}
        return {"type": "container", "components": [whole]}


def _role(name: str) -> dict[str, Any]:
    verbs = ("call", "register", "publish", "subscribe")
    return {
        "name": name,
        "permissions": [
            {
                "uri": "",
                "match": "prefix",
                "allow": dict.fromkeys(verbs, True),
                "disclose": {"caller": True, "publisher": True},
                "cache": True,
            },
            {
                "uri": "com.forbidden.",
                "match": "prefix",
                "allow": dict.fromkeys(verbs, False),
                "cache": True,
            },
        ],
    }


def _ticket() -> dict[str, Any]:
    return {"type": "static", "principals": {"bridge": {"ticket": TICKET, "role": "bridge"}}}


def _cra() -> dict[str, Any]:
    return {"type": "static", "users": {"bridge": {"secret": CRA_SECRET, "role": "bridge"}}}
