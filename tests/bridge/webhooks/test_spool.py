"""The spool in the middle: full, failing, left behind, taken over, and looked at."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from tests.bridge.webhooks.support import MemoryDatabase, WebhooksTestCase
from txtokensock.bridge.config.webhooks import WebhookBackoff
from txtokensock.bridge.webhooks.database import SpoolUnavailable, prepare
from txtokensock.bridge.webhooks.spool import _HOLD_BYTES, _HOLD_MESSAGES, _MEMORY_MESSAGES


class SpoolTestCase(WebhooksTestCase):
    """With a webhook that cannot be reached at first."""

    def setUp(self) -> None:
        super().setUp()
        self.webhook.reachable = False

    @property
    def disk(self) -> MemoryDatabase:
        return self.databases[-1]

    def waiting(self) -> list[Any]:
        """The messages in the spool."""
        return [json.loads(row[3])["message"] for row in self.rows("waiting")]

    def back(self) -> None:
        """The webhook can be reached, and what waits has time."""
        self.webhook.reachable = True
        self.advance(10)


class StoredTests(SpoolTestCase):
    """What came in is on disk, whatever happens next."""

    def test_survives_a_crash(self) -> None:
        """What was stored is delivered by the next bridge, in order, with the same ids."""
        self.start(self.rule())
        self.publish(1, 2, 3)
        self.crash()
        self.assertEqual(self.waiting(), [1, 2, 3])
        self.webhook.reachable = True
        side = self.start(self.rule())
        self.publish(4)
        self.assertEqual(self.webhook.messages, [1, 2, 3, 4])
        self.assertEqual(side.uncertain, 0)

    def crash(self) -> None:
        """From here on the spool is as it would be if the process had ended just now."""
        (side,) = self._sides
        copy = self.directory / "copy"
        copy.mkdir()
        for path in self.directory.glob("spool.sqlite3*"):
            shutil.copy(path, copy)
        self.stop(side)
        self.spool = copy / self.spool.name

    def test_in_flight_at_a_crash(self) -> None:
        """What may have been accepted at the crash is sent again, and counted."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: None
        self.start(self.rule(), self.rule("b"))
        self.publish(1, 2)
        self.publish(3, channel="b")
        self.crash()
        self.webhook.held.clear()
        self.webhook.answer = lambda body: 200
        side = self.start(self.rule(), self.rule("b"))
        self.assertEqual(side.uncertain, 2)
        self.assertEqual(sorted(self.webhook.messages), [1, 1, 2, 3, 3])
        self.assertEqual(len(set(self.webhook.ids)), 3)
        attempts = [headers["webhook-attempt"] for _, _, headers, _ in self.webhook.requests]
        self.assertEqual(sorted(attempts), ["1", "1", "1", "2", "2"])
        self.assertEqual(self.count("retried"), 1)

    def test_one_transaction_for_many(self) -> None:
        """What comes while the disk is busy is stored in one go."""
        self.start(self.rule())
        self.disk.stuck = True
        self.publish(*range(500))
        before = self.disk.transactions
        self.disk.unstick()
        self.settle()
        self.assertEqual(self.waiting(), list(range(500)))
        self.assertLess(self.disk.transactions - before, 6)

    def test_stop(self) -> None:
        """A stop stores what came in, and tells what was in flight for too long."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: None
        side = self.start(self.rule(timeout=60.0))
        self.disk.stuck = True
        self.publish(1, 2)
        self.disk.unstick()
        self.settle()
        self.publish(3)
        self.assertEqual(self.webhook.messages, [1])
        stopped = side.stopService()
        self.publish(4)
        self.advance(4.9)
        self.assertNoResult(stopped)
        self.advance(0.1)
        self.successResultOf(stopped)
        self.assertEqual(self.waiting(), [1, 2, 3])
        self.assertEqual(self.count("dropped"), 0)
        side = self.start(self.rule())
        self.assertEqual(side.uncertain, 1)

    def test_stop_finishes_what_is_in_flight(self) -> None:
        """A delivery that ends in time is not sent again."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: None
        side = self.start(self.rule())
        self.publish(1, 2)
        stopped = side.stopService()
        self.settle()
        self.webhook.held.pop().finish()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(self.waiting(), [2])
        self.assertEqual(self.start(self.rule()).uncertain, 0)

    def test_stop_between_attempts(self) -> None:
        """A stop does not wait for the back-off."""
        side = self.start(self.rule(backoff=WebhookBackoff(first=100.0)))
        self.publish(1)
        stopped = side.stopService()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(self.waiting(), [1])

    def test_stop_before_an_attempt(self) -> None:
        """What was taken for an attempt that a stop prevented was not in flight."""
        side = self.start(self.rule(backoff=WebhookBackoff(first=1.0)))
        self.publish(1)
        self.disk.stuck = True
        self.advance(1)
        stopped = side.stopService()
        self.disk.unstick()
        self.settle()
        self.successResultOf(stopped)
        self.webhook.reachable = True
        side = self.start(self.rule())
        self.assertEqual((side.uncertain, self.webhook.messages), (0, [1]))


