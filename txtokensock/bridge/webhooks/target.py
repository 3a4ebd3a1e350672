"""
Where a rule's requests go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...config.section import revealed
from ..config.fields import signing_key
from ..config.webhooks import Rule

__all__ = ["Target"]


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
