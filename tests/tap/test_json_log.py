"""Events of the log as JSON."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.server.peer import Peer
from txtokensock.tap.json_log import json_line


class Unspeakable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


class JSONLogTests(SynchronousTestCase):
    """One object a line, whatever is logged."""

    def setUp(self) -> None:
        self.lines: list[str] = []
        publisher = LogPublisher(lambda event: self.lines.append(json_line(event)))
        self.log = Logger("here", observer=publisher)

    def logged(self) -> dict[str, Any]:
        """The one event that was logged."""
        (line,) = self.lines
        self.lines.clear()
        self.assertRegex(line, r"\A[ -~]+\n\Z")
        record = json.loads(line)
        assert isinstance(record, dict)
        return record

    def test_event(self) -> None:
        """What every event has, then its own fields as JSON knows them."""
        self.log.warn(
            "{n} of\n{all}", event="a.name", n=3, all=[1, None, b"x"], share=0.5, on=True
        )
        record = self.logged()
        self.assertRegex(record.pop("time"), r"\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
        self.assertEqual(
            list(record.items()),
            [
                ("level", "warn"),
                ("namespace", "here"),
                ("event", "a.name"),
                ("text", "3 of\n[1, None, b'x']"),
                *(("n", 3), ("all", [1, None, "b'x'"]), ("share", 0.5), ("on", True)),
            ],
        )

    def test_time(self) -> None:
        """It is UTC."""
        record = json.loads(json_line({"log_time": 86400.25, "log_format": "x"}))
        self.assertEqual(record["time"], "1970-01-02T00:00:00.250000Z")

    def test_peer(self) -> None:
        """A peer is its id, and where it is."""
        where = IPv4Address("TCP", "192.0.2.1", 5)
        connection: Any = None
        peer = Peer(connection, where)
        self.log.info("{peer}", peer=peer)
        record = self.logged()
        self.assertEqual((record["peer"], record["peer_address"]), (peer.id, "192.0.2.1:5"))

    def test_addresses(self) -> None:
        """They are written as people write them."""
        for address, text in (
            (IPv6Address("TCP", "::1", 80), "[::1]:80"),
            (UNIXAddress(b"/run/s"), "unix:b'/run/s'"),
            (UNIXAddress(None), "unix"),
        ):
            self.log.info("from {where}", where=address)
            self.assertEqual(self.logged()["where"], text)

    def test_failure(self) -> None:
        """The traceback is a field of its own, and no other field shows it."""
        try:
            raise ValueError("why \ud800")
        except ValueError:
            self.log.failure("it failed", event="x.failed")
        record = self.logged()
        self.assertEqual((record["level"], record["text"]), ("critical", "it failed"))
        self.assertIn("ValueError: why", record["traceback"])
        self.assertEqual(list(record)[-1], "traceback")

    def test_no_text(self) -> None:
        """What has no text is named by its type, and a line is written."""
        self.log.failure("failed", Failure(Unspeakable()), it=Unspeakable())
        record = self.logged()
        self.assertEqual(record["it"], "<Unspeakable without a text>")
        self.assertIn("Unspeakable", record["traceback"])

    def test_no_json(self) -> None:
        """What other programs cannot read as JSON, or not exactly, is text."""
        for value in (float("nan"), float("-inf"), 2**53 + 1, -(10**400)):
            self.log.info("x", it=value)
            self.assertEqual(self.logged()["it"], str(value))
        self.log.info("x", it=10**5000)
        self.assertEqual(self.logged()["it"], "<int without a text>")

    def test_long(self) -> None:
        """What a peer sends cannot fill the log; of a traceback the end is kept."""
        long = "x" * 200_000
        self.log.failure("{it}", Failure(ValueError(long)), it=long, all=[long] * 1000)
        record = self.logged()
        self.assertEqual((len(record["it"]), len(record["text"])), (1024, 8192))
        self.assertEqual((len(record["all"]), len(record["all"][0])), (100, 1024))
        self.assertEqual(len(record["traceback"]), 65536)

    def test_own_names(self) -> None:
        """A field does not take the place of what every event has."""
        more: dict[str, Any] = {"log_level": LogLevel.info, "log_namespace": "here"}
        own = {"level": "none", "text": 5, "namespace": "y", "traceback": "z"}
        record = json.loads(json_line({"log_format": "x", **own, **more}))
        self.assertEqual(
            [record[name] for name in ("level", "text", "namespace", "traceback")],
            ["info", "x", "here", "z"],
        )
