"""
Dates in HTTP, and ``Retry-After``, which may have one: RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

from twisted.web.iweb import IResponse

__all__ = ["http_date", "retry_after", "retry_after_of"]

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
    then = http_date(text)
    if then is None:
        return None
    return min(max(then - (time.time() if now is None else now), 0.0), _LONGEST)


def http_date(text: str) -> float | None:
    """
    :param text: a date in any form that HTTP has had: RFC 9110, section 5.6.7.
    :return: seconds since the epoch; None if it is not valid.
    """
    try:
        then = parsedate_to_datetime(text)
        if then.tzinfo is None:  # the oldest form of a date names no zone: it is GMT
            then = then.replace(tzinfo=UTC)
        return then.timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def retry_after_of(response: IResponse) -> float | None:
    """The seconds to wait by a response that has just arrived, or None."""
    value = response.headers.getRawHeaders(b"retry-after", [b""])[0]
    return retry_after(value.decode("ascii", "replace"))
