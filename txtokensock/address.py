"""
Where a token-sockjs server is: one parser for every form an address has (no I/O).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import idna
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from .errors import InvalidAddress, InvalidOption, shorten

__all__ = [
    "Address",
    "addresses",
    "ascii_name",
    "ip_address_of",
    "is_loopback",
    "shown_address",
    "shown_url",
    "url_host",
    "url_path",
]

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9._])?")
_LONGEST_LABEL = 63
_ZONE = re.compile(r"[A-Za-z0-9._~-]+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


@dataclass(frozen=True, slots=True)
class Address:
    """
    The address of a token-sockjs server.

    :ivar host: a name (IDNA-encoded) or an IP address, IPv6 without brackets; that of a link
        may have a zone, as in ``fe80::1%eth0``.
    :ivar port: 1 to 65535.
    :ivar secure: TLS for the token request and for the socket.
    :ivar prefix: the path below which the server is mounted, ``""`` or ``"/a/b"``.
    """

    host: str
    port: int
    secure: bool = False
    prefix: str = ""

    @classmethod
    def parse(cls, host: str, port: int | None = None) -> Address:
        """
        Read an address.

        :param host: ``host``, ``host:port``, ``1.2.3.4``, ``::1``, ``[::1]:8080``, each
            also behind ``http://``, ``https://``, ``ws://`` or ``wss://`` and before a
            path prefix.  ``ws`` means ``http`` and ``wss`` means ``https``.  In brackets
            a zone may be written as RFC 6874 has it: ``[fe80::1%25eth0]``.
        :param port: instead of one in ``host``; by default 80, or 443 with TLS.
        :raises InvalidAddress: for anything else.  User names and passwords, queries
            and fragments are refused: credentials go into ``authentication``.
        """
        if not isinstance(host, str):
            raise InvalidAddress(f"host must be text, not {type(host).__name__}")
        if any(mark in host for mark in "@?#"):
            # The text may hold a password: it is not quoted.
            raise InvalidAddress("host cannot hold a user name, a query or a fragment")
        scheme, separator, rest = host.partition("://")
        if not separator:
            scheme, rest = "http", host
        if scheme.lower() not in _SECURE:
            raise InvalidAddress(f"host has the scheme {scheme!r}: use http, https, ws or wss")
        secure = _SECURE[scheme.lower()]
        authority, slash, path = rest.partition("/")
        name, port_text = _split_authority(authority)
        if port_text is not None:
            if port is not None:
                raise InvalidAddress(f"host {host!r} names a port and port={port!r} is given too")
            if not port_text.isascii() or not port_text.isdigit() or len(port_text) > 5:
                raise InvalidAddress(
                    f"host has the port {shorten(repr(port_text))}: it must be a number to 65535"
                )
            port = int(port_text)
        if port is None:
            port = 443 if secure else 80
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            raise InvalidAddress(f"port is {port!r}: it must be a number from 1 to 65535")
        prefix = (slash + path).rstrip("/")
        if not _PATH.fullmatch(prefix):
            raise InvalidAddress(f"host {host!r} has a path that is not a URL path")
        return cls(_valid_name(name, host), port, secure, prefix)

    @property
    def authority(self) -> str:
        """``host[:port]`` as URLs have it: brackets around IPv6, no default port."""
        name = url_host(self.host)
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"

    @property
    def host_header(self) -> str:
        """The value of ``Host``: a zone means something on this machine only (RFC 6874)."""
        name, _, _ = self.host.partition("%")
        return Address(name, self.port, self.secure).authority

    def http_url(self, path: str) -> str:
        """The ``http`` or ``https`` URL of ``path`` below this address."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.prefix}{path}"

    def __str__(self) -> str:
        return self.http_url("")


def addresses(host: str | Sequence[str], port: int | None = None) -> list[Address]:
    """
    The address of one server, or those of several.

    :param host: see :meth:`Address.parse`; a list for several.
    :param port: see there; of several, for those that name none.
    :raises InvalidAddress: if one cannot be read or is there twice, and for none at all.
    """
    if isinstance(host, str | bytes) or not isinstance(host, Sequence):
        return [Address.parse(host, port)]
    found = [Address.parse(one, None if _names_port(one) else port) for one in host]
    if not found:
        raise InvalidAddress("host is empty: it must name a server")
    for number, address in enumerate(found):
        if address in found[:number]:
            raise InvalidAddress(f"host names {address} twice")
    return found


