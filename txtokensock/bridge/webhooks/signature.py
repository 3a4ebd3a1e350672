"""
Signatures as Standard Webhooks has them (no I/O).

``Webhook-Signature`` is ``v1,`` and the base64 of the HMAC-SHA256 of
``<Webhook-Id>.<Webhook-Timestamp>.<body>``, once for each key, with a space between.
Receivers have libraries for it in most languages: https://www.standardwebhooks.com
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable

__all__ = ["sign"]


def sign(keys: Iterable[bytes], delivery: str, timestamp: int, body: bytes) -> str:
    """
    :param keys: see :func:`~txtokensock.bridge.config.fields.signing_key`.
    :param delivery: the value of ``Webhook-Id``.
    :param timestamp: that of ``Webhook-Timestamp``: whole seconds since the epoch.
    :return: the value of ``Webhook-Signature``.
    """
    content = b"%s.%d.%s" % (delivery.encode(), timestamp, body)
    digests = (hmac.digest(key, content, "sha256") for key in keys)
    return " ".join(f"v1,{b64encode(digest).decode()}" for digest in digests)
