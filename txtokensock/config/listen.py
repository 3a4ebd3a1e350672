"""
Where a side listens: Twisted's endpoint strings, and who can reach them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twisted.internet.endpoints import serverFromString

from ..address import is_loopback
from ..errors import InvalidOption, shorten

__all__ = ["Listen"]

_INTERFACES = {"tcp": 1, "tcp6": 2, "ssl": 4}
"""Kinds of endpoints, and which of their unnamed arguments after the port is the interface."""

_ARGUMENT = re.compile(r"(?:^|:)((?:\\.|[^\\:=])*=)?((?:\\.?|[^\\:])*)", re.DOTALL)
_QUOTED = re.compile(r"\\(.?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Listen:
    """
    An endpoint string, read.

    :ivar kind: such as ``tcp``.
    :ivar interface: the IP address, ``""`` for all.
    :ivar port: 0 where there is none.
    """

    kind: str
    interface: str
    port: int

    @classmethod
    def parse(cls, description: str) -> Listen:
        """
        :raises InvalidOption: if Twisted has no such endpoint.
        """
        try:
            serverFromString(None, description)  # which only listening needs a reactor for
        except Exception as problem:  # parsers of endpoints raise ValueError, TypeError ...
            # systemd passes its sockets to the service alone, and not to a check before it.
            is_missing = isinstance(problem, IndexError | KeyError)
            if not (is_missing and description.startswith("systemd:")):
                text = shorten(str(problem)) or type(problem).__name__
                raise InvalidOption(f"{description!r} is not an endpoint: {text}") from None
        kind, plain, named = _arguments(description)
        position = _INTERFACES.get(kind)
        if position is None:
            return cls(kind, "", 0)
        interface = plain[position] if len(plain) > position else ""
        port = named.get("port") or (plain[0] if plain else "0")
        return cls(kind, named.get("interface", interface), int(port))

    @property
    def loopback(self) -> bool:
        """Whether only programs of this machine can connect, as far as can be told."""
        if self.kind == "unix":
            return True
        return self.kind in _INTERFACES and is_loopback(self.interface)

    def is_at(self, host: str, port: int) -> bool:
        """Whether a connection to this host (a name or an address) and port arrives here."""
        if self.kind not in _INTERFACES or port != self.port or not self.port:
            return False
        if host == self.interface:
            return True
        return is_loopback(host) and (self.loopback or self.interface in ("", "0.0.0.0", "::"))


def _arguments(description: str) -> tuple[str, list[str], dict[str, str]]:
    """
    The kind, unnamed and named arguments.  A backslash takes the meaning from the next
    character, see :func:`twisted.internet.endpoints.quoteStringArgument`.
    """
    plain: list[str] = []
    named: dict[str, str] = {}
    for name, value in _ARGUMENT.findall(description):
        text = _QUOTED.sub(r"\1", value)
        if name:
            named[_QUOTED.sub(r"\1", name[:-1])] = text
        else:
            plain.append(text)
    return plain[0], plain[1:], named