class BoundTests(SpoolTestCase):
    """Everything has an end."""

    def test_newest_is_refused(self) -> None:
        """A full spool keeps what it has, and counts what it does not take."""
        self.start(self.rule(spool_messages=3, backoff=WebhookBackoff(first=5.0)))
        self.publish(*range(5))
        self.assertEqual(self.waiting(), [0, 1, 2])
        self.assertEqual((self.count("in"), self.count("dropped")), (5, 2))
        self.back()
        self.publish(5)
        self.assertEqual(self.webhook.messages, [0, 1, 2, 5])

    def test_oldest_makes_room(self) -> None:
        """Or the oldest goes, but never one that is in flight."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: None
        self.start(self.rule(spool_messages=3, overflow="drop-oldest"))
        self.publish(*range(6))
        self.assertEqual(self.waiting(), [0, 4, 5])
        self.assertEqual(self.count("dropped"), 3)
        self.webhook.answer = lambda body: 200
        self.webhook.held.pop().finish()
        self.settle()
        self.assertEqual(self.webhook.messages, [0, 4, 5])

    def test_bytes(self) -> None:
        """Bytes are bounded as well; what never fits costs nobody else a place."""
        for overflow, expected in (
            ("drop-newest", ["a" * 400, "b" * 400]),
            ("drop-oldest", ["d" * 400]),
        ):
            self.webhook.reachable = False
            side = self.start(
                self.rule(spool_bytes=1000, overflow=overflow, backoff=WebhookBackoff(first=5.0))
            )
            self.publish("a" * 400, "b" * 400, "c" * 2000, "d" * 400)
            self.assertEqual(self.waiting()[-1:], expected[-1:])
            self.back()
            self.stop(side)
        self.assertEqual(self.count("dropped"), 2 + 2)

    def test_slow_disk(self) -> None:
        """A slow disk stops the reading upstream, and nothing is lost."""
        self.start(self.rule())
        self.disk.stuck = True
        total = _HOLD_MESSAGES + 5000
        for number in range(total):
            self.memory.server.publish("orders", number)
        self.settle()
        self.assertLessEqual(self.count("in"), _HOLD_MESSAGES + 1)
        self.disk.unstick()
        self.settle()
        self.assertEqual(self.count("in"), total)
        self.assertEqual(self.waiting(), list(range(total)))

    def test_room_is_given_back(self) -> None:
        """What was stored takes no room, however much it is by and by."""
        self.start(self.rule(spool_bytes=10 * _HOLD_BYTES))
        for number in range(6):
            self.publish("x" * (_HOLD_BYTES // 4))
            self.assertEqual(self.count("in"), number + 1)

    def test_order_after_a_failure(self) -> None:
        """What the disk refused together is stored in the order in which it came."""
        self.start(self.rule())
        self.disk.fill()
        self.publish(*(letter * 20_000 for letter in "abcd"))
        self.advance(3)
        self.disk.grow()
        self.advance(1)
        self.assertEqual([message[0] for message in self.waiting()], ["a", "b", "c", "d"])

    def test_stuck_disk(self) -> None:
        """A disk that does not answer holds up nobody: memory takes what it can hold."""
        side = self.start(self.rule())
        self.disk.stuck = True
        self.publish(0)
        self.advance(10)
        self.assertEqual(
            side.state().detail,
            "the spool cannot be written: the disk has not answered for 10 seconds",
        )
        self.assertFalse(side.state().up)
        for number in range(1, _MEMORY_MESSAGES + 11):
            self.memory.server.publish("orders", number)
        self.settle()
        self.assertGreaterEqual(self.count("dropped"), 9)
        self.disk.unstick()
        self.advance(1)
        self.assertEqual(self.spooled() + self.count("dropped"), _MEMORY_MESSAGES + 11)
        self.assertNotIn("spool", side.state().detail)

    def test_full_disk(self) -> None:
        """A full disk is told, tried again, and forgotten messages make room on it."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: None
        side = self.start(self.rule())
        self.publish("a" * 20_000)
        self.disk.fill()
        self.publish("b" * 20_000)
        self.assertIn("disk is full", side.state().detail)
        self.webhook.answer = lambda body: 200
        self.webhook.held.pop().finish()
        self.advance(10)
        self.assertEqual([message[0] for message in self.webhook.messages], ["a", "b"])
        self.assertEqual((side.state().up, side.state().detail), (True, ""))
        self.assertEqual(self.count("dropped"), 0)
        self.disk.grow()

    def test_full_disk_delivers(self) -> None:
        """What is stored is delivered, once and in order, while nothing can be written."""
        side = self.start(self.rule(), self.rule("b"))
        self.publish(*range(5))
        self.publish(*range(10, 13), channel="b")
        self.disk.full = True
        self.publish(5)
        self.back()
        self.advance(60)
        self.assertEqual(sorted(self.webhook.messages), [0, 1, 2, 3, 4, 10, 11, 12])
        self.assertEqual([each for each in self.webhook.messages if each < 10], [0, 1, 2, 3, 4])
        self.assertEqual((self.count("out"), self.count("dropped")), (5, 0))
        self.assertIn("disk is full", side.state().detail)
        self.advance(60)
        self.disk.full = False
        self.publish(6)
        self.advance(60)
        self.assertEqual([each for each in self.webhook.messages if each < 10], list(range(7)))
        self.assertEqual((self.rows("waiting"), self.count("out")), ([], 7))
        self.assertEqual((side.state().up, side.state().detail), (True, ""))

    def test_full_disk_keeps_no_bodies(self) -> None:
        """What is to be written of messages that are delivered is small, however long it waits."""
        side = self.start(self.rule())
        self.publish(*("x" * 1000 for _ in range(20)))
        self.disk.full = True
        self.back()
        self.advance(60)
        self.assertEqual(len(self.webhook.messages), 20)
        waiting = pickle.dumps([each.run.keywords for each in side._rules._spool._others])
        self.assertLess(len(waiting), 20 * 1000)
        self.disk.full = False
        self.advance(60)
        self.assertEqual(self.rows("waiting"), [])

    def test_full_disk_retries(self) -> None:
        """A message that is not accepted stays the first of its rule, and is not hammered."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: 503 if body["message"] == 2 else 200
        self.start(self.rule(backoff=WebhookBackoff(first=10, cap=10)))
        self.publish(1)
        self.disk.full = True
        self.publish(4)
        self.disk.full = False
        self.advance(5)
        self.publish(2)
        self.disk.full = True
        self.publish(3)
        before = len(self.webhook.requests)
        self.advance(35)
        self.assertEqual(self.webhook.messages[before:], [2, 2, 2])
        self.webhook.answer = lambda body: 200
        self.disk.full = False
        self.advance(20)
        self.assertEqual(self.webhook.messages[-2:], [2, 3])
        self.assertEqual(self.rows("waiting"), [])

    def test_stop_with_a_full_disk(self) -> None:
        """What cannot be stored at the end is lost, and counted."""
        side = self.start(self.rule())
        self.disk.fill()
        self.publish("a" * 20_000, "b" * 20_000)
        stopped = side.stopService()
        self.advance(5.1)
        self.successResultOf(stopped)
        self.assertEqual(self.count("dropped"), 2)


class RuleTests(SpoolTestCase):
    """Rules come and go."""

    def test_rule_is_gone(self) -> None:
        """Its messages stay, are told of, and go on when it is back."""
        side = self.start(self.rule(), self.rule("b"))
        self.publish(1, 2)
        side.reload(self.section(self.rule("b")))
        self.publish(3)
        self.back()
        self.assertEqual((self.webhook.messages, self.waiting()), ([], [1, 2]))
        self.assertEqual((self.spooled(), self.count("in")), (2, 2))
        self.assertEqual(self.socket.channels(), ["b"])
        side.reload(self.section(self.rule(), self.rule("b")))
        self.settle()
        self.publish(4)
        self.advance(10)
        self.assertEqual(self.webhook.messages, [1, 2, 4])

    def test_gone_and_back_in_flight(self) -> None:
        """A rule that comes back while its last message is in flight sends it once."""
        self.webhook.reachable = True
        self.webhook.answer = lambda body: None
        side = self.start(self.rule())
        self.publish(1, 2)
        side.reload(self.section())
        side.reload(self.section(self.rule(url="http://hooks.test/new")))
        self.settle()
        self.assertEqual(self.webhook.messages, [1])
        self.webhook.answer = lambda body: 200
        self.webhook.held.pop().finish()
        self.settle()
        self.assertEqual(
            [(path, body) for _, path, _, body in self.webhook.requests],
            [
                ("/in", b'{"channel":"orders","message":1}'),
                ("/new", b'{"channel":"orders","message":2}'),
            ],
        )

    def test_changed_rule(self) -> None:
        """What waits goes where the rule says now, at once."""
        side = self.start(self.rule(backoff=WebhookBackoff(first=100.0)))
        self.publish(1)
        self.webhook.reachable = True
        side.reload(self.section(self.rule("orders", "more", name="orders", url=URL_NEW)))
        self.settle()
        self.publish(2, channel="more")
        self.assertEqual([path for _, path, _, _ in self.webhook.requests], ["/new", "/new"])
        self.assertEqual(self.webhook.messages, [1, 2])

    def test_first_rule_by_reload(self) -> None:
        """A spool that was not there opens with the first rule that needs it."""
        side = self.start(spool=None)
        self.assertTrue(side.state().up)
        side.reload(self.section(self.rule()))
        self.back()
        self.publish(1)
        self.assertEqual(self.webhook.messages, [1])

    def test_refused_reload(self) -> None:
        """A spool that cannot be used changes nothing, and whoever reloads is told."""
        side = self.start(spool=None)
        self.spool.write_bytes(b"no database at all, and long enough to be one" * 100)
        section = self.section(self.rule())
        self.assertRaises(SpoolUnavailable, side.reload, section)
        self.settle()
        self.assertEqual(self.socket.channels(), [])

    def test_upstream_lost(self) -> None:
        """Messages go on being taken after the upstream connection was lost."""
        self.webhook.reachable = True
        self.start(self.rule())
        (peer,) = self.memory.server.peers()
        peer.close(4000, "restarting")
        self.advance(5)
        self.publish(1)
        self.assertEqual(self.webhook.messages, [1])

    def test_stop_before_the_subscription(self) -> None:
        """A reader that stops while the server thinks is not subscribed afterwards."""
        allowed: Deferred[bool] = Deferred()
        self.memory.server.on("subscribe", lambda *_: allowed)
        side = self.start(self.rule())
        stopped = side.stopService()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(self.socket.channels(), [])
        allowed.callback(True)
        self.settle()
        self.assertEqual([peer.channels for peer in self.memory.server.peers()], [[]])

    def test_subscription_refused(self) -> None:
        """A channel that is refused is told of, and asked for again."""
        allowed = False
        self.memory.server.on("subscribe", lambda peer, channel: allowed)
        side = self.start(self.rule())
        self.assertIn("not subscribed to 'orders'", side.state().detail)
        allowed = True
        self.advance(2)
        self.back()
        self.publish(1)
        self.assertEqual(self.webhook.messages, [1])
        self.assertEqual(side.state().detail, "")


class FileTests(SpoolTestCase):
    """What is no spool is refused, in one line."""

    def refusal(self) -> str:
        problem = self.assertRaises(SpoolUnavailable, self.side, self.section(self.rule()))
        self.assertNotIn("\n", str(problem))
        return str(problem)

    def test_of_another_user(self) -> None:
        """Whose file it is can read it, whatever its mode."""
        self.stop(self.start(self.rule()))
        self.patch(os, "geteuid", lambda: self.spool.stat().st_uid + 1)
        self.assertIn("belongs to another user", self.refusal())

    def test_not_made_by_root(self) -> None:
        """Root may become another user before the start: that one makes the spool, or has it."""
        self.patch(os, "geteuid", lambda: 0)
        side = self.side(self.section(self.rule()))
        self.assertFalse(self.spool.exists())
        self.patch(os, "geteuid", lambda: self.directory.stat().st_uid)
        side.startService()
        self.assertTrue(self.spool.exists())

    def test_no_database(self) -> None:
        """A file of another kind."""
        self.spool.write_bytes(b"no database at all, and long enough to be one" * 100)
        self.assertIn("file is not a database", self.refusal())

    def test_corrupt(self) -> None:
        """A spool in which bytes were lost."""
        side = self.start(self.rule())
        self.publish(*("x" * 3000 for _ in range(50)))
        self.stop(side)
        self.disk.connection.close()
        with self.spool.open("r+b") as file:
            file.seek(4096 * 3)
            file.write(b"\xff" * 4096 * 20)
        self.assertIn("corrupt", self.refusal().replace("malformed", "corrupt"))

    def test_other_program(self) -> None:
        """A database of somebody else, or of a later version."""
        database = MemoryDatabase(self.spool, self.clock)
        database.connection.execute("CREATE TABLE mine (a)")
        self.assertIn("of another program", self.refusal())
        database.connection.execute("DROP TABLE mine")
        self.side(self.section(self.rule()))
        database.connection.execute("PRAGMA user_version = 99")
        self.assertIn("has format 99", self.refusal())
        database.close()

    def test_two_bridges(self) -> None:
        """One bridge a spool: the second is refused, until the first stops."""
        side = self.start(self.rule())
        self.assertIn("in use by another bridge", self.refusal())
        self.stop(side)
        self.start(self.rule())

    def test_mode(self) -> None:
        """Messages are nobody else's business."""
        self.start(self.rule())
        self.publish(1)
        for path in self.directory.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_mode_of_an_older_file(self) -> None:
        """A spool that others could read, companions included, is closed to them."""
        side = self.start(self.rule())
        self.publish(1)
        companions = [Path(f"{self.spool}{suffix}") for suffix in ("", "-wal", "-shm")]
        for path in companions:
            path.touch()
            path.chmod(0o644)
        prepare(self.spool)
        for path in companions:
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)
        self.stop(side)

    def test_mode_that_stays(self) -> None:
        """One whose mode cannot be changed, for it is somebody else's, is refused."""
        self.stop(self.start(self.rule()))
        self.spool.chmod(0o640)

        def refuse(*_: Any, **__: Any) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        self.patch(os, "chmod", refuse)
        self.assertIn("has the mode 0640, which lets others in", self.refusal())


URL_NEW = "http://hooks.test/new"
