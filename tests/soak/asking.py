"""
What a soaked client asks of the server: every kind of call, and what its outcome may be.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from txtokensock import TokenSocket
from txtokensock.errors import FunctionNotFound, RemoteError

from .ledger import Calls
from .order import Turns
from .verdict import Verdict

__all__ = ["Asking"]

_AT_REST = 200
_PATIENCE = 50.0


class Asking:
    """
    Calls of one client.

    :param name: the client's.
    :param calls: whose books they go in.
    :param own: the channel that it publishes on.
    :ivar turns: of those calls that are answered in the order in which they were made.
    """

    def __init__(
        self,
        name: str,
        socket: TokenSocket,
        calls: Calls,
        verdict: Verdict,
        chance: random.Random,
        own: str,
    ) -> None:
        self.turns = Turns(name, verdict)
        self._name = name
        self._socket = socket
        self._calls = calls
        self._verdict = verdict
        self._random = chance
        self._own = own
        self._numbers = itertools.count(1)
        self._once = itertools.count(1)
        self._published = itertools.count(1)
        kinds: dict[Callable[[], None], float] = {
            self._echo: 30,
            self._echo_again: 20,
            self._run_once: 15,
            self._slow: 8,
            self._slow_again: 5,
            self._publish: 10,
            self._fail: 4,
            self._missing: 2,
            self._cancelled: 3,
            self._hasty: 2,
            self._large: 1,
            self._broadcast: 0.1,
        }
        self._kinds, self._weights = list(kinds), list(kinds.values())

    async def ask_at_rest(self) -> None:
        """Where nothing fails, every call is answered."""
        data = [self._data() for _ in range(_AT_REST)]
        answers = await gatherResults(
            [self._socket.rpc("echo", one, timeout=_PATIENCE) for one in data], consumeErrors=True
        )
        if answers != data:
            self._verdict.against("a call got the wrong answer", f"{self._name}, at rest")

    def ask(self) -> None:
        """Make one call, of any kind."""
        self._random.choices(self._kinds, self._weights)[0]()

    def _echo(self) -> None:
        data = self._data()
        self._in_turn("echo", data["number"], data)

    def _echo_again(self) -> None:
        self._rpc("echo", self._data(), idempotent=True)

    def _large(self) -> None:
        self._rpc("echo", {**self._data(), "text": "é" * self._random.randint(1, 40_000)})

    def _run_once(self) -> None:
        data = {"client": self._name, "number": next(self._once)}
        self._in_turn("once", next(self._numbers), data)

    def _slow(self) -> None:
        self._rpc("slow", self._wait())

    def _slow_again(self) -> None:
        self._rpc("slow", self._wait(), idempotent=True)

    def _hasty(self) -> None:
        self._rpc("slow", self._wait(), timeout=self._random.uniform(0.01, 1.0))

    def _cancelled(self) -> None:
        again = self._random.random() < 0.5
        call = self._socket.rpc("slow", self._wait(), idempotent=again)
        what = "a call that is cancelled"
        self._calls.watch(what, call, may_fail=(CancelledError,), again=again)
        deferLater(reactor, self._random.uniform(0.0, 0.5), call.cancel)

    def _fail(self) -> None:
        self._refused("fail", {"code": next(self._numbers)}, RemoteError)

    def _missing(self) -> None:
        self._refused("no.such.function", self._data(), FunctionNotFound)

    def _publish(self) -> None:
        data = {"own": next(self._published)}
        self._calls.watch("publish", self._socket.publish(self._own, data))

    def _broadcast(self) -> None:
        self._calls.watch("broadcast", self._socket.broadcast({"to": "all"}))

    def _data(self) -> dict[str, Any]:
        return {"number": next(self._numbers), "values": [None, True, 1.5, "é\u2028"]}

    def _wait(self) -> dict[str, Any]:
        return {**self._data(), "seconds": self._random.uniform(0.0, 1.0)}

    def _in_turn(self, name: str, number: int, data: dict[str, Any]) -> None:
        """A call that is answered at once."""
        call = self._socket.rpc(name, data)

        def answered(answer: Any) -> Any:
            self.turns.answered(number)
            return answer

        def failed(failure: Failure) -> Failure:
            self.turns.failed(number)
            return failure

        self.turns.made(number)
        self._calls.watch(name, call.addCallbacks(answered, failed), right=data.__eq__)

    def _rpc(self, name: str, data: dict[str, Any], **options: Any) -> None:
        call = self._socket.rpc(name, data, **options)
        again = options.get("idempotent", False)
        right = data.__eq__
        self._calls.watch(f"{name} {options}", call, right=right, again=again)

    def _refused(self, name: str, data: dict[str, Any], how: type[RemoteError]) -> None:
        call = self._socket.rpc(name, data)
        self._calls.watch(name, call, right=lambda _: False, may_fail=(how,))
