"""
The PROXY protocol of haproxy: a proxy that knows nothing of HTTP says, before all that it passes
on, where the connection came from.  The specification is haproxy's ``doc/proxy-protocol.txt``.

Twisted's own ``haproxy:`` endpoints refuse ``PROXY UNKNOWN`` without addresses, which haproxy
sends with its health checks, and headers that come in small pieces; and they log a traceback
where a port is not a number, and where a site refuses a connection.
"""

from __future__ import annotations

import re
import struct
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

from ...address import ip_address_of
from ...errors import InvalidOption

__all__ = ["server_endpoint"]

_PREFIX = "haproxy:"

_FIRST = b"PROXY "
_LONGEST_FIRST = 107
"""Bytes of a header in version 1, with the line's end."""

_LINE = re.compile(
    rb"PROXY (?:UNKNOWN(?: .*)?|TCP[46] (?P<client>\S+) (?P<server>\S+)"
    rb" (?P<client_port>\d{1,5}) (?P<server_port>\d{1,5}))"
)

_SECOND = b"\r\n\r\n\0\r\nQUIT\n"
_SECOND_START = 16
_LONGEST_SECOND = 4096
"""Bytes behind the start in version 2, where a proxy can say more than addresses."""

_LOCAL, _PROXY = 0x20, 0x21
_WIDTHS = {0x11: 4, 0x21: 16}
"""TCP over IPv4 and IPv6: bytes of an address.  Of others the client is not known."""


class _Header(NamedTuple):
    """
    A header.

    :ivar size: its bytes.
    :ivar client: where the connection came from; None where the proxy does not say.
    :ivar server: what it came to.
    """

    size: int
    client: IAddress | None = None
    server: IAddress | None = None


def _read(data: bytes) -> _Header | None:
    """
    :return: the header that the data begins with; None if more is to come of it.
    :raises ValueError: if there is none.
    """
    for start, read in ((_FIRST, _read_line), (_SECOND, _read_binary)):
        if data.startswith(start[: len(data)]):
            return read(data) if len(data) > len(start) else None
    raise ValueError


def _read_line(data: bytes) -> _Header | None:
    end = data.find(b"\r\n", 0, _LONGEST_FIRST)
    if end < 0:
        if len(data) >= _LONGEST_FIRST:
            raise ValueError
        return None
    line = _LINE.fullmatch(data[:end])
    if line is None:
        raise ValueError
    if line["client"] is None:
        return _Header(end + 2)
    return _Header(
        end + 2,
        _address(line["client"].decode("ascii"), int(line["client_port"])),
        _address(line["server"].decode("ascii"), int(line["server_port"])),
    )


def _read_binary(data: bytes) -> _Header | None:
    if len(data) < _SECOND_START:
        return None
    command, family, length = struct.unpack_from("!BBH", data, len(_SECOND))
    if command not in (_LOCAL, _PROXY) or length > _LONGEST_SECOND:
        raise ValueError
    size = _SECOND_START + length
    if len(data) < size:
        return None
    if command == _LOCAL or family not in _WIDTHS:
        return _Header(size)
    width = _WIDTHS[family]
    if length < 2 * width + 4:
        raise ValueError
    client, server, *ports = struct.unpack_from(f"!{width}s{width}sHH", data, _SECOND_START)
    return _Header(
        size,
        _address(str(ip_address(client)), ports[0]),
        _address(str(ip_address(server)), ports[1]),
    )


def _address(host: str, port: int) -> IAddress:
    found = ip_address_of(host)
    if found is None or "%" in host or port > 0xFFFF:
        raise ValueError
    return (IPv4Address if found.version == 4 else IPv6Address)("TCP", str(found), port)


class _ProxiedConnection(ProtocolWrapper):
    """
    A connection that begins with a header; its protocol has the rest, and the addresses.

    :ivar header_from: the proxy, if its header says who the client is.
    """

    header_from: IAddress | None = None
    _log = Logger()
    _begun = False
    _received = b""
    _client: IAddress | None = None
    _server: IAddress | None = None

    def dataReceived(self, data: bytes) -> None:
        if not self._begun:
            self._received += data
            try:
                header = _read(self._received)
            except ValueError:
                self._log.info(
                    "{peer} is closed: it begins without a valid header of the PROXY protocol",
                    event="proxy_protocol.refused",
                    peer=self._socket.getPeer(),
                )
                self._socket.abortConnection()
                return
            if header is None:
                return
            self._begun = True
            size, self._client, self._server = header
            if self._client is not None:
                self.header_from = self._socket.getPeer()
            data, self._received = self._received[size:], b""
        if data:
            self.wrappedProtocol.dataReceived(data)

    @property
    def _socket(self) -> Any:
        return self.transport

    def getPeer(self) -> IAddress:
        return self._client or self._socket.getPeer()

    def getHost(self) -> IAddress:
        return self._server or self._socket.getHost()


class _ProxiedFactory(WrappingFactory[_ProxiedConnection]):
    """
    Reads the header of each connection.

    :param wrappedFactory: may refuse connections, which a wrapping factory does not expect.
    """

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else _ProxiedConnection(self, protocol)


@implementer(IStreamServerEndpoint)
class _ProxyEndpoint:
    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen for connections that begin with a header."""
        factory = _ProxiedFactory(protocolFactory)  # type: ignore[no-untyped-call]
        return self._endpoint.listen(factory)


def server_endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """
    :func:`~twisted.internet.endpoints.serverFromString`, where ``haproxy:tcp:8080`` is for the
    PROXY protocol, version 1 or 2.  Who can connect there can say to be anybody.

    :raises InvalidOption: if systemd has not passed the socket.
    :raises Exception: of any kind, if it is not an endpoint.
    """
    plain = description.removeprefix(_PREFIX)
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, plain)
    except (IndexError, KeyError):
        if not plain.startswith("systemd:"):
            raise
        raise InvalidOption(f"{description}: systemd has passed no such socket") from None
    return _ProxyEndpoint(endpoint) if description.startswith(_PREFIX) else endpoint
