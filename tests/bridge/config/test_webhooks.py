"""``[webhooks]``: each mistake is a line with the path of the value."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.config.fields import signing_key
from txtokensock.bridge.config.webhooks import WebhooksConfig, problems
from txtokensock.bridge.webhooks.signature import sign
from txtokensock.bridge.webhooks.target import Target

CHANNEL = '[[channels]]\nchannels = ["orders"]\nurl = "https://hooks.test/a"\n'
CALL = '[[calls]]\naction = "notify"\nurl = "https://hooks.test/b"\n'
SPOOL = 'spool = "spool.sqlite3"\n'


class ConfigTests(SynchronousTestCase):
    """What is good, and what is not."""

    def found(self, text: str) -> list[str]:
        section = msgspec.convert(tomllib.loads(text), WebhooksConfig)
        return [str(problem) for problem in problems(section, "webhooks")]

    def test_good(self) -> None:
        """The least that works, and everything at once."""
        self.assertEqual(self.found(SPOOL + CHANNEL + CALL), [])
        self.assertEqual(self.found(""), [])
        self.assertEqual(self.found(CALL), [])
        everything = (
            'name = "n"\nmethod = "PUT"\nallow_headers = ["X-Trace"]\ntimeout = 5\n'
            'attempts = 5\noverflow = "drop-oldest"\n'
            '[channels.headers]\nAuthorization = { env = "PATH" }'
        )
        self.assertEqual(self.found(SPOOL + CHANNEL + everything), [])

    def test_problems(self) -> None:
        """One line each, with the path."""
        first, call = "webhooks.channels[0]", "webhooks.calls[0]"
        for text, path in (
            (CHANNEL, "webhooks.spool"),
            ('spool = "/no/such/directory/spool"', "webhooks.spool"),
            ("stop_timeout = 0", "webhooks.stop_timeout"),
            ('tls = { authorities = "/no/such/file" }', "webhooks.tls"),
            ('tls = { key = "/no/such/file" }', "webhooks.tls"),
            (SPOOL + CHANNEL + "timeout = -1", f"{first}.timeout"),
            (SPOOL + CHANNEL + "timeout = nan", f"{first}.timeout"),
            (SPOOL + CHANNEL + "backoff = { first = 600 }", f"{first}.backoff.first"),
            (SPOOL + CHANNEL + "give_up_after = inf", f"{first}.give_up_after"),
            (SPOOL + CHANNEL + "attempts = 0", f"{first}.attempts"),
            (SPOOL + CHANNEL + "spool_messages = 0", f"{first}.spool_messages"),
            (SPOOL + CHANNEL + "spool_bytes = -5", f"{first}.spool_bytes"),
            (SPOOL + CHANNEL + "dead_letters = 0", f"{first}.dead_letters"),
            (SPOOL + CHANNEL + 'name = "a\\nb"', f"{first}.name"),
            (SPOOL + CHANNEL + 'headers = { "X Y" = "1" }', f"{first}.headers.X Y"),
            (SPOOL + CHANNEL + 'headers = { Host = "a" }', f"{first}.headers.Host"),
            (SPOOL + CHANNEL + 'headers = { X = "a\\r\\nY: b" }', f"{first}.headers.X"),
            (SPOOL + CHANNEL + 'headers = { X = { env = "NO_SUCH" } }', f"{first}.headers.X"),
            (SPOOL + CHANNEL + 'allow_headers = ["Webhook-Id"]', f"{first}.allow_headers[0]"),
            (
                SPOOL + CHANNEL + 'allow_headers = ["x"]\nheaders = { X = "1" }',
                f"{first}.allow_headers[0]",
            ),
            (SPOOL + CHANNEL + 'secret = { env = "NO_SUCH" }', f"{first}.secret"),
            (SPOOL + CHANNEL + "secret = {}", f"{first}.secret"),
            (SPOOL + CHANNEL + 'previous_secret = { env = "PATH" }', f"{first}.previous_secret"),
            (SPOOL + CHANNEL.replace('"orders"', ""), f"{first}.channels"),
            (SPOOL + CHANNEL.replace('"orders"', '"___all___"'), f"{first}.channels[0]"),
            (SPOOL + CHANNEL.replace('"orders"', '"a", "a"'), f"{first}.channels[1]"),
            (SPOOL + CHANNEL + CHANNEL, "webhooks.channels[1]"),
            (SPOOL + CHANNEL + CALL + 'name = "orders"', call),
            (CALL + CALL + 'name = "other"', "webhooks.calls[1].action"),
            (CALL + CALL.replace("notify", "notify.a"), "webhooks.calls[1].action"),
            (CALL.replace("notify", "a..b"), f"{call}.action"),
            (CALL.replace("notify", "auth"), f"{call}.action"),
            (CALL + "concurrency = 0", f"{call}.concurrency"),
        ):
            (line,) = self.found(text)
            self.assertTrue(line.startswith(f"{path}: "), f"{line} for {path}")
            self.assertNotIn("\n", line)

    def test_urls(self) -> None:
        """Only what says all by itself; the URL is never quoted, it may hold a secret."""
        for url in (
            "",
            "hooks.test/a",
            "ftp://hooks.test/a",
            "https://",
            "https:///SECRET",
            "https://user:SECRET@hooks.test/",
            "https://hooks.test:99999/SECRET",
            "https://hooks.test:0/",
            "https://hooks.test/SECRET b",
            "https://hooks.test/SECRET\u00e9",
            "https://hooks.test/?a=SECRET#b",
            "https://[::1/SECRET",
        ):
            (line,) = self.found(CALL.replace("https://hooks.test/b", url))
            self.assertTrue(line.startswith("webhooks.calls[0].url: "), line)
            self.assertNotIn("SECRET", line)

    def test_types(self) -> None:
        """Unknown keys and wrong types are refused with their path."""
        for text in (
            "bogus = 1",
            CALL + "spool_messages = 5",
            CALL + 'method = "GET"',
            SPOOL + CHANNEL + 'overflow = "all"',
            CALL + 'secret = "in clear"',
            CALL.replace("url", "uri"),
        ):
            error = self.assertRaises(msgspec.ValidationError, self.found, text)
            self.assertNotIn("in clear", str(error))

    def test_secrets_stay_secret(self) -> None:
        """Neither a section nor a target shows what it must not."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        secret = Path(directory.name, "secret")
        secret.write_text("whsec_SECRET+not base64\n")
        table = f'secret = {{ file = "{secret}" }}'
        (line,) = self.found(CALL + table)
        self.assertNotIn("SECRET", line)
        secret.write_text("SECRET\n")
        text = CALL + table + f'\nheaders = {{ Authorization = {{ file = "{secret}" }} }}'
        section = msgspec.convert(tomllib.loads(text), WebhooksConfig)
        target = Target.of(section.calls[0])
        self.assertEqual((target.keys, target.headers["Authorization"]), ((b"SECRET",), "SECRET"))
        self.assertNotIn("SECRET", repr(section) + repr(target))


class WireTests(SynchronousTestCase):
    """What does no I/O."""

    def test_signature(self) -> None:
        """As the reference library of Standard Webhooks signs (made with its 1.1.0)."""
        key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw")
        for id, time, body, expected in (
            (
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1614265330,
                '{"test": 2432232314}',
                "q6KMVIJHk4Gs770FfR5f591Ftx7uVJSGl5wHV1ri978=",
            ),
            (
                "msg_1",
                1700000000,
                '{"channel":"é","message":1}',
                "u9hyDDTtPZJNODU+cLsuavB+ad33SkJcb/IOdNfkk/U=",
            ),
        ):
            self.assertEqual(sign([key], id, time, body.encode()), f"v1,{expected}")
        self.assertEqual(len(sign([key, b"other"], "msg_1", 1, b"").split(" ")), 2)

    def test_keys(self) -> None:
        """Padding or none, base64 or any text."""
        self.assertEqual(signing_key("whsec_YQ=="), b"a")
        self.assertEqual(signing_key("whsec_YQ"), b"a")
        self.assertEqual(signing_key("é"), "é".encode())
