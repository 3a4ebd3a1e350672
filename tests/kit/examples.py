"""
How many examples a property is tried with.

Whoever changes something and waits gets half of them, ``CI=true`` in the environment three times
as many: nothing lands without these.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

__all__ = ["examples", "share"]


def share(count: int) -> int:
    """Of that many examples, how many there are now."""
    return 3 * count if os.environ.get("CI") == "true" else max(1, count // 2)


def examples(count: int, **more: Any) -> settings:
    """
    :param count: of examples.
    :param more: of Hypothesis' settings.
    :return: a decorator for a test; no example has a deadline, for machines are busy.
    """
    more.setdefault("suppress_health_check", [HealthCheck.too_slow])
    return settings(max_examples=share(count), deadline=None, **more)
