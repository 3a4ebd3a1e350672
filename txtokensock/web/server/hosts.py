"""
Which names a server on a loopback address answers to.

A page can have its own name lead to 127.0.0.1 (DNS rebinding).  Its requests then reach a server
that is for this machine alone, and by their ``Host`` they come from the server's own origin.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import Logger

from ...errors import InvalidOption, shorten
from .header_text import header
from .origins import AllowedOrigins

__all__ = ["HostPolicy"]


_NO_DELIMITERS = re.compile(r"[^/?#@\\\s]+")


class HostPolicy:
    """
    Decides for which ``Host`` a request that came to a loopback address is answered: for
    ``localhost`` and loopback addresses, and for what is listed.  Requests to other addresses
    are answered whatever their ``Host`` is, and those without one come from no browser.

    :param allowed_hosts: more names, without ports.
    :param allowed_origins: their hosts are allowed as well; where all pages are, all names are.
    :raises InvalidOption: if ``allowed_hosts`` is not a collection of names.
    """

    _log = Logger()

    def __init__(
        self, allowed_hosts: Collection[str], allowed_origins: AllowedOrigins = None
    ) -> None:
        self._everyone = isinstance(allowed_origins, str) and allowed_origins == "*"
        hosts = _checked(allowed_hosts)
        if isinstance(allowed_origins, Collection) and not self._everyone:
            hosts |= {urlsplit(origin).hostname or "" for origin in allowed_origins}
        self._hosts = hosts - {""}

    def allow(self, request: Any) -> bool:
        """
        Whether to answer the request; a refusal is logged.

        :param request: an :class:`~twisted.web.iweb.IRequest`.
        """
        host = header(request, b"host")
        if self._everyone or host is None or not _is_loopback_address(request.getHost()):
            return True
        name = _name(host)
        if name in self._hosts or _is_loopback(name):
            return True
        self._log.info(
            "refused a request for {host} that came to a loopback address: allowed_hosts"
            " (serve --allowed-host) would allow it",
            host=shorten(host),
        )
        return False


def _checked(hosts: Collection[str]) -> set[str]:
    if isinstance(hosts, str | bytes) or not isinstance(hosts, Collection):
        raise InvalidOption(f"allowed_hosts is {hosts!r}: it must be a collection of host names")
    for host in hosts:
        if not isinstance(host, str) or not host or _name(host) != host.strip("[]").lower():
            raise InvalidOption(
                f"allowed_hosts has {host!r}: a host is like 'app.example.com', without a port"
            )
    return {_name(host) for host in hosts}


def _name(host: str) -> str:
    """What is before the port; empty if it is not a host."""
    if not _NO_DELIMITERS.fullmatch(host):
        return ""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_loopback_address(address: object) -> bool:
    return isinstance(address, IPv4Address | IPv6Address) and _is_loopback(address.host)
