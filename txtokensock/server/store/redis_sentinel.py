"""
An endpoint that leads to the Redis which is the master now, by its sentinels.

txtokensock asks with the protocol of txredisapi.  Its class ``Sentinel`` is not used: it takes the
global reactor, and waits for ten seconds, which nothing ends, while there is no master.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .redis_checks import reason
from .redis_connection import ConnectionObserver, RedisFactory
from .redis_url import Address

__all__ = ["NoMaster", "SentinelEndpoint"]


class NoMaster(Exception):
    """No sentinel says where the master is; the text has the reason of each."""


@implementer(IStreamClientEndpoint)
@define(eq=False, repr=False)
class SentinelEndpoint:
    """
    Asks one sentinel after the other, that which answered last first, and connects to the master
    that it names; if that cannot be connected to, it is asked last the next time.  Where it is
    another one than before, connections to the old one are dropped.

    :param reactor: for timeouts.
    :param sentinels: connects to each, by the address.
    :param build: makes a txredisapi protocol for a sentinel.
    :param master: the name under which they know it.
    :param to: makes an endpoint to an address.
    :param timeout: seconds in which all of them together have to answer.
    """

    _log = Logger()

    _reactor: IReactorTime
    _sentinels: tuple[Address, ...]
    _build: Callable[[], Any]
    _master: str
    _to: Callable[[Address], IStreamClientEndpoint]
    _timeout: float
    _address: Address | None = field(init=False, default=None)
    _connected: WeakKeyDictionary[Any, Address] = field(init=False, factory=WeakKeyDictionary)

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Connect to the master; see ``IStreamClientEndpoint``.

        :return: fails with :class:`NoMaster` where no sentinel says where it is.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        address = await self._find()
        if address != self._address:
            if self._address is not None:
                self._log.warn(
                    "the master {master} is now {host}:{port}",
                    event="redis.moved",
                    master=self._master,
                    host=address[0],
                    port=address[1],
                )
            self._address = address
            for protocol, there in list(self._connected.items()):
                if there != address:
                    protocol.transport.abortConnection()
        try:
            protocol = await self._to(address).connect(factory)
        except Exception:
            # Who is cut off from the other sentinels goes on to name the master of before.
            self._sentinels = (*self._sentinels[1:], self._sentinels[0])
            raise
        self._connected[protocol] = address
        return protocol

    async def _find(self) -> Address:
        problems = []
        timeout = self._timeout / len(self._sentinels)
        for sentinel in self._sentinels:
            try:
                question = Deferred.fromCoroutine(self._ask(sentinel))
                address = await question.addTimeout(timeout, self._reactor)
            except CancelledError:
                raise
            except Exception:
                problems.append(f"{sentinel[0]}:{sentinel[1]}: {reason(Failure())}")
                continue
            others = (each for each in self._sentinels if each != sentinel)
            self._sentinels = (sentinel, *others)
            return address
        raise NoMaster(f"no sentinel knows {self._master}: {'; '.join(problems)}")

    async def _ask(self, sentinel: Address) -> Address:
        question = _Question()
        protocol: Any = None
        try:
            factory = RedisFactory(self._reactor, self._build, question)
            protocol = await self._to(sentinel).connect(factory)
            await question.ready
            found = await protocol.sentinel_get_master_addr_by_name(self._master)
        except CancelledError:
            raise
        except Exception as problem:
            if "unknown command" in str(problem):
                raise NoMaster("it is not a sentinel") from None
            raise NoMaster(question.why or reason(Failure())) from None
        finally:
            question.ready.addErrback(lambda _: None)
            if protocol is not None:
                protocol.transport.abortConnection()
        if not found:
            raise NoMaster("it knows no master of that name")
        return found[0].decode(), int(found[1])


class _Question(ConnectionObserver):
    """
    A connection on which a sentinel is asked.

    :ivar ready: fires when commands can be sent.
    :ivar why: they cannot, or not any more.
    """

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.why: str | None = None

    def connected(self, protocol: Any) -> None:
        self.ready.callback(None)

    def fails(self, why: str) -> None:
        self.why = self.why or why
        if not self.ready.called:
            self.ready.errback(NoMaster(why))

    def lost(self, why: Failure) -> None:
        self.fails(reason(why))