def _names_port(host: object) -> bool:
    if not isinstance(host, str):
        return False
    authority = host.rpartition("://")[2].partition("/")[0]
    return _split_authority(authority)[1] is not None


@lru_cache(maxsize=64)
def ip_address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """
    :param host: IPv6 without brackets.
    :return: the IP address, None for a name.  An IPv4 address that IPv6 has mapped, as
        sockets for both have it, is that IPv4 address; a zone is left out.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """
    Whether a host is this machine, and no other can reach it there.

    :param host: a name in any case, or an IP address, IPv6 without brackets.
    """
    name = host.lower()
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    address = ip_address_of(name)
    return address is not None and address.is_loopback


def url_host(host: str) -> str:
    """
    :param host: a name or an IP address, IPv6 without brackets.
    :return: it as URLs have it, IPv6 in brackets (RFC 3986, section 3.2.2).
    """
    return f"[{host}]" if ":" in host else host


def shown_address(address: object) -> str | None:
    """An address of Twisted's as people write it; None for anything else."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return f"{url_host(address.host)}:{address.port}"
    if isinstance(address, UNIXAddress):
        return f"unix:{address.name!r}" if address.name else "unix"
    return None


def shown_url(url: str) -> str:
    """A URL of a peer's for a text: without its user, query and fragment, which may be secret."""
    place = re.split("[?#]", url, maxsplit=1)[0]
    return re.sub(r"//[^/]*@", "//", place, count=1)


def url_path(option: str, path: str) -> str:
    """
    Check a path option.

    :return: it with one leading and no trailing slash.
    :raises InvalidOption: if it is not a URL path.
    """
    if isinstance(path, str):
        whole = "/" + path.strip("/")
        if _PATH.fullmatch(whole):
            return whole
    raise InvalidOption(f"{option} is {path!r}: it must be a URL path such as '/sockets'")


def _split_authority(authority: str) -> tuple[str, str | None]:
    """``(host, port or None)``, the host without brackets."""
    if authority.startswith("["):
        name, bracket, rest = authority[1:].partition("]")
        if not bracket or ":" not in name or (rest and not rest.startswith(":")):
            raise InvalidAddress(f"host {authority!r} has brackets that do not enclose an address")
        return name, rest[1:] if rest else None
    if authority.count(":") > 1:  # IPv6 without brackets: no room for a port
        return authority, None
    name, colon, port = authority.partition(":")
    return name, port if colon else None


def _valid_name(name: str, whole: str) -> str:
    """``name`` as an IP address or in its IDNA form."""
    bare, percent, zone = name.partition("%")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        pass
    else:
        if percent:
            zone = zone[2:] if zone.startswith("25") and len(zone) > 2 else zone
            if address.version == 4 or not _ZONE.fullmatch(zone):
                raise InvalidAddress(f"host {whole!r} has a zone that names no interface")
        return f"{address}{percent}{zone}"
    found = ascii_name(name)
    longest = max(map(len, found.split(".")))
    if not _HOST.fullmatch(found) or len(found) > 253 or ".." in found or longest > _LONGEST_LABEL:
        raise InvalidAddress(f"host {whole!r} does not name a host")
    return found


def ascii_name(name: str) -> str:
    """
    :return: the name in lower case and ASCII, as browsers make it of an internationalised one:
        by UTS 46, without what it has for the transition from IDNA 2003.  Nothing for one that
        has no such form.
    """
    if name.isascii():
        return name.lower()
    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        return ".".join(map(_ascii_label, mapped.split(".")))
    except (idna.IDNAError, UnicodeError):
        return ""


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    idna.check_bidi(label)
    for place, mark in enumerate(label):
        if mark in "\u200c\u200d" and not idna.valid_contextj(label, place):
            raise idna.InvalidCodepointContext("a joiner that joins nothing")
    return "xn--" + label.encode("punycode").decode("ascii")
