"""
Which proxy a connection goes through: the option, or the environment (no I/O).
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from ...address import Address, ascii_name, ip_address_of, is_loopback, url_host
from ...errors import InvalidOption

__all__ = ["Proxy", "ProxyOption", "proxy_for"]

ProxyOption: TypeAlias = str | bool
"""The URL of a proxy for everything; True for those of the environment, False for none."""

_SOCKS = ("socks5", "socks5h", "socks")
_DEFAULT_PORTS = {"http": 80, "https": 443, **dict.fromkeys(_SOCKS, 1080)}

_LONGEST_CREDENTIAL = 255
"""Bytes of a SOCKS user, and of a password: one byte says how many there are (RFC 1929)."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    A proxy.

    :ivar scheme: ``http``; ``https`` for an HTTP proxy that is spoken to over TLS;
        ``socks5``, ``socks5h`` and ``socks`` all mean SOCKS5, where the proxy resolves names.
    :ivar host: a name or an IP address, IPv6 without brackets.
    :ivar port: 1 to 65535.
    :ivar user: as it is, not percent-encoded; None without credentials.
    :ivar password: the same.
    """

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, option: str = "proxy") -> Proxy:
        """
        Read ``[scheme://][user[:password]@]host[:port]``.

        :param url: without a scheme it is an ``http`` proxy, as curl has it.  The port is
            that of the scheme by default: 80, 443 or 1080.
        :param option: what holds the URL, for errors.
        :raises InvalidOption: if it is not such a URL.  The text does not quote it: any part
            may belong to a password with a special character.
        """
        text = url if "://" in url else f"http://{url}"
        try:
            parts = urlsplit(text)
            usual = _DEFAULT_PORTS[parts.scheme]
            port = usual if parts.port is None else parts.port
            host = parts.hostname or ""
            address = Address.parse(url_host(host), port)
        except (ValueError, KeyError):
            address = None
        if address is None or parts.path.strip("/") or parts.query or parts.fragment:
            raise InvalidOption(
                f"{option} is not the URL of a proxy: write SCHEME://USER:PASSWORD@HOST:PORT,"
                f" where the scheme is {', '.join(_DEFAULT_PORTS)}, and special characters of"
                " a password are percent-encoded"
            )
        user = None if parts.username is None else _unquoted(parts.username)
        password = None if user is None else _unquoted(parts.password or "")
        proxy = cls(parts.scheme, address.host, port, user, password)
        if proxy.credentials is not None:
            _check_credentials(option, proxy.is_socks, *proxy.credentials)
        return proxy

    def __str__(self) -> str:
        """Its URL, without user and password."""
        return f"{self.scheme}://{url_host(self.host)}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5, and not HTTP."""
        return self.scheme in _SOCKS

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password, or None."""
        return None if self.user is None else (self.user, self.password or "")

    @property
    def authorization(self) -> str | None:
        """The value of ``Proxy-Authorization``, by RFC 7617; None without credentials."""
        if self.credentials is None:
            return None
        credentials = ":".join(self.credentials).encode()
        return f"Basic {b64encode(credentials).decode('ascii')}"


def _unquoted(text: str) -> str:
    """``text`` percent-decoded, with surrogates for bytes that are not UTF-8."""
    return unquote(text, errors="surrogateescape")


def _check_credentials(option: str, socks: bool, user: str, password: str) -> None:
    """
    :param option: what holds them, for errors.
    :raises InvalidOption: if they cannot be sent to such a proxy.
    """
    if any(0xD800 <= ord(mark) <= 0xDFFF for mark in user + password):
        raise InvalidOption(f"{option} has a user or a password that is not in UTF-8")
    if not socks:
        if ":" in user:
            raise InvalidOption(f"{option} has a user with a colon, which HTTP cannot send")
        return
    # RFC 1929 has no empty ones; an empty password is sent and taken all the same.
    if not user or max(len(user.encode()), len(password.encode())) > _LONGEST_CREDENTIAL:
        raise InvalidOption(
            f"{option} has a user or a password that SOCKS5 cannot send: a user has 1 to"
            f" {_LONGEST_CREDENTIAL} bytes in UTF-8, and a password at most {_LONGEST_CREDENTIAL}"
        )


def proxy_for(option: ProxyOption, host: str, port: int, *, secure: bool) -> Proxy | None:
    """
    The proxy for connections to a server.

    :param option: a URL is the proxy for every server.  True reads the environment, as it
        is at this moment: ``HTTPS_PROXY`` for a server with TLS, ``HTTP_PROXY`` for one
        without, else ``ALL_PROXY``; no proxy for what ``NO_PROXY`` names, nor for this
        machine itself.  Lower-case names take precedence.  False is no proxy.
    :param host: the server's, a name or an IP address, IPv6 without brackets.
    :raises InvalidOption: if a URL is not valid; the text says which option or variable
        holds it.
    """
    if isinstance(option, str):
        return Proxy.parse(option)
    if not isinstance(option, bool):
        raise InvalidOption("proxy must be the URL of a proxy, True or False")
    if not option:
        return None
    if is_loopback(host):
        return None
    for kind in ("https" if secure else "http", "all"):
        variable, url = _from_environment(f"{kind}_proxy")
        if url:
            direct = _is_direct(host, port)
            return None if direct else Proxy.parse(url, f"{variable} in the environment")
    return None


def _from_environment(name: str) -> tuple[str, str]:
    """
    :param name: of a variable, in lower case.
    :return: its name as it is written, and its value.
    """
    # In a CGI program HTTP_PROXY may be a header of the request.
    only_lower = name == "http_proxy" and "REQUEST_METHOD" in os.environ
    written = name if name in os.environ or only_lower else name.upper()
    return written, os.environ.get(written, "")


def _is_direct(host: str, port: int) -> bool:
    """Whether a host is reached without the environment's proxy."""
    entries = re.split(r"[\s,]+", _from_environment("no_proxy")[1])
    return any(_names(entry, host, port) for entry in entries if entry)


def _names(entry: str, host: str, port: int) -> bool:
    """
    Whether an entry of ``NO_PROXY`` names a server: in every form that curl takes, and with a
    port, as Python and Go take it.
    """
    if entry == "*":
        return True
    name, of_port = _without_port(entry)
    if of_port is not None and of_port != port:
        return False
    address = ip_address_of(host)
    if address is not None:
        return _contains(name, address)
    name, host = ascii_name(name.strip(".")), host.rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


_WITH_PORT = re.compile(r"(\[.*\]|[^\[\]:]+):([0-9]{1,5})")


def _without_port(entry: str) -> tuple[str, int | None]:
    match = _WITH_PORT.fullmatch(entry)
    return (entry, None) if match is None else (match[1], int(match[2]))


def _contains(network: str, address: IPv4Address | IPv6Address) -> bool:
    """Whether an address, such as 10.0.0.1, or network, such as 10.0.0.0/8, has the address."""
    try:
        return address in ip_network(network.translate(_NO_BRACKETS), strict=False)
    except ValueError:  # a name
        return False


_NO_BRACKETS = str.maketrans("", "", "[]")
