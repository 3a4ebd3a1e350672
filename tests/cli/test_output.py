"""What is printed, for programs and for people."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.cli.output import print_json, say
from txtokensock.cli.run import log_observer

EVIL = "a\x1b[2J\x9b31m\u202eb\u2066\r\x07\x7f\u2028c"
"""C0, C1, DEL, and marks that reorder a line or end it."""


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


class OutputTests(SynchronousTestCase):
    """Forms of JSON, and what a peer's text may not do."""

    def printed(self, value: Any, stream: io.StringIO, **options: Any) -> str:
        with contextlib.redirect_stdout(stream):
            print_json(value, **options)
        return stream.getvalue()

    def test_for_programs(self) -> None:
        """One line, without a mark that is not printable, and the value is the same."""
        text = self.printed({"a": EVIL, "ü": ["€", "😀"]}, io.StringIO())
        self.assertTrue(text[:-1].isprintable(), ascii(text))
        self.assertIn('"ü":["€","😀"]', text)
        self.assertEqual(json.loads(text)["a"], EVIL)

    def test_raw(self) -> None:
        """A text is as it came for programs, and harmless on a terminal; the rest is JSON."""
        self.assertEqual(self.printed(EVIL, io.StringIO(), raw=True), f"{EVIL}\n")
        self.assertEqual(self.printed([1, "a"], io.StringIO(), raw=True), '[1,"a"]\n')
        text = self.printed(f"{EVIL}\n\tend", Terminal(), raw=True)
        self.assertTrue(text.replace("\n", "").replace("\t", "").isprintable(), ascii(text))
        self.assertIn("\n\tend\n", text)
        self.assertIn("\\u001b[2J\\u009b31m\\u202eb", text)

    def test_terminal(self) -> None:
        """Several lines, in colours of ours alone, and none where nobody wants them."""
        self.patch(os, "environ", {"TERM": "xterm"})
        value = {"k": [EVIL, 1.5, None], "e": {}}
        text = self.printed(value, Terminal())
        self.assertIn('\x1b[34m\x1b[1m"k"\x1b[0m:', text)
        self.assertIn("\x1b[36m1.5\x1b[0m", text)
        self.assertNotIn("\x1b[2J", text)
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
            self.patch(os, "environ", environment)
            plain = self.printed(value, Terminal())
            self.assertTrue(plain.replace("\n", "").isprintable(), ascii(plain))
            self.assertEqual(json.loads(plain), value)
            self.assertIn('\n  "e": {}\n', plain)

    def test_sentences(self) -> None:
        """An error may have a peer's text in it."""
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            say(EVIL)
        self.assertTrue(err.getvalue()[:-1].isprintable(), ascii(err.getvalue()))

    def test_log(self) -> None:
        """So may an event of the log, which --verbose shows."""
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            observer = log_observer()
        observer({"log_format": "it said {text}\n\tand more", "text": EVIL, "log_time": 0.0})
        shown = err.getvalue()
        self.assertIn("it said a\\u001b[2J", shown)
        self.assertTrue(shown.replace("\n", "").replace("\t", "").isprintable(), ascii(shown))
