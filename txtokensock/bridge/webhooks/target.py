"""
Where a rule's requests go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...config.section import revealed
from ..config.fields import HEADER_VALUE, signing_key
from ..config.webhooks import Rule

__all__ = ["Target"]

_LONGEST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where a rule's requests go, with its secrets read.

    :ivar allowed: names, in lower case, of headers that a message may set.
    """

    url: str = field(repr=False)
    method: str
    timeout: float
    allowed: frozenset[str]
    headers: Mapping[str, str] = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, rule: Rule) -> Target:
        """:raises SecretUnavailable: if a secret cannot be read."""
        secrets = [secret for secret in (rule.secret, rule.previous_secret) if secret]
        return cls(
            url=rule.url,
            method=rule.method,
            timeout=rule.timeout,
            allowed=frozenset(name.lower() for name in rule.allow_headers),
            headers={name: revealed(value) for name, value in rule.headers.items()},
            keys=tuple(signing_key(secret.reveal()) for secret in secrets),
        )

    def headers_of(self, data: Any) -> dict[str, str]:
        """
        The headers that a message sets: those of the object ``headers`` in its data which are
        allowed and have a text that can be sent.  All others are only part of the body.
        """
        asked = data.get("headers") if self.allowed and isinstance(data, Mapping) else None
        if not isinstance(asked, Mapping):
            return {}
        return {
            name.lower(): value
            for name, value in asked.items()
            if isinstance(name, str)
            and name.lower() in self.allowed
            and isinstance(value, str)
            and len(value) <= _LONGEST_VALUE
            and HEADER_VALUE.fullmatch(value)
        }
