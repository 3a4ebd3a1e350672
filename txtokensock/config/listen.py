"""
Where a side listens: Twisted's endpoint strings, and who can reach them.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.endpoints import serverFromString

from ..address import is_loopback
from ..errors import InvalidOption, shorten

__all__ = ["Listen"]

_INTERFACES = {"tcp": 1, "tcp6": 2, "ssl": 4}
"""Kinds of endpoints, and which of their unnamed arguments after the port is the interface."""


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
        except (IndexError, KeyError) as problem:
            # systemd passes its sockets to the service alone, and not to a check before it.
            if not description.startswith("systemd:"):
                raise cls._not(description, problem) from None
        except Exception as problem:
            # Parsers of endpoints raise ValueError, TypeError, KeyError ...
            raise cls._not(description, problem) from None
        kind, plain, named = _arguments(description)
        position = _INTERFACES.get(kind)
        if position is None:
            return cls(kind, "", 0)
        interface = plain[position] if len(plain) > position else ""
        port = named.get("port") or (plain[0] if plain else "0")
        return cls(kind, named.get("interface", interface), int(port))

    @staticmethod
    def _not(description: str, problem: Exception) -> InvalidOption:
        text = shorten(str(problem)) or type(problem).__name__
        return InvalidOption(f"{description!r} is not an endpoint: {text}")

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
    parts: list[tuple[str, str | None]] = []
    name: str | None = None
    text = ""
    marks = iter(description)
    for mark in marks:
        if mark == "\\":
            text += next(marks, "")
        elif mark == ":":
            parts.append((text, name))
            name, text = None, ""
        elif mark == "=" and name is None:
            name, text = text, ""
        else:
            text += mark
    parts.append((text, name))
    plain = [value for value, name in parts if name is None]
    return plain[0], plain[1:], {name: value for value, name in parts if name is not None}
