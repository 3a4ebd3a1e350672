"""
The data that a command sends: one value, as often as it is asked for, or the lines of stdin.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import InvalidData
from .values import LINES, json

__all__ = ["paced", "stdin_lines"]

_CHUNK = 65536


async def paced(
    reactor: Any, data: Any, count: int | None = None, rate: float | None = None
) -> AsyncIterator[Any]:
    """
    The values to send.

    :param data: a value, or :data:`.values.LINES`.
    :param count: how often to send it, by default once; how many lines at most.
    :param rate: how many a second at most.
    :raises InvalidData: for a line that is not valid JSON.
    """
    source = _lines(reactor) if data is LINES else _again(data, 1 if count is None else count)
    start = reactor.seconds()
    sent = 0
    async for value in source:
        if rate is not None and (wait := start + sent / rate - reactor.seconds()) > 0:
            await deferLater(reactor, wait)
        yield value
        sent += 1
        if sent == count:
            return


async def _again(value: Any, count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        yield value


async def _lines(reactor: Any) -> AsyncIterator[Any]:
    number = 0
    async for line in stdin_lines(reactor):
        number += 1
        if line.strip():
            try:
                value = json(line.decode(errors="surrogateescape"))
            except InvalidData as problem:
                raise InvalidData(f"line {number} of stdin: {problem}") from None
            yield value


async def stdin_lines(reactor: Any, descriptor: int = 0) -> AsyncIterator[bytes]:
    """
    The lines of a descriptor, each when it is there.  No more is read than is asked for.

    :raises InvalidData: if it cannot be read.
    """
    parts: list[bytes] = []
    while True:
        try:
            chunk = await _chunk(reactor, descriptor)
        except OSError as problem:
            raise InvalidData(f"stdin cannot be read: {problem.strerror}") from None
        if not chunk:
            break
        first, *lines = chunk.split(b"\n")
        parts.append(first)
        for line in lines:
            yield b"".join(parts)
            parts = [line]
    if last := b"".join(parts):
        yield last


def _chunk(reactor: Any, descriptor: int) -> Deferred[bytes]:
    """What can be read next, empty at the end; cancelling it leaves the descriptor alone."""
    read: Deferred[bytes] = Deferred(lambda _: reactor.removeReader(reader))
    reader = _Reader(reactor, descriptor, read)
    reactor.addReader(reader)
    return read


@implementer(IReadDescriptor)
class _Reader:
    """
    Reads once.  Twisted's ``StandardIO`` would make stdin not blocking, which is stdout as well
    on a terminal, and the shell's.
    """

    def __init__(self, reactor: Any, descriptor: int, read: Deferred[bytes]) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._read = read

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self._reactor.removeReader(self)
        try:
            chunk = os.read(self._descriptor, _CHUNK)
        except OSError:
            self._read.errback(Failure())
        else:
            self._read.callback(chunk)

    def connectionLost(self, reason: Failure) -> None:
        """Nothing more can come: the other end of a pipe is closed."""
        if not self._read.called:
            self._read.callback(b"")

    def logPrefix(self) -> str:
        return "stdin"
