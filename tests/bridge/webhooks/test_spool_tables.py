"""The tables of a spool, whatever happens to them."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.webhooks import spool_tables as store
from txtokensock.bridge.webhooks.database import connect, prepare
from txtokensock.bridge.webhooks.schema import Cursor
from txtokensock.bridge.webhooks.spool_tables import Delivery, SpoolLimits


class StoreTests(SynchronousTestCase):
    """The tables, whatever happens to them."""

    def cursor(self) -> Cursor:
        """One of a new spool."""
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-spool-")
        self.addCleanup(directory.cleanup)
        path = Path(directory.name, "spool")
        prepare(path)
        connection = connect(path)
        self.addCleanup(connection.close)
        return connection.cursor()

    def test_uncertain(self) -> None:
        """What the last process had in flight is told once; then people may drop it."""
        cursor = self.cursor()
        limits = SpoolLimits(messages=5, bytes=60, drop_oldest=False)
        store.append(cursor, Delivery("msg_1", "a", 0.0, b"x"), limits)
        store.begin(cursor, "a")
        self.assertEqual(store.drop(cursor, "waiting", None, []), 0)
        self.assertEqual(store.uncertain(cursor), {"a": 1})
        self.assertEqual(store.uncertain(cursor), {})
        self.assertEqual(store.drop(cursor, "waiting", None, []), 1)

    def test_totals(self) -> None:
        """Whatever is done, the totals are what a count would say."""
        cursor = self.cursor()
        limits = SpoolLimits(messages=5, bytes=60, drop_oldest=True)
        for number in range(60):
            rule = "ab"[number % 2]
            append = partial(store.append, limits=limits)
            append(cursor, Delivery(f"msg_{number}", rule, 0.0, b"x" * (number % 17)))
            if number % 3 == 0 and (taken := store.begin(cursor, rule)) is not None:
                end = (store.finish, store.postpone, store.bury, store.untouched)[number % 4]
                extra: Any = {store.postpone: ("no",), store.bury: ("no", 1.0, 2)}.get(end, ())
                end(cursor, taken, *extra)  # type: ignore[operator]
            if number % 20 == 19:
                store.retry(cursor, rule, [], 0.0)
            for kind in ("waiting", "dead"):
                counted = cursor.execute(
                    f"SELECT rule, count(*), sum(size) FROM {kind} GROUP BY rule ORDER BY rule"
                ).fetchall()
                kept = cursor.execute(
                    "SELECT rule, messages, bytes FROM totals WHERE kind = ? ORDER BY rule",
                    (kind,),
                ).fetchall()
                self.assertEqual(kept, counted)
