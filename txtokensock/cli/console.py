"""
``tokensock console``: a prompt to call, publish and watch at.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle
from twisted.internet.defer import CancelledError, Deferred

from ..client.socket import TokenSocket
from ..errors import InvalidData, TokenSocketError, UsageError
from . import values
from .client_options import in_our_words
from .commands import report_connection
from .contexts import own_file
from .output import print_json, say

__all__ = ["console"]

_HELP = """\
call NAME [JSON]       call a function and print its answer; rpc is the same
publish CHANNEL JSON   send a message to a channel
broadcast JSON         send a message to everybody
watch CHANNEL          print the messages of a channel; listen is the same
unwatch CHANNEL        print them no longer
help                   print this
quit                   end, as Ctrl-D does"""


async def console(socket: TokenSocket, reactor: Any) -> None:
    """Do what is typed, until it is quit; Ctrl-C ends the command as ever."""
    report_connection(socket).addErrback(lambda failure: say(str(failure.value)))
    commands = _Commands(socket)
    session: PromptSession[str] = PromptSession(
        "tokensock> ",
        completer=commands,
        complete_style=CompleteStyle.READLINE_LIKE,
        complete_while_typing=False,
        history=FileHistory(str(_history_file())),
        interrupt_exception=_Interrupted,
    )
    with patch_stdout(raw=True):  # what comes meanwhile stands above the prompt
        while True:
            typing = asyncio.ensure_future(session.prompt_async(handle_sigint=False))
            try:
                line = await Deferred.fromFuture(typing)
                if not await commands.do(line):
                    return
            except EOFError:  # Ctrl-D
                return
            except asyncio.CancelledError:  # by a signal
                raise CancelledError from None
            except _Interrupted:  # the terminal sends no signal while it is the prompt's
                signal.raise_signal(signal.SIGINT)
                await Deferred()


class _Interrupted(Exception):
    """Ctrl-C at the prompt; a ``KeyboardInterrupt`` would leave the reactor as it is."""


def _history_file() -> Path:
    path = own_file("XDG_STATE_HOME", ".local/state", "history")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return path


class _Commands(Completer):
    """What can be typed, and completes it with names that were typed before."""

    def __init__(self, socket: TokenSocket) -> None:
        self._socket = socket
        calls: set[str] = set()
        channels: set[str] = set()
        self._known = {
            **dict.fromkeys(("call", "rpc"), calls),
            **dict.fromkeys(("publish", "watch", "listen"), channels),
        }
        self._watched: dict[str, Any] = {}
        self._commands: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            "call": self._call,
            "rpc": self._call,  # the shell's word, as "listen" is
            "publish": self._publish,
            "broadcast": self._broadcast,
            "watch": self._watch,
            "listen": self._watch,
            "unwatch": self._unwatch,
            "help": self._help,
        }

    async def do(self, line: str) -> bool:
        """Do one line; False if it is the last."""
        name, _, rest = line.strip().partition(" ")
        if name == "quit":
            return False
        if name:
            try:
                if name not in self._commands:
                    raise UsageError(f"there is no {shlex.quote(name)}: type help")
                await self._commands[name](rest.strip())
            except TokenSocketError as problem:
                say(in_our_words(str(problem)))
        return True

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """What may follow the text before the cursor, as ``Completer`` asks."""
        command, blank, word = document.text_before_cursor.lstrip().partition(" ")
        if not blank:
            found: Iterable[str] = [*self._commands, "quit"]
            word = command
        elif command == "unwatch":
            found = self._watched
        else:
            found = self._known.get(command, ())
        return [Completion(name, -len(word)) for name in sorted(found) if name.startswith(word)]

    async def _call(self, rest: str) -> None:
        name, _, data = rest.partition(" ")
        values.function_name(name)
        self._known["call"].add(name)
        print_json(await self._socket.rpc(name, values.json(data) if data.strip() else None))

    async def _publish(self, rest: str) -> None:
        channel, _, data = rest.partition(" ")
        values.channel(channel)
        self._known["publish"].add(channel)
        await self._socket.publish(channel, values.json(data))

    async def _broadcast(self, rest: str) -> None:
        await self._socket.broadcast(values.json(rest))

    async def _watch(self, channel: str) -> None:
        if channel in self._watched:
            raise InvalidData(f"{channel} is watched already")
        self._watched[channel] = None
        self._known["publish"].add(channel)
        try:
            self._watched[channel] = await self._socket.subscribe(
                channel, lambda message: print_json({"channel": channel, "message": message})
            )
        except TokenSocketError:
            del self._watched[channel]
            raise

    async def _unwatch(self, channel: str) -> None:
        if channel not in self._watched:
            raise InvalidData(f"{channel} is not watched")
        await self._watched.pop(channel).unsubscribe()

    async def _help(self, rest: str) -> None:
        print(_HELP)
