"""
Answers to a router's challenge (no I/O, but for reading the secret).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from ...errors import InvalidOption
from ..config.wamp import WampAuthentication

__all__ = ["signature"]

_MOST_ITERATIONS = 1_000_000


def signature(who: WampAuthentication, extra: Mapping[str, Any]) -> str:
    """
    :param extra: of the challenge.
    :return: the ticket, or for WAMP-CRA the challenge signed with the secret, which the
        router may want salted.
    :raises InvalidOption: for a challenge that cannot be answered, or a secret that cannot be
        read; the text holds neither.
    """
    secret = who.secret.reveal()
    if who.method == "ticket":
        return secret
    try:
        challenge = extra["challenge"].encode()
        key = secret.encode()
        if "salt" in extra:
            iterations, length = int(extra["iterations"]), int(extra["keylen"])
            if not 0 < iterations <= _MOST_ITERATIONS or not 0 < length <= 1024:
                raise ValueError(f"{iterations} iterations, {length} bytes")
            salt = extra["salt"].encode()
            key = b64encode(hashlib.pbkdf2_hmac("sha256", key, salt, iterations, length))
    except (KeyError, ValueError, AttributeError, TypeError) as problem:
        raise InvalidOption(f"the router's challenge cannot be answered: {problem}") from None
    return b64encode(hmac.new(key, challenge, hashlib.sha256).digest()).decode("ascii")
