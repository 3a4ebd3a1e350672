"""
JavaScript clients as child processes: :class:`JavaScriptPeer`.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.kit.processes import Program

from .servers import NODE


class CallFailed(Exception):
    """A JavaScript callback got an error: ``args[0]``, as it was."""


class JavaScriptPeer(Program):
    """
    ``node/peer.js``: a real JavaScript client that does as it is told.

    :param url: the server, ``http://127.0.0.1:PORT``.
    :param client: ``token-sockjs-client``, or ``sockjs-client`` with a transport.
    """

    directory = NODE

    def __init__(self, url: str, *client: str) -> None:
        super().__init__()
        self.name = " ".join(["node peer.js", *client])
        self._arguments = [client[0], url, *client[1:]]
        self._ids = itertools.count(1)

    def command(self) -> list[str]:
        return ["node", "peer.js", *self._arguments]

    def is_ready(self, line: str) -> bool:
        return line == '{"event":"ready"}'

    async def call(self, name: str, *args: Any) -> Any:
        """
        Call that method of the client, with a callback.

        :return: what the callback got.
        :raises CallFailed: for an error.
        """
        number = self.tell(name, *args)
        await self.event("answer", id=number)
        (answer,) = self.seen("answer", id=number)
        if answer.get("error"):
            raise CallFailed(answer["error"])
        return answer.get("resp")

    def tell(self, name: str, *args: Any) -> int:
        """Call it, and do not wait for its callback; the ``answer`` event has this id."""
        number = next(self._ids)
        self.obey(json.dumps({"id": number, "name": name, "args": args}))
        return number

    def obey(self, call: str) -> None:
        """The call reaches the program: a line of JSON."""
        self.write_line(call)
