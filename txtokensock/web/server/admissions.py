"""
Counting what clients have open, in all and by address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress

from ...address import ip_address_of
from ...support.waiters import Waiters

__all__ = ["Admissions", "CountedConnection", "client_key"]

T = TypeVar("T")


class CountedConnection(Protocol):
    """
    A connection that a site counts.

    :ivar transport: a TCP transport.
    """

    transport: Any

    def loseConnection(self) -> None:
        """Close when all that was written has left."""


def client_key(address: IAddress) -> str | None:
    """
    Tell clients apart, as far as limits by address do: by the IPv4 address, also where IPv6 has
    mapped it; and by the first 64 bits of an IPv6 address, of which one client has all the rest.

    :return: None for those that cannot be told apart, which are those of a UNIX socket.
    """
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return None
    if ":" not in host:
        return host
    found = ip_address_of(host)
    if found is None:
        return host
    return str(found) if found.version == 4 else found.packed[:8].hex(":", 2) + "::/64"


class Admissions(Generic[T]):
    """
    What is open now, such as connections or sessions, oldest first.

    Clients are told apart by :func:`client_key`.  Those of a UNIX socket cannot be told
    apart, so they count in all, and not by address.
    """

    def __init__(self) -> None:
        self._members: dict[T, str | None] = {}
        self._by_client: Counter[str] = Counter()
        self._empty: Waiters[None] = Waiters()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[T]:
        """The members at this moment; they may be removed during the iteration."""
        return iter(tuple(self._members))

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def count(self, address: IAddress) -> int:
        """How many members the client at the address has; 0 where it cannot be told apart."""
        key = client_key(address)
        return 0 if key is None else self._by_client[key]

    def add(self, member: T, address: IAddress) -> None:
        """
        Count a new member.

        :param address: the address of its client.
        """
        key = self._members[member] = client_key(address)
        if key is not None:
            self._by_client[key] += 1

    def replace(self, member: T, by: T) -> None:
        """Count another in place of a member; nothing happens if that is not there."""
        if member in self._members:
            self._members[by] = self._members.pop(member)

    def remove(self, member: T) -> None:
        """Remove a member; nothing happens if it is not there."""
        if member not in self._members:
            return
        key = self._members.pop(member)
        if key is not None:
            self._by_client[key] -= 1
            if not self._by_client[key]:
                del self._by_client[key]
        if not self._members:
            self._empty.fire()

    def when_empty(self) -> Deferred[None]:
        """:return: fires with None when there is no member.  Cancelling it ends the wait."""
        return self._empty.wait() if self._members else succeed(None)
