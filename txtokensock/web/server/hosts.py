"""
Which names a server on a loopback address answers to.

A page can have its own name lead to 127.0.0.1 (DNS rebinding).  Its requests then reach a server
that is for this machine alone, and by their ``Host`` they come from the server's own origin.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import Logger

from ...address import is_loopback
from ...errors import InvalidOption, shorten
from .header_text import header
from .origins import OriginPolicy
from .trusted_proxies import forwarded

__all__ = ["HostPolicy", "host_name"]


# RFC 9112, section 3.2.  A zone ("%eth0") is for this machine alone, and in no Host.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s/?#@\\%,:\[\]]+))(?::\d*)?")


_OWN = {"localhost", "127.0.0.1", "::1"}
"""The loopback names that nearly all requests have which have any."""

_is_own = lru_cache(maxsize=16)(is_loopback)
"""Of the addresses at which this process listens."""


class HostPolicy:
    """
    Decides for which ``Host`` a request that came to a loopback address is answered: for
    ``localhost`` and loopback addresses, and for what is listed.  Requests to other addresses
    are answered whatever their ``Host`` is, and those without one come from no browser.

    What comes through a trusted proxy is for the proxy's names, whatever the address: it is
    judged only where ``allowed_hosts`` says what these are.

    :param allowed_hosts: more names, without ports.
    :param origins: the hosts of those that are listed are allowed as well; where all pages are
        allowed, all names are.
    :raises InvalidOption: if ``allowed_hosts`` is not a collection of names.
    """

    _log = Logger()

    def __init__(
        self, allowed_hosts: Collection[str] = (), origins: OriginPolicy | None = None
    ) -> None:
        listed = _checked(allowed_hosts)
        self._everyone = origins is not None and origins.everyone
        self._judges_proxies = bool(listed)
        self._hosts = listed | _OWN | (origins.hosts if origins is not None else set())

    def allow(self, request: Any) -> bool:
        """
        Whether to answer the request; a refusal is logged.

        :param request: an :class:`~twisted.web.iweb.IRequest`.
        """
        host = header(request, b"host")
        if self._everyone or host is None:
            return True
        name = host_name(host)
        if name in self._hosts or not self._judges(request) or is_loopback(name):
            return True
        self._log.info(
            "refused a request for {host}: allowed_hosts (serve --allowed-host) would allow it",
            event="host.refused",
            host=shorten(host),
        )
        return False

    def _judges(self, request: Any) -> bool:
        if forwarded(request) is not None:
            return self._judges_proxies
        address = request.getHost()
        return isinstance(address, IPv4Address | IPv6Address) and _is_own(address.host)


def _checked(hosts: Collection[str]) -> set[str]:
    if isinstance(hosts, str | bytes) or not isinstance(hosts, Collection):
        raise InvalidOption(f"allowed_hosts is {hosts!r}: it must be a collection of host names")
    for host in hosts:
        if not isinstance(host, str) or not host or host_name(host) != host.strip("[]").lower():
            raise InvalidOption(
                f"allowed_hosts has {host!r}: a host is like 'app.example.com', without a port"
            )
    return {host_name(host) for host in hosts}


def host_name(host: str) -> str:
    """
    :param host: the value of ``Host``.
    :return: what is before the port, IPv6 without brackets; empty if it is not a host.
    """
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found is not None else ""
