"""
``tokensock bridge-spool`` lists and mends the spool in which a bridge keeps webhook messages.

It works on a file, and needs no reactor.
"""

from __future__ import annotations

import argparse
import sys
import time

from ..bridge.webhooks.database import SpoolUnavailable
from ..bridge.webhooks.inspection import Inspection
from ..bridge.webhooks.spool_tables import Kind
from .output import discard, print_json, say, write_utf8

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """
    Run ``bridge-spool``.

    :param arguments: the result of :func:`.command_line.parse`.
    :return: the exit status.
    """
    write_utf8()
    try:
        return _COMMANDS[arguments.what](Inspection(arguments.spool), arguments)
    except SpoolUnavailable as problem:
        say(str(problem))
    except BrokenPipeError:  # the reader of the pipe has ended
        discard(sys.stdout)
    return 1


def _list(spool: Inspection, arguments: argparse.Namespace) -> int:
    kinds: list[Kind] = []
    if arguments.dead or not arguments.waiting:
        kinds.append("dead")
    if arguments.waiting or not arguments.dead:
        kinds.append("waiting")
    for kind in kinds:
        for row in spool.rows(kind, arguments.rule, arguments.limit):
            print_json(row)
    say(", ".join(f"{spool.total(kind, arguments.rule)} {kind}" for kind in kinds))
    return 0


def _retry(spool: Inspection, arguments: argparse.Namespace) -> int:
    count = spool.retry(arguments.rule, arguments.ids, time.time())
    say(f"{count} to be sent again")
    return _status(count, arguments)


def _drop(spool: Inspection, arguments: argparse.Namespace) -> int:
    kind: Kind = "waiting" if arguments.waiting else "dead"
    count = spool.drop(kind, arguments.rule, arguments.ids)
    say(f"{count} {kind} dropped")
    return _status(count, arguments)


def _status(count: int, arguments: argparse.Namespace) -> int:
    """The exit status: a failure if ids were given that do not exist."""
    return 0 if count >= len(set(arguments.ids)) else 1


_COMMANDS = {"list": _list, "retry": _retry, "drop": _drop}
