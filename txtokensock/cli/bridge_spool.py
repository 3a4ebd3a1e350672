"""
``tokensock bridge-spool``: its arguments, and what it does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from ..bridge.webhooks.inspection import Inspection
from ..bridge.webhooks.spool_tables import Kind

__all__ = ["add_arguments", "problem", "run"]

Print = Callable[[Any], None]
Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser of ``bridge-spool`` what follows that name."""
    parsers = parser.add_subparsers(dest="what", required=True, metavar="list|retry|drop")

    def command(name: str, run: Callable[..., int], help: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = parsers.add_parser(name, help=help, description=help)
        added.set_defaults(spool_command=run)
        added.add_argument("spool", metavar="SPOOL", help="the file, as in webhooks.spool")
        added.add_argument("--rule", help="only messages of this rule")
        return added

    listing = command("list", _list, "Print dead letters and what waits, oldest first.")
    listing.add_argument("--waiting", action="store_true", help="only what waits")
    listing.add_argument("--dead", action="store_true", help="only dead letters")
    listing.add_argument(
        "--limit", type=int, default=100, help="print so many of each (default: 100)"
    )
    retry = command("retry", _retry, "Send dead letters once more, behind what waits.")
    drop = command("drop", _drop, "Forget dead letters for good.")
    drop.add_argument("--waiting", action="store_true", help="drop what waits instead")
    for selecting in (retry, drop):
        selecting.add_argument("ids", metavar="ID", nargs="*", help="only these")
        selecting.add_argument("--all", action="store_true", help="all of every rule")


def run(arguments: argparse.Namespace, print_json: Print, say: Say) -> int:
    """
    :param print_json: prints a value on a line of its own.
    :param say: tells people.
    :return: the exit status.
    :raises SpoolUnavailable: if the spool cannot be used.
    """
    status: int = arguments.spool_command(Inspection(arguments.spool), arguments, print_json, say)
    return status


def problem(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the arguments, or None."""
    if arguments.what == "list":
        return "--limit must be at least 1" if arguments.limit < 1 else None
    if not arguments.ids and arguments.rule is None and not arguments.all:
        return f"{arguments.what} what? name ids, --rule or --all"
    if arguments.all and (arguments.ids or arguments.rule is not None):
        return "--all goes with neither ids nor --rule"
    return None


def _list(spool: Inspection, arguments: argparse.Namespace, print_json: Print, say: Say) -> int:
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


def _retry(spool: Inspection, arguments: argparse.Namespace, print_json: Print, say: Say) -> int:
    count = spool.retry(arguments.rule, arguments.ids, time.time())
    say(f"{count} to be sent again")
    return _status(count, arguments)


def _drop(spool: Inspection, arguments: argparse.Namespace, print_json: Print, say: Say) -> int:
    kind: Kind = "waiting" if arguments.waiting else "dead"
    count = spool.drop(kind, arguments.rule, arguments.ids)
    say(f"{count} {kind} dropped")
    return _status(count, arguments)


def _status(count: int, arguments: argparse.Namespace) -> int:
    """A failure where ids were named that are not there."""
    return 0 if count >= len(set(arguments.ids)) else 1
