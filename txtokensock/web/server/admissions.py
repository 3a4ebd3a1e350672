"""
Counting what clients have open, in all and by address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress

from ...support.waiters import Waiters

__all__ = ["Admissions"]

T = TypeVar("T")


class Admissions(Generic[T]):
    """
    What is open now, such as connections or sessions, oldest first.

    Clients are told apart by their IP address.  Those of a UNIX socket cannot be told
    apart, so they count in all, and not by address.
    """

    def __init__(self) -> None:
        self._members: dict[T, str | None] = {}
        self._by_host: Counter[str] = Counter()
        self._empty: Waiters[None] = Waiters()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[T]:
        """The members at this moment; they may be removed during the iteration."""
        return iter(tuple(self._members))

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def count(self, address: IAddress) -> int:
        """How many members have the IP address; 0 for an address without one."""
        host = _host(address)
        return 0 if host is None else self._by_host[host]

    def add(self, member: T, address: IAddress) -> None:
        """
        Count a new member.

        :param address: the address of its client.
        """
        host = self._members[member] = _host(address)
        if host is not None:
            self._by_host[host] += 1

    def remove(self, member: T) -> None:
        """Remove a member; nothing happens if it is not there."""
        if member not in self._members:
            return
        host = self._members.pop(member)
        if host is not None:
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]
        if not self._members:
            self._empty.fire()

    def when_empty(self) -> Deferred[None]:
        """:return: fires with None when there is no member.  Cancelling it ends the wait."""
        return self._empty.wait() if self._members else succeed(None)


def _host(address: IAddress) -> str | None:
    host = getattr(address, "host", None)
    return host if isinstance(host, str) else None
