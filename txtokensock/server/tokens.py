"""
Issuing tokens, and spending them: what they look like, and the identity that each gives.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidData
from ..jsontext import Malformed, dumps, loads
from ..support.checks import is_number
from .store.interface import IStoreLink

__all__ = ["Identity", "encode_identity", "issue", "seconds_left", "spend"]

Identity = Mapping[str, Any]
"""What ``authentication`` returned for a peer."""

# node-token-sockjs looks for a token anywhere in a text, and looks that up: any key of a
# shared Redis that holds a UUID would be a token.  Here the whole text must be one.
_TOKEN = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89abAB][a-f0-9]{3}-[a-f0-9]{12}")

_LONGEST = 1e9
"""Seconds, which are 31 years: more is forever."""

_NODE_KEYS = frozenset({"__host", "__ip", "__ips"})
"""What node-token-sockjs adds to identities, for its Express adapter, and takes out again."""


def seconds_left(identity: Identity, now: float) -> float | None:
    """
    How long an identity holds: until its ``expires``, if that is a number of seconds since 1970.

    :param now: in the same seconds.
    :return: None where it says nothing.
    """
    expires: Any = identity.get("expires")
    # No difference: a whole number may have more digits than a float can take.
    return max(min(expires, now + _LONGEST), 0.0) - now if is_number(expires) else None


def encode_identity(identity: object) -> bytes:
    """
    Encode an identity for the store.

    :param identity: what ``authentication`` returned: True or a mapping.
    :return: its JSON.
    :raises InvalidData: if it is neither, or has no JSON form.
    """
    if identity is True:
        return b"{}"
    if not isinstance(identity, Mapping):
        kind = type(identity).__name__
        raise InvalidData(f"authentication returned {kind}: return a mapping, True, False or None")
    return dumps(dict(identity))


async def issue(link: IStoreLink, identity: bytes, lifetime: int) -> str:
    """
    Keep a new token in the store.

    :param identity: from :func:`encode_identity`.
    :param lifetime: seconds.
    :return: a new token.
    :raises StoreUnavailable: see :class:`IStoreLink`.
    """
    token = str(uuid.uuid4())
    await link.issue_token(token, identity, lifetime)
    return token


async def spend(link: IStoreLink, token: str) -> dict[str, Any] | None:
    """
    Take a token out of the store.

    :param token: the text that a peer sent as its token.
    :return: the identity, or None if the token gives none.
    :raises StoreUnavailable: see :class:`IStoreLink`.
    """
    if not _TOKEN.fullmatch(token):
        return None
    kept = await link.spend_token(token)
    if kept is None:
        return None
    try:
        identity = loads(kept)
    except Malformed:
        return None
    if not isinstance(identity, dict):  # null crashes node-token-sockjs
        return None
    return {key: value for key, value in identity.items() if key not in _NODE_KEYS}
