"""
Work that must be done in order, key by key.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from twisted.internet.defer import Deferred

__all__ = ["KeyedQueue", "Place"]


class Place:
    """
    A place in the queue of one key, from :meth:`KeyedQueue.enter`.

    :ivar begun: whether everything before it is done.
    :ivar done: whether it was left, perhaps before it had begun.
    """

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue
        self._reached: Deferred[None] = Deferred()
        self.begun = False
        self.done = False

    async def wait(self) -> None:
        """Wait until everything before it is done; cancelling stops the wait."""
        await self._reached

    def begin(self) -> None:
        """Everything before it is done: end the wait."""
        self.begun = True
        if not self._reached.called:
            self._reached.callback(None)

    def leave(self) -> None:
        """The work is done, or given up: let the next one begin."""
        self.done = True
        self._queue.advance()


class _Queue:
    """
    The places of one key.

    :param empty: called when the last of them has been left.
    """

    def __init__(self, empty: Callable[[], object]) -> None:
        self._places: deque[Place] = deque()
        self._empty = empty
        self._advancing = False

    def append(self, place: Place) -> None:
        """Add a place, which begins at once if it is the first."""
        self._places.append(place)
        self.advance()

    def advance(self) -> None:
        """
        Let the first begin.  One that is done at once only says so, and is followed from
        here: were each to let the next one begin, many would exhaust the stack.
        """
        if self._advancing:
            return
        self._advancing = True
        while self._places:
            first = self._places[0]
            if first.done:
                self._places.popleft()
            elif first.begun:
                break
            else:
                first.begin()
        self._advancing = False
        if not self._places:
            self._empty()


class KeyedQueue:
    """
    A queue for each key: work for one key is done in the order in which it came, one at a
    time; work for different keys does not wait for each other.
    """

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    def __contains__(self, key: Hashable) -> bool:
        """Whether work for the key is not done yet."""
        return key in self._queues

    def enter(self, key: Hashable) -> Place:
        """:return: the place behind all that came before; it must be left."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(lambda: self._queues.pop(key, None))
        place = Place(queue)
        queue.append(place)
        return place
