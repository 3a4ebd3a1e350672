"""
What a webhook's request can be made of: its URL, its headers, the key that signs it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from urllib.parse import urlsplit

from ...config.section import Secret, revealed
from ...errors import InvalidOption

__all__ = ["HEADER_VALUE", "check_field", "check_fixed_field", "check_url", "signing_key"]

HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""What can be the value of a header, set by a message or by the configuration."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_PREFIX = "whsec_"

_OURS = frozenset(
    {
        # what frames the request or belongs to one connection
        *("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
        *("proxy-authorization", "proxy-connection", "transfer-encoding", "upgrade"),
        # what we understand of the answer
        "accept-encoding",
        # what we say about the delivery
        *("content-type", "idempotency-key", "webhook-attempt", "webhook-id"),
        *("webhook-signature", "webhook-timestamp"),
    }
)


def check_url(url: str) -> str:
    """
    :return: ``url``.
    :raises InvalidOption: for anything but an absolute ``http`` or ``https`` URL.  The text
        does not quote it: its query may hold a secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port  # a property that raises
    except ValueError:
        raise InvalidOption("is not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidOption("must begin with http:// or https://")
    if not parts.hostname or port == 0:
        raise InvalidOption("has no host, or a port that is not valid")
    if parts.username is not None or parts.password is not None:
        raise InvalidOption("must hold no credentials: use headers, with a secret as value")
    if not url.isascii() or any(ord(mark) <= 32 or ord(mark) == 127 for mark in url):
        raise InvalidOption("holds a space or a character that is not ASCII: percent-encode it")
    if parts.fragment:
        raise InvalidOption("has a fragment, which is never sent")
    return url


def check_field(name: str) -> None:
    """
    :raises InvalidOption: if no configuration may name that header.
    """
    if not _TOKEN.fullmatch(name):
        raise InvalidOption(f"{name!r} is not the name of an HTTP header")
    if name.lower() in _OURS:
        raise InvalidOption(f"{name!r} is set by the bridge itself")


def check_fixed_field(name: str, value: str | Secret) -> None:
    """
    :raises InvalidOption: as :func:`check_field`, if it is a secret that cannot be read, or if the
        value could break out of its line; the text does not hold it.
    """
    text = revealed(value)
    check_field(name)
    if not HEADER_VALUE.fullmatch(text):
        raise InvalidOption("has a line break or a character that is not ASCII in its value")


def signing_key(secret: str) -> bytes:
    """
    :param secret: ``whsec_`` and base64, as Standard Webhooks has it, or any other text.
    :return: the bytes that sign.
    :raises InvalidOption: if it is empty, or not base64 after the prefix; the text does not
        hold it.
    """
    if secret.startswith(_SECRET_PREFIX):
        text = secret.removeprefix(_SECRET_PREFIX).rstrip("=")
        try:
            key = b64decode(text + "=" * (-len(text) % 4), validate=True)  # padding is optional
        except (binascii.Error, ValueError):
            raise InvalidOption(f"must be base64 after {_SECRET_PREFIX}") from None
    else:
        key = secret.encode()
    if not key:
        raise InvalidOption("the secret is empty")
    return key
