"""
The spool, looked at and mended by people, whether or not a bridge runs with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ...jsontext import Malformed, loads
from . import spool_tables as store
from .database import SpoolUnavailable, check_format, connect
from .schema import Cursor
from .spool_tables import Kind, Stored

__all__ = ["Inspection"]

T = TypeVar("T")


class Inspection:
    """
    :param path: of a spool, which must be there.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def rows(self, kind: Kind, rule: str | None, limit: int) -> list[dict[str, Any]]:
        """
        The oldest of that kind.

        :return: what :func:`describe` makes of each.
        :raises SpoolUnavailable: if there is no spool, or it cannot be read; so do the
            other methods.
        """

        def read(cursor: Cursor) -> list[dict[str, Any]]:
            return list(map(describe, store.stored(cursor, kind, rule, limit)))

        return self._run(read, writes=False)

    def total(self, kind: Kind, rule: str | None) -> int:
        """How many there are."""

        def count(cursor: Cursor) -> int:
            totals = store.totals(cursor, kind)
            return sum(totals.values()) if rule is None else totals.get(rule, 0)

        return self._run(count, writes=False)

    def retry(self, rule: str | None, deliveries: list[str], now: float) -> int:
        """
        Send dead letters once more, behind what waits; a bridge that runs begins within
        a second.

        :param rule: only of this one, or None.
        :param deliveries: only those with these ids, or all.
        :return: how many.
        """
        return self._run(lambda cursor: store.retry(cursor, rule, deliveries, now))

    def drop(self, kind: Kind, rule: str | None, deliveries: list[str]) -> int:
        """
        Forget for good, save what is in flight.

        :return: how many.
        """
        return self._run(lambda cursor: store.drop(cursor, kind, rule, deliveries))

    def _run(self, function: Callable[[Cursor], T], *, writes: bool = True) -> T:
        if not self._path.is_file():  # SQLite would make one
            raise SpoolUnavailable(f"there is no spool {self._path}")
        try:
            with closing(connect(self._path)) as connection:
                check_format(connection, self._path)
                # Who only reads holds up nobody who writes.
                connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                with connection:  # commits, or undoes
                    return function(connection.cursor())
        except sqlite3.Error as problem:
            raise SpoolUnavailable(f"the spool {self._path} cannot be used: {problem}") from None


def describe(row: Stored) -> dict[str, Any]:
    """A row as it is printed; its body as JSON where it is that."""
    try:
        body = loads(row.body)
    except Malformed:
        body = row.body.decode("utf-8", "replace")
    return {
        "state": row.kind,
        "id": row.delivery,
        "rule": row.rule,
        "since": datetime.fromtimestamp(row.queued, UTC).isoformat(timespec="seconds"),
        "attempts": row.attempts,
        "error": row.error,
        "body": body,
    }
