"""
What systemd does for a socket unit: listens, runs the command with the socket, and runs it again
when it has ended.  It ends the command at SIGHUP, and ends with it at SIGTERM.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import NoReturn

_FIRST = 3
"""The number of the socket, see sd_listen_fds(3)."""


def main(port: str, *command: str) -> None:
    """Serve the port, until a SIGTERM."""
    listening = socket.create_server(("127.0.0.1", int(port)))
    child = 0
    ending = False

    def pass_on(number: int, _: object) -> None:
        nonlocal ending
        ending = number == signal.SIGTERM
        if child:
            os.kill(child, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    while not ending:
        child = os.fork()
        if child == 0:
            _become(command, listening)
        os.waitpid(child, 0)
        print("activation: the command has ended", flush=True)


def _become(command: tuple[str, ...], listening: socket.socket) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if listening.fileno() == _FIRST:
        os.set_inheritable(_FIRST, True)
    else:
        os.dup2(listening.fileno(), _FIRST)
    os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="socket", LISTEN_PID=str(os.getpid()))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
