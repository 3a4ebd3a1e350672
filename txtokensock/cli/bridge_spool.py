"""
``tokensock bridge-spool`` lists and mends the spool in which a bridge keeps webhook messages.

It works on a file, and needs no reactor.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from ..bridge.webhooks.database import SpoolUnavailable
from ..bridge.webhooks.inspection import Inspection
from ..bridge.webhooks.spool_tables import Kind
from .output import discard, print_json, say, write_utf8

__all__ = ["run"]


def run(what: str, spool: str, **arguments: Any) -> int:
    """
    Run a command on a spool.

    :param what: ``list``, ``retry`` or ``drop``.
    :param spool: the file.
    :param arguments: those of the command.
    :return: the exit status.
    """
    write_utf8()
    try:
        return _COMMANDS[what](Inspection(spool), **arguments)
    except SpoolUnavailable as problem:
        say(str(problem))
    except BrokenPipeError:  # the reader of the pipe has ended
        discard(sys.stdout)
    return 1


def _list(spool: Inspection, rule: str | None, waiting: bool, dead: bool, limit: int) -> int:
    kinds: list[Kind] = []
    if dead or not waiting:
        kinds.append("dead")
    if waiting or not dead:
        kinds.append("waiting")
    for kind in kinds:
        for row in spool.rows(kind, rule, limit):
            print_json(row)
    say(", ".join(f"{spool.total(kind, rule)} {kind}" for kind in kinds))
    return 0


def _retry(spool: Inspection, rule: str | None, ids: tuple[str, ...]) -> int:
    count = spool.retry(rule, list(ids), time.time())
    say(f"{count} to be sent again")
    return _status(count, ids)


def _drop(spool: Inspection, rule: str | None, ids: tuple[str, ...], waiting: bool) -> int:
    kind: Kind = "waiting" if waiting else "dead"
    count = spool.drop(kind, rule, list(ids))
    say(f"{count} {kind} dropped")
    return _status(count, ids)


def _status(count: int, ids: tuple[str, ...]) -> int:
    """The exit status: a failure if ids were given that do not exist."""
    return 0 if count >= len(set(ids)) else 1


_COMMANDS: dict[str, Callable[..., int]] = {"list": _list, "retry": _retry, "drop": _drop}
