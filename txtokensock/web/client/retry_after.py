"""
``Retry-After``: RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

from twisted.web.iweb import IResponse

__all__ = ["retry_after", "retry_after_of"]

_LONGEST = 86_400.0


def retry_after(value: str, now: float | None = None) -> float | None:
    """
    :param value: of the header: seconds, or a date.
    :param now: seconds since the epoch; by default those of the wall clock.
    :return: seconds to wait, at most a day; None if the value is not valid.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:400]), _LONGEST)
    try:
        then = parsedate_to_datetime(text)
        if then.tzinfo is None:  # the oldest form of a date names no zone: it is GMT
            then = then.replace(tzinfo=UTC)
        seconds = then.timestamp() - (time.time() if now is None else now)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST)


def retry_after_of(response: IResponse) -> float | None:
    """The seconds to wait by a response that has just arrived, or None."""
    value = response.headers.getRawHeaders(b"retry-after", [b""])[0]
    return retry_after(value.decode("ascii", "replace"))
