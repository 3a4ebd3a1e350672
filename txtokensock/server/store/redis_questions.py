"""
What servers with the same Redis ask each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

from msgspec import Raw
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ...errors import StoreUnavailable, UsageError
from ...jsontext import dumps
from .gathering import Answered, Gathering
from .interface import IStoreListener
from .redis_layout import Answer, Layout, Question, decode_answer

__all__ = ["RedisQuestions"]


class RedisQuestions:
    """
    Questions go to all servers at once, and answers to the one that asked, on a channel of its
    own: nothing is kept in Redis, and nothing is sent while nobody asks.

    :param layout: names channels.
    :param publish: publishes; fires with the number of those who hear it.
    :param reactor: for the time that servers have to answer.
    :ivar channel: the Redis channel of the answers; None where clients can reach those of
        servers, so that nobody is asked.
    """

    def __init__(
        self,
        layout: Layout,
        publish: Callable[[bytes, bytes], Deferred[Any]],
        reactor: IReactorTime,
    ) -> None:
        self._layout = layout
        self._publish = publish
        self._reactor = reactor
        self._server = str(uuid4())
        self._open: dict[int, Gathering] = {}
        self._numbers = count()
        self.channel = layout.answers(self._server)

    def ask(
        self, question: bytes, heard: Callable[[bytes], object], patience: float
    ) -> Deferred[Answered]:
        """Ask all servers, see :meth:`IStoreLink.ask_servers`."""
        if self.channel is None:
            text = "servers are asked only with RedisStore(url, namespace=...)"
            return fail(UsageError(f"{text}: without, any client could answer for them"))
        number = next(self._numbers)
        gathering = self._open[number] = Gathering(self._reactor, heard, patience)
        asked = Question(number, self._server, Raw(question))
        # Redis says how many hear it: a server that was killed is none of them any more.
        told = self._publish(self._layout.sync, dumps(asked))
        told.addCallbacks(gathering.expect, gathering.fail)

        def forget(outcome: Any) -> Any:
            del self._open[number]
            return outcome

        return gathering.outcome.addBoth(forget)

    def asked(self, question: Question, listener: IStoreListener) -> None:
        """A server asks: have the listener answer it."""
        channel = self._layout.answers(question.server)
        if channel is not None:
            listener.answer(bytes(question.question), partial(self._reply, question.id, channel))

    def _reply(self, number: int, channel: bytes, part: bytes, last: bool) -> None:
        told = self._publish(channel, dumps(Answer(number, last, Raw(part))))
        told.addErrback(lambda _: None)  # then this server was silent

    def answered(self, payload: bytes) -> None:
        """Something came on the channel of answers."""
        answer = decode_answer(payload)
        if answer is not None and answer.id in self._open:
            self._open[answer.id].part(bytes(answer.part), answer.last)

    def close(self) -> None:
        """Fail those who wait for answers."""
        for gathering in tuple(self._open.values()):
            gathering.fail(Failure(StoreUnavailable("this server has stopped")))
