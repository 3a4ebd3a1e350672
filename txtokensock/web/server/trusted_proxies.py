"""
Who sent a request that came through a proxy.

A proxy opens connections of its own, so that all requests seem to come from it.  It says in
headers for whom it asks: ``X-Forwarded-For`` and ``X-Forwarded-Proto``, or ``Forwarded``
(RFC 7239).  Anybody can send such headers, so they are read only where the connection comes
from a proxy that is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Network, ip_network
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

from ...address import ip_address_of
from ...errors import InvalidOption

__all__ = ["Forwarded", "TrustedProxies", "forwarded", "is_secure"]

UNIX = "unix"
"""The word for every proxy that connects through a UNIX socket."""

_MOST_HOPS = 20
"""So many proxies in a row are believed; the work on one header is bounded by this."""

_MAPPED = IPv6Network("::ffff:0:0/96")
_SCHEMES = {b"https": True, b"wss": True, b"http": False, b"ws": False}

_NODE = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?|([0-9.]+):(\d{1,5})|([0-9A-Fa-f:.]+)")
"""An IP address: IPv6 in brackets, either with a port, or either alone."""

# RFC 7239, section 4; a value without quotes may hold colons and brackets, as some write it.
_PAIR = re.compile(rb"""\s*([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+))\s*(?:;|$)""")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """
    What trusted proxies say of a request.

    :ivar client: the address of the client.  Its port is 0 where no proxy said it.
    :ivar secure: whether the client used TLS; None where no proxy said it.
    """

    client: IAddress
    secure: bool | None


class _Hop(NamedTuple):
    """What one proxy says of the connection that came to it."""

    node: bytes
    secure: bool | None = None


class TrustedProxies:
    """
    The proxies whose word is taken.

    ``X-Forwarded-For`` is read from the right, where the nearest proxy has written: as long as
    an address is that of a trusted proxy, the next one is looked at.  The first other one is
    the client.  What is not an address (``unknown``, an obfuscated name, garbage) ends this:
    then the client is the proxy that wrote it.  ``Forwarded`` is read in the same way, but only
    where there is no ``X-Forwarded-For``: most proxies write that one, and pass on the other as
    the client sent it.  The scheme is in the same place: in ``X-Forwarded-Proto``, and in
    ``proto`` of ``Forwarded``.

    :param networks: such as ``"10.0.0.0/8"``, ``"2001:db8::/32"`` or ``"127.0.0.1"``, and
        ``"unix"`` for those that connect through a UNIX socket.  None are trusted by default.
    :raises InvalidOption: if it is not a collection of these.
    """

    def __init__(self, networks: Collection[str] = ()) -> None:
        if isinstance(networks, str | bytes) or not isinstance(networks, Collection):
            raise InvalidOption(
                f"trusted_proxies is {networks!r}: it must be a collection of networks"
            )
        self._unix = UNIX in networks
        self._networks = [_network(text) for text in networks if text != UNIX]
        self._is_within = lru_cache(maxsize=1024)(self._find)
        self._any = self._unix or bool(self._networks)

    def __bool__(self) -> bool:
        """Whether any are trusted."""
        return self._any

    def trusts(self, address: object) -> bool:
        """Whether the address is that of a trusted proxy."""
        if isinstance(address, IPv4Address | IPv6Address):
            return bool(self._networks) and self._is_within(address.host)
        return self._unix and isinstance(address, UNIXAddress)

    def _find(self, host: str) -> bool:
        address = ip_address_of(host)
        return address is not None and any(address in network for network in self._networks)

    def look_at(self, request: Any) -> None:
        """
        Give a request the address of its client, if it came through a trusted proxy.  After
        this ``request.getClientAddress()`` returns it, so that the access log has it too, and
        what reads ``Forwarded`` knows the rest.  Only the first who finds something does this.

        :param request: an :class:`~twisted.web.iweb.IRequest`.
        """
        if not self._any or forwarded(request) is not None:
            return
        peer = request.getClientAddress()
        hops = _hops(request) if self.trusts(peer) else None
        if hops is not None:
            request.forwarded = found = self._read(peer, hops)
            request.client = found.client
        elif self.trusts(_sender_of_header(request)):
            request.forwarded = Forwarded(peer, None)

    def _read(self, peer: IAddress, hops: Iterable[_Hop]) -> Forwarded:
        client, secure = peer, None
        for hop in hops:
            secure = hop.secure
            node = _address(hop.node)
            if node is None:
                break
            client = node
            if not self.trusts(client):
                break
        return Forwarded(client, secure)


def forwarded(request: Any) -> Forwarded | None:
    """What trusted proxies say of a request; None if it did not come through one."""
    found: Forwarded | None = getattr(request, "forwarded", None)
    return found


def is_secure(request: Any) -> bool:
    """Whether the client used TLS, to the server or to a trusted proxy in front of it."""
    found = forwarded(request)
    if found is not None and found.secure is not None:
        return found.secure
    return bool(request.isSecure())


def _sender_of_header(request: Any) -> IAddress | None:
    """The proxy that has said by the PROXY protocol who the client is; None if none has."""
    transport = getattr(getattr(request, "channel", None), "transport", None)
    sender: IAddress | None = getattr(transport, "header_from", None)
    return sender


def _network(text: object) -> Any:
    try:
        if not isinstance(text, str):
            raise ValueError
        network = ip_network(text)
    except ValueError:
        raise InvalidOption(
            f"trusted_proxies has {text!r}: a network is like '10.0.0.0/8' or '2001:db8::/32', an"
            f" address is one too, and {UNIX!r} stands for UNIX sockets"
        ) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFFFFFF
        return ip_network((low, network.prefixlen - 96))
    return network


def _hops(request: Any) -> Iterator[_Hop] | None:
    """What each proxy says, the nearest first; None if none says anything."""
    schemes = _last(request, b"x-forwarded-proto")
    nodes = _last(request, b"x-forwarded-for")
    if nodes:
        return _x_forwarded(nodes, schemes)
    elements = _last(request, b"forwarded")
    if elements:
        return _rfc_7239(elements)
    return iter([_Hop(b"", _scheme(schemes[-1]))]) if schemes else None


def _last(request: Any, name: bytes) -> list[bytes]:
    """The last parts of a list in a header, which may be on several lines."""
    lines = request.requestHeaders.getRawHeaders(name)
    return b",".join(lines).rsplit(b",", _MOST_HOPS)[-_MOST_HOPS:] if lines else []


def _x_forwarded(nodes: list[bytes], schemes: list[bytes]) -> Iterator[_Hop]:
    """
    The schemes are as many as the nodes if every proxy adds one.  Where the outermost alone
    says it, there is one for all.
    """
    for hop, node in enumerate(reversed(nodes), 1):
        scheme = _scheme(schemes[-min(hop, len(schemes))]) if schemes else None
        yield _Hop(node, scheme)


def _rfc_7239(parts: list[bytes]) -> Iterator[_Hop]:
    """
    The elements from the right: there, a trusted proxy wrote.  Where one is not valid, what
    is before it cannot be told apart.
    """
    while parts:
        element = parts.pop()
        while parts and element.count(b'"') % 2:  # the comma was within quotes
            element = parts.pop() + b"," + element
        pairs = _pairs(element)
        yield _Hop(pairs.get(b"for", b""), _scheme(pairs.get(b"proto", b"")))


def _pairs(element: bytes) -> dict[bytes, bytes]:
    """The parameters of an element, empty if it is not valid."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(element):
        match = _PAIR.match(element, position)
        if match is None or match[1].lower() in found:
            return {}
        found[match[1].lower()] = match[3] if match[2] is None else match[2]
        position = match.end()
    return found


def _scheme(text: bytes) -> bool | None:
    return _SCHEMES.get(text.strip().lower())


def _address(node: bytes) -> IPv4Address | IPv6Address | None:
    match = _NODE.fullmatch(node.strip())
    if match is None:
        return None
    address = ip_address_of((match[1] or match[3] or match[5]).decode("ascii"))
    port = int(match[2] or match[4] or 0)
    if address is None or port > 0xFFFF:
        return None
    kind = IPv4Address if address.version == 4 else IPv6Address
    return kind("TCP", str(address), port)
