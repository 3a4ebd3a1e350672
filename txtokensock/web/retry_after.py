"""
``Retry-After`` (RFC 9110, 10.2.3), no I/O.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

__all__ = ["retry_after"]

_LONGEST = 86_400.0


def retry_after(value: str, now: float) -> float | None:
    """
    :param value: of the header: seconds, or a date.
    :param now: seconds since the epoch.
    :return: seconds to wait, a day at most; None where there is nothing that makes sense.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _LONGEST)
    try:
        then = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(then - now, 0.0), _LONGEST)
