"""``tokensock bridge-spool``, on spools that no bridge uses."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.webhooks import spool_tables as store
from txtokensock.bridge.webhooks.database import connect, prepare
from txtokensock.bridge.webhooks.spool_tables import Delivery, SpoolLimits
from txtokensock.cli import main

LIMITS = SpoolLimits(messages=100, bytes=10_000, drop_oldest=False)


class CommandTests(SynchronousTestCase):
    """What is printed, what is said, and what is left."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-spool-")
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "spool.sqlite3")
        prepare(self.path)
        self.connection = connect(self.path)
        self.addCleanup(self.connection.close)
        for number in range(4):
            rule = "ab"[number % 2]
            body = json.dumps({"channel": rule, "message": number}).encode()
            self.do(store.append, Delivery(f"msg_{number}", rule, 1.7e9, body), LIMITS)
        for rule in "ab":
            delivery = self.do(store.begin, rule)
            self.do(store.bury, delivery, "answered 500", 1.7e9, 100)

    def do(self, function: Any, *arguments: Any) -> Any:
        with self.connection:
            return function(self.connection.cursor(), *arguments)

    def run_command(self, *arguments: str) -> tuple[list[Any], str, object]:
        """The lines of JSON, what was said, and the exit status."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = self.assertRaises(SystemExit, main, ["bridge-spool", *arguments])
        return (
            [json.loads(line) for line in out.getvalue().splitlines()],
            err.getvalue(),
            ended.code,
        )

    def spool(self, what: str, *arguments: str) -> tuple[list[Any], str, object]:
        return self.run_command(what, str(self.path), *arguments)

    def ids(self, kind: Any) -> list[str]:
        return [row.delivery for row in self.do(lambda c: list(store.stored(c, kind, None, 9)))]

    def test_list(self) -> None:
        """A line of JSON for each message, dead letters first, and a summary for people."""
        lines, said, status = self.spool("list")
        self.assertEqual((said, status), ("tokensock: 2 dead, 2 waiting\n", 0))
        self.assertEqual(
            lines[0],
            {
                "state": "dead",
                "id": "msg_0",
                "rule": "a",
                "since": "2023-11-14T22:13:20+00:00",
                "attempts": 1,
                "error": "answered 500",
                "body": {"channel": "a", "message": 0},
            },
        )
        self.assertEqual([line["id"] for line in lines], ["msg_0", "msg_1", "msg_2", "msg_3"])

    def test_list_some(self) -> None:
        """By rule, by kind, and no more than asked for; the summary counts all."""
        for arguments, ids, said in (
            (["--rule", "a"], ["msg_0", "msg_2"], "1 dead, 1 waiting"),
            (["--dead"], ["msg_0", "msg_1"], "2 dead"),
            (["--waiting", "--rule", "b"], ["msg_3"], "1 waiting"),
            (["--dead", "--limit", "1"], ["msg_0"], "2 dead"),
            (["--rule", "none"], [], "0 dead, 0 waiting"),
        ):
            lines, told, status = self.spool("list", *arguments)
            self.assertEqual([line["id"] for line in lines], ids)
            self.assertEqual((told, status), (f"tokensock: {said}\n", 0))

    def test_retry(self) -> None:
        """Dead letters go behind what waits, with their ids, and all attempts ahead."""
        _, said, status = self.spool("retry", "msg_1")
        self.assertEqual((said, status), ("tokensock: 1 to be sent again\n", 0))
        self.assertEqual(self.ids("waiting"), ["msg_2", "msg_3", "msg_1"])
        self.assertEqual(self.ids("dead"), ["msg_0"])
        self.do(store.finish, self.do(store.begin, "b"))
        delivery = self.do(store.begin, "b")
        self.assertEqual((delivery.delivery, delivery.attempts), ("msg_1", 1))
        self.assertGreater(delivery.queued, 1.7e9)
        self.spool("retry", "--rule", "a")
        self.assertEqual(self.ids("dead"), [])

    def test_drop(self) -> None:
        """Gone is gone; what is in flight stays."""
        self.assertEqual(self.spool("drop", "--all")[1:], ("tokensock: 2 dead dropped\n", 0))
        self.do(store.begin, "a")
        said = self.spool("drop", "--waiting", "--all")[1]
        self.assertEqual(said, "tokensock: 1 waiting dropped\n")
        self.assertEqual(self.ids("waiting"), ["msg_2"])
        self.assertEqual(self.do(store.totals, "waiting"), {"a": 1})

    def test_unknown_ids(self) -> None:
        """An id that is not there is a failure, and nothing is changed for it."""
        self.assertEqual(self.spool("retry", "msg_9")[1:], ("tokensock: 0 to be sent again\n", 1))
        self.assertEqual(self.spool("drop", "msg_9", "msg_0")[1:][1], 1)

    def test_mistakes(self) -> None:
        """A mistake is one line, and exit status 2."""
        for arguments in (
            [],
            ["list"],
            ["bogus", str(self.path)],
            ["list", str(self.path), "--limit", "0"],
            ["retry", str(self.path)],
            ["drop", str(self.path)],
            ["drop", str(self.path), "--all", "msg_0"],
            ["drop", str(self.path), "--all", "--rule", "a"],
        ):
            lines, said, status = self.run_command(*arguments)
            self.assertEqual((lines, status), ([], 2), arguments)
            self.assertEqual(said.count("\n"), 1, said)
        self.assertEqual(len(self.ids("dead")), 2)

    def test_no_spool(self) -> None:
        """What is no spool is one line and a failure, and none is made."""
        missing = self.path.with_name("missing")
        other = self.path.with_name("other")
        with contextlib.closing(sqlite3.connect(other)) as connection:
            connection.execute("CREATE TABLE mine (a)")
        text = self.path.with_name("text")
        text.write_text("no database" * 100)
        for path, problem in (
            (missing, "there is no spool"),
            (other, "of another program"),
            (text, "file is not a database"),
        ):
            lines, said, status = self.run_command("list", str(path))
            self.assertEqual((lines, status), ([], 1))
            self.assertIn(problem, said)
            self.assertEqual(said.count("\n"), 1)
        self.assertFalse(missing.exists())
