"""
Which objects there are: what a connection leaves behind is found by counting.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence

from twisted.logger import globalLogBeginner, globalLogPublisher

__all__ = ["count_objects", "keep_early_events", "keep_no_early_events"]


def count_objects(
    packages: Sequence[str], but_not: Sequence[str] = ("twisted.logger.", "twisted.trial.")
) -> Counter[str]:
    """
    How many objects there are of each class, when garbage is collected.

    :param packages: beginnings of the full names of the classes.
    :param but_not: beginnings of the names of those that grow for other reasons.
    """
    gc.collect()
    named: Counter[str] = Counter()
    for kind, count in Counter(map(type, gc.get_objects())).items():
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name.startswith(tuple(packages)) and not name.startswith(tuple(but_not)):
            named[name] += count
    return named


def keep_no_early_events() -> None:
    """
    A process that does not log yet keeps its last events, and all objects that these hold: from
    now on it forgets them.
    """
    globalLogPublisher.removeObserver(globalLogBeginner._temporaryObserver)


def keep_early_events() -> None:
    """As it was before :func:`keep_no_early_events`."""
    globalLogPublisher.addObserver(globalLogBeginner._temporaryObserver)
